"""Whole numbers that a constructor knows by name: its arguments, and what it computes from them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any, Optional

from metalens.worker.judge.source import Function
from metalens.worker.judge.torchkind import parameters_of
from metalens.worker.trace.facts import Built

_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def names_before(built: Built, constructor: Function, line: int) -> dict[str, int]:
    """The names that hold a whole number before a one-based line of this constructor, with their values."""
    names: dict[str, int] = {}
    for name, value in _arguments(built, constructor).items():
        if _is_whole(value):
            names[name] = int(value)
    for statement in constructor.body:
        if statement.lineno >= line:
            break
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = _name_of(statement.targets[0])
            result = evaluate(statement.value, names)
            if target and result is not None:
                names[target] = result
            elif target:
                names.pop(target, None)
    return names


def evaluate(node: ast.expr, names: dict[str, int]) -> Optional[int]:
    """The value of simple arithmetic on known names; None for anything else."""
    if isinstance(node, ast.Constant):
        return int(node.value) if isinstance(node.value, int) and _is_whole(node.value) else None
    if isinstance(node, (ast.Name, ast.Attribute)):
        return names.get(_name_of(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "int" and len(node.args) == 1:
        return evaluate(node.args[0], names)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    left, right = evaluate(node.left, names), evaluate(node.right, names)
    if left is None or right is None or (right == 0 and isinstance(node.op, (ast.FloorDiv, ast.Mod))):
        return None
    return _OPERATORS[type(node.op)](left, right)


def _arguments(built: Built, constructor: Function) -> dict[str, Any]:
    arguments = constructor.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    defaults = dict(zip(names[len(names) - len(arguments.defaults) :], arguments.defaults))
    known = {name: evaluate(node, {}) for name, node in defaults.items()}
    return {**known, **dict(zip(parameters_of(built.cls), built.args)), **built.kwargs}


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
