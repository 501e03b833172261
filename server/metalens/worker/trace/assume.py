"""What a class is built and called with where nobody said so: a point in the space of all arguments and inputs.

A leaf is one thing that can be chosen otherwise: an integer among the arguments, a size of an input, a flag, a text.
It has a path, by which another point with another choice can be made.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

import torch

from metalens.worker.trace import probe
from metalens.worker.trace.invent import MadeUp, value_of
from metalens.worker.trace.probe import Spec
from metalens.worker.trace.written import taken_apart

Path = tuple[Any, ...]

_DEPTH = 3
_LENGTHS = re.compile(r"(^|_)(lens|lengths|seqlens)$")


@dataclass(frozen=True)
class Config:
    """A made-up configuration: the attributes that were asked for, and what they were."""

    values: Mapping[str, Any]
    variant: int = 0


@dataclass(frozen=True)
class Fields:
    """An input of which forward reads attributes, as of a batch that a library puts together."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Row(Fields):
    """An input that forward takes apart, by the names that it gives to the parts: `audio, text = batch`."""


@dataclass(frozen=True)
class Point:
    """`arguments` of the constructor by name, `inputs` of forward by name.

    Without `arguments` the model is given; without `inputs` they are to be guessed once there is a model.
    """

    arguments: Optional[Mapping[str, Any]]
    inputs: Optional[Mapping[str, Any]] = None

    @property
    def key(self) -> str:
        """The same for points that are the same."""
        return repr((self.arguments, self.inputs))


class AnyText(str):
    """A text that is equal to every other: takes the first branch of those that compare it."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)


class Anything(torch.nn.Module):
    """A module that gives other sizes than it takes: what rests on what a given module does is no contradiction."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """A tensor of the first one's rank, every size but that of the batch another one."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.Tensor):
                batch = value.shape[:1] if value.dim() > 1 else ()
                return value.new_empty((*batch, *(size + 5 for size in value.shape[len(batch) :])))
        return None


def first_arguments(cls: type, variant: int) -> Optional[dict[str, Any]]:
    """Made-up values for what a constructor requires, and its own defaults for the rest; None if it cannot be read."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return None
    found: dict[str, Any] = {}
    for part in parameters:
        if part.kind is part.POSITIONAL_ONLY:
            return None
        if part.kind in (part.VAR_POSITIONAL, part.VAR_KEYWORD):
            continue
        value = value_of(part, variant) if part.default is part.empty else part.default
        found[part.name] = Config({}, variant) if isinstance(value, MadeUp) else value
    return found


def given_arguments(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What a class was built with, by name, its defaults included; None if that cannot be told by names."""
    try:
        signature = inspect.signature(cls)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        return None
    bound.apply_defaults()
    kinds = {name: part.kind for name, part in signature.parameters.items()}
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if isinstance(value, MadeUp):
            found[name] = told(value)
        elif kinds[name] is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kinds[name] is inspect.Parameter.VAR_POSITIONAL:
            if value:
                return None
        else:
            found[name] = value
    return found


def told(config: MadeUp) -> Config:
    """A made-up configuration with all that was asked of it."""
    return Config({name: value for name, value in vars(config).items() if name != "_variant"}, config._variant)


def first_inputs(module: torch.nn.Module) -> dict[str, Any]:
    """A first guess for each input of forward, the optional ones as they are."""
    found: dict[str, Any] = dict(probe.first_specs(module) or {})
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return found
    for name, part in parameters.items():
        inner = taken_apart(module.forward, name) if isinstance(found.get(name), Spec) else ()
        if inner:
            found[name] = Row(dict(probe.specs_of(module, [(each, "") for each in inner])))
        if name in found and len(found) > 1 and _LENGTHS.search(name):
            found[name] = [16, 16]
        if part.default is not part.empty and part.kind in (part.POSITIONAL_OR_KEYWORD, part.KEYWORD_ONLY):
            found[name] = part.default
    return found


