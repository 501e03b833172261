"""`metalens check`: every file under the given paths through the engine, and what was found in the format asked for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from metalens.cli.fix import as_data, difference, told, write_files
from metalens.cli.formats.json import write_json
from metalens.cli.formats.text import write_text
from metalens.cli.outcome import collect
from metalens.cli.paths import files_of
from metalens.cli.session import Choice, Faults, engine_for
from metalens.cli.terminal import Progress, palette_for
from metalens.engine.engine import Engine
from metalens.engine.mending import Mended, mend
from metalens.engine.result import Result
from metalens.features.heard import at_levels, heard
from metalens.protocol.messages import Finding
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.project import read_project
from metalens.workspace.writing import Original, read_original


@dataclass(frozen=True)
class CheckOptions:
    """What to check, and how to say what was found: `format` is `text` or `json`.

    `rules` gives some rules another level; it has the last word. `fix` mends what can be mended, `diff` only shows how.
    """

    paths: Sequence[str]
    format: str = "text"
    rules: Mapping[str, str] = field(default_factory=dict)
    fix: bool = False
    diff: bool = False
    choice: Choice = field(default_factory=Choice)


def check(options: CheckOptions) -> int:
    """Check and write to standard output. The exit code: 1 if there is an error or a warning, 2 if we failed, else 0.

    With `fix` it tells of what is left, with `diff` of what there was. Raises BadPath, NoInterpreter, WorkerUnusable.
    """
    workspace = Workspace(Path.cwd())
    files = files_of(workspace, options.paths)
    faults = Faults()
    desk = _Desk(workspace, options, faults)
    mended = asyncio.run(desk.work(files)) if files else Mended(())
    if options.fix:
        faults.texts.extend(write_files(mended, desk.originals))
    outcome = collect(mended.results, desk.complaints(mended.results))
    analysed = {result.file: result.text for result in mended.results}

    def text_of(file: str) -> str:
        return analysed[file] if file in analysed else _text_or_nothing(workspace, file)

    changes = difference(mended, desk.originals) if options.diff else ""
    if options.format == "json":
        more: dict[str, object] = {"fixed": as_data(mended.repairs)} if options.fix or options.diff else {}
        sys.stdout.write(write_json(outcome, text_of, {**more, "diff": changes} if options.diff else more) + "\n")
    elif options.diff:
        sys.stdout.write(changes)
        sys.stderr.write(told(mended.repairs, palette_for(sys.stderr), written=False))
    else:
        if mended.repairs:
            sys.stdout.write(told(mended.repairs, palette_for(sys.stdout), written=True) + "\n")
        sys.stdout.write(write_text(outcome, text_of, palette_for(sys.stdout)))
    sys.stderr.writelines(f"metalens: {text}\n" for text in faults.texts)
    if faults.texts:
        return 2
    return 1 if outcome.failed or (options.diff and mended.repairs) else 0


class _Desk:
    """Where files are checked, once or until all is mended. `originals` are the files that were changed."""

    def __init__(self, workspace: Workspace, options: CheckOptions, faults: Faults) -> None:
        self._workspace = workspace
        self._options = options
        self._faults = faults
        self._progress = Progress(sys.stderr)
        self.project = read_project(workspace)
        self.levels = {**self.project.rules, **options.rules}
        self.originals: dict[str, Original] = {}

    async def work(self, files: Sequence[str]) -> Mended:
        self._progress.show("importing torch")
        try:
            async with engine_for(self._workspace, self._options.choice, self._faults) as engine:
                text_of = partial(_text_or_nothing, self._workspace)

                async def look(files: Sequence[str], texts: Mapping[str, str]) -> Sequence[Result]:
                    self._lay(texts)
                    return [heard(result, self.levels, text_of) for result in await self._check(engine, files)]

                if self._options.fix or self._options.diff:
                    return await mend(files, look, self._original)
                return Mended(tuple(await look(files, {})))
        finally:
            self._progress.clear()

    async def _check(self, engine: Engine, files: Sequence[str]) -> Sequence[Result]:
        if len(files) == 1:
            return (await engine.check(files[0]),)
        return await engine.check_all(files, lambda text: self._progress.show(f"checking {text}"))

    def complaints(self, results: Sequence[Result]) -> tuple[Finding, ...]:
        """What is wrong with the settings, each once."""
        told = [*self.project.complaints, *(finding for result in results for finding in result.settings)]
        return at_levels(dict.fromkeys(told), self.levels)

    def _lay(self, texts: Mapping[str, str]) -> None:
        """These texts, and no others, lie over the disk."""
        for file in self.originals.keys() - texts.keys():
            self._workspace.close(file)
        for file, text in texts.items():
            self._workspace.open(file, text, 0)

    def _original(self, file: str) -> str:
        """Read for the first change, so that what is written later is compared with what was checked."""
        if file not in self.originals:
            self.originals[file] = read_original(file)
        return self.originals[file].text


def _text_or_nothing(workspace: Workspace, file: str) -> str:
    """A related place may stand in a file that is gone by now: it is then named without its lines."""
    try:
        return workspace.text(file)
    except Unreadable:
        return ""
