"""Constructor calls whose values are certain, whatever was skipped before: numbers that stand there, and options.

A run may be in doubt because data is missing. What a call writes down itself, and what it reads from options that
nobody assigns to, is the same without that doubt.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import types
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Optional

from metalens.worker.trace.command_line import was_given
from metalens.worker.trace.facts import Built

# What may assign to any option: `vars(args).update(...)`, `setattr(args, name, value)`.
_ANY = re.compile(
    r"__dict__\.update|__dict__\[[^\]]*\]\s*=(?!=)|vars\(\s*[\w.]+\s*\)\s*(?:\.update|\[[^\]]*\]\s*=(?!=))"
    r"|setattr\(\s*(?!self)[\w.]+\s*,\s*(?!['\"])"
)
_PLAIN = (int, float, str, list, dict, tuple, set, argparse.Namespace)


def sizes_of_data(built: Built, holes: Container[str], texts: Mapping[str, str]) -> Optional[frozenset[str]]:
    """The parameters whose whole numbers data decided, where all others are certain; None where some are not.

    `texts` are the sources of the run by file; `holes` are the parameters whose values were not known.
    """
    cls, args, kwargs, place = built.cls, built.args, built.kwargs, built.location
    if place is None:
        return None
    call = _call(texts.get(place.file, ""), place.range.start.line, place.range.end.line, cls.__name__)
    if call is None or _reads_globals(cls, texts):
        return None
    try:
        names = list(inspect.signature(cls).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return None
    if any(isinstance(part, ast.Starred) for part in call.args) or len(call.args) != len(args):
        return None
    nodes = dict(zip(names, call.args))
    nodes.update({keyword.arg or "": keyword.value for keyword in call.keywords})
    values = {**dict(zip(names, args)), **kwargs}
    open_to_data = set()
    for name, node in nodes.items():
        if name not in values:
            return None
        if name in holes or (_counts(node) and type(values[name]) is int):
            open_to_data.add(name)
        elif not _is_certain(node, values[name], texts.values()):
            return None
    return frozenset(open_to_data) if len(open_to_data) < len(nodes) else None


def _counts(node: ast.expr) -> bool:
    """Whether an expression says how much there is of something: `len(words)`, `x.shape[1]`, `x.size(1)`."""
    if isinstance(node, ast.Subscript):
        return getattr(node.value, "attr", "") == "shape"
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", "") == "len" or getattr(function, "attr", "") == "size"


def _is_certain(node: ast.expr, value: Any, texts: Iterable[str]) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return was_given(node.attr, value) and not any(_is_assigned(node.attr, text) for text in texts)
    return False


@lru_cache(maxsize=1024)
def _is_assigned(name: str, text: str) -> bool:
    """Whether a text may assign to an option of this name."""
    by_name = rf"(?<!self)\.{re.escape(name)}\s*(?:[-+*/]|//)?=(?!=)|setattr\([^,]*,\s*['\"]{re.escape(name)}"
    return _ANY.search(text) is not None or re.search(by_name, text) is not None


@lru_cache(maxsize=16)
def _calls(text: str) -> tuple[ast.Call, ...]:
    try:
        return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    except (SyntaxError, ValueError, RecursionError):
        return ()


def _call(text: str, first: int, last: int, name: str) -> Optional[ast.Call]:
    """The only call of this name on these zero-based lines."""
    found = [
        node
        for node in _calls(text)
        if (node.lineno - 1, (node.end_lineno or 0) - 1) == (first, last)
        and name == getattr(node.func, "attr", getattr(node.func, "id", ""))
    ]
    return found[0] if len(found) == 1 else None


def _reads_globals(cls: type, files: Container[str]) -> bool:
    """Whether a constructor, or code of these files that it calls, reads values of a module, which may be in doubt."""
    waiting: list[Any] = [cls]
    known: set[int] = set()
    while waiting:
        item = waiting.pop()
        if id(item) in known:
            continue
        known.add(id(item))
        function = inspect.unwrap(getattr(item, "__init__") if isinstance(item, type) else item)  # noqa: B009
        if not isinstance(function, types.FunctionType) or function.__code__.co_filename not in files:
            if item is cls:
                return True
            continue
        for name in _names(function.__code__):
            value = function.__globals__.get(name)
            if isinstance(value, _PLAIN):
                return True
            waiting += [value] if isinstance(value, (type, types.FunctionType)) else []
    return False


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)
