"""Findings as plain problems: what a diagnostics list shows, with everything that an editor needs to act on it."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.engine.result import Result
from metalens.protocol.messages import Finding, Fix
from metalens.protocol.values import Location, Range
from metalens.workspace.rules import pages

SOURCE = "metalens"


@dataclass(frozen=True)
class Problem:
    """A diagnostic; `severity` is `error`, `warning`, `information` or `hint`. `related` are places that explain it.

    `href` is the URI of the rule's page on this machine, so that it opens without a network; empty if there is none.
    """

    range: Range
    severity: str
    code: str
    message: str
    href: str
    related: tuple[tuple[Location, str], ...] = ()
    fixes: tuple[Fix, ...] = ()
    unnecessary: bool = False


def problems(result: Result) -> tuple[Problem, ...]:
    """The findings of a file in its order."""
    return tuple(map(problem, result.findings))


def problem(finding: Finding) -> Problem:
    """One finding as a problem of the file that it stands in."""
    page = pages().get(finding.code)
    return Problem(
        range=finding.location.range,
        severity=finding.severity,
        code=finding.code,
        message=finding.message,
        href=page.path.as_uri() if page else "",
        related=tuple((related.location, related.message) for related in finding.related),
        fixes=finding.fixes,
        unnecessary=finding.code.startswith("unused-"),
    )
