"""Small pieces of source surgery that repairs are made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Optional

from metalens.protocol.messages import Edit, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.worker.judge.case import Case, own_location
from metalens.worker.judge.source import Source, source_of

_SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


@dataclass(frozen=True)
class Called:
    """A call in the source, with the expression of its first argument."""

    source: Source
    call: ast.Call
    argument: ast.expr


def fix(title: str, *edits: Edit) -> Fix:
    """A candidate."""
    return Fix(title, tuple(edits))


def preferred_first(fixes: list[Fix], limit: int) -> tuple[Fix, ...]:
    """Different candidates only, at most `limit`; the first is the preferred one."""
    unique: dict[tuple[Edit, ...], Fix] = {}
    for candidate in fixes:
        if candidate.edits:
            unique.setdefault(candidate.edits, candidate)
    return tuple(replace(found, preferred=not i) for i, found in enumerate(list(unique.values())[:limit]))


def chained(source: Source, node: ast.expr, suffix: str) -> str:
    """The text of `node` with a method call after it."""
    text = source.slice(source.range_of(node))
    return f"{text}{suffix}" if isinstance(node, _SIMPLE) else f"({text}){suffix}"


def chain(source: Source, node: ast.expr, suffix: str) -> Edit:
    """The edit that puts a method call after `node`."""
    return source.replace(node, chained(source, node, suffix))


def is_literal(node: Optional[ast.AST]) -> bool:
    """Whether an expression is made of numbers alone: `400`, `16 * 5 * 5`."""
    if isinstance(node, ast.BinOp):
        return is_literal(node.left) and is_literal(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool)


def literal(node: Optional[ast.AST]) -> Optional[int]:
    """The value of a whole number in the source."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    if is_literal(node) and isinstance(node, ast.BinOp):
        left, right = literal(node.left), literal(node.right)
        if left is None or right is None:
            return None
        kinds: dict[type, Any] = {ast.Mult: int.__mul__, ast.Add: int.__add__, ast.Sub: int.__sub__}
        operate = kinds.get(type(node.op))
        return operate(left, right) if operate else None
    return None


def layer_call(case: Case) -> Optional[Called]:
    """The call of the layer under way in user code, if it stands there with a plain first argument."""
    location = next(_entries(case), None)
    return _called_at(case, location) if location is not None else None


def _called_at(case: Case, location: Location) -> Optional[Called]:
    source = source_of(case.facts, location.file)
    node = source.call_at(location.range)
    if node is None or not node.args or isinstance(node.args[0], ast.Starred):
        return None
    return Called(source, node, node.args[0])


def entry_calls(case: Case) -> Iterator[Called]:
    """The calls in user code by which the layer's input came in as it is: in classes first, outermost first."""
    found = [_called_at(case, location) for location in reversed(list(_entries(case)))]
    calls = [called for called in found if called is not None]
    yield from sorted(calls, key=lambda called: called.source.function_at(called.call.lineno - 1) is None)


def _entries(case: Case) -> Iterator[Location]:
    """Where user code hands the layer its input: its own call, then that of the block that it is the first part of."""
    calls = case.failure.modules
    for place in range(len(calls) - 1, -1, -1):
        own = own_location(case.failure, place)
        if own is not None:
            yield own
        if not calls[place].args or not calls[place - 1].args or calls[place - 1].args[0] is not calls[place].args[0]:
            return


def failing_call(case: Case) -> Optional[tuple[Source, ast.Call]]:
    """The call that failed in the innermost frame, if it is one."""
    source = source_of(case.facts, case.location.file)
    node = source.call_at(case.location.range)
    return (source, node) if node is not None else None


def shown(source: Source, node: ast.expr) -> str:
    """The text of an expression in a title; an ellipsis for a long one."""
    text = source.text_of(node)
    return text if len(text) <= 24 else "…"


def add_keyword(source: Source, call: ast.Call, text: str) -> Edit:
    """The edit that adds `name=value` at the end of a call's arguments."""
    end = source.range_of(call).end
    close = Position(end.line, end.column - 1)
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    if not parts:
        return source.insert(close, text)
    last = max((source.range_of(part).end for part in parts), key=lambda at: (at.line, at.column))
    return source.insert(last, f", {text}")


def adjusted(source: Source, node: ast.expr, old: int, new: int) -> str:
    """`node`, whose value is `old`, changed as little as possible so that it is `new`; "" if it cannot be told how."""
    if isinstance(node, ast.BinOp):
        for base, constant in ((node.left, literal(node.right)), (node.right, literal(node.left))):
            if constant is None or is_literal(base):
                continue
            text = source.slice(source.range_of(base))
            if isinstance(node.op, ast.Mult) and constant and old % constant == 0:
                return _scaled(text, old // constant, new)
            if isinstance(node.op, ast.Add):
                return _shifted(text, old - constant, new)
            if isinstance(node.op, ast.Sub) and base is node.left:
                return _shifted(text, old + constant, new)
            if isinstance(node.op, ast.FloorDiv) and base is node.left and old and new % old == 0:
                factor = new // old
                if factor == constant:
                    return text
                return f"{text} // {constant // factor}" if constant % factor == 0 else ""
        text = source.text_of(node)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            return _shifted(text, old, new) if abs(new - old) <= 2 else _scaled(f"({text})", old, new)
        return _scaled(text, old, new) if isinstance(node.op, (ast.Mult, ast.Pow)) else ""
    if isinstance(node, _SIMPLE):
        return _scaled(source.text_of(node), old, new)
    return ""


def rescaled(source: Source, node: ast.expr, old: int, new: int) -> str:
    """`int(48 * share)`, whose value is `old`, with the one number in it such that it may be `new`; "" if none is."""
    indices = {id(part) for each in ast.walk(node) if isinstance(each, ast.Subscript) for part in ast.walk(each.slice)}
    numbers = [
        (part, part.value)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and type(part.value) is int and part.value > 1 and id(part) not in indices
    ]
    if isinstance(node, ast.Constant) or len(numbers) != 1 or not old or numbers[0][1] * new % old:
        return ""
    value, edit = numbers[0][1] * new, source.range_of(numbers[0][0])
    whole = source.range_of(node)
    before = source.slice(Range(whole.start, edit.start))
    return f"{before}{value // old}{source.slice(Range(edit.end, whole.end))}"


def _scaled(text: str, base: int, new: int) -> str:
    if base <= 0 or new <= 0:
        return ""
    if base == new:
        return text
    if new % base == 0:
        return f"{text} * {new // base}"
    return f"{text} // {base // new}" if base % new == 0 else ""


def _shifted(text: str, base: int, new: int) -> str:
    if base == new:
        return text
    return f"{text} + {new - base}" if new > base else f"{text} - {base - new}"
