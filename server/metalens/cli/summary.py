"""`metalens summary file.py:Class`: the layers of a class with their output shapes and parameters, as a table."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metalens.cli.outcome import best
from metalens.cli.paths import BadPath, files_of, relative
from metalens.cli.session import Choice, Faults, engine_for
from metalens.cli.terminal import Palette, palette_for
from metalens.cli.words import built_with
from metalens.engine.result import Result
from metalens.features.heard import heard
from metalens.features.words import counted, shape, size, total, total_bytes
from metalens.protocol.messages import Context, Layer
from metalens.workspace.documents import Workspace
from metalens.workspace.project import read_project


@dataclass(frozen=True)
class SummaryOptions:
    """`target` is `file.py:Class`, or `file.py` for all of its classes."""

    target: str
    choice: Choice = field(default_factory=Choice)


def summary(options: SummaryOptions) -> int:
    """Write the tables to standard output; the exit code is always 0.

    Raises BadPath for a file or class that is not there, NoInterpreter and WorkerUnusable.
    """
    path, name = _split(options.target)
    workspace = Workspace(Path.cwd())
    if Path(path).is_dir():
        raise BadPath(f"{path}: a folder; name a file, as in net.py:Net")
    (file,) = files_of(workspace, [path])
    result = asyncio.run(_check(workspace, file, options.choice))
    palette = palette_for(sys.stdout)
    tables = ["\n".join(_table(context, result, palette)) + "\n" for context in _wanted(result, name)]
    sys.stdout.write("\n".join(tables))
    return 0


async def _check(workspace: Workspace, file: str, choice: Choice) -> Result:
    async with engine_for(workspace, choice, Faults()) as engine:
        return heard(await engine.check(file), read_project(workspace).rules)


def _split(target: str) -> tuple[str, str]:
    """`net.py:Net` as file and class. A colon may also belong to a drive (`C:/net.py`)."""
    path, _, name = target.rpartition(":")
    return (path, name) if path and name.replace(".", "").isidentifier() else (target, "")


def _wanted(result: Result, name: str) -> tuple[Context, ...]:
    models = [model for model in result.models if name in ("", model.cls.qualname)]
    if models:
        return tuple(best(result, model) for model in models)
    if result.problem:
        raise BadPath(f"{relative(result.file)}: {result.problem}")
    known = ", ".join(model.cls.qualname for model in result.models)
    raise BadPath(
        f"{relative(result.file)} has no module class {name}".rstrip() + (f"; it has {known}" if known else "")
    )


def _table(context: Context, result: Result, palette: Palette) -> Iterator[str]:
    number = total(context.parameters)
    known = f"  {counted(number, 'parameter')} · {size(total_bytes(context.parameters))}"
    yield palette.strong(context.qualname) + ("" if context.status == "skipped" else known)
    yield from map(palette.faint, built_with(context))
    mistakes = [finding for finding in result.findings if finding.model == context.qualname]
    for finding in mistakes:
        place = f"{relative(finding.location.file)}:{finding.location.range.start.line + 1}"
        yield palette.severity(finding.severity, f"{finding.severity} in {place}: {finding.message}")
    if context.status != "traced" and not mistakes:
        yield f"{context.status}: {context.reason}"
    if not context.layers:
        return
    rows = [("layer", "", "output", "parameters"), *map(_row, context.layers)]
    rows.append(("", "", shape(context.output) if context.output else "", f"{number:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for index, row in enumerate(rows):
        line = _line(row, widths)
        yield palette.strong(line) if index in (0, len(rows) - 1) else line


def _row(layer: Layer) -> tuple[str, str, str, str]:
    depth = layer.name.count(".")
    times = f" ·{layer.calls} calls" if layer.calls > 1 else ""
    output = shape(layer.output) if layer.output else ""
    return (
        "  " * depth + layer.name.rpartition(".")[2],
        layer.repr or layer.type,
        output + times,
        f"{total(layer.parameters):,}",
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *left, count = row
    cells = [cell.ljust(width) for cell, width in zip(left, widths, strict=False)]
    return "  ".join([*cells, count.rjust(widths[-1])]).rstrip()
