"""Source frames: the lines of a file that matter, with carets under what matters in them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from metalens.protocol.values import Range

WIDTH = 160
TALLEST = 4
TAB = " " * 4

Paint = Callable[[str], str]


@dataclass(frozen=True)
class Mark:
    """Something to point at: `sign` is repeated under the range, `label` stands behind it."""

    range: Range
    sign: str
    label: str
    paint: Paint


def frame(text: str, marks: Sequence[Mark], gutter: int, paint: Paint) -> Iterator[str]:
    """The lines of a frame, without line ends. `gutter` is the width of line numbers, `paint` colours the margin."""
    lines = text.split("\n")
    bar = paint(" " * gutter + " |")
    yield bar
    previous: int | None = None
    for number in sorted({line for mark in marks for line in _lines_of(mark.range)}):
        if number >= len(lines):
            continue
        if previous is not None and number > previous + 1:
            yield paint("...")
        shown = _Line(lines[number].rstrip("\r"))
        yield f"{paint(f'{number + 1:>{gutter}} |')} {shown.text}".rstrip()
        for mark in marks:
            if number in _lines_of(mark.range):
                yield f"{bar} {_pointer(shown, mark, number)}"
        previous = number


def gutter_for(marks: Sequence[Mark]) -> int:
    """How wide the numbers of these lines are."""
    return max((len(str(line + 1)) for mark in marks for line in _lines_of(mark.range)), default=1)


class _Line:
    """One source line as it is shown: tabs widened, control characters replaced, cut when very long."""

    def __init__(self, source: str) -> None:
        self.source = source
        whole = "".join(_visible(character) for character in source)
        self.text = whole if len(whole) <= WIDTH else whole[: WIDTH - 1] + "…"

    def column(self, column: int) -> int:
        """The terminal column of this code point."""
        return min(sum(_cells(character) for character in self.source[:column]), WIDTH - 1)


def _pointer(line: _Line, mark: Mark, number: int) -> str:
    start, end = mark.range.start, mark.range.end
    first = start.column if number == start.line else len(line.source) - len(line.source.lstrip())
    last = end.column if number == end.line else len(line.source.rstrip())
    left = line.column(first)
    signs = mark.sign * max(1, line.column(last) - left)
    label = f" {mark.label}" if mark.label and number == start.line else ""
    return " " * left + mark.paint(signs + label)


def _lines_of(span: Range) -> range:
    last = span.end.line if span.end.column or span.end.line == span.start.line else span.end.line - 1
    return range(span.start.line, min(last, span.start.line + TALLEST - 1) + 1)


def _visible(character: str) -> str:
    if character == "\t":
        return TAB
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) == "Cc" else character


def _cells(character: str) -> int:
    if character == "\t":
        return len(TAB)
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
