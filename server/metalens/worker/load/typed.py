"""Annotations: they tell people something, and one that cannot be evaluated (its package is not here) stops nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

ANNOTATION = "__metalens_annotation__"


def are_texts(tree: ast.Module) -> bool:
    """Whether a file's annotations are not evaluated at all."""
    future = (part for part in tree.body[:5] if isinstance(part, ast.ImportFrom) and part.module == "__future__")
    return any(alias.name == "annotations" for part in future for alias in part.names)


def defer_annotations(node: Any) -> None:
    """Hand the annotations of a function or of a name that may fail to the hook `ANNOTATION`, each as a function."""
    if isinstance(node, ast.AnnAssign):
        node.annotation = _deferred(node.annotation)
        return
    node.returns = _deferred(node.returns)
    for part in _parameters(node.args):
        part.annotation = _deferred(part.annotation)


def evaluated(make: Callable[[], Any]) -> Any:
    """The annotation, or any type at all."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - whatever a package that is not here brings about
        return Any


def _parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (part for part in (arguments.vararg, arguments.kwarg) if part is not None)


def _deferred(annotation: Any) -> Any:
    if annotation is None or isinstance(annotation, (ast.Name, ast.Constant)):
        return annotation
    at = {key: getattr(annotation, key) for key in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    make = ast.Lambda(ast.arguments([], [], None, [], [], None, []), annotation, **at)
    return ast.Call(ast.Name(ANNOTATION, ast.Load(), **at), [make], [], **at)
