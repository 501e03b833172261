"""How long it takes from an edit to its diagnostics, through the language server, as an editor sees it.

Beside it, in the same run: a bare warm `construct + forward` on the meta device, and a fresh `python file.py`. Then the
memory of the server and of the process that forks for each run, beside a bare process with a warm torch.

Usage: python benchmarks/edit_to_diagnostics.py [--python PATH] [--rounds N] [--json FILE]
The interpreter needs torch; this script and the server run in the one that runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client import Client
from memory import children, proportional, resident

HERE = Path(__file__).resolve().parent
QUIET = 0.4


@dataclass(frozen=True)
class Subject:
    """A model: its file, how it is built and called, and an edit (old text, new text with a number) that breaks it."""

    name: str
    file: str
    build: str
    call: str
    old: str
    new: str


SUBJECTS = (
    Subject(
        "MLP, 3 layers",
        "mlp.py",
        "MLP(784, 256, 10)",
        "model(torch.randn(32, 784))",
        "self.fc2 = nn.Linear(hidden, hidden)",
        "self.fc2 = nn.Linear(hidden + {}, hidden)",
    ),
    Subject(
        "ResNet-50",
        "resnet50.py",
        "ResNet((3, 4, 6, 3))",
        "model(torch.randn(8, 3, 224, 224))",
        "self.fc = nn.Linear(inputs, classes)",
        "self.fc = nn.Linear(inputs + {}, classes)",
    ),
    Subject(
        "GPT-2, 124 M",
        "gpt2.py",
        "GPT(Config())",
        "model(torch.randint(0, 50257, (4, 256)))",
        "self.ln_f = nn.LayerNorm(config.n_embd)",
        "self.ln_f = nn.LayerNorm(config.n_embd + {})",
    ),
)


@dataclass(frozen=True)
class Times:
    """Seconds of each round."""

    edits: list[float]
    bare: list[float]
    fresh: list[float]


class Bare:
    """The process of `bare.py`."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "bare.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def seconds(self, subject: Subject) -> float:
        """Build and run the model once."""
        assert self.process.stdin
        wanted = {"file": str(HERE / "models" / subject.file), "build": subject.build, "call": subject.call}
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return float(self._answer())

    def stop(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter with torch")
    parser.add_argument("--rounds", type=int, default=20, help="edits of each model")
    parser.add_argument("--fresh", type=int, default=3, help="fresh processes of each model")
    parser.add_argument("--json", type=Path, help="write the numbers there, too")
    options = parser.parse_args()
    bare = Bare(options.python)
    baseline = (resident(bare.process.pid), proportional(bare.process.pid))
    with tempfile.TemporaryDirectory() as folder:
        client = Client(Path(folder), options.python)
        times = {subject: measure(subject, Path(folder), client, bare, options) for subject in SUBJECTS}
        memory = measure_memory(client, baseline)
        client.stop()
    bare.stop()
    report(times, memory)
    if options.json:
        numbers = {subject.name: vars(taken) for subject, taken in times.items()}
        options.json.write_text(json.dumps({"seconds": numbers, "memory_mib": memory}, indent=1), encoding="utf-8")
    return 0


def measure(subject: Subject, folder: Path, client: Client, bare: Bare, options: argparse.Namespace) -> Times:
    """One model: edits and bare runs in turn, so that both meet the same noise; then fresh processes."""
    source = (HERE / "models" / subject.file).read_text(encoding="utf-8")
    path = folder / subject.file
    path.write_text(source, encoding="utf-8")
    document = {"uri": path.as_uri(), "languageId": "python", "version": 0, "text": source}
    client.notify("textDocument/didOpen", textDocument=document)
    client.wait(lambda message: _errors(message, path, 0) == 0)
    bare.seconds(subject)
    edits, bares = [], []
    for number in range(1, options.rounds + 1):
        client.quiet(QUIET)
        text = source if number % 2 == 0 else source.replace(subject.old, subject.new.format(number))
        assert (text == source) == (number % 2 == 0)
        wanted: Callable[[Any], bool] = lambda message, n=number: _errors(message, path, n) == n % 2  # noqa: E731
        started = time.perf_counter()
        # An unseen number in a comment: no round may be answered from what an earlier one left behind.
        changed = f"{text}# {number}\n"
        client.notify(
            "textDocument/didChange",
            textDocument={"uri": path.as_uri(), "version": number},
            contentChanges=[{"text": changed}],
        )
        edits.append(client.wait(wanted)[0] - started)
        bares.append(bare.seconds(subject))
    client.notify("textDocument/didClose", textDocument={"uri": path.as_uri()})
    client.quiet(QUIET)
    return Times(edits, bares, [fresh(options.python, path) for _ in range(options.fresh)])


def fresh(python: str, path: Path) -> float:
    """Seconds of a process that runs the file as its author would."""
    started = time.perf_counter()
    subprocess.run([python, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure_memory(client: Client, baseline: tuple[float, float]) -> dict[str, float]:
    """MiB in memory; the worker is the server's child, and what it forked is gone by now."""
    client.quiet(2.0)
    server = client.process.pid
    (worker,) = children(server)
    return {
        "server": resident(server),
        "server, proportional": proportional(server),
        "worker": resident(worker),
        "worker, proportional": proportional(worker),
        "bare torch": baseline[0],
        "bare torch, proportional": baseline[1],
    }


def report(times: dict[Subject, Times], memory: dict[str, float]) -> None:
    """The table, and whether the goals are met."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians in ms\n")
    row = "{:14} {:>8} {:>8} {:>8} {:>9} {:>9} {:>13}  {}"
    print(row.format("model", "edit", "90 %", "bare", "fresh", "edit/bare", "fresh/edit", "goal: edit <= 3 bare + 60"))
    for subject, taken in times.items():
        edit, bare, slow = (1000 * statistics.median(part) for part in (taken.edits, taken.bare, taken.fresh))
        late = 1000 * sorted(taken.edits)[int(0.9 * (len(taken.edits) - 1))]
        shown = [f"{edit:.0f}", f"{late:.0f}", f"{bare:.1f}", f"{slow:.0f}", f"{edit / bare:.1f}", f"{slow / edit:.1f}"]
        print(row.format(subject.name, *shown, f"{3 * bare + 60:.0f} ms: {_verdict(edit <= 3 * bare + 60)}"))
    first = times[SUBJECTS[0]]
    faster = statistics.median(first.fresh) / statistics.median(first.edits)
    print(f"\nMLP against a fresh process: {faster:.1f} times as fast; goal 15: {_verdict(faster >= 15)}")
    size = memory["server"]
    print(f"server: {size:.0f} MiB resident; goal 100: {_verdict(size <= 100)}")
    ratio = memory["worker"] / memory["bare torch"]
    sizes = f"{memory['worker']:.0f} MiB resident, a bare warm torch {memory['bare torch']:.0f}"
    print(f"worker: {sizes}, ratio {ratio:.2f}; goal 1.2: {_verdict(ratio <= 1.2)}")


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _errors(message: Any, path: Path, version: int) -> int | None:
    """How many errors this message publishes for this version of the file; None if it is about something else."""
    params = message.get("params") or {}
    if message.get("method") != "textDocument/publishDiagnostics" or params.get("uri") != path.as_uri():
        return None
    if params.get("version") != version:
        return None
    return sum(1 for item in params["diagnostics"] if item.get("severity") == 1)


if __name__ == "__main__":
    sys.exit(main())
