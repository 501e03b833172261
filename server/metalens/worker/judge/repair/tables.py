"""Parameters and buffers that a constructor makes, `self.table = nn.Parameter(torch.zeros(n, heads))`: their sizes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.lineage import FACTORIES
from metalens.worker.judge.repair.constants import expressions_for, is_plain, names_before
from metalens.worker.judge.repair.edits import adjusted, fix, literal
from metalens.worker.judge.source import Source, source_of

_NAMES = 2
_STEPS = 16


def resized(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A size of a parameter behind one of the tensors in conflict, as the other one has it."""
    one, other = mistake.tensor, mistake.other
    for tensor, wanted in ((one, other), (other, one)):
        if not isinstance(tensor, torch.Tensor) or not isinstance(wanted, torch.Tensor):
            continue
        pairs = zip(reversed(tensor.shape), reversed(wanted.shape))
        sizes = {int(old): int(new) for old, new in pairs if old != new and new > 1}
        for parameter in _parameters_behind(case, tensor):
            for dim, size in enumerate(parameter.shape):
                if int(size) in sizes:
                    yield from _resized(case, parameter, dim, sizes[int(size)])


def _parameters_behind(case: Case, tensor: Any) -> Iterator[Any]:
    """What a tensor was computed of, the first operand of each step; parameters and buffers are among it."""
    for _ in range(_STEPS):
        yield tensor
        origin = case.facts.origin_of(tensor)
        if origin is None or origin.module is not None or not origin.inputs:
            return
        tensor = origin.inputs[0]


def _resized(case: Case, parameter: Any, dim: int, new: int) -> Iterator[Fix]:
    for call in reversed(case.failure.modules):
        own = {**call.module._parameters, **call.module._buffers}
        name = next((key for key, value in own.items() if value is parameter), "")
        code = getattr(inspect.unwrap(type(call.module).__init__), "__code__", None) if name else None
        source = source_of(case.facts, code.co_filename) if code is not None else None
        scope = source.function_at(code.co_firstlineno - 1) if source is not None and code is not None else None
        built = case.facts.built_of(call.module)
        if source is None or scope is None or built is None:
            continue
        for node in _sizes(source, scope, name, parameter.dim())[dim : dim + 1]:
            names = names_before(built, scope, node.lineno)
            text = adjusted(source, node, int(parameter.shape[dim]), new) if isinstance(node, ast.BinOp) else ""
            for found in dict.fromkeys([text, *filter(is_plain, expressions_for(new, names)[:_NAMES])]):
                if found and literal(node) is None:
                    yield fix(f"Change {source.text_of(node)} to {found} in {name}", source.replace(node, found))
        return


def _sizes(source: Source, scope: ast.AST, name: str, rank: int) -> list[ast.expr]:
    """The sizes by which a constructor makes an attribute or a buffer, one for each dimension."""
    for node in ast.walk(scope):
        value: Optional[ast.expr] = None
        if isinstance(node, ast.Assign) and any(getattr(target, "attr", "") == name for target in node.targets):
            value = node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "register_buffer" and len(node.args) > 1:
            value = node.args[1] if getattr(node.args[0], "value", "") == name else None
        for call in ast.walk(value) if value is not None else ():
            if isinstance(call, ast.Call) and source.text_of(call.func).rpartition(".")[2] in FACTORIES:
                plain = call.args[0] if call.args else None
                sizes = list(plain.elts) if isinstance(plain, (ast.Tuple, ast.List)) else list(call.args)
                if len(sizes) == rank:
                    return sizes
    return []