def leaves(point: Point) -> Iterator[tuple[Path, Any]]:
    """Everything that can be chosen otherwise."""
    for name, value in (point.arguments or {}).items():
        yield from _leaves(("argument", name), value)
    for name, value in (point.inputs or {}).items():
        yield from _leaves(("input", name), value)


def _leaves(path: Path, value: Any, depth: int = _DEPTH) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Spec):
        yield from (((*path, place), size) for place, size in enumerate(value.shape))
    elif isinstance(value, (Config, Fields)):
        for name, part in value.values.items():
            yield from _leaves((*path, name), part, depth - 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type) and depth:
        for field in dataclasses.fields(value):
            if field.init:
                yield from _leaves((*path, field.name), getattr(value, field.name, None), depth - 1)
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields") and depth:
        for place, part in enumerate(value[:8]):
            yield from _leaves((*path, place), part, depth - 1)
    elif isinstance(value, dict) and depth and all(isinstance(key, str) for key in value):
        for name, part in value.items():
            yield from _leaves((*path, name), part, depth - 1)
    else:
        yield path, value


def parts(point: Point) -> Iterator[tuple[Path, Any]]:
    """The inputs one by one; in place of one with keys or attributes what stands there."""
    for name, value in (point.inputs or {}).items():
        inner = value.values if isinstance(value, Fields) else value if isinstance(value, dict) else None
        if not inner:
            yield ("input", name), value
        else:
            yield from ((("input", name, key), part) for key, part in inner.items())


def tensors(point: Point) -> dict[Path, Spec]:
    """The parts of the inputs that are tensors."""
    return {path: value for path, value in parts(point) if isinstance(value, Spec)}


def chosen(point: Point, choices: Mapping[Path, Any]) -> Point:
    """The point with other values at these paths."""
    arguments = dict(point.arguments) if point.arguments is not None else None
    inputs = dict(point.inputs) if point.inputs is not None else None
    for path, value in choices.items():
        table = inputs if path[0] == "input" else arguments
        if table is not None and path[1] in table:
            table[path[1]] = _put(table[path[1]], path[2:], value)
    return Point(arguments, inputs)


def _put(owner: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(owner, Spec):
        return replace(owner, shape=(*owner.shape[:first], value, *owner.shape[first + 1 :]))
    if isinstance(owner, (Config, Fields)):
        return replace(owner, values={**owner.values, first: _put(owner.values.get(first), rest, value)})
    if dataclasses.is_dataclass(owner) and not isinstance(owner, type):
        return _changed(owner, first, _put(getattr(owner, first, None), rest, value))
    if isinstance(owner, dict):
        return {**owner, first: _put(owner.get(first), rest, value)}
    parts = list(owner)
    parts[first] = _put(parts[first], rest, value)
    return type(owner)(parts)


def _changed(owner: Any, name: str, value: Any) -> Any:
    try:
        return dataclasses.replace(owner, **{name: value})
    except Exception:  # noqa: BLE001 - the user's class need not take every value
        return owner


def made(value: Any, configs: Callable[[Config, MadeUp], None]) -> Any:
    """What user code gets for a part of a point; `configs` hears of each made-up configuration."""
    if isinstance(value, Spec):
        return value.make()
    if isinstance(value, Config):
        config = MadeUp(value.variant, value.values)
        configs(value, config)
        return config
    if isinstance(value, Row):
        return tuple(made(part, configs) for part in value.values.values())
    if isinstance(value, Fields):
        return types.SimpleNamespace(**{name: made(part, configs) for name, part in value.values.items()})
    if type(value) in (list, tuple):
        return type(value)(made(part, configs) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return copy.copy(value)
    if type(value) is dict:
        return {key: made(part, configs) for key, part in value.items()}
    return value


def is_size(value: Any) -> bool:
    """Whether a leaf is a number that may be another one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20
