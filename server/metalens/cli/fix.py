"""`metalens check --fix` and `--diff`: what was mended, as files or as a difference."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from metalens.cli.paths import relative
from metalens.cli.terminal import Palette
from metalens.engine.mending import Mended, Repair
from metalens.features.words import counted
from metalens.workspace.writing import Original, Unwritable, rewrite

# Only what ends a line for git and patch: a form feed within a line does not.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def write_files(mended: Mended, originals: Mapping[str, Original]) -> tuple[str, ...]:
    """Write every changed file; a sentence for each that could not be written."""
    problems = []
    for file, text in mended.texts.items():
        try:
            rewrite(originals[file], text)
        except Unwritable as problem:  # noqa: PERF203 (one file that cannot be written leaves the others alone)
            problems.append(str(problem))
    return tuple(problems)


def difference(mended: Mended, originals: Mapping[str, Original]) -> str:
    """The changes as a unified difference that `git apply` and `patch -p1` take; empty if there are none."""
    return "".join(
        part for file in sorted(mended.texts) for part in _of_file(file, originals[file].text, mended.texts[file])
    )


def told(repairs: Sequence[Repair], palette: Palette, *, written: bool) -> str:
    """What was mended, a line each, and how many; ends in a line break."""
    lines = [f"{_place(repair)}: {repair.fix.title} ({repair.finding.code})\n" for repair in repairs]
    verb = "Fixed" if written else "Would fix"
    return "".join([*lines, palette.strong(f"{verb} {counted(len(repairs), 'mistake')}.") + "\n"])


def as_data(repairs: Sequence[Repair]) -> list[dict[str, object]]:
    """The same for the JSON of a check."""
    return [
        {
            "file": relative(repair.finding.location.file),
            "line": repair.finding.location.range.start.line,
            "code": repair.finding.code,
            "message": repair.finding.message,
            "title": repair.fix.title,
        }
        for repair in repairs
    ]


def _place(repair: Repair) -> str:
    location = repair.finding.location
    return f"{relative(location.file)}:{location.range.start.line + 1}"


def _of_file(file: str, before: str, after: str) -> Iterator[str]:
    name = relative(file)
    lines = difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), f"a/{name}", f"b/{name}")
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
