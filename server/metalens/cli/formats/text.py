"""The text of `metalens check`: one frame of source per finding, then what could not be decided, then a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from metalens.cli.frames import Mark, frame, gutter_for
from metalens.cli.outcome import Outcome, best
from metalens.cli.paths import relative
from metalens.cli.terminal import Palette
from metalens.cli.words import built_with, counted
from metalens.engine.result import Result
from metalens.protocol.messages import Context, Finding, Related

LISTED = 10

Texts = Callable[[str], str]


def write_text(outcome: Outcome, texts: Texts, palette: Palette) -> str:
    """The whole answer, ending in a line break. `texts` gives the text of a file by its absolute path."""
    blocks = ["\n".join(_finding(finding, outcome, texts, palette)) + "\n" for finding in outcome.findings]
    blocks += ["\n".join(lines) + "\n" for lines in [list(_undecided(outcome, palette))] if lines]
    return "\n".join([*blocks, _count(outcome, palette)]) + "\n"


def _finding(finding: Finding, outcome: Outcome, texts: Texts, palette: Palette) -> Iterator[str]:
    head = palette.severity(finding.severity, f"{finding.severity}[{finding.code}]")
    yield f"{head}{palette.strong(f': {finding.message}')}"

    def point(text: str) -> str:
        return palette.severity(finding.severity, text)

    main = Mark(finding.location.range, "^", "", point)
    groups: dict[str, list[Mark]] = {finding.location.file: [main]}
    for related in _distinct(finding):
        groups.setdefault(related.location.file, []).append(
            Mark(related.location.range, "-", related.message, palette.frame)
        )
    gutter = max(gutter_for(marks) for marks in groups.values())
    for number, (file, marks) in enumerate(groups.items()):
        first = marks[0].range.start
        arrow = palette.frame(" " * gutter + ("-->" if number == 0 else ":::"))
        yield f"{arrow} {relative(file)}:{first.line + 1}:{first.column + 1}"
        yield from frame(texts(file), marks, gutter, palette.frame)
    yield palette.frame(" " * gutter + " |")
    for kind, text in _remarks(finding, outcome):
        lines = text.split("\n")
        yield f"{palette.frame(' ' * gutter + ' =')} {palette.strong(kind)}: {lines[0]}"
        yield from (f"{' ' * (gutter + 5 + len(kind))}{line}" for line in lines[1:])


def _distinct(finding: Finding) -> Iterator[Related]:
    """Related places, except one that only repeats the range of the finding itself."""
    yield from (part for part in finding.related if part.location != finding.location)


def _remarks(finding: Finding, outcome: Outcome) -> Iterator[tuple[str, str]]:
    for fix in finding.fixes:
        yield "help", fix.title
    for note in finding.notes:
        yield "note", note
    told = _evidence(finding, outcome)
    if told:
        yield "note", told
    if finding.torch:
        yield "torch", finding.torch.strip()


def _evidence(finding: Finding, outcome: Outcome) -> str:
    """What the class was built and called with, when the run that found this is among the results."""
    for _, model in outcome.models:
        if model.cls.qualname == finding.model and model.contexts:
            return built_with(model.contexts[0])
    return ""


def _undecided(outcome: Outcome, palette: Palette) -> Iterator[str]:
    """Files and classes that say nothing about their shapes, each with its reason."""
    for result in outcome.results:
        if result.problem:
            yield f"{palette.strong('note')}: {relative(result.file)}: {result.problem}"
    silent = [context for result, context in _contexts(outcome) if context.status != "traced" and not result.problem]
    for context in silent[:LISTED]:
        place = f"{relative(context.file)}:{context.line + 1}"
        yield palette.faint(f"{place}: {context.qualname} was {_fate(context)}: {context.reason}")
    if len(silent) > LISTED:
        yield palette.faint(f"... and {len(silent) - LISTED} more; --format json lists them all")


def _contexts(outcome: Outcome) -> Iterator[tuple[Result, Context]]:
    for result, model in outcome.models:
        yield result, best(result, model)


def _fate(context: Context) -> str:
    return {"instantiated": "built but not run", "failed": "stopped by its own code"}.get(context.status, "not built")


def _count(outcome: Outcome, palette: Palette) -> str:
    statuses = Counter(context.status for _, context in _contexts(outcome))
    total = sum(statuses.values())
    apart = [
        f"{statuses[status]} {words}"
        for status, words in (("instantiated", "built but not run"), ("failed", "stopped"), ("skipped", "not built"))
        if statuses[status]
    ]
    aside = f" ({', '.join(apart)})" if apart else ""
    if not outcome.findings:
        return f"No mistakes found in {counted(total, 'model')}{aside}."
    found = Counter(finding.severity for finding in outcome.findings)
    words = " and ".join(counted(number, severity) for severity, number in found.items())
    wrong = len({(finding.location.file, finding.model) for finding in outcome.findings})
    fixable = sum(1 for finding in outcome.findings if finding.fixes)
    more = f" {fixable} fixable." if fixable else ""
    return palette.strong(f"Found {words} in {wrong} of {counted(total, 'model')}{aside}.{more}")
