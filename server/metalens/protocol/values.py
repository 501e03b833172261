"""Places in source files, and what is known of a value there.

Lines and columns are zero-based; columns count code points. Files are absolute paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Position:
    """A place in a text: zero-based line, zero-based column in code points."""

    line: int
    column: int


@dataclass(frozen=True)
class Range:
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position


@dataclass(frozen=True)
class Location:
    """A range in the file with this absolute path."""

    file: str
    range: Range


@dataclass(frozen=True)
class Value:
    """What a source expression was, once.

    `kind` is `tensor`, `tuple`, `list`, `dict` or `other`. A tensor has `shape`, `dtype` (`f32`, `i64`, `bool`, ...)
    and, where known, a name for each dimension in `dims` (an empty tuple otherwise; a dimension without a name is "").
    A size of -1 is unknown. A container has `items`, a dict also `keys`. `text` is a short text for anything else.
    """

    kind: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    dims: tuple[str, ...] = ()
    items: tuple[Value, ...] = ()
    keys: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Evidence:
    """Arguments or inputs as source text, and where they come from.

    `source` is one of: `pin`, `parent`, `call site`, `default`, `annotation`, `probe`, `invented`.
    """

    text: str
    source: str
    location: Optional[Location] = None
