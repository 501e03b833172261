"""Layers that take the sequence first, whose output is read as if the batch came first.

A recurrent layer without `batch_first` gives [L, B, H]. Its last step is `[-1]`; `[:, -1]` is the last item of the
batch, at every step, and so is a mean over dimension 1 one over the batch.
"""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import nn

from metalens.worker.judge import words
from metalens.worker.judge.case import Mistake, layer_word
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell
from metalens.worker.judge.repair.edits import add_keyword, fix
from metalens.worker.trace.facts import Facts

_ALL = slice(None)


def picked(call: Call, marks: Marks) -> Optional[Tell]:
    """`out[:, -1]` of what such a layer gave."""
    if len(call.args) < 2 or not isinstance(call.args[1], tuple) or not _is_last_of_second(call.args[1]):
        return None
    return _tell(call.facts, call.args[0], "[:, -1]")


def _is_last_of_second(key: tuple[Any, ...]) -> bool:
    if len(key) < 2 or not isinstance(key[1], int) or key[1] != -1:
        return False
    return _is_all(key[0]) and all(part is Ellipsis or _is_all(part) for part in key[2:])


def _is_all(key: Any) -> bool:
    return isinstance(key, slice) and key == _ALL


def _tell(facts: Facts, x: Any, how: str) -> Optional[Tell]:
    origin = facts.origin_of(x) if isinstance(x, torch.Tensor) and x.dim() == 3 and x.shape[1] > 1 else None
    layer = origin.module if origin is not None else None
    if not isinstance(layer, nn.RNNBase) or layer.batch_first:
        return None

    def tell(scene: Scene) -> Optional[Quiet]:
        word = layer_word(scene, layer)
        count = int(x.shape[1])
        message = words.fit(
            f"{word} gives [L, B, H] without batch_first: {how} is item {count} of {count}, not the last step",
            f"{word} gives [L, B, H]: {how} is item {count} of {count}, not the last step",
        )
        mistake = Mistake("batch-first", message, layer, "batch_first", tensor=x, dim=1)
        slot = slot_of(scene.facts, layer, "batch_first")
        if slot is None:
            return Quiet(mistake)
        title = f"Make {word} batch_first"
        if slot.node is not None:
            return Quiet(mistake, (fix(title, slot.source.replace(slot.node, "True")),))
        return Quiet(mistake, (fix(title, add_keyword(slot.source, slot.call, "batch_first=True")),))

    return tell


IDEAS: tuple[Idea, ...] = ((frozenset(["getitem"]), picked),)
