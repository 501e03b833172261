"""What a check of several files found, put together from one `Result` per file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metalens.engine.result import Model, Result
from metalens.features.models import why_not
from metalens.protocol.messages import Context, Finding
from metalens.protocol.values import Range

LOUD = ("error", "warning")
NO_EVIDENCE = "nothing in this workspace builds or calls it"


@dataclass(frozen=True)
class Outcome:
    """The results of all files that were checked, each finding once, in the order of files and lines."""

    results: tuple[Result, ...]
    findings: tuple[Finding, ...]

    @property
    def models(self) -> tuple[tuple[Result, Model], ...]:
        """Every module class of the files, with the result that it came from."""
        return tuple((result, model) for result in self.results for model in result.models)

    @property
    def failed(self) -> bool:
        """Whether there is an error or a warning: what the exit code tells."""
        return any(finding.severity in LOUD for finding in self.findings)


def collect(results: Sequence[Result], complaints: Sequence[Finding] = ()) -> Outcome:
    """One outcome from the results of the files that were asked for, with what their code has a part in elsewhere.

    `complaints` are about the settings, and stand in their file.
    """
    ordered = tuple(sorted(results, key=lambda result: result.file))
    return Outcome(ordered, tuple(sorted([*complaints, *_distinct(ordered)], key=_place)))


def best(result: Result, model: Model) -> Context:
    """The best context of a class; one that says why there is none, if it was never built."""
    if model.contexts:
        return model.contexts[0]
    reason = why_not(model, result) or NO_EVIDENCE
    return Context(model.cls.file, model.cls.qualname, model.cls.line, "skipped", "borrowed", reason)


def _distinct(results: Sequence[Result]) -> Iterable[Finding]:
    """Each finding once. A file's own result knows most about it, so what others tell of it is left out."""
    files = {result.file for result in results}
    seen: set[tuple[str, Range, str]] = set()
    own = [finding for result in results for finding in result.findings]
    others = [item for result in results for item in result.elsewhere if item.location.file not in files]
    for finding in [*own, *others]:
        key = (finding.location.file, finding.location.range, finding.code)
        if key not in seen:
            seen.add(key)
            yield finding


def _place(finding: Finding) -> tuple[str, int, int]:
    start = finding.location.range.start
    return finding.location.file, start.line, start.column
