"""Fixes are tried before they are offered: each is applied to a copy of the texts and the model runs again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from metalens.engine.edits import apply_edits, moved
from metalens.protocol.messages import Crash, Edit, Finding, Fix, Report, Run
from metalens.protocol.values import Location

Runner = Callable[[Run], Awaitable[Report | Crash]]
Texts = Callable[[str], str]

_SEEN = ("traced", "instantiated")


async def verify(finding: Finding, found_by: Sequence[tuple[Run, Report]], text_of: Texts, run: Runner) -> Finding:
    """The finding with only those of its fixes that mend it.

    `found_by` are the runs in which it was found. A fix stays if after it every one of them has the finding no more,
    has no other finding than before, and the model's forward ends, or gets further than it did. A script's own mistake
    belongs to no model.
    """
    kept: list[Fix] = []
    for fix in finding.fixes:
        if await _mends(fix, finding, found_by, text_of, run):
            kept.append(replace(fix, preferred=fix.preferred and not any(other.preferred for other in kept)))
    return replace(finding, fixes=tuple(kept))


async def _mends(
    fix: Fix, finding: Finding, found_by: Sequence[tuple[Run, Report]], text_of: Texts, run: Runner
) -> bool:
    edited = {
        file: apply_edits(text_of(file), [edit for edit in fix.edits if edit.location.file == file])
        for file in {edit.location.file for edit in fix.edits}
    }
    for original, before in found_by:
        after = await run(replace(original, overlay={**original.overlay, **edited}, traces=()))
        if isinstance(after, Crash) or not _better(finding, fix.edits, before, after):
            return False
    return bool(fix.edits) and bool(found_by)


def _better(finding: Finding, edits: Sequence[Edit], before: Report, after: Report) -> bool:
    left = {_identity(other, other.location) for other in after.findings if _counts(other, finding, edits)}
    # The others must say what they said: a fix that changes their sizes would not go together with theirs.
    expected = {_identity(other, moved(other.location, edits)) for other in before.findings}
    code, place, _ = _identity(finding, moved(finding.location, edits))
    reach = _reach(finding, after)
    gone = (code, place) not in {other[:2] for other in left}
    told = any(context.qualname == finding.model for context in before.contexts)
    return gone and left <= expected and (reach == 0 or reach < _reach(finding, before) or not told)


def _counts(other: Finding, finding: Finding, edits: Sequence[Edit]) -> bool:
    """Whether a fix may not bring this finding: what a run that gets further is merely warned of is no matter of it."""
    places = [moved(finding.location, edits), *(moved(edit.location, edits) for edit in edits)]
    return other.severity == "error" or any(_same_line(other.location, place) for place in places)


def _same_line(one: Location, other: Location) -> bool:
    return one.file == other.file and one.range.start.line == other.range.start.line


def _identity(finding: Finding, location: Location) -> tuple[str, Location, str]:
    return finding.code, location, finding.message


def _reach(finding: Finding, report: Report) -> int:
    """How far the best run of the model got: 0 to the end of forward, 1 built, 2 neither.

    Where the model stands in another file, whose classes are not told of: the same, added up for those of this file.
    """
    best: dict[str, int] = {}
    for context in report.contexts:
        if context.qualname == finding.model or context.file == finding.location.file:
            rank = _SEEN.index(context.status) if context.status in _SEEN else len(_SEEN)
            best[context.qualname] = min(rank, best.get(context.qualname, rank))
    return best[finding.model] if finding.model in best else sum(best.values()) if best else len(_SEEN)
