"""Real PyTorch, which has the last word: runs scripts as their authors would, each in a process of its own.

The module is also the program of the process that imports torch once and forks a child for each script.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How a script ended: `error` is empty when it ran to its end; `lines` are the (file, line) of the traceback."""

    error: str
    lines: tuple[tuple[str, int], ...]


class Truth:
    """A process with torch in it. Use as a context."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, script: Path) -> Outcome:
        """Run one script to its end."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{script}\n")
        self._process.stdin.flush()
        error, lines = json.loads(self._process.stdout.readline())
        return Outcome(error, tuple((file, line) for file, line in lines))


def _serve() -> None:
    import torch  # noqa: F401, PLC0415 (only this process needs it, and its children find it loaded)

    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, json.dumps(_outcome(line.strip())).encode() + b"\n")
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            sys.stdout.write(answer.read())
        sys.stdout.flush()
        os.waitpid(child, 0)


def _outcome(script: str) -> tuple[str, list[tuple[str, int]]]:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    sys.dont_write_bytecode = True
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:  # noqa: BLE001 (whatever a script raises is the answer)
        frames = traceback.extract_tb(error.__traceback__)
        return f"{type(error).__name__}: {error}", [(frame.filename, (frame.lineno or 1) - 1) for frame in frames]
    return "", []


if __name__ == "__main__":
    _serve()
