"""Constructor calls in the source: where an argument of a layer was written."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Optional

from metalens.protocol.values import Location
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
    slot = slot_in(source, call, built.cls, argument, built.kept) if call is not None else None
    return _passed(facts, slot, built.through) if slot is not None and built.through is not None else slot


def _passed(facts: Facts, slot: Slot, through: Location) -> Slot:
    """The argument where a function of layers (`conv3x3(planes, planes)`) was given it, if it passes it on as it is."""
    enclosing = list(slot.source.enclosing(slot.node)) if isinstance(slot.node, ast.Name) else []
    function = next((node for node in enclosing if isinstance(node, (ast.FunctionDef, ast.Lambda))), None)
    in_class = any(isinstance(node, ast.ClassDef) for node in enclosing)
    if not isinstance(slot.node, ast.Name) or not isinstance(function, ast.FunctionDef) or in_class:
        return slot
    name = slot.node.id
    source = source_of(facts, through.file)
    call = source.call_at(through.range)
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    stored = any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(function))
    if call is None or getattr(call.func, "id", getattr(call.func, "attr", "")) != function.name or stored:
        return slot
    given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    place = names.index(name) if name in names else len(call.args)
    if given is None and place < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
        given = call.args[place]
    return Slot(source, call, slot.argument, given) if given is not None else slot


def slot_in(source: Source, call: ast.Call, cls: type, argument: str, kept: int = 0) -> Optional[Slot]:
    """Where `argument` stands in a given call of a class, or of what hands on all but the first `kept` arguments."""
    names = parameters_of(cls)
    for keyword in call.keywords:
        if keyword.arg == argument:
            return Slot(source, call, argument, keyword.value)
    if argument not in names:
        return None
    place = names.index(argument) + kept
    if any(isinstance(arg, ast.Starred) for arg in call.args[: place + 1]):
        return None
    if place < len(call.args):
        return Slot(source, call, argument, call.args[place])
    return None if any(keyword.arg is None for keyword in call.keywords) else Slot(source, call, argument, None)


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
