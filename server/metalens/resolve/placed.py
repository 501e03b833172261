"""Where a program looks for the file that an option names: what it puts before the name, and what behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from metalens.resolve.layers import dotted

Place = tuple[str, str]


def places(tree: ast.AST) -> Mapping[str, Place]:
    """For names: the folder before and the ending behind, of `join("configs", args.name)` and the like."""
    found: dict[str, Place] = {}
    for node in ast.walk(tree):
        for name, before, behind in _placed(node):
            folder = before.rstrip("/")
            if folder and not before.startswith(("/", "~")):
                found.setdefault(name, (folder, behind))
    return found


def _placed(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    if isinstance(node, ast.Call) and dotted(node.func).endswith("path.join") and len(node.args) > 1:
        *folders, last = node.args
        texts = [_text(item) for item in folders]
        if None not in texts:
            yield from _ended(last, "/".join(filter(None, texts)))
    elif isinstance(node, ast.JoinedStr) and len(node.values) > 1:
        first, *rest = node.values
        before = _text(first)
        if before is not None and before.endswith("/") and len(rest) <= 2 and isinstance(rest[0], ast.FormattedValue):
            behind = _text(rest[1]) if len(rest) == 2 else ""
            if behind is not None:
                yield _name(rest[0].value), before, behind
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        inner, behind = node, _text(node.right)
        if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add) and behind is not None:
            inner = node.left
        before = _text(inner.left)
        if before is not None and before.endswith("/"):
            yield _name(inner.right), before, behind or ""


def _ended(node: ast.expr, before: str) -> Iterator[tuple[str, str, str]]:
    """The last part of a path: a name, or a name with an ending."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield _name(node.left), before, _text(node.right) or ""
    elif isinstance(node, ast.JoinedStr) and len(node.values) == 2 and isinstance(node.values[0], ast.FormattedValue):
        yield _name(node.values[0].value), before, _text(node.values[1]) or ""
    else:
        yield _name(node), before, ""


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
