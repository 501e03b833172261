"""The one place where fixtures meet the engine: run it on a file, and write what it says as annotations.

`check` compares that with the annotations in the file. Errors, warnings and hints that are not annotated must not
appear; an `error[code]` without text stands for any text. `hover`, `lens` and `model` are looked at where annotated:
the hover at the start of the carets (as many of its lines as are written), the code lens of the class on this line,
and the status and grade of its best context.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import FIXTURES
from harness.annotations import Annotated, Annotation, Span, read, write
from metalens.engine.engine import Engine
from metalens.engine.result import Result
from metalens.features.hover import hover
from metalens.features.lenses import lenses
from metalens.protocol.messages import Finding
from metalens.protocol.values import Position, Range

SEVERITIES = ("error", "warning", "information", "hint")


async def check(engine: Engine, name: str, *, update: bool) -> None:
    """Fail if the engine says anything else about this fixture than it does itself; or make it say so."""
    path = FIXTURES / name
    text = path.read_bytes().decode()
    said, problem = await _said(engine, path, text, update=update)
    rounds = 0
    while update and said != text:
        # Annotations move the code, and what is said may name its lines.
        assert (rounds := rounds + 1) < 5, "what is said of this file changes whenever it is written down"
        path.write_bytes(said.encode())
        text = said
        said, problem = await _said(engine, path, text, update=update)
    if said != text:
        difference = difflib.unified_diff(text.splitlines(), said.splitlines(), "expected", "said", lineterm="", n=2)
        whole = f"\n(the file as a whole: {problem})" if problem else ""
        pytest.fail("\n".join(difference) + whole, pytrace=False)


async def _said(engine: Engine, path: Path, text: str, *, update: bool) -> tuple[str, str]:
    """The file as the engine would annotate it, and what it says of the whole file."""
    expected = read(text)
    result = await engine.check(str(path))
    assert result.text == text.replace(expected.newline, "\n")
    said = write(replace(expected, annotations=tuple(_say(expected, result, update=update))))
    return said, result.problem


def _say(expected: Annotated, result: Result, *, update: bool) -> Iterator[Annotation]:
    """The annotations that this file should have: those it has as far as they hold, then what is new."""
    spoken = _Spoken(expected, result)
    left = [finding for finding in result.findings if finding.location.file == result.file]
    related: list[Annotation] = []
    kept: list[Annotation] = []
    for item in expected.annotations:
        if item.kind in SEVERITIES:
            finding = next((finding for finding in left if spoken.matches(finding, item)), None)
            if finding is None:
                continue
            left.remove(finding)
            bare = not item.text and not update
            kept.append(item if bare else replace(spoken.finding(finding), wrong=item.wrong, reason=item.reason))
            related += () if bare else spoken.related(finding)
        elif item.kind == "missed":
            kept += () if any(spoken.meets(finding, item) for finding in left) else (item,)
        elif item.kind != "related":
            kept.append(spoken.asked(item, update=update))
    for finding in left:
        kept.append(spoken.finding(finding))
        related += spoken.related(finding)
    before = [item for item in expected.annotations if item.kind == "related" and item in related]
    yield from (*kept, *before, *(item for item in dict.fromkeys(related) if item not in before))


class _Spoken:
    """What a result says, in the words of annotations."""

    def __init__(self, expected: Annotated, result: Result) -> None:
        self._result = result
        self._code = expected.code
        self._of_file = expected.code_lines()
        self._of_code = {code: line for line, code in self._of_file.items()}

    def matches(self, finding: Finding, item: Annotation) -> bool:
        said = self.finding(finding)
        return (said.line, said.span, said.kind, said.code) == (item.line, item.span, item.kind, item.code)

    def meets(self, finding: Finding, item: Annotation) -> bool:
        said = self.finding(finding)
        return said.line == item.line and item.code in ("", said.code)

    def finding(self, finding: Finding) -> Annotation:
        line, span = self._place(finding.location.range)
        fixes = tuple(f"fix: {fix.title}" for fix in finding.fixes)
        elsewhere = tuple(
            f"{Path(part.location.file).name}: {part.message}"
            for part in finding.related
            if part.location.file != self._result.file
        )
        return Annotation(line, span, finding.severity, finding.code, (finding.message, *elsewhere, *fixes))

    def related(self, finding: Finding) -> list[Annotation]:
        here = [part for part in finding.related if part.location.file == self._result.file]
        return [Annotation(*self._place(part.location.range), "related", text=(part.message,)) for part in here]

    def asked(self, item: Annotation, *, update: bool) -> Annotation:
        """What is said where the annotation asks. An annotation without text is content with anything."""
        span, lines = getattr(self, f"_{item.kind}")(item)
        if not item.text and not update:
            return replace(item, span=span, text=() if lines else ("nothing",))
        return replace(item, span=span, text=tuple(lines[: max(1, len(item.text))]) or ("nothing",))

    def _hover(self, item: Annotation) -> tuple[Span | None, list[str]]:
        column = item.span.start if item.span else 0
        shown = hover(self._result, Position(self._of_code[item.line], column))
        if shown is None:
            return item.span, []
        return self._place(shown.range)[1], [line.rstrip() for line in shown.markdown.splitlines() if line.strip()]

    def _lens(self, item: Annotation) -> tuple[Span | None, list[str]]:
        line = self._of_code[item.line]
        titles = [lens.text for lens in lenses(self._result) if lens.range.start.line == line]
        return None, [" | ".join(titles)] if titles else []

    def _model(self, item: Annotation) -> tuple[Span | None, list[str]]:
        line = self._of_code[item.line]
        model = next((model for model in self._result.models if model.cls.line == line), None)
        if model is None:
            return None, []
        if not model.contexts:
            return None, ["no context"]
        best = model.contexts[0]
        return None, [f"{best.status}, {best.grade}" + (f": {best.reason}" if best.status != "traced" else "")]

    def _place(self, span: Range) -> tuple[int, Span]:
        line = self._of_file[span.start.line]
        if span.end.line == span.start.line:
            return line, Span(span.start.column, span.end.column)
        return line, Span(span.start.column, len(self._code[line].rstrip()), open=True)
