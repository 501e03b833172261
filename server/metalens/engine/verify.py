"""Fixes are tried before they are offered: each is applied to a copy of the texts and the model runs again."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from metalens.engine.edits import apply_edits, moved
from metalens.protocol.messages import CUT_SHORT, Context, Crash, Edit, Finding, Fix, Mark, Report, Run
from metalens.protocol.values import Location, Value

Runner = Callable[[Run], Awaitable[Report | Crash]]
Texts = Callable[[str], str]
Found = tuple[Run, Report]
Edits = tuple[Edit, ...]

# So many good ones are enough, or fewer where they are guesses; after so many candidates one is; so many are tried side
# by side; and no new one after so many seconds, or fewer where nobody looks at the file that the finding stands in.
ENOUGH = 5
GUESSES = 2
LIKELY = 8
AT_ONCE = 2
PATIENCE = 20.0
LITTLE_PATIENCE = 6.0

# Mistakes that other sizes would neither bring nor mend, though the message tells of some.
_SIZELESS = frozenset({"view-contiguity", "dtype-mismatch", "index-dtype"})
_SIZE = re.compile(r"(?<![\w-])\d+(?!-dim)")
_PROBED, _NEITHER = 1, 3
# A trial may take this many times as long as the run that it repeats, and this long in any case.
_SLOWER = 3.0
_QUICKER = 2.0
_LEAST_SECONDS = 3.0


class Trial(NamedTuple):
    """Whether a candidate mends the finding, and what forward then gives if it does."""

    mends: bool
    gives: Value | None = None


async def verify(
    finding: Finding,
    found_by: Sequence[Found],
    text_of: Texts,
    run: Runner,
    patience: float = PATIENCE,
    refused: set[Edits] | None = None,
) -> Finding:
    """The finding with only those of its fixes that mend it, the first of them preferred if it is no guess.

    `found_by` are the runs in which it was found. A fix stays if after it every one of them has the finding no more,
    has no other finding than before, and the model's forward ends, or gets further than it did. A script's own mistake
    belongs to no model. The candidates are tried in their order, the likeliest first, and when enough are good the rest
    is left untried. After `patience` seconds none is begun any more, and one that mends what quicker runs found is not
    tried in the slower ones. `refused` are those that failed before, in some of these runs; what fails now is added.
    """
    refused = set() if refused is None else refused
    if patience <= 0:
        return replace(finding, fixes=())
    deadline = time.monotonic() + patience
    screen = await _screen(finding, found_by, run) if finding.fixes and found_by else None
    # A slow caller is run once more only if there is something that mends what the quicker ones found.
    ordered = sorted(found_by, key=_slowness)
    tracked = [_Tracked(finding, found, run) for found in ordered]
    if screen is not None:
        tracked.insert(0, _Tracked(finding, screen, run, known=True))
    kept: list[Fix] = []
    for candidates, enough in _kinds([fix for fix in finding.fixes if fix.edits not in refused]):
        at = 0
        while at < len(candidates) and len(kept) < (enough if at < LIKELY else 1) and time.monotonic() < deadline:
            some = candidates[at : at + AT_ONCE]
            trials = await asyncio.gather(*(_tried(fix, finding, tracked, text_of, run, deadline) for fix in some))
            kept += [replace(fix, gives=trial.gives) for fix, trial in zip(some, trials, strict=True) if trial.mends]
            refused.update(fix.edits for fix, trial in zip(some, trials, strict=True) if not trial.mends)
            at += len(some)
        if kept:
            break
    offered = tuple(replace(fix, preferred=not place and not fix.guess) for place, fix in enumerate(kept[:ENOUGH]))
    return replace(finding, fixes=offered)


def _kinds(fixes: Sequence[Fix]) -> tuple[tuple[list[Fix], int], ...]:
    return ([fix for fix in fixes if not fix.guess], ENOUGH), ([fix for fix in fixes if fix.guess], GUESSES)


async def _screen(finding: Finding, found_by: Sequence[Found], run: Runner) -> Found | None:
    """A quicker run that finds the same: only the caller that found it, and the programs that speak of the model."""
    original, before = min(found_by, key=_slowness)
    own = _own(finding, before)
    wanted = tuple(target for target in original.wanted if target.qualname == finding.model)
    callers = original.callers if own.caller is None else original.callers[own.caller : own.caller + 1]
    if wanted:
        callers = tuple(replace(each, names=(finding.model,)) if each.names else each for each in callers)
    if callers == original.callers:
        return None
    quick = replace(original, callers=callers, targets=(), wanted=wanted or original.wanted)
    report = await run(quick)
    if isinstance(report, Report) and report.seconds < before.seconds / _QUICKER:
        return (quick, report) if any(_is_same(finding, other) for other in report.findings) else None
    return None


def _slowness(found: Found) -> tuple[bool, float]:
    return found[0].thorough, found[1].seconds


class _Tracked:
    """A run once more, as soon as it is wanted; or one that is `known` to tell enough."""

    def __init__(self, finding: Finding, found: Found, run: Runner, *, known: bool = False) -> None:
        self._found = found
        self._make = partial(_tracked, finding, found, run)
        self._task: asyncio.Task[Found] | None = None
        self._known = known

    async def found(self) -> Found:
        """The run, and what it told."""
        if self._known:
            return self._found
        self._task = self._task or asyncio.create_task(self._make())
        return await self._task


async def _tracked(finding: Finding, found: Found, run: Runner) -> Found:
    """The run again, with the lines of the finding's file, and of callers alone if one of them called the model.

    What is probed for want of a caller differs from one trial to the next, and takes most of the time.
    """
    original, before = found
    finding = _own(finding, before)
    callers_alone = _is_called(finding, before) and not original.thorough
    if not callers_alone and set(_watched(finding)) <= set(original.traces):
        return found
    told = replace(original, traces=_watched(finding), explore=original.explore and not callers_alone)
    report = await run(told)
    if isinstance(report, Report) and any(_is_same(finding, other) for other in report.findings):
        return told, report
    return found


def _own(finding: Finding, report: Report) -> Finding:
    """The finding as this run has it, which may tell of another model around the mistake, with other sizes."""
    key = finding.code, finding.location
    return next((other for other in report.findings if (other.code, other.location) == key), finding)


async def _tried(
    fix: Fix, finding: Finding, found_by: Sequence[_Tracked], text_of: Texts, run: Runner, deadline: float
) -> Trial:
    edited = {
        file: apply_edits(text_of(file), [edit for edit in fix.edits if edit.location.file == file])
        for file in {edit.location.file for edit in fix.edits}
    }
    gives: Value | None = None
    for at, tracked in enumerate(found_by):
        if at and time.monotonic() > deadline:
            break
        original, before = await tracked.found()
        own = _own(finding, before)
        timeout = min(original.timeout, max(_LEAST_SECONDS, _SLOWER * before.seconds))
        overlay = {**original.overlay, **edited}
        traces = _watched(own)
        until = Mark(own.code, moved(own.location, fix.edits))
        after = await run(replace(original, overlay=overlay, traces=traces, timeout=timeout, until=until))
        if isinstance(after, Crash) or not _better(own, fix, before, after):
            return Trial(False)
        gives = gives or _output(own, after)
    return Trial(bool(fix.edits) and bool(found_by), gives)


def _speaks_of_sizes(finding: Finding) -> bool:
    return finding.code not in _SIZELESS and _SIZE.search(finding.message) is not None


def _is_same(one: Finding, other: Finding) -> bool:
    return _identity(one, one.location) == _identity(other, other.location)


def _better(finding: Finding, fix: Fix, before: Report, after: Report) -> bool:
    edits = fix.edits
    # A guess may not even bring a warning.
    counted = (other for other in after.findings if fix.guess or _counts(other, finding, edits))
    left = {_identity(other, other.location) for other in counted}
    # The others must say what they said: a fix that changes their sizes would not go together with theirs.
    expected = {_identity(other, moved(other.location, edits)) for other in before.findings}
    # A script that gets further may make a mistake of its own there, in which no size has a part.
    expected |= {_identity(o, o.location) for o in after.findings if not o.model and not _speaks_of_sizes(o)}
    code, place, _ = _identity(finding, moved(finding.location, edits))
    gone = (code, place) not in {other[:2] for other in left}
    return gone and left <= expected and _gets_further(finding, fix, place, before, after)


def _gets_further(finding: Finding, fix: Fix, place: Location, before: Report, after: Report) -> bool:
    """Whether forward comes to its end, or further; where that does not tell, whether all that ran still runs.

    A recovered run goes on after the mistake, so that what it reached must be reached without the mistake too: else the
    edit only made the script end early. After a guess the line of the mistake itself must run.
    """
    reach, earlier = _reach(finding, after), _reach(finding, before)
    if reach == _PROBED and _is_called(finding, before):
        return False
    if reach != earlier:
        return reach < earlier
    # A line that was changed may give no value any more; not where that is only guessed.
    changed = {_line(moved(edit.location, fix.edits)) for edit in fix.edits if not fix.guess}
    reached = _lines(finding, before, fix.edits)
    left = reached - _lines(finding, after, ()) - changed
    if reach > 1 and (not reached or (fix.guess and _line(place) not in _lines(finding, after, ()))):
        return False
    # What gets further may want more time than there is.
    fresh = {file for file, problem in after.problems.items() if not problem.endswith(CUT_SHORT)}
    return not left and fresh <= before.problems.keys()


def _is_called(finding: Finding, report: Report) -> bool:
    """Whether code calls the model in this run; a fix after which it does so no more mends nothing."""
    return any(o.called for o in report.findings if (o.code, o.location) == (finding.code, finding.location))


def _watched(finding: Finding) -> tuple[str, ...]:
    """The file of a finding, and that of the code that failed."""
    return tuple(dict.fromkeys((finding.location.file, *finding.passes[-1:])))


def _lines(finding: Finding, report: Report, edits: Sequence[Edit]) -> set[tuple[str, int]]:
    """The lines of those files on which an expression had a value, as they stand after the edits."""
    traces = [trace for trace in report.traces if trace.file in _watched(finding)]
    places = (Location(trace.file, each.range) for trace in traces for each in trace.expressions if each.values)
    return {_line(moved(place, edits)) for place in places}


def _line(place: Location) -> tuple[str, int]:
    return place.file, place.range.start.line


def _counts(other: Finding, finding: Finding, edits: Sequence[Edit]) -> bool:
    """Whether a fix may not bring this finding: what a run that gets further is merely warned of is no matter of it."""
    places = [moved(finding.location, edits), *(moved(edit.location, edits) for edit in edits)]
    return other.severity == "error" or any(_same_line(other.location, place) for place in places)


def _same_line(one: Location, other: Location) -> bool:
    return _line(one) == _line(other)


def _identity(finding: Finding, location: Location) -> tuple[str, Location, str]:
    return finding.code, location, finding.message


def _reach(finding: Finding, report: Report) -> int:
    """How far the best run of the model got: 0 to the end of forward, 1 so with inputs of ours, 2 built, 3 neither.

    Where the model stands in another file, whose classes are not told of: the same, added up for those of this file.
    """
    best: dict[str, int] = {}
    for context in report.contexts:
        if context.qualname == finding.model or context.file == finding.location.file:
            best[context.qualname] = min(_rank(context), best.get(context.qualname, _NEITHER))
    return best[finding.model] if finding.model in best else sum(best.values()) if best else _NEITHER


def _rank(context: Context) -> int:
    if context.status == "traced":
        return _PROBED if context.inputs is not None and context.inputs.source == "probe" else 0
    return 2 if context.status == "instantiated" else _NEITHER


def _output(finding: Finding, report: Report) -> Value | None:
    """What forward of the model gives in its best run."""
    own = (context for context in report.contexts if context.qualname == finding.model)
    return next((context.output for context in own if context.status == "traced"), None)
