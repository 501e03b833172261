"""Tables of numbers by row and column, such as that of a positional encoding: millions of them may be computed.

They run without hooks; of a huge one only the first row is computed, and stands for all. Nobody decides anything by the
numbers of such a table, and they would take minutes and gigabytes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Optional

GRID = "__metalens_grid__"
_HUGE = 1 << 20  # numbers
_ARITHMETIC = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)
_LIBRARIES = ("np", "numpy", "math")


def without_hooks(node: ast.ListComp, known: frozenset[str] = frozenset()) -> Optional[ast.expr]:
    """What stands in the place of a table or of a row of one; None for any other list. `known`: `number_functions`."""
    if _is_row(node, known):
        return node
    return hooked(node) if _is_grid(node, known) else None


def number_functions(tree: ast.Module) -> frozenset[str]:
    """The functions that do nothing but compute a number of numbers: `def angle(i): return 1 / np.power(10000, i)`."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = [node.name for node in found]
    return frozenset(
        node.name
        for node in found
        if names.count(node.name) == 1 and not node.decorator_list and len(node.body) == 1
        if isinstance(node.body[0], ast.Return) and node.body[0].value is not None and _computes(node.body[0].value)
    )


def _is_grid(node: ast.ListComp, known: frozenset[str]) -> bool:
    """`[[x * y for x in range(w)] for y in range(h)]`, with any arithmetic."""
    inner = node.elt
    fits = isinstance(inner, ast.ListComp) and _counts(node) and _counts(inner)
    return fits and isinstance(inner, ast.ListComp) and _computes(inner.elt, known) is not None


def _is_row(node: ast.ListComp, known: frozenset[str]) -> bool:
    """`[y / np.power(10000, x) for x in range(w)]`, with any arithmetic and functions of numbers, at least one."""
    return _counts(node) and bool(_computes(node.elt, known))


def hooked(node: ast.ListComp) -> ast.expr:
    """A table as a call of `grid`."""
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


def _computes(node: ast.expr, known: frozenset[str] = frozenset()) -> Optional[int]:
    """How many functions of numbers it calls, if it is nothing but arithmetic otherwise."""
    parts = list(ast.walk(node))
    calls = [part for part in parts if isinstance(part, ast.Call) and not part.keywords]
    called = [part for part in calls if _of_numbers(part.func) or getattr(part.func, "id", "") in known]
    apart = {id(part) for call in called for part in (call, call.func)}
    plain = all(isinstance(part, _ARITHMETIC) or id(part) in apart for part in parts)
    return len(called) if plain else None


def _of_numbers(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and getattr(function.value, "id", "") in _LIBRARIES


def _counts(node: ast.ListComp) -> bool:
    if len(node.generators) != 1 or node.generators[0].ifs or not isinstance(node.generators[0].target, ast.Name):
        return False
    over = node.generators[0].iter
    return isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"
