"""Imports for which the code has something to take their place: `try: import fast` with a slow way in its `except`.

Where the package is not installed that is what runs, and its shapes are known, which those of a stand-in are not.
"""

from __future__ import annotations

import ast
import functools

from metalens.worker.load.parsing import parsed
from metalens.worker.load.walking import bound_names, nodes

_MISSING = ("ImportError", "ModuleNotFoundError")


def has_substitute(text: str, file: str, line: int) -> bool:
    """Whether what is imported on this line (from 1) has code that takes its place where it is missing."""
    return any(first <= line <= last for first, last in _substituted(text, file))


@functools.lru_cache(maxsize=64)
def _substituted(text: str, file: str) -> tuple[tuple[int, int], ...]:
    """The first and last lines of all imports with a substitute."""
    if not any(name in text for name in _MISSING):
        return ()
    try:
        tree = parsed(text, file)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found = []
    for node in nodes(tree):
        if isinstance(node, ast.Try) and any(_replaces(node.body, handler) for handler in node.handlers):
            found += [
                (part.lineno, part.end_lineno or part.lineno)
                for part in node.body
                if isinstance(part, (ast.Import, ast.ImportFrom))
            ]
    return tuple(found)


def _replaces(body: list[ast.stmt], handler: ast.ExceptHandler) -> bool:
    """Whether a handler gives each name that it shares with the body another value, one that does something."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(isinstance(kind, ast.Name) and kind.id in _MISSING for kind in kinds):
        return False
    if any(isinstance(node, ast.Raise) for part in handler.body for node in nodes(part)):
        return False
    made = set[str]().union(*map(_bound, body))
    shared = [part for part in handler.body if not made.isdisjoint(_bound(part))]
    return bool(shared) and not any(_is_nothing(part) for part in shared)


def _bound(statement: ast.stmt) -> set[str]:
    """The names and attributes that a statement binds."""
    attributes = {
        ast.unparse(node)
        for node in nodes(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return bound_names(statement) | attributes


def _is_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
