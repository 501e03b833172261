"""Source text by location: the expression node at a range, its text, and edits of it."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Optional, Union

from metalens.protocol.messages import Edit
from metalens.protocol.values import Location, Position, Range
from metalens.worker.trace.facts import Facts

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Source:
    """The text of one file, parsed, with all `nodes` breadth first. A text that does not parse has none."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.lines = text.splitlines(keepends=True)
        try:
            self.tree: ast.Module = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            self.tree = ast.Module(body=[], type_ignores=[])
        self.nodes: list[ast.AST] = [self.tree]
        self.parents: dict[ast.AST, ast.AST] = {}
        self._by_line: dict[int, list[ast.expr]] = {}
        for node in self.nodes:  # grows while it is walked: breadth first
            if isinstance(node, ast.expr):
                self._by_line.setdefault(node.lineno - 1, []).append(node)
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                self.nodes.append(child)

    def range_of(self, node: ast.AST) -> Range:
        """The range of a node, in code points (ast counts bytes)."""
        return Range(
            Position(node.lineno - 1, self._column(node.lineno - 1, node.col_offset)),  # type: ignore[attr-defined]
            Position(node.end_lineno - 1, self._column(node.end_lineno - 1, node.end_col_offset)),  # type: ignore[attr-defined]
        )

    def location_of(self, node: ast.AST) -> Location:
        """Where a node stands."""
        return Location(self.file, self.range_of(node))

    def text_of(self, node: ast.AST) -> str:
        """The source text of a node on one line."""
        return " ".join(self.slice(self.range_of(node)).split())

    def slice(self, range: Range) -> str:
        """The text in a range."""
        start, end = range.start, range.end
        if start.line >= len(self.lines) or end.line >= len(self.lines):
            return ""
        if start.line == end.line:
            return self.lines[start.line][start.column : end.column]
        middle = self.lines[start.line + 1 : end.line]
        return "".join([self.lines[start.line][start.column :], *middle, self.lines[end.line][: end.column]])

    def node_at(self, range: Range) -> Optional[ast.expr]:
        """The expression with exactly this range, the outermost of several."""
        found = [n for n in self._expressions(range.start.line) if self.range_of(n) == range]
        return found[0] if found else None

    def call_at(self, range: Range) -> Optional[ast.Call]:
        """The call with this range; failing that, the only call that begins there."""
        node = self.node_at(range)
        if isinstance(node, ast.Call):
            return node
        calls = [
            n
            for n in self._expressions(range.start.line)
            if isinstance(n, ast.Call) and self.range_of(n).start == range.start
        ]
        return calls[0] if len(calls) == 1 else None

    def statement_at(self, line: int) -> Optional[ast.stmt]:
        """The innermost statement that covers a zero-based line."""
        best: Optional[ast.stmt] = None
        for node in self.nodes:
            if (
                isinstance(node, ast.stmt)
                and node.lineno - 1 <= line <= (node.end_lineno or node.lineno) - 1
                and (best is None or node.lineno >= best.lineno)
            ):
                best = node
        return best

    def function_at(self, line: int) -> Optional[Function]:
        """The innermost function whose body covers a zero-based line."""
        best: Optional[Function] = None
        for node in self.nodes:
            if (
                isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                and node.lineno - 1 <= line <= (node.end_lineno or node.lineno) - 1
                and (best is None or node.lineno >= best.lineno)
            ):
                best = node
        return best

    def statement_of(self, node: ast.AST) -> Optional[ast.stmt]:
        """The simple statement (or header) that holds an expression."""
        current: Optional[ast.AST] = node
        while current is not None and not isinstance(current, ast.stmt):
            current = self.parents.get(current)
        return current

    def enclosing(self, node: ast.AST) -> tuple[ast.AST, ...]:
        """The nodes around a node, innermost first."""
        out = []
        current = self.parents.get(node)
        while current is not None:
            out.append(current)
            current = self.parents.get(current)
        return tuple(out)

    def replace(self, node: ast.AST, text: str) -> Edit:
        """An edit that puts `text` in the place of a node."""
        return Edit(self.location_of(node), text)

    def insert(self, position: Position, text: str) -> Edit:
        """An edit that puts `text` at a position."""
        return Edit(Location(self.file, Range(position, position)), text)

    def _expressions(self, line: int) -> list[ast.expr]:
        return self._by_line.get(line, [])

    def _column(self, line: int, offset: int) -> int:
        if line >= len(self.lines):
            return offset
        text = self.lines[line]
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))


@lru_cache(maxsize=64)
def _parsed(file: str, text: str) -> Source:
    return Source(file, text)


def source_of(facts: Facts, file: str) -> Source:
    """The parsed source of a workspace file as the run saw it."""
    return _parsed(file, facts.source_of(file))


def text_at(facts: Facts, location: Optional[Location]) -> str:
    """The text at a location, on one line; "" if there is none."""
    if location is None:
        return ""
    return " ".join(source_of(facts, location.file).slice(location.range).split())
