"""softmax and normalize over the batch: each item's result then hangs on the others in its batch.

A first dimension is not always a batch (attention over the items of a bag, a sequence that comes first), so each way of
being certain is one of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Mistake, layer_word
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.quiet.losses import Squashed
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell, batch_of, history
from metalens.worker.judge.repair.edits import add_keyword, failing_call, fix, literal
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts

_SQUASHING = frozenset(["softmax", "log_softmax", "softmin"])
_PRODUCTS = frozenset(["matmul", "bmm", "baddbmm"])
_ELEMENTWISE = frozenset(["mul", "div", "truediv", "add", "masked_fill", "dropout"])


def over_batch(call: Call, marks: Marks) -> Optional[Tell]:
    """softmax or normalize over dimension 0 of what a model computes."""
    x = call.argument(0, "input")
    if not isinstance(x, torch.Tensor) or x.dim() < 2 or x.shape[0] < 2 or _dim(call, x) != 0:
        return None
    result, known = call.result, marks.of(call.result, Squashed)

    def tell(scene: Scene) -> Optional[Quiet]:
        asked = _asked(call)
        if asked is None and x.dim() != 3:
            return None
        counted = known is not None and "nll_loss" in known.losses and x.dim() == 2  # which takes [B, C]
        answers = x.dim() == 2 and (_is_returned(scene, x, result) or _is_of_image(scene, x, result))
        certain = counted or answers or _is_image(scene.facts, x) or _is_score(scene, x)
        return _told(scene, x, asked) if certain else None

    return tell


def _asked(call: Call) -> Optional[int]:
    """The dimension that the user asked for; None where it was left to PyTorch."""
    place = 2 if call.name == "normalize" else 1
    dim = call.argument(place, "dim")
    return dim if isinstance(dim, int) else None


def _dim(call: Call, x: Any) -> Optional[int]:
    """The dimension that the function works on, from the front."""
    asked = _asked(call)
    if asked is not None:
        return asked % x.dim() if -x.dim() <= asked < x.dim() else None
    if call.name == "normalize":
        return 1
    return 0 if x.dim() in (0, 1, 3) else 1  # what PyTorch takes


def _is_returned(scene: Scene, x: Any, result: Any) -> bool:
    """Whether [B, C], C of a layer, is returned by a model that was called with B items and gives B of everything."""
    if not any(part is result for part in _answers(scene, x)) or x.shape[1] < 2 or x.shape[0] == x.shape[1]:
        return False
    return scene.lineage(x, 1).layer is not None and scene.lineage(x, 0).layer is None


def _is_of_image(scene: Scene, x: Any, result: Any) -> bool:
    """Whether [B, C] was made of a batch of images, and becomes part of an answer for each."""
    made = any(torchkind.is_conv(origin.module) for _, origin in history(scene.facts, x) if origin is not None)
    answers = _answers(scene, x)
    return (
        made
        and x.shape[1] > 1
        and any(part is result for answer in answers for part, _ in history(scene.facts, answer))
    )


def _answers(scene: Scene, x: Any) -> tuple[Any, ...]:
    """The tensors that the model returns, if it was called with as many items as x has, and answers with as many."""
    output = scene.output
    parts = output if isinstance(output, (tuple, list)) else (output,)
    if batch_of(scene) != int(x.shape[0]):
        return ()
    right = all(isinstance(part, torch.Tensor) and part.dim() and part.shape[0] == x.shape[0] for part in parts)
    return tuple(parts) if right else ()


def _is_image(facts: Facts, x: Any) -> bool:
    """Whether a convolution made this tensor, whose first dimension then is the batch."""
    for tensor, origin in history(facts, x):
        if origin is None or tensor.dim() != x.dim() or tensor.shape[0] != x.shape[0]:
            return False
        if torchkind.is_conv(origin.module):
            return bool(len(origin.module.kernel_size) + 2 == tensor.dim())
        if words.function_name(origin.function) in ("permute", "transpose", "t", "view", "reshape", "getitem"):
            return False
    return False


def _is_score(scene: Scene, x: Any) -> bool:
    """Whether these are products of activations, batch by batch: scores of attention."""
    for tensor, origin in history(scene.facts, x):
        if origin is None or tensor.shape != x.shape:
            return False
        name = words.function_name(origin.function)
        if name in _PRODUCTS:
            factors = origin.inputs[:2]
            return x.dim() > 2 and len(factors) == 2 and all(_is_activation(part, x) for part in factors)
        if name not in _ELEMENTWISE:
            return False
    return False


def _is_activation(factor: Any, x: Any) -> bool:
    return not isinstance(factor, nn.Parameter) and factor.dim() == x.dim() and factor.shape[0] == x.shape[0]


def _told(scene: Scene, x: Any, asked: Optional[int]) -> Quiet:
    word = scene.word() or scene.name
    shape = words.shape(x.shape)
    if asked is None:
        message = words.fit(f"{word} has no dim, and on {shape} PyTorch takes dim 0: the batch of {int(x.shape[0])}")
    else:
        head = f"{word} with dim={asked} runs over the batch of {int(x.shape[0])}"
        message = words.within(
            head, f", not the {int(x.shape[1])} classes ({shape})" if x.dim() == 2 else f" ({shape})"
        )
    wanted = 1 if x.dim() in (2, 4) and not _is_score(scene, x) else -1
    return Quiet(Mistake("batch-dim", message, scene.layer, "dim", tensor=x, dim=0), tuple(_fixes(scene, wanted)))


def _fixes(scene: Scene, wanted: int) -> Iterator[Fix]:
    if scene.layer is not None:
        slot = slot_of(scene.facts, scene.layer, "dim")
        if slot is not None:
            title = f"Change dim of {layer_word(scene, scene.layer)} to {wanted}"
            if slot.node is None:
                yield fix(title, add_keyword(slot.source, slot.call, f"dim={wanted}"))
            elif literal(slot.node) is not None:
                yield fix(title, slot.source.replace(slot.node, str(wanted)))
        return
    called = failing_call(scene)
    if called is None:
        return
    source, call = called
    node = _dim_node(call, scene.name)
    if node is None:
        yield fix(f"Add dim={wanted}", add_keyword(source, call, f"dim={wanted}"))
    elif literal(node) is not None:
        yield fix(f"Change dim to {wanted}", source_of(scene.facts, scene.location.file).replace(node, str(wanted)))


def _dim_node(call: ast.Call, name: str) -> Optional[ast.expr]:
    for keyword in call.keywords:
        if keyword.arg == "dim":
            return keyword.value
    place = 2 if name == "normalize" else 1
    for argument in call.args[max(0, place - 1) : place + 1]:
        if literal(argument) in (0, -2, -3, -4):
            return argument
    return None


IDEAS: tuple[Idea, ...] = ((_SQUASHING | {"normalize"}, over_batch),)
