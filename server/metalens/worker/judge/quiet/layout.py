"""Layers that take the sequence first, whose output is read as if the batch came first.

A recurrent or transformer layer without `batch_first` gives [L, B, D]. Its last step is `[-1]`; `[:, -1]` is the last
item of the batch, at every step, and a mean over dimension 1 is one over the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Fix
from metalens.worker.judge import words
from metalens.worker.judge.case import Mistake, layer_word
from metalens.worker.judge.definitions import slot_in, slot_of
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell, batch_of, history
from metalens.worker.judge.repair.edits import add_keyword, fix
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts

_ALL = slice(None)
_STACKS = (nn.TransformerEncoder, nn.TransformerDecoder)
_PARTS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_POOLS = frozenset(["mean", "sum", "max", "amax"])


def picked(call: Call, marks: Marks) -> Optional[Tell]:
    """`out[:, -1]` or `out[:, 0]` of what such a layer gave."""
    key = call.args[1] if len(call.args) > 1 else None
    index = _of_second(key) if isinstance(key, tuple) else None
    if index not in (0, -1):
        return None
    # The first item of a batch may be looked at on its own; the last one, hardly.
    return _tell(call, f"[:, {index}]", sure=index == -1)


def pooled(call: Call, marks: Marks) -> Optional[Tell]:
    """`out.mean(dim=1)` of it."""
    dim = call.argument(1, "dim")
    of_second = isinstance(dim, (int, tuple, list)) and dim in (1, (1,), [1])  # `max` may get another tensor
    return _tell(call, f"{call.name}(1)", sure=False) if of_second else None


def _of_second(key: tuple[Any, ...]) -> Optional[int]:
    """The number that a subscript picks in the second dimension, of the others everything."""
    if len(key) < 2 or not isinstance(key[1], int) or not _is_all(key[0]):
        return None
    return key[1] if all(part is Ellipsis or _is_all(part) for part in key[2:]) else None


def _is_all(key: Any) -> bool:
    return isinstance(key, slice) and key == _ALL


def _tell(call: Call, how: str, sure: bool) -> Optional[Tell]:
    x = call.args[0] if call.args else None
    origin = call.facts.origin_of(x) if isinstance(x, torch.Tensor) and x.dim() == 3 and x.shape[1] > 1 else None
    last = origin.module if origin is not None else None
    if not isinstance(last, (nn.RNNBase, nn.LayerNorm)) or not isinstance(x, torch.Tensor):
        return None

    def tell(scene: Scene) -> Optional[Quiet]:
        layer = _ended_by(scene.facts, last)
        if not _is_sequence_first(layer):
            return None
        if not (sure and isinstance(layer, nn.RNNBase)) and not _is_answer(scene, x, call.result):
            return None
        word = layer_word(scene, layer)
        what = f"is over the batch of {int(x.shape[1])}" if how[0] != "[" else f"is one of {int(x.shape[1])} items"
        end = ", not one step" if how[0] == "[" else ", not the steps"
        message = words.within(f"{word} gives [L, B, {_width(layer)}] without batch_first: {how} {what}", end)
        mistake = Mistake("batch-first", message, layer, "batch_first", tensor=x, dim=1)
        return Quiet(mistake, tuple(_fixes(scene, layer, word)))

    return tell


def _ended_by(facts: Facts, last: Any) -> Any:
    """The recurrent layer itself, or the outermost transformer layer whose output a norm inside of it made."""
    if isinstance(last, nn.RNNBase):
        return last
    holders = [built.module for built in facts.built.values() if isinstance(built.module, (*_STACKS, *_PARTS))]
    around = [module for module in holders if any(part is last for part in module.modules())]
    return next((module for module in around if isinstance(module, _STACKS)), around[0] if around else None)


def _is_sequence_first(layer: Any) -> bool:
    if isinstance(layer, nn.RNNBase):
        return not layer.batch_first
    if isinstance(layer, _STACKS):
        layer = layer.layers[0] if len(layer.layers) else None
    return isinstance(layer, _PARTS) and not layer.self_attn.batch_first


def _width(layer: Any) -> str:
    return "H" if isinstance(layer, nn.RNNBase) else "D"


def _is_answer(scene: Scene, x: Any, result: Any) -> bool:
    """Whether the model answers with as many items as it was called with, one for each first index of this output."""
    output = scene.output
    if not isinstance(output, torch.Tensor) or not output.dim() or batch_of(scene) != int(x.shape[0]):
        return False
    made = result[0] if isinstance(result, tuple) else result
    return output.shape[0] == x.shape[0] and any(tensor is made for tensor, _ in history(scene.facts, output))


def _fixes(scene: Scene, layer: Any, word: str) -> Iterator[Fix]:
    if isinstance(layer, _STACKS):
        yield from _of_part(scene.facts, layer)
        return
    slot = slot_of(scene.facts, layer, "batch_first")
    if slot is not None and slot.node is not None:
        yield fix(f"Make {word} batch_first", slot.source.replace(slot.node, "True"))
    elif slot is not None:
        yield fix(f"Make {word} batch_first", add_keyword(slot.source, slot.call, "batch_first=True"))


def _of_part(facts: Facts, stack: Any) -> Iterator[Fix]:
    """A stack is made of copies of a layer; the layer's own constructor call decides."""
    built = facts.built_of(stack)
    part = built.args[0] if built is not None and built.args else None
    made = facts.built_of(part)
    if made is None or made.location is None:
        return
    source = source_of(facts, made.location.file)
    call = source.call_at(made.location.range)
    slot = slot_in(source, call, made.cls, "batch_first", made.kept) if call is not None else None
    if slot is not None and slot.node is not None:
        yield fix("Make its layers batch_first", source.replace(slot.node, "True"))
    elif slot is not None:
        yield fix("Make its layers batch_first", add_keyword(source, slot.call, "batch_first=True"))


IDEAS: tuple[Idea, ...] = ((frozenset(["getitem"]), picked), (_POOLS, pooled))
