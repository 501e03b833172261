"""Tables of numbers by row and column, such as that of a positional encoding: millions of them may be computed.

They run without hooks; of a huge one only the first row is computed, and stands for all. Nobody decides anything by the
numbers of such a table, and they would take minutes and gigabytes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

GRID = "__metalens_grid__"
_HUGE = 1 << 20  # numbers
_ARITHMETIC = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)


def is_grid(node: ast.ListComp) -> bool:
    """`[[x * y for x in range(w)] for y in range(h)]`, with any arithmetic."""
    inner = node.elt
    if not isinstance(inner, ast.ListComp) or not (_counts(node) and _counts(inner)):
        return False
    return all(isinstance(part, _ARITHMETIC) for part in ast.walk(inner.elt))


def hooked(node: ast.ListComp) -> ast.expr:
    """The grid as a call of `grid`."""
    (rows,) = node.generators
    assert isinstance(rows.target, ast.Name)
    parameters = ast.arguments(
        posonlyargs=[], args=[ast.arg(rows.target.id)], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    call = ast.Call(ast.Name(GRID, ast.Load()), [rows.iter, ast.Lambda(parameters, node.elt)], [])
    return ast.fix_missing_locations(ast.copy_location(call, node))


class Repeated(list[Any]):
    """A row for each, the first one every time."""


def grid(rows: range, row: Callable[[int], list[Any]]) -> list[list[Any]]:
    """The rows, or the first one for each, where all are too many."""
    if not isinstance(rows, range) or not rows:
        return [row(index) for index in rows]
    first = row(rows[0])
    if len(rows) * len(first) > _HUGE and len(row(rows[-1])) == len(first):
        return Repeated([first] * len(rows))
    return [row(index) for index in rows]


def _counts(node: ast.ListComp) -> bool:
    if len(node.generators) != 1 or node.generators[0].ifs or not isinstance(node.generators[0].target, ast.Name):
        return False
    over = node.generators[0].iter
    return isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"
