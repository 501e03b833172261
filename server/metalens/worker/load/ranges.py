"""From AST nodes (UTF-8 byte columns) to ranges in code points."""

from __future__ import annotations

import ast

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
