"""The text of `metalens check`: one frame of source per finding, then what could not be decided, then a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from metalens.cli.frames import Mark, frame, gutter_for
from metalens.cli.outcome import Outcome, best
from metalens.cli.paths import relative
from metalens.cli.terminal import Palette
from metalens.engine.result import Model
from metalens.features.words import counted, fix_title
from metalens.protocol.messages import Context, Finding, Related

LISTED = 10
FATES = {"instantiated": "built but not run", "failed": "stopped by its own code", "skipped": "not built"}

Texts = Callable[[str], str]


def write_text(outcome: Outcome, texts: Texts, palette: Palette) -> str:
    """The whole answer, ending in a line break. `texts` gives the text of a file by its absolute path."""
    blocks = ["\n".join(_finding(finding, texts, palette)) + "\n" for finding in outcome.findings]
    blocks += ["\n".join(lines) + "\n" for lines in [list(_undecided(outcome, palette))] if lines]
    return "\n".join([*blocks, _count(outcome, palette)]) + "\n"


def _finding(finding: Finding, texts: Texts, palette: Palette) -> Iterator[str]:
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
    for kind, text in _remarks(finding):
        lines = text.split("\n")
        yield f"{palette.frame(' ' * gutter + ' =')} {palette.strong(kind)}: {lines[0]}"
        yield from (f"{' ' * (gutter + 5 + len(kind))}{line}" for line in lines[1:])


def _distinct(finding: Finding) -> Iterator[Related]:
    """Related places, except one that only repeats the range of the finding itself."""
    yield from (part for part in finding.related if part.location != finding.location)


def _remarks(finding: Finding) -> Iterator[tuple[str, str]]:
    for fix in finding.fixes:
        yield "help", fix_title(fix)
    for note in finding.notes:
        yield "note", note
    if finding.torch:
        yield "torch", finding.torch.strip()


def _undecided(outcome: Outcome, palette: Palette) -> Iterator[str]:
    """Files and classes that say nothing about their shapes, each with its reason."""
    for result in outcome.results:
        if result.problem:
            yield f"{palette.strong('note')}: {relative(result.file)}: {result.problem}"
    silent = list(_silent(outcome))
    for model, context in silent[:LISTED]:
        place = f"{relative(model.cls.file)}:{model.cls.line + 1}"
        yield palette.faint(f"{place}: {model.cls.qualname} was {FATES[context.status]}: {context.reason}")
    if len(silent) > LISTED:
        yield palette.faint(f"... and {len(silent) - LISTED} more; --format json lists them all")


def _silent(outcome: Outcome) -> Iterator[tuple[Model, Context]]:
    """The classes that were not run to their end, except where a finding tells why."""
    told = {finding.model for finding in outcome.findings}
    for result, model in outcome.models:
        context = best(result, model)
        if context.status in FATES and context.qualname not in told:
            yield model, context


def _count(outcome: Outcome, palette: Palette) -> str:
    fates = Counter(FATES[context.status] for _, context in _silent(outcome))
    aside = f" ({', '.join(f'{number} {fate}' for fate, number in fates.items())})" if fates else ""
    total = len(outcome.models)
    if not outcome.findings:
        return f"No mistakes found in {counted(total, 'model')}{aside}."
    found = Counter(finding.severity for finding in outcome.findings)
    words = " and ".join(counted(number, severity) for severity, number in found.items())
    told = {finding.model for finding in outcome.findings}
    wrong = sum(1 for _, model in outcome.models if model.cls.qualname in told)
    fixable = sum(1 for finding in outcome.findings if finding.fixes)
    more = f" {fixable} fixable." if fixable else ""
    place = f"{wrong} of {counted(total, 'model')}" if wrong else counted(total, "model")
    return palette.strong(f"Found {words} in {place}{aside}.{more}")
