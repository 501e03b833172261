"""Widths that heads or groups do not divide: another number of them, or another width."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Optional

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import failing_call, fix, is_literal, literal
from metalens.worker.judge.repair.sizes import change_value
from metalens.worker.judge.source import Source, source_of

_NAMES = ("num_heads", "n_heads", "nhead", "n_head", "heads")
# Of an argument that groups have to divide: its place, and the name and place of their number.
_GROUPED = {"in_channels": (0, "groups", 6), "out_channels": (1, "groups", 6), "num_channels": (1, "num_groups", 0)}


def divided(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """num_heads changed to a divisor, embed_dim to a multiple, where they were written."""
    called, width, heads = failing_call(case), mistake.given, mistake.expected
    if called is None or not width or not heads:
        return
    source, call = called
    places = (
        ("num_heads", 1, heads, near_divisors(width, heads)),
        ("embed_dim", 0, width, near_multiples(width, heads)),
    )
    for name, place, old, wanted in places:
        node = _argument(call, name, place)
        if node is None:
            continue
        if name == "num_heads":
            yield from _as_its_parameter(source, node)
        for new in wanted:
            if is_literal(node):
                yield fix(f"Change {name} to {new}", source.replace(node, str(new)))
            else:
                yield from change_value(case, source, node, old, new)
                yield from at_callers(case, source, node, old, new)
                yield fix(f"Change {name} to {new}", source.replace(node, str(new)))


def _as_its_parameter(source: Source, node: ast.expr) -> Iterator[Fix]:
    """What the function around calls its number of heads, where something else is passed for it."""
    scope = source.function_at(node.lineno - 1)
    parameters = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs) if scope is not None else ()
    names = [part.arg for part in parameters if part.arg in _NAMES]
    if source.text_of(node) not in names:
        yield from (fix(f"Use {name} for num_heads", source.replace(node, name)) for name in names)


def grouped(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Channels of a convolution or norm changed to a multiple of its groups, or the groups to a divisor of them."""
    called, channels, groups = failing_call(case), mistake.given, mistake.expected
    if called is None or not channels or not groups or mistake.argument not in _GROUPED:
        return
    source, call = called
    place, name, count = _GROUPED[mistake.argument]
    places = (
        (name, count, near_divisors(channels, groups)),
        (mistake.argument, place, near_multiples(channels, groups)),
    )
    for name, place, wanted in places:
        node = _argument(call, name, place)
        if node is not None and is_literal(node):
            yield from (fix(f"Change {name} to {new}", source.replace(node, str(new))) for new in wanted)


def near_divisors(width: int, heads: int) -> tuple[int, ...]:
    """The two divisors of `width` that are nearest to `heads`."""
    return tuple(sorted((n for n in range(2, width + 1) if width % n == 0), key=lambda n: abs(n - heads))[:2])


def near_multiples(width: int, heads: int) -> tuple[int, ...]:
    """The multiple of `heads` that is nearest to `width`."""
    return (max(heads, round(width / heads) * heads),)


def _argument(call: ast.Call, name: str, place: int) -> Optional[ast.expr]:
    for keyword in call.keywords:
        if (
            keyword.arg == name
            or (name == "num_heads" and keyword.arg in _NAMES)
            or (name == "embed_dim" and keyword.arg == "d_model")
        ):
            return keyword.value
    return call.args[place] if len(call.args) > place else None


def at_callers(case: Case, source: Source, node: ast.expr, old: int, new: int) -> Iterator[Fix]:
    """Candidates that change a parameter of the constructor where the frames around the failure passed it."""
    if not isinstance(node, ast.Name):
        return
    name = node.id
    scope = source.function_at(node.lineno - 1)
    for frame in reversed(case.failure.frames[:-1]):
        outer = source_of(case.facts, frame.location.file)
        call = outer.call_at(frame.location.range)
        if scope is None or call is None:
            return
        names = [a.arg for a in (*scope.args.posonlyargs, *scope.args.args) if a.arg != "self"]
        passed = next((k.value for k in call.keywords if k.arg == name), None)
        if passed is None and name in names and names.index(name) < len(call.args):
            passed = call.args[names.index(name)]
        if passed is None:
            return
        if literal(passed) == old:
            yield fix(f"Change {name} to {new} in line {passed.lineno}", outer.replace(passed, str(new)))
            return
        yield from change_value(case, outer, passed, old, new)
        if not isinstance(passed, ast.Name):
            return
        name, scope = passed.id, outer.function_at(passed.lineno - 1)
