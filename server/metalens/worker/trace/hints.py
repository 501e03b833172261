"""What the source of a class says of arguments that are no numbers: the texts that it knows, the classes around it."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

_MOST_TEXTS, _MOST_CLASSES, _LONGEST = 12, 6, 24


@dataclass(frozen=True)
class Hints:
    """`texts` may be options; `classes` may be blocks of which the class builds itself."""

    texts: tuple[str, ...] = ()
    classes: tuple[type, ...] = ()


def hints_of(cls: type) -> Hints:
    """What is said by the constructor, by forward, and by the tables and classes of their module."""
    constructor = inspect.unwrap(cls.__init__)  # type: ignore[misc]
    code = getattr(constructor, "__code__", None)
    module = sys.modules.get(cls.__module__)
    names = getattr(constructor, "__globals__", None) or vars(module or types.ModuleType("")) or {}
    if code is None:
        return Hints()
    texts = [text for text in _texts(code) if text.strip() and len(text) <= _LONGEST and "%" not in text]
    forward = getattr(cls, "forward", None)
    called = getattr(inspect.unwrap(forward), "__code__", None) if callable(forward) else None
    texts += [text for text in _texts(called) if text.isidentifier()] if called is not None else []
    for name in _names(code):
        table = names.get(name)
        if isinstance(table, dict):
            texts += [key for key in table if isinstance(key, str)]
    classes = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value is not cls
        if value.__module__ == cls.__module__ and not issubclass(value, cls)
    ]
    return Hints(tuple(dict.fromkeys(texts))[:_MOST_TEXTS], tuple(dict.fromkeys(classes))[:_MOST_CLASSES])


def _texts(code: types.CodeType) -> Iterator[str]:
    for part in code.co_consts:
        yield from _flat(part)


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, frozenset)):
        for part in value:
            yield from _flat(part)
    elif isinstance(value, types.CodeType):
        yield from _texts(value)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)
