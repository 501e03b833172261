"""Which statement and which classes stand around a line: what a comment beside or above them speaks of."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from metalens.resolve.outline import inner_statements
from metalens.resolve.source import Source

_UNCHECKED = "no_type_check"


@dataclass(frozen=True)
class Statement:
    """A statement, or the header of one that holds others: its first and last line, both zero-based and included.

    `classes` are the first and last lines of the headers of the classes around it (itself, if it is one), the innermost
    first. `unchecked`: something around it is decorated with `no_type_check`.
    """

    first: int
    last: int
    classes: tuple[tuple[int, int], ...] = ()
    unchecked: bool = False


def statement_at(text: str, line: int) -> Statement:
    """The innermost statement on a zero-based line; where there is none, the line itself."""
    around = [statement for statement, end in _statements(text) if statement.first <= line <= end]
    if not around:
        return Statement(line, line)
    inner = around[-1]
    return inner if line <= inner.last else Statement(line, line, inner.classes, inner.unchecked)


def first_code_line(text: str) -> int:
    """The zero-based line of the first statement, or of the end where there is none. A docstring is a statement."""
    return min((statement.first for statement, _ in _statements(text)), default=text.count("\n") + 1)


@lru_cache(maxsize=8)
def _statements(text: str) -> tuple[tuple[Statement, int], ...]:
    """Every statement with the last line of all that it holds, outer ones first."""
    return tuple(_walk(Source(text).tree.body, (), False))


def _walk(
    body: Iterable[ast.stmt], classes: tuple[tuple[int, int], ...], unchecked: bool
) -> Iterator[tuple[Statement, int]]:
    for node in body:
        inner = list(inner_statements(node))
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(item.lineno for item in decorators)]) - 1
        end = (node.end_lineno or node.lineno) - 1
        last = max(node.lineno - 1, min(end, inner[0].lineno - 2)) if inner else end
        own = ((first, last), *classes) if isinstance(node, ast.ClassDef) else classes
        free = unchecked or any(ast.unparse(item).rpartition(".")[2] == _UNCHECKED for item in decorators)
        yield Statement(first, last, own, free), end
        yield from _walk(inner, own, free)
