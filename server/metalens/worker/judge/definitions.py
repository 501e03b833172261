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
    if built is None or built.location is None or is_inside(facts, module):
        return None
    source = source_of(facts, built.location.file)
    call = source.call_at(built.location.range)
    return None if call is None else slot_in(source, call, built.cls, argument, built.kept)


def slot_in(source: Source, call: ast.Call, cls: type, argument: str, kept: int = 0) -> Optional[Slot]:
    """Where `argument` stands in a given call of a class, or of what hands on all but the first `kept` arguments."""
    names = parameters_of(cls)
    for keyword in call.keywords:
        if keyword.arg == argument:
            return Slot(source, call, argument, keyword.value)
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    if argument not in names:
        return None
    place = names.index(argument) + kept
    if any(isinstance(arg, ast.Starred) for arg in call.args[: place + 1]):
        return None
    return Slot(source, call, argument, call.args[place] if place < len(call.args) else None)


def is_inside(facts: Facts, module: Any) -> bool:
    """Whether a module was built by the constructor of another one of torch's, so that no call of its own is seen."""
    return outer_of(facts, module) is not module


def outer_of(facts: Facts, module: Any) -> Any:
    """The module whose constructor call stands where this one was built: itself, or the torch layer it is part of."""
    built = facts.built_of(module)
    if built is None or built.location is None:
        return module
    for other in facts.built.values():
        same = other.location == built.location and other.module is not module
        if same and "_modules" in vars(other.module) and any(part is module for part in other.module.modules()):
            return other.module
    return module


def siblings(facts: Facts, module: Any) -> tuple[Any, ...]:
    """The modules that were built by the very same constructor call (a loop, a factory), this one included."""
    built = facts.built_of(module)
    if built is None or built.location is None:
        return (module,)
    same = (o for o in facts.built.values() if o.location == built.location and o.cls is built.cls)
    return tuple(other.module for other in same)
