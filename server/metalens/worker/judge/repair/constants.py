"""Whole numbers that a constructor knows by name: its arguments, and what it computes from them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from typing import Any, Optional

from metalens.worker.judge.source import Function
from metalens.worker.judge.torchkind import parameters_of
from metalens.worker.trace.facts import Built


def _power(base: int, exponent: int) -> int:
    return base**exponent if 0 <= exponent <= 4 else 0


_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}


def names_before(built: Built, constructor: Function, line: int) -> dict[str, int]:
    """The names that hold a whole number before a one-based line of this constructor, with their values."""
    names: dict[str, int] = {}
    arguments = _arguments(built, constructor)
    for name, value in (*arguments.items(), *_settings(constructor, arguments)):
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


def expressions_for(wanted: int, names: dict[str, int], written: str = "") -> list[str]:
    """Short arithmetic on known names that gives a size; first that in which what is `written` takes part."""
    known = {name: value for name, value in distinct(names).items() if value > 1}
    order = list(known)
    found = [name for name, value in known.items() if value == wanted]
    products = []
    for name, value in known.items():
        for other, factor in known.items():
            if order.index(name) < order.index(other) and value * factor == wanted:
                products.append(f"{name} * {other}")
            if name != other and value * factor**2 == wanted:
                products.append(f"{name} * {other} ** 2")
            if name != other and factor * wanted == value:
                products.append(f"{name} // {other}")
            if name < other and value + factor == wanted:
                products.append(f"{name} + {other}")
        for factor in (2, 3, 4):
            if value * factor == wanted:
                products.append(f"{name} * {factor}")
            if wanted * factor == value:
                products.append(f"{name} // {factor}")
        if value**2 == wanted:
            products.append(f"{name} ** 2")
    products.sort(key=lambda text: (bool(written) and written not in text, len(text.split())))
    return list(dict.fromkeys([*found, *products]))


def distinct(names: dict[str, int]) -> dict[str, int]:
    """The names without those that say nothing new: `self.dim` beside `dim`."""
    return {n: v for n, v in names.items() if not n.startswith("self.") or names.get(n[5:]) != v}


def is_plain(text: str) -> bool:
    """Whether an expression is a name alone."""
    return " " not in text


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


def _settings(constructor: Function, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the constructor reads from the objects that it is given: `config.width`."""
    for node in ast.walk(constructor):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in arguments:
            try:
                yield f"{node.value.id}.{node.attr}", getattr(arguments[node.value.id], node.attr, None)
            except Exception:  # noqa: BLE001 - the user's properties may raise anything
                continue


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
