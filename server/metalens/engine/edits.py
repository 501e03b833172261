"""Texts with edits applied, and where a place went because of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from metalens.protocol.messages import Edit
from metalens.protocol.values import Location, Position, Range

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text after the edits, which speak of one file, do not overlap, and mean places in the text as given."""
    starts = _line_starts(text)
    for edit in sorted(edits, key=lambda edit: _key(edit.location.range.start), reverse=True):
        start, end = (_offset(starts, text, place) for place in (edit.location.range.start, edit.location.range.end))
        text = text[:start] + edit.text + text[end:]
    return text


def differences(file: str, old: str, new: str) -> tuple[Edit, ...]:
    """The edits by which one text of a file becomes another: whole lines, only those that differ."""
    before, after = (_LINE.findall(text) for text in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return tuple(
        Edit(Location(file, Range(Position(first, 0), Position(last, 0))), "".join(after[start:end]))
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind != "equal"
    )


def moved(location: Location, edits: Sequence[Edit]) -> Location:
    """Where a location stands after the edits; inside an edit it keeps its start."""
    own = sorted(
        (edit for edit in edits if edit.location.file == location.file),
        key=lambda edit: _key(edit.location.range.start),
        reverse=True,
    )
    start, end = location.range.start, location.range.end
    for edit in own:
        start, end = _moved(start, edit), _moved(end, edit)
    return Location(location.file, Range(start, end))


def _moved(place: Position, edit: Edit) -> Position:
    old_end = edit.location.range.end
    if _key(place) < _key(old_end):
        return place
    new_lines = edit.text.split("\n")
    start = edit.location.range.start
    line = start.line + len(new_lines) - 1
    if place.line != old_end.line:
        return Position(place.line + line - old_end.line, place.column)
    column = len(new_lines[-1]) + (start.column if len(new_lines) == 1 else 0)
    return Position(line, place.column - old_end.column + column)


def _key(place: Position) -> tuple[int, int]:
    return place.line, place.column


def _line_starts(text: str) -> list[int]:
    return [found.start() for found in _LINE.finditer(text)]


def _offset(starts: list[int], text: str, place: Position) -> int:
    return min(starts[place.line] + place.column, len(text)) if place.line < len(starts) else len(text)
