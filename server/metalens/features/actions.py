"""What is offered at a place: fixes, each of which was tried and mends its finding, and comments that silence it."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Result
from metalens.features.ignoring import ignoring
from metalens.protocol.messages import Finding, Fix
from metalens.protocol.values import Range


@dataclass(frozen=True)
class Action:
    """A quick fix and the finding that it mends or silences."""

    finding: Finding
    fix: Fix


def actions(result: Result, wanted: Range) -> tuple[Action, ...]:
    """What can be done about the findings that touch a range of the analysed text: preferred fixes first."""
    found = [finding for finding in result.findings if _touch(finding.location.range, wanted)]
    mending = [Action(finding, fix) for finding in found for fix in finding.fixes]
    silencing = [Action(finding, fix) for finding in found for fix in ignoring(result.text, finding)]
    return (*sorted(mending, key=lambda action: not action.fix.preferred), *silencing)


def _touch(one: Range, other: Range) -> bool:
    return _key(one)[0] <= _key(other)[1] and _key(other)[0] <= _key(one)[1]


def _key(place: Range) -> tuple[tuple[int, int], tuple[int, int]]:
    return (place.start.line, place.start.column), (place.end.line, place.end.column)
