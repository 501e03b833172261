"""`view(-1, k)` with a k that does not fit the items: numbers of one item become items of their own.

Splitting items on purpose keeps their last dimensions whole (`[B, L, D]` to `[B * L, D]`). It is a mistake where a
convolution's output is cut across its dimensions, goes through a linear layer, and comes out of a model as more or
fewer items than went in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell, batch_of, history
from metalens.worker.judge.repair.edits import failing_call, fix, is_literal
from metalens.worker.trace.facts import Facts


def reshaped(call: Call, marks: Marks) -> Optional[Tell]:
    """A view or reshape to [-1, k]."""
    x, result = call.args[0] if call.args else None, call.result
    if not isinstance(x, torch.Tensor) or not isinstance(result, torch.Tensor):
        return None
    if x.dim() not in (3, 4, 5) or result.dim() != 2 or result.shape[0] == x.shape[0] or _sizes(call)[:1] != [-1]:
        return None
    if _is_aligned(tuple(int(size) for size in x.shape), int(result.shape[1])):
        return None

    def tell(scene: Scene) -> Optional[Quiet]:
        layer = _consumer(scene.facts, scene.output, result)
        if layer is None or batch_of(scene) != int(x.shape[0]) or scene.output.shape[0] != result.shape[0]:
            return None
        if not _is_image(scene.facts, x):
            return None
        items = math.prod(int(size) for size in x.shape[1:])
        shapes = f"{words.shape(x.shape)} becomes {words.shape(result.shape)}"
        message = words.within(
            f"{scene.name}(-1, {int(result.shape[1])}) changes the batch: {shapes}", f"; an item has {items} numbers"
        )
        mistake = Mistake("batch-mixing-reshape", message, tensor=x, dim=0)
        return Quiet(mistake, tuple(_fixes(scene, layer, items)))

    return tell


def _sizes(call: Call) -> list[Any]:
    sizes = call.args[1:]
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)


def _is_aligned(shape: tuple[int, ...], width: int) -> bool:
    """Whether rows of this width are whole trailing dimensions, or whole parts of the last one."""
    whole = {math.prod(shape[place:]) for place in range(1, len(shape))}
    return width in whole or width <= 0 or shape[-1] % width == 0


def _consumer(facts: Facts, output: Any, rows: Any) -> Optional[Any]:
    """The first linear layer between the rows and the model's output, if the one leads to the other."""
    if not isinstance(output, torch.Tensor) or not output.dim():
        return None
    found = None
    for tensor, origin in history(facts, output):
        if tensor is rows:
            return found
        if origin is not None and isinstance(origin.module, nn.Linear):
            found = origin.module
    return None


def _is_image(facts: Facts, x: Any) -> bool:
    """Whether a convolution stands behind a tensor, and nothing turned its dimensions since."""
    for _, origin in history(facts, x):
        if origin is None or words.function_name(origin.function) in ("permute", "transpose", "movedim", "unfold"):
            return False
        if torchkind.is_conv(origin.module):
            return True
    return False


def _fixes(scene: Scene, layer: Any, items: int) -> Iterator[Fix]:
    called, slot = failing_call(scene), slot_of(scene.facts, layer, "in_features")
    if called is None or slot is None or slot.node is None or not is_literal(slot.node):
        return
    source, call = called
    owner = source.slice(source.range_of(call.func.value))  # type: ignore[attr-defined]
    if "\n" in owner:
        return
    word = scene.facts.name_of(layer) or "the linear layer"
    yield fix(
        f"Use flatten(1), and {items} in_features for {word}",
        source.replace(call, f"{owner}.flatten(1)"),
        slot.source.replace(slot.node, str(items)),
    )


IDEAS: tuple[Idea, ...] = ((frozenset(["view", "reshape"]), reshaped),)
