"""From AST nodes (UTF-8 byte columns) to ranges in code points."""

from __future__ import annotations

import ast
from typing import Any

from metalens.protocol.values import Position, Range


class Lines:
    """The lines of one text, for turning byte columns into code points."""

    def __init__(self, text: str) -> None:
        self.ascii = text.isascii()
        self.lines = [] if self.ascii else text.split("\n")

    def column(self, line: int, offset: int) -> int:
        """Code points before byte `offset` of the zero-based `line`."""
        if self.ascii or line >= len(self.lines):
            return offset
        text = self.lines[line]
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))

    def range(self, node: ast.AST) -> Range:
        """Where an expression or statement stands."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1  # type: ignore[attr-defined]
        start, end = node.col_offset, node.end_col_offset or node.col_offset  # type: ignore[attr-defined]
        return Range(Position(first, self.column(first, start)), Position(last, self.column(last, end)))

    def span(self, line: int, end_line: int, column: int, end_column: int) -> Range:
        """A range from one-based lines and byte columns, as code objects tell them."""
        return Range(
            Position(line - 1, self.column(line - 1, column)),
            Position(end_line - 1, self.column(end_line - 1, end_column)),
        )


class Ranges:
    """The ranges of many nodes of one file, by number; each is worked out when it is asked for, as few are."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._nodes: list[tuple[int, int, int, int]] = []
        self._known: dict[int, Range] = {}

    def add(self, node: Any) -> int:
        """Remember where a node stands; its number."""
        line, column = node.lineno, node.col_offset
        self._nodes.append((line, node.end_lineno or line, column, node.end_col_offset or column))
        return len(self._nodes) - 1

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, number: int) -> Range:
        known = self._known.get(number)
        if known is None:
            known = self._known[number] = self._lines.span(*self._nodes[number])
        return known
