"""`(prediction - target) ** 2` where one is [B, 1] and the other [B]: all pairs, which are then averaged.

A column and a row that are combined may be meant (distances of all pairs, masks). They are not where the column is the
output of a layer with one feature, the row came in from elsewhere, and all of it ends in one number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Mistake
from metalens.worker.judge.quiet.losses import blown_up
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell, history
from metalens.worker.judge.repair.edits import chain, fix
from metalens.worker.judge.rules.products import operand_nodes, operator_text
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts

# The average of all differences is the difference of the averages: only what is bent before it is summed goes wrong.
_STRAIGHT = frozenset(["add", "sub", "rsub", "neg", "clone", "contiguous"])
_BENT = frozenset(["mul", "div", "truediv"])
_BENDING = frozenset(["pow", "square", "abs", "exp", "log", "log1p", "sqrt", "clamp", "relu", "where", "huber_loss"])
_SUMS = frozenset(["mean", "sum"])
# Who writes one of these has thought of the size of 1.
_DELIBERATE = frozenset(["unsqueeze", "getitem", "view", "reshape", "expand", "transpose", "permute", "t", "rearrange"])


@dataclass
class Product:
    """All pairs of a column and a row: whether something made more of them than sums, and whether all became one."""

    bent: bool
    summed: bool = False


def combine(call: Call, marks: Marks) -> Optional[Tell]:
    """A column of predictions and a row are combined to a square."""
    if len(call.tensors) != 2 or not isinstance(call.result, torch.Tensor):
        return None
    left, right = call.tensors
    column, row = (left, right) if left.dim() == 2 else (right, left)
    if column.dim() != 2 or row.dim() != 1 or column.shape[1] != 1 or not blown_up(left, right):
        return None
    if not _is_predicted(call.facts, column) or not _is_plain(call.facts, row):
        return None
    product = Product(bent=call.name in _BENT)
    marks.put(call.result, product)

    def tell(scene: Scene) -> Optional[Quiet]:
        return _told(scene, column, row) if product.bent and product.summed else None

    return tell


def go_on(call: Call, marks: Marks) -> Optional[Tell]:
    """What becomes of all the pairs."""
    known = [found for found in (marks.of(part, Product) for part in call.tensors) if found] if marks else []
    for product in known:
        if call.name in _SUMS:
            product.summed = product.summed or (len(call.args) == 1 and not call.kwargs)
        else:
            product.bent = product.bent or call.name in _BENDING or (call.name in _BENT and len(call.tensors) > 1)
            if isinstance(call.result, torch.Tensor) and marks.of(call.result, Product) is None:
                marks.put(call.result, product)
    return None


def _is_predicted(facts: Facts, column: Any) -> bool:
    """Whether the 1 of a column is the width of a layer."""
    for tensor, origin in history(facts, column):
        if origin is None or tensor.dim() != 2 or tensor.shape != column.shape:
            return False
        if torchkind.output_argument(origin.module):
            return torchkind.width(origin.module, torchkind.output_argument(origin.module)) == 1
        if words.function_name(origin.function) in _DELIBERATE:
            return False
    return False


def _is_plain(facts: Facts, row: Any) -> bool:
    """Whether a row is no parameter and was not made of a column."""
    return not isinstance(row, torch.nn.Parameter) and all(
        not isinstance(tensor, torch.nn.Parameter) and tensor.dim() == 1 for tensor, _ in history(facts, row)
    )


def _told(scene: Scene, column: Any, row: Any) -> Quiet:
    left, right = scene.tensors[:2]
    full = words.shape(scene.tensors[0].shape if left.dim() == right.dim() else (column.shape[0], row.shape[0]))
    shapes = f"{words.shape(left.shape)} against {words.shape(right.shape)} to {full}"
    message = words.fit(f"{operator_text(scene)} broadcasts {shapes}", f"{scene.name} broadcasts {shapes}")
    mistake = Mistake("suspicious-broadcast", message, tensor=column, dim=1, other=row)
    return Quiet(mistake, tuple(_fixes(scene, column)))


def _fixes(scene: Scene, column: Any) -> Iterator[Fix]:
    source, nodes = source_of(scene.facts, scene.location.file), operand_nodes(scene.node())
    if len(nodes) != 2:
        return
    first = scene.tensors[0] is column
    for node, suffix in ((nodes[not first], ".squeeze(1)"), (nodes[first], ".unsqueeze(1)")):
        yield fix(f"Use {source.text_of(node)}{suffix}", chain(source, node, suffix))


IDEAS: tuple[Idea, ...] = (
    (_BENT | frozenset(["add", "sub", "rsub"]), combine),
    (_STRAIGHT | _BENT | _BENDING | _SUMS, go_on),
)
