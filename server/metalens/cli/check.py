"""`metalens check`: every file under the given paths through the engine, and what was found in the format asked for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metalens.cli.formats.json import write_json
from metalens.cli.formats.text import write_text
from metalens.cli.outcome import collect
from metalens.cli.paths import files_of
from metalens.cli.session import Choice, Faults, engine_for
from metalens.cli.terminal import Progress, palette_for
from metalens.engine.result import Result
from metalens.features.heard import at_levels, heard
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.project import read_project


@dataclass(frozen=True)
class CheckOptions:
    """What to check, and how to say what was found: `format` is `text` or `json`.

    `rules` gives some rules another level; it has the last word.
    """

    paths: Sequence[str]
    format: str = "text"
    rules: Mapping[str, str] = field(default_factory=dict)
    choice: Choice = field(default_factory=Choice)


def check(options: CheckOptions) -> int:
    """Check and write to standard output. The exit code: 1 if there is an error or a warning, 2 if we failed, else 0.

    Raises BadPath, NoInterpreter and WorkerUnusable.
    """
    workspace = Workspace(Path.cwd())
    files = files_of(workspace, options.paths)
    faults = Faults()
    results = asyncio.run(_check_all(workspace, files, options.choice, faults)) if files else ()
    project = read_project(workspace)
    levels = {**project.rules, **options.rules}
    outcome = collect([heard(result, levels) for result in results], at_levels(project.complaints, levels))
    analysed = {result.file: result.text for result in results}

    def text_of(file: str) -> str:
        return analysed[file] if file in analysed else _text_or_nothing(workspace, file)

    if options.format == "json":
        sys.stdout.write(write_json(outcome, text_of) + "\n")
    else:
        sys.stdout.write(write_text(outcome, text_of, palette_for(sys.stdout)))
    sys.stderr.writelines(f"metalens: {text}\n" for text in faults.texts)
    if faults.texts:
        return 2
    return 1 if outcome.failed else 0


async def _check_all(workspace: Workspace, files: Sequence[str], choice: Choice, faults: Faults) -> tuple[Result, ...]:
    progress = Progress(sys.stderr)
    progress.show("importing torch")
    try:
        async with engine_for(workspace, choice, faults) as engine:
            if len(files) == 1:
                return (await engine.check(files[0]),)
            return await engine.check_all(files, lambda text: progress.show(f"checking {text}"))
    finally:
        progress.clear()


def _text_or_nothing(workspace: Workspace, file: str) -> str:
    """A related place may stand in a file that is gone by now: it is then named without its lines."""
    try:
        return workspace.text(file)
    except Unreadable:
        return ""
