"""The fixes that are offered at a place. Each was tried: what is offered here mends its finding."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Result
from metalens.protocol.messages import Finding, Fix
from metalens.protocol.values import Range


@dataclass(frozen=True)
class Action:
    """A quick fix and the finding that it mends."""

    finding: Finding
    fix: Fix


def actions(result: Result, wanted: Range) -> tuple[Action, ...]:
    """The fixes of all findings that touch a range of the analysed text, preferred ones first."""
    found = [
        Action(finding, fix)
        for finding in result.findings
        if _touch(finding.location.range, wanted)
        for fix in finding.fixes
    ]
    return tuple(sorted(found, key=lambda action: not action.fix.preferred))


def _touch(one: Range, other: Range) -> bool:
    return _key(one)[0] <= _key(other)[1] and _key(other)[0] <= _key(one)[1]


def _key(place: Range) -> tuple[tuple[int, int], tuple[int, int]]:
    return (place.start.line, place.start.column), (place.end.line, place.end.column)
