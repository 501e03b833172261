"""Lines and positions of a document, in the client's units and in code points, through pygls' codec.

Lines end where the protocol says that they do, at `\\n`, `\\r\\n` and `\\r` alone; Python's own `splitlines` sees more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from lsprotocol import types
from pygls.workspace import PositionCodec

from metalens.protocol.values import Position, Range

_NEW_LINE = re.compile(r"\r\n|\r|\n")


@lru_cache(maxsize=32)
def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a text without their ends; there is always a last one, if only an empty one."""
    return tuple(_NEW_LINE.split(text))


def from_client(codec: PositionCodec, text: str, position: types.Position) -> Position:
    """The client's position in code points; what lies beyond a line or the text is its end."""
    lines = lines_of(text)
    if position.line >= len(lines):
        return Position(len(lines) - 1, len(lines[-1]))
    units = min(position.character, codec.client_num_units(lines[position.line]))
    place = codec.position_from_client_units(lines, types.Position(position.line, units))
    return Position(place.line, place.character)


def range_from_client(codec: PositionCodec, text: str, place: types.Range) -> Range:
    """The client's range in code points."""
    return Range(from_client(codec, text, place.start), from_client(codec, text, place.end))


def to_client(codec: PositionCodec, text: str, position: Position) -> types.Position:
    """A position in the client's units; what lies beyond the text is its end."""
    lines = lines_of(text)
    line = min(position.line, len(lines) - 1)
    column = position.column if line == position.line else len(lines[line])
    return codec.position_to_client_units(lines, types.Position(line, min(column, len(lines[line]))))


def range_to_client(codec: PositionCodec, text: str, place: Range) -> types.Range:
    """A range in the client's units."""
    return types.Range(to_client(codec, text, place.start), to_client(codec, text, place.end))


def changed(codec: PositionCodec, text: str, changes: Iterable[types.TextDocumentContentChangeEvent]) -> str:
    """The text after the client's edits, each of which speaks of the text that the one before it left."""
    for change in changes:
        if not isinstance(change, types.TextDocumentContentChangePartial):
            text = change.text
            continue
        starts = _starts(text)
        start, end = (from_client(codec, text, place) for place in (change.range.start, change.range.end))
        text = text[: starts[start.line] + start.column] + change.text + text[starts[end.line] + end.column :]
    return text


def _starts(text: str) -> list[int]:
    return [0, *(found.end() for found in _NEW_LINE.finditer(text))]
