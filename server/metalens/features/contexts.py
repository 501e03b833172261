"""The ways in which a class was built and called: told, chosen between, and pinned as a comment."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from metalens.engine.result import Model, Result
from metalens.features.models import construction, place, simple_name
from metalens.features.source import read_source
from metalens.features.words import params, total
from metalens.protocol.messages import Context, Edit
from metalens.protocol.values import Location, Position, Range
from metalens.resolve.directives import ARGS, INPUT, directives
from metalens.resolve.pins import pinned_class
from metalens.resolve.statements import statement_at

Key = tuple[str, str]
"""What a context was built with and called with: what it is recognised by in later results."""

_NAMED = re.compile(r"([^\W\d]\w*) (.+)", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Way:
    """A context as a choice: how it was built, and where that and its input come from.

    `arguments` and `inputs` are what a pin would say; None where that cannot be written down.
    """

    key: Key
    text: str
    detail: str
    arguments: str | None
    inputs: str | None


def ways(result: Result, model: Model) -> tuple[Way, ...]:
    """The contexts of a class as choices, in their order."""
    return tuple(
        Way(key_of(context), construction(context), _detail(context, result), *_as_pin(context))
        for context in model.contexts
        if context.arguments is not None
    )


def told(context: Context, result: Result) -> str:
    """`built as Net(10) from train.py:12 · input x [B, 3] from train.py:41`."""
    parts = []
    if context.arguments:
        parts.append(f"built as {construction(context)} from {place(context.arguments, result)}")
    if context.inputs:
        parts.append(f"input {context.inputs.text} from {place(context.inputs, result)}")
    return " · ".join(parts)


def key_of(context: Context) -> Key:
    """By what a context is recognised."""
    return (context.arguments.text if context.arguments else "", context.inputs.text if context.inputs else "")


def preferring(result: Result, chosen: Mapping[str, Key]) -> Result:
    """The result with the chosen context of each class first; `chosen` is by qualified name."""

    def ordered(model: Model) -> Model:
        key = chosen.get(model.cls.qualname)
        first = [context for context in model.contexts if key_of(context) == key]
        return replace(model, contexts=(*first, *(item for item in model.contexts if item not in first)))

    return replace(result, models=tuple(map(ordered, result.models))) if chosen else result


def pin_edits(result: Result, model: Model, arguments: str, inputs: str) -> tuple[Edit, ...]:
    """The edits that write a pin beside a class, in place of one that is there; an empty text writes nothing."""
    said = ((ARGS, arguments, model.cls.line), (INPUT, inputs, _forward(model)))
    return tuple(_pin_edit(result, model, word, text, line) for word, text, line in said if text)


def _pin_edit(result: Result, model: Model, word: str, text: str, line: int) -> Edit:
    comment = f"# metalens: {word} {text}"
    classes = [other.cls for other in result.models]
    for item in directives(result.text):
        if item.word == word and pinned_class(item, result.text, classes) == model.cls:
            return Edit(Location(result.file, item.place), comment)
    first = statement_at(result.text, line).first
    content = read_source(result.text).lines[first]
    indent = content[: len(content) - len(content.lstrip())]
    start = Position(first, 0)
    return Edit(Location(result.file, Range(start, start)), f"{indent}{comment}\n")


def _forward(model: Model) -> int:
    return model.cls.forward.start.line if model.cls.forward else model.cls.line


def _detail(context: Context, result: Result) -> str:
    built = f"from {place(context.arguments, result)}" if context.arguments else ""
    called = f"input {context.inputs.text} from {place(context.inputs, result)}" if context.inputs else "not called"
    size = params(total(context.parameters)) if context.parameters else ""
    return " · ".join(part for part in (built, called, size) if part)


def _as_pin(context: Context) -> tuple[str | None, str | None]:
    built = re.fullmatch(rf"{re.escape(simple_name(context.qualname))}\((.*)\)", construction(context), re.DOTALL)
    arguments = _written(built[1]) if built else None
    if context.inputs is None:
        return arguments, None
    parts = (_NAMED.sub(r"\1=\2", part) if _NAMED.fullmatch(part) else part for part in _parts(context.inputs.text))
    return arguments, _written(", ".join(parts))


def _written(text: str) -> str | None:
    """A text that is shortened, or no Python, cannot be written down."""
    if "..." in text:
        return None
    try:
        ast.parse(f"_({text})", mode="eval")
    except (SyntaxError, ValueError):
        return None
    return text


def _parts(text: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in _OPENING) - (character in _CLOSING)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
