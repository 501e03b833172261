"""Arguments of a call site that are not known, such as the size of a vocabulary that was counted in data: made up."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import inspect
import types
from typing import Any, Optional

from metalens.worker.load.inventions import size_of_data
from metalens.worker.load.unknown import Unknown, contains_unknown
from metalens.worker.trace.invent import value_of

Arguments = tuple["tuple[Any, ...]", "dict[str, Any]"]


@dataclasses.dataclass(frozen=True)
class Filled:
    """Arguments, those of which in `holes` were made up; `sizes` tells that these are whole numbers, or norms."""

    arguments: Arguments
    holes: frozenset[str]
    sizes: bool


def filled(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Filled]:
    """The arguments with something likely for each that is not known; None where none of them is known as it stands."""
    try:
        signature = inspect.signature(cls)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        return None
    holes = [name for name, value in bound.arguments.items() if isinstance(value, Unknown)]
    if not holes or len(holes) == len(bound.arguments):
        return None
    for name in holes:
        parameter = signature.parameters[name]
        default = parameter.default
        value = value_of(parameter, 0) if default in (parameter.empty, None) else default
        bound.arguments[name] = size_of_data(value) if type(value) is int else value
    if contains_unknown((bound.args, bound.kwargs)):
        return None
    sizes = all(type(bound.arguments[name]) is int or isinstance(bound.arguments[name], type) for name in holes)
    return Filled((bound.args, bound.kwargs), frozenset(holes), sizes)


def completed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Arguments]:
    """The arguments with copies of those configurations that hold something unknown; None if none does."""
    given = [*args, *kwargs.values()]
    made = [_complete(value) for value in given]
    if all(one is other for one, other in zip(given, made)):
        return None
    return tuple(made[: len(args)]), dict(zip(kwargs, made[len(args) :]))


def _complete(value: Any) -> Any:
    is_dict = isinstance(value, dict)
    plain = isinstance(value, (argparse.Namespace, types.SimpleNamespace)) or dataclasses.is_dataclass(value)
    if not is_dict and (not plain or isinstance(value, type)):
        return value
    items = value if is_dict else vars(value)
    holes = [name for name, item in items.items() if isinstance(item, Unknown) and str(name).isidentifier()]
    if not holes:
        return value
    made = copy.copy(value)
    for name in holes:
        item = value_of(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY), 0)
        if is_dict:
            made[name] = item
        else:
            object.__setattr__(made, name, item)
    return made
