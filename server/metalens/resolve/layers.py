"""Where a class makes its layers: the assignments of calls to attributes of `self`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metalens.protocol.values import Range
from metalens.resolve.source import Source

_BUILTINS = frozenset(dir(builtins))
_PLAIN_LIBRARIES = frozenset({"torch", "np", "numpy", "math", "os", "copy", "random", "F", "logging"})
_REGISTERS = frozenset({"add_module", "register_module"})


@dataclass(frozen=True)
class LayerDefinition:
    """`self.fc1 = nn.Linear(...)`: the attribute, the range of `self.fc1`, the range of the value.

    `type` is the last name of what is called: `Linear` here, `conv3x3` for a factory.
    """

    attribute: str
    target: Range
    value: Range
    type: str


def layer_definitions(
    source: Source, methods: Iterable[ast.FunctionDef | ast.AsyncFunctionDef]
) -> Iterator[LayerDefinition]:
    """In the order of the text; methods called `forward` and static methods make no layers."""
    for method in methods:
        arguments = [*method.args.posonlyargs, *method.args.args]
        if method.name != "forward" and arguments:
            yield from _in_statements(source, method.body, arguments[0].arg)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or a chain of attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def _in_statements(source: Source, body: Iterable[ast.stmt], owner: str) -> Iterator[LayerDefinition]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _assigned(source, target, node.value, owner)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _assigned(source, node.target, node.value, owner)
        elif isinstance(node, ast.Expr):
            yield from _registered(source, node.value, owner)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for name in ("body", "orelse", "finalbody"):
                yield from _in_statements(source, getattr(node, name, ()), owner)
            for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                yield from _in_statements(source, handler.body, owner)


def _assigned(source: Source, target: ast.expr, value: ast.expr, owner: str) -> Iterator[LayerDefinition]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for inner, part in zip(target.elts, value.elts, strict=True):
            yield from _assigned(source, inner, part, owner)
        return
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name) or target.value.id != owner:
        return
    kind = _layer_type(value)
    if kind:
        yield LayerDefinition(target.attr, source.range(target), source.range(value), kind)


def _registered(source: Source, node: ast.expr, owner: str) -> Iterator[LayerDefinition]:
    """`self.add_module("conv", nn.Conv2d(...))`."""
    if not isinstance(node, ast.Call) or len(node.args) != 2:
        return
    head, _, method = dotted(node.func).rpartition(".")
    name, value = node.args
    if head == owner and method in _REGISTERS and isinstance(name, ast.Constant) and isinstance(name.value, str):
        kind = _layer_type(value)
        if kind:
            yield LayerDefinition(name.value, source.range(name), source.range(value), kind)


def _layer_type(value: ast.expr) -> str:
    """The last name of the call that makes the value; empty if it surely makes no layer."""
    if isinstance(value, ast.IfExp):
        return _layer_type(value.body) or _layer_type(value.orelse)
    if not isinstance(value, ast.Call):
        return ""
    if isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Call):
        return _layer_type(value.func.value)  # nn.Linear(3, 4).to(device)
    name = dotted(value.func)
    head, _, rest = name.partition(".")
    last = name.rpartition(".")[2]
    if not name or name in _BUILTINS:
        return ""
    if head in _PLAIN_LIBRARIES and not rest.startswith("nn.") and last[:1].islower():
        return ""
    return last
