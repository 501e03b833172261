"""Which Python runs the user's code."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

ENVIRONMENTS = (".venv", "venv")


@dataclass(frozen=True)
class Interpreter:
    """An executable, and the words that say why it was taken."""

    path: str
    source: str


class NoInterpreter(Exception):
    """There is no Python to run the user's code. The text is a sentence for the user."""


def choose_interpreter(root: Path, choice: str) -> Interpreter:
    """The chosen interpreter; else the environment in the workspace; else this one if it has torch; else PATH's.

    `choice` is an executable, the folder of an environment, or the name of a command; a relative path starts at
    `root`. The path is never resolved: a link is what makes an environment. Raises NoInterpreter.
    """
    if choice:
        return Interpreter(_chosen(root, choice), "chosen")
    for name in ENVIRONMENTS:
        found = _python_of(root / name)
        if found is not None:
            return Interpreter(found, f"{name} of the workspace")
    if sys.executable and _has_torch():
        return Interpreter(sys.executable, "the Python that Metalens runs in")
    for name in ("python3", "python"):
        on_path = shutil.which(name)
        if on_path is not None:
            return Interpreter(on_path, f"{name} on PATH")
    raise NoInterpreter("No Python interpreter was found: choose one, or create .venv in the workspace.")


def _chosen(root: Path, choice: str) -> str:
    text = os.path.expanduser(choice.replace("${workspaceFolder}", str(root)))
    if os.sep not in text and "/" not in text:
        command = shutil.which(text)
        if command is not None:
            return command
    path = Path(os.path.abspath(root / text))
    if path.is_dir():
        found = _python_of(path)
        if found is None:
            raise NoInterpreter(f"The chosen interpreter {choice} is a folder without a Python in it.")
        return found
    if not path.exists():
        raise NoInterpreter(f"The chosen interpreter {choice} does not exist.")
    if not os.access(path, os.X_OK):
        raise NoInterpreter(f"The chosen interpreter {choice} is not executable.")
    return str(path)


def _python_of(environment: Path) -> str | None:
    for inner in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        candidate = environment / inner
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return None


def _has_torch() -> bool:
    # The path finder alone, so that nothing is imported; an origin, so that a mere folder named torch does not count.
    spec = PathFinder.find_spec("torch")
    return spec is not None and spec.origin is not None
