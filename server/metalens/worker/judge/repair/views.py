"""Repairs of `view` and `reshape`: other numbers, other shapes, as many elements as there have to be."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import failing_call, fix
from metalens.worker.judge.repair.heads import near_divisors
from metalens.worker.judge.repair.sizes import change_value
from metalens.worker.judge.repair.widths import resize
from metalens.worker.judge.source import Source
from metalens.worker.judge.whose import innermost_own


def reshaped(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """view and reshape: the right number, -1, flatten; reshape where view cannot."""
    called, x = failing_call(case), mistake.tensor
    if called is None or x is None or not isinstance(called[1].func, ast.Attribute):
        return
    source, call = called
    function = call.func
    assert isinstance(function, ast.Attribute)
    owner = source.slice(source.range_of(function.value))
    if mistake.code == "view-contiguity":
        text = source.slice(source.range_of(call))[len(source.slice(source.range_of(function))) :]
        yield fix("Use reshape", source.replace(call, f"{owner}.reshape{text}"))
        return
    nodes = _size_nodes(call)
    values = sizes_of(case)
    if len(nodes) != len(values) or not values:
        return
    total = math.prod(int(n) for n in x.shape)
    if values[0] == -1 and -1 not in values[1:] and x.dim() > 1:
        total, values, nodes = total // max(1, int(x.shape[0])), values[1:], nodes[1:]  # the batch is left as it is
    if x.dim() and len(values) > x.dim():
        yield from _divided(case, source, nodes, values, int(x.shape[-1]))
    if len(values) == 2 and "\n" not in owner:
        yield fix("Use flatten(1)", source.replace(call, f"{owner}.flatten(1)"))
    for place in range(len(values) - 1, -1, -1):
        others = math.prod(value for i, value in enumerate(values) if i != place)
        if -1 in values and values[place] != -1:
            continue
        if others > 0 and total % others == 0 and total // others != values[place] and values[place] != -1:
            yield from change_value(case, source, nodes[place], values[place], total // others, innermost_own(case))
            yield fix(
                f"Change {source.text_of(nodes[place])} to {total // others}",
                source.replace(nodes[place], str(total // others)),
            )
            yield fix(f"Change {source.text_of(nodes[place])} to -1", source.replace(nodes[place], "-1"))


def filled(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """As much as `view` is asked to spread, from the layer that sets the last dimension."""
    x, values = mistake.tensor, sizes_of(case)
    if x is None or not x.dim() or not values:
        return
    total, asked = math.prod(int(n) for n in x.shape), abs(math.prod(values))
    if total and asked and (asked * int(x.shape[-1])) % total == 0 and -1 not in values:
        yield from resize(case, x, x.dim() - 1, asked * int(x.shape[-1]) // total)
    elif total and asked:
        rest = math.prod(value for value in values[1:] if value > 0)
        if values[0] in (-1, int(x.shape[0])) and rest % max(total // int(x.shape[0] or 1), 1) == 0:
            yield from resize(case, x, x.dim() - 1, rest * int(x.shape[0]) * int(x.shape[-1]) // total)


def _divided(case: Case, source: Source, nodes: list[ast.expr], values: list[int], width: int) -> Iterator[Fix]:
    """A count (of heads, of groups) that does not divide the width, where it was decided."""
    for node, value in zip(nodes, values):
        if isinstance(node, (ast.Name, ast.Attribute)) and 1 < value < width and width % value:
            for new in near_divisors(width, value):
                yield from change_value(case, source, node, value, new, innermost_own(case))


def _size_nodes(call: ast.Call) -> list[ast.expr]:
    if len(call.args) == 1 and isinstance(call.args[0], (ast.Tuple, ast.List)):
        return list(call.args[0].elts)
    return [] if any(isinstance(arg, ast.Starred) for arg in call.args) else list(call.args)


def sizes_of(case: Case) -> list[int]:
    """The numbers that `view` or `reshape` was called with; none if they are not known."""
    values = list(case.failure.args[1:])
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = list(values[0])
    return [int(value) for value in values] if all(isinstance(value, int) for value in values) else []
