"""What a hover on a value in `forward` says: its shape at that very position, and how its name came to have it."""

from __future__ import annotations

from metalens.engine.result import Result
from metalens.features.source import Source, contains
from metalens.features.words import UNKNOWN, code, dimensions, elements, item_bytes, shape, size
from metalens.protocol.messages import Expression, Trace
from metalens.protocol.values import Position, Range, Value

MOST_VALUES = 3
MOST_STEPS = 5
LONGEST_NAME = 40

_SHAPED = ("tensor", "tuple", "list", "dict")


def expression_at(result: Result, position: Position) -> Expression | None:
    """The innermost expression at a place that was seen with a shape."""
    if result.trace is None:
        return None
    around = [item for item in result.trace.expressions if contains(item.range, position) and _shown(item)]
    return min(around, key=lambda item: _extent(item.range), default=None)


def expression_over(result: Result, start: Position) -> Expression | None:
    """The shortest call that begins with the name at this place: for `fc1` in `self.fc1(x)` that is the call."""
    if result.trace is None:
        return None
    over = [
        item
        for item in result.trace.expressions
        if contains(item.range, start) and item.range.end.line >= start.line and _shown(item)
    ]
    return min(over, key=lambda item: _extent(item.range), default=None)


def tensor_hover(result: Result, source: Source, expression: Expression) -> str:
    """Markdown for an expression: the first context in full, others by their shapes."""
    first = expression.values[0]
    name = source.slice(expression.range)
    if expression.range.end.line != expression.range.start.line or len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1].rstrip() + "…"
    lines = [
        f"{code(name)} {_bold(first)}",
        _also(expression.values[1:]),
        _history(result, source, expression),
        _memory(first),
    ]
    return "  \n".join(line for line in lines if line)


def _shown(expression: Expression) -> bool:
    return bool(expression.values) and (expression.values[0].kind in _SHAPED or bool(expression.values[0].text))


def _extent(place: Range) -> tuple[int, int]:
    return place.end.line - place.start.line, place.end.column - place.start.column


def _bold(value: Value) -> str:
    if value.kind == "tensor":
        return f"**{dimensions(value.shape, value.dims)}** {value.dtype}"
    return f"= {code(value.text)}" if value.kind not in _SHAPED else f"{value.kind} {code(shape(value))}"


def _also(values: tuple[Value, ...]) -> str:
    if not values:
        return ""
    shown = ", ".join(code(shape(value)) for value in values[: MOST_VALUES - 1])
    more = f", +{len(values) - (MOST_VALUES - 1)}" if len(values) >= MOST_VALUES else ""
    return f"also {shown}{more}"


def _history(result: Result, source: Source, expression: Expression) -> str:
    """The shapes that the same name has in this function, in order: `L14 [..] → L16 [..] → **L18 [..]**`."""
    name = source.slice(expression.range)
    header = source.header_above(expression.range.start.line, "def")
    if result.trace is None or header is None or not name.isidentifier():
        return ""
    inside = range(header, source.block_end(header))
    named = [
        item
        for item in result.trace.expressions
        if item.range.start.line in inside and source.slice(item.range) == name and _shown(item)
    ]
    steps: list[tuple[int, str]] = []
    here = -1
    for item in sorted(named, key=lambda item: _when(result.trace, source, item.range)):
        text = shape(item.values[0])
        if not steps or steps[-1][1] != text:
            steps.append((item.range.start.line + 1, text))
        if item.range == expression.range:
            here = len(steps) - 1
    if len(steps) < 2 or here < 0:
        return ""
    first = max(0, min(here - MOST_STEPS // 2, len(steps) - MOST_STEPS))
    shown = [
        f"**L{line} {code(text)}**" if index == here else f"L{line} {code(text)}"
        for index, (line, text) in enumerate(steps)
    ][first : first + MOST_STEPS]
    return " → ".join(["…"] * (first > 0) + shown + ["…"] * (first + MOST_STEPS < len(steps)))


def _when(trace: Trace | None, source: Source, place: Range) -> tuple[int, bool, int]:
    """Sorts places by the time of their evaluation: what is assigned comes after what it is made of."""
    line, column = place.start.line, place.start.column
    if not source.is_assigned(place) or trace is None:
        return line, False, column
    ends = (item.range.end.line for item in trace.expressions if item.range.start.line == line)
    return max(ends, default=line), True, column


def _memory(value: Value) -> str:
    if value.kind != "tensor" or UNKNOWN in value.shape:
        return ""
    batched = value.dims[:1] == ("B",)
    sizes = value.shape[1:] if batched else value.shape
    return f"{size(elements(sizes) * item_bytes(value.dtype))}{' per item' if batched else ''}"
