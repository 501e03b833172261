"""Operands of a function with a dimension too few or too many: an index, a weight, neighbours to be merged."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import chain, failing_call, fix, shown
from metalens.worker.judge.rules.products import operand_nodes
from metalens.worker.judge.source import Source, source_of
from metalens.worker.judge.unpacking import innermost_locals


def indexed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The dimension that an index of gather or scatter lacks: that of the items, or of the batch."""
    called, index, x = failing_call(case), mistake.tensor, mistake.other
    if called is None or index is None or x is None or index.dim() != x.dim() - 1:
        return
    source, call = called
    names = innermost_locals(case.failure)
    for node in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(node, ast.Name) and names.get(node.id) is index:
            for dim in sorted(range(x.dim()), key=lambda dim: dim != 1):
                yield fix(f"Use {node.id}.unsqueeze({dim})", chain(source, node, f".unsqueeze({dim})"))


def weighed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The dimensions of a kernel that a weight lacks."""
    called, weight = failing_call(case), mistake.tensor
    lacks = (mistake.expected or 0) - (mistake.given or 0)
    if called is None or lacks < 1 or len(case.failure.args) < 2 or case.failure.args[1] is not weight:
        return
    source, call = called
    node = next((part.value for part in call.keywords if part.arg == "weight"), None)
    if node is None and len(call.args) > 1 and not any(isinstance(part, ast.Starred) for part in call.args[:2]):
        node = call.args[1]
    if node is not None:
        suffix = ".unsqueeze(-1)" * lacks
        yield fix(f"Use {shown(source, node)}{suffix}", chain(source, node, suffix))


def merging(case: Case, mistake: Mistake) -> Iterator[tuple[Source, ast.expr, str]]:
    """The operand of more dimensions, with a method that makes it fit the other one, of as many elements or one row."""
    source, nodes = source_of(case.facts, case.location.file), operand_nodes(case.node())
    tensors = case.tensors
    if len(nodes) != 2 or len(tensors) != 2:
        return
    for node, tensor, other, beside in ((*nodes[::-1][:1], *tensors[::-1], nodes[0]), (nodes[0], *tensors, nodes[1])):
        shape, wanted = [int(n) for n in tensor.shape], [int(n) for n in other.shape]
        away = len(shape) - len(wanted)
        for first in range(len(wanted)) if away > 0 else ():
            last = first + away
            merged = [*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]]
            if all(a == b or 1 in (a, b) for a, b in zip(merged, wanted)) and merged != [1] * len(merged):
                yield source, node, f".flatten({first}, {last})" if last < len(shape) - 1 else f".flatten({first})"
        if away < 0 and tensor.numel() == other.numel() and isinstance(beside, ast.Name):
            yield source, node, f".reshape({beside.id}.shape)"
