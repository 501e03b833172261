"""The names under which classes are kept in a registry: `@register_model(name="ncsnpp")` above one of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from metalens.resolve.classes import ModuleClass
from metalens.resolve.index import View
from metalens.resolve.layers import dotted
from metalens.resolve.source import Source
from metalens.workspace.documents import Unreadable


def registered(view: View, classes: Sequence[ModuleClass]) -> frozenset[str]:
    """What the decorators of classes, all of one file, call them; a class without another name has its own."""
    file = classes[0].file if classes else ""
    outline = view.outline(file) if file else None
    if outline is None or not any("regist" in word.lower() for word in outline.mentions):
        return frozenset()
    try:
        tree = Source(view.workspace.text(file)).tree
    except (Unreadable, RecursionError):
        return frozenset()
    wanted = {item.qualname for item in classes}
    nodes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in wanted)
    return frozenset(name for node in nodes for item in node.decorator_list for name in _names(node.name, item))


def _names(own: str, decorator: ast.expr) -> Iterator[str]:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if "regist" not in dotted(called).lower():
        return
    given = [*decorator.args, *(part.value for part in decorator.keywords)] if isinstance(decorator, ast.Call) else []
    texts = [part.value for part in given if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    yield from texts or [own]
