"""Whether a model waits for something that its own methods would set: then a call without it proves nothing."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterable, Iterator

import torch

_STORES = frozenset(("STORE_ATTR", "DELETE_ATTR"))
_LOADS = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
_BUILD, _CALL = ("__init__",), ("forward", "__call__")


def waits_for_state(module: torch.nn.Module) -> bool:
    """Whether a method that neither constructors nor forward reach sets an attribute that forward reads."""
    methods: dict[str, list[types.CodeType]] = {}
    for cls in {base for part in module.modules() for base in type(part).__mro__}:
        if not cls.__module__.startswith("torch.") and cls is not object:
            for name, code in _methods(cls):
                methods.setdefault(name, []).append(code)
    called = _reached(methods, _CALL)
    read = {name for method in called for code in methods[method] for name in _used(code, _LOADS)}
    outside = methods.keys() - called - _reached(methods, _BUILD)
    return any(name in read for method in outside for code in methods[method] for name in _used(code, _STORES))


def _methods(cls: type) -> Iterator[tuple[str, types.CodeType]]:
    for name, value in vars(cls).items():
        if isinstance(value, staticmethod):
            continue  # it is of no model
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        function = inspect.unwrap(function) if callable(function) else function
        if isinstance(function, types.FunctionType):
            yield from ((name, code) for code in _nested(function.__code__))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _nested(part)


def _reached(methods: dict[str, list[types.CodeType]], begin: Iterable[str]) -> set[str]:
    reached, waiting = set[str](), [name for name in begin if name in methods]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for code in methods[name] for other in code.co_names if other in methods]
    return reached


def _used(code: types.CodeType, operations: frozenset[str]) -> Iterator[str]:
    return (str(step.argval) for step in dis.get_instructions(code) if step.opname in operations)
