"""Constructor calls in the source: where an argument of a layer was written."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Optional

from metalens.worker.judge.source import Source, source_of
from metalens.worker.judge.torchkind import parameters_of
from metalens.worker.trace.facts import Facts


@dataclass(frozen=True)
class Slot:
    """An argument in a constructor call. `node` is its expression, or None if the call leaves it to its default."""

    source: Source
    call: ast.Call
    argument: str
    node: Optional[ast.expr]


def slot_of(facts: Facts, module: Any, argument: str) -> Optional[Slot]:
    """Where `argument` of this module's constructor call stands; None if the call cannot be seen or is starred."""
    built = facts.built_of(module)
    if built is None or built.location is None:
        return None
    source = source_of(facts, built.location.file)
    call = source.call_at(built.location.range)
    return None if call is None else slot_in(source, call, built.cls, argument)


def slot_in(source: Source, call: ast.Call, cls: type, argument: str) -> Optional[Slot]:
    """Where `argument` stands in a given call of a class."""
    names = parameters_of(cls)
    for keyword in call.keywords:
        if keyword.arg == argument:
            return Slot(source, call, argument, keyword.value)
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    place = names.index(argument) if argument in names else -1
    if place >= 0 and any(isinstance(arg, ast.Starred) for arg in call.args[: place + 1]):
        return None
    return Slot(source, call, argument, call.args[place] if 0 <= place < len(call.args) else None)


def siblings(facts: Facts, module: Any) -> tuple[Any, ...]:
    """The modules that were built by the very same constructor call (a loop, a factory), this one included."""
    built = facts.built_of(module)
    if built is None or built.location is None:
        return (module,)
    return tuple(other.module for other in facts.built.values() if other.location == built.location)
