"""Arguments of a call site that are not known, such as the size of a vocabulary that was counted in data: made up."""

from __future__ import annotations

import inspect
from typing import Any, Optional

from metalens.worker.load.unknown import Unknown, contains_unknown
from metalens.worker.trace.invent import value_of

Arguments = tuple["tuple[Any, ...]", "dict[str, Any]"]


def filled(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Arguments]:
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
        bound.arguments[name] = value_of(parameter, 0) if default in (parameter.empty, None) else default
    return None if contains_unknown((bound.args, bound.kwargs)) else (bound.args, bound.kwargs)
