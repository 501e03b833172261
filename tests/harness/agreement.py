"""Metalens beside real PyTorch on random networks, each in a process of its own: what do they disagree about?

A program, run in `tests/` with `server/` on the path: `python -m harness.agreement --networks 1000` judges that many
networks and some changed ones of each, and prints every disagreement. Without an argument it reads seeds from its
standard input and answers each with a line of JSON: name, text and disagreements of the networks that have some.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

from metalens.worker.host.torchimport import import_torch

import_torch()  # as the worker does, before anything else imports it

import torch  # noqa: E402
from torch import nn  # noqa: E402

from harness.networks import Network, mutant, network  # noqa: E402
from metalens.protocol.messages import Caller, Finding, Report, Run, Target  # noqa: E402
from metalens.worker.perform import perform, warm  # noqa: E402

FILE = "/networks/net.py"
_SECONDS = 60


def disagreements(seed: int, changes: int) -> Iterator[tuple[Network, list[str]]]:
    """The network of a seed and so many changed ones of it, each with what is said of it on one side alone."""
    correct = network(seed)
    for part in (correct, *(mutant(correct, seed * 100 + number) for number in range(changes))):
        yield part, _in_a_child(part)


def _in_a_child(part: Network) -> list[str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(_SECONDS)
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(_compared(part)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return list(json.loads(text)) if text else ["the process ended without an answer"]


def _compared(part: Network) -> list[str]:
    complaints = io.StringIO()
    try:
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        error, lines, real = _really(part.text)
        run = Run(1, "/networks", (), (Caller(FILE),), _targets(part.text), overlay={FILE: part.text}, traces=(FILE,))
        with contextlib.redirect_stderr(complaints):
            report = perform(run)
    except BaseException:  # noqa: BLE001 - whatever goes wrong here is a disagreement too
        return [traceback.format_exc()]
    found = [text for text in complaints.getvalue().splitlines() if "metalens" in text]
    return [*found, *_of_findings(part.text, error, lines, report), *_of_shapes(real, report)]


def _targets(text: str) -> tuple[Target, ...]:
    names = [(place, line) for place, line in enumerate(text.split("\n")) if line.startswith("class ")]
    return tuple(Target(FILE, line[6:].partition("(")[0], place) for place, line in names)


def _really(text: str) -> tuple[str, list[tuple[int, str]], dict[str, tuple[int, ...]]]:
    """How a script ends in real PyTorch: its error, the traceback's lines in it, and what each layer of `net` gave."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shapes: dict[int, list[tuple[int, ...]]] = {}

    def gave(module: Any, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        shapes.setdefault(id(module), []).append(tuple(first.shape))

    handle = nn.modules.module.register_module_forward_hook(gave)
    error, lines = "", []
    try:
        exec(compile(text, FILE, "exec"), namespace)
    except Exception as raised:  # noqa: BLE001 - whatever PyTorch raises is the answer
        error = f"{type(raised).__name__}: {raised}"
        frames = traceback.extract_tb(raised.__traceback__)
        lines = [((frame.lineno or 1) - 1, frame.name) for frame in frames if frame.filename == FILE]
    finally:
        handle.remove()
    named = namespace["net"].named_modules() if "net" in namespace else ()
    once = {name: shapes[id(part)][0] for name, part in named if name and len(shapes.get(id(part), ())) == 1}
    return error, lines, once


def _of_findings(text: str, error: str, lines: list[tuple[int, str]], report: Report) -> Iterator[str]:
    findings = [finding for finding in report.findings if finding.severity == "error"]
    if not error:
        yield from (f"PyTorch runs it, but: {_told(finding)}" for finding in findings)
        status = {context.qualname: f"{context.status}: {context.reason}" for context in report.contexts}
        if not status.get("Net", "").startswith("traced"):
            yield f"PyTorch runs it, but Net is {status.get('Net', 'not met')}"
        return
    if not findings:
        yield f"PyTorch raises in line {lines[-1][0] + 1 if lines else '?'}, and nothing is said: {error}"
    if len(findings) > 1:
        yield f"one number was changed, and {len(findings)} mistakes are told: {' / '.join(map(_told, findings))}"
    if findings and not any(_is_at(finding, lines, text) for finding in findings):
        yield f"PyTorch raises in line {lines[-1][0] + 1}, but: {_told(findings[0])} ({error})"
    yield from (f"too long: {finding.message}" for finding in findings if len(finding.message) > 100)


def _is_at(finding: Finding, lines: list[tuple[int, str]], text: str) -> bool:
    """Whether a finding stands on the way to the error, below the script's own call, or at an element there."""
    first, last = finding.location.range.start.line, finding.location.range.end.line
    inside = [line for line, name in lines if name != "<module>"] or [line for line, _ in lines]
    if any(first <= line <= last for line in inside):
        return True
    shown = {part.location.range.start.line for part in finding.related}
    return "nn." in text.split("\n")[first] and bool(shown & set(inside))


def _told(finding: Finding) -> str:
    return f"line {finding.location.range.start.line + 1} [{finding.code}] {finding.message}"


def _of_shapes(real: dict[str, tuple[int, ...]], report: Report) -> Iterator[str]:
    for context in report.contexts:
        if context.qualname != "Net":
            continue
        for layer in context.layers:
            shape = _first(layer.output) if layer.calls == 1 else None
            if shape is not None and layer.name in real and shape != real[layer.name]:
                yield f"{layer.name} gives {list(real[layer.name])}, not {list(shape)}"


def _first(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    while getattr(value, "items", None):
        value = value.items[0]
    return tuple(value.shape) if getattr(value, "shape", None) is not None else None


def _main() -> None:
    parser = argparse.ArgumentParser(description="Metalens beside real PyTorch on random networks.")
    parser.add_argument("--networks", type=int, default=0, help="how many networks; without it, seeds are read")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one")
    parser.add_argument("--changes", type=int, default=4, help="how many changed ones of each")
    wanted = parser.parse_args()
    warm()
    if not wanted.networks:
        for line in sys.stdin:
            judged = disagreements(int(line), wanted.changes)
            sys.stdout.write(json.dumps([(part.name, part.text, found) for part, found in judged if found]) + "\n")
            sys.stdout.flush()
        return
    bad = 0
    for seed in range(wanted.first, wanted.first + wanted.networks):
        for part, found in disagreements(seed, wanted.changes):
            bad += bool(found)
            if found:
                sys.stdout.write("\n".join([f"=== {part.name}", *found, part.text, ""]))
                sys.stdout.flush()
    sys.stdout.write(f"{bad} of {wanted.networks * (wanted.changes + 1)} disagree\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    _main()
