"""Losses that get what they do not take: shapes that are blown up to each other, probabilities in place of logits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Edit, Fix
from metalens.protocol.values import Location, Range
from metalens.worker.judge import words
from metalens.worker.judge.case import Mistake, layer_word
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell
from metalens.worker.judge.repair.edits import fix
from metalens.worker.judge.repair.operations import compared
from metalens.worker.judge.source import source_of

_PAIRWISE = frozenset(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", "poisson_nll_loss"])
_SQUASHING = {"softmax": "softmax", "sigmoid": "sigmoid", "log_softmax": "log_softmax"}
# Operations that move numbers about and change none.
_MOVING = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "transpose",
        "permute",
        "squeeze",
        "unsqueeze",
        "contiguous",
        "getitem",
        "t",
        "clone",
    ]
)
_ITSELF = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}
_TAKES = {
    "cross_entropy": {"softmax": "logits"},
    "nll_loss": {"softmax": "log-probabilities"},
    "binary_cross_entropy_with_logits": {"sigmoid": "logits", "softmax": "logits"},
}


@dataclass
class Squashed:
    """A tensor that came out of softmax, log_softmax or sigmoid; `losses` are those that take it as it is."""

    by: str
    call: Call
    moved: bool = False
    losses: list[str] = field(default_factory=list)


def broadcast(call: Call, marks: Marks) -> Optional[Tell]:
    """Prediction and target of different ranks, each repeated to the other's size: each item meets all others."""
    given, target = call.argument(0, "input"), call.argument(1, "target")
    if not isinstance(given, torch.Tensor) or not isinstance(target, torch.Tensor):
        return None
    if given.dim() == target.dim() or call.argument(99, "reduction") == "none" or not blown_up(given, target):
        return None
    return _tell_broadcast


def blown_up(left: Any, right: Any) -> bool:
    """Whether two tensors that hold the same items, but for sizes of 1, are both repeated to fit each other."""
    if left.shape == right.shape or _squeezed(left) != _squeezed(right):
        return False
    try:
        size = torch.broadcast_shapes(left.shape, right.shape).numel()
    except RuntimeError:
        return False
    return bool(size > max(left.numel(), right.numel()))


def _squeezed(tensor: Any) -> list[int]:
    return [int(size) for size in tensor.shape if size != 1]


def _tell_broadcast(scene: Scene) -> Optional[Quiet]:
    given, target = scene.tensors[:2]
    full = words.shape(torch.broadcast_shapes(given.shape, target.shape))
    shapes = f"{words.shape(given.shape)} against {words.shape(target.shape)}"
    message = words.within(f"{scene.word() or scene.name} broadcasts {shapes} to {full}", ": every pair is compared")
    mistake = Mistake("suspicious-broadcast", message, scene.layer, tensor=given, other=target)
    return Quiet(mistake, tuple(compared(scene, mistake)))


def squash(call: Call, marks: Marks) -> Optional[Tell]:
    """Remembers what came out of softmax, log_softmax and sigmoid."""
    if isinstance(call.result, torch.Tensor):
        marks.put(call.result, Squashed(call.name, call))
    return None


def move(call: Call, marks: Marks) -> Optional[Tell]:
    """Follows numbers that are moved about."""
    known = marks.of(call.args[0], Squashed) if marks and call.args else None
    if known is not None and isinstance(call.result, torch.Tensor) and call.result is not call.args[0]:
        marks.put(call.result, Squashed(known.by, known.call, moved=True))
    return None


def twice(call: Call, marks: Marks) -> Optional[Tell]:
    """A loss that squashes its input by itself, or takes logarithms, gets probabilities."""
    known = marks.of(call.argument(0, "input"), Squashed) if marks else None
    if known is not None and not known.moved:
        known.losses.append(call.name)
    wanted = _TAKES[call.name].get(known.by) if known is not None else None
    if known is None or wanted is None:
        return None

    def tell(scene: Scene) -> Quiet:
        given = scene.tensors[0]
        word = scene.word() or scene.name
        end = f": {known.by} is applied twice" if known.by == _ITSELF.get(scene.name) else ""
        message = words.within(f"{word} takes {wanted}, got the output of {known.by} ({words.shape(given.shape)})", end)
        mistake = Mistake("squashed-input", message, scene.layer, tensor=given, dim=max(given.dim() - 1, 0))
        origin = scene.facts.origin_of(known.call.result)
        return Quiet(mistake, tuple(_plain(scene, known)), cause=origin.location if origin is not None else None)

    return tell


def _plain(scene: Scene, known: Squashed) -> Iterator[Fix]:
    """Leave the squashing out, or take its logarithm, where it stands as a call or a layer of its own."""
    origin = scene.facts.origin_of(known.call.result)
    if origin is None:
        return
    source = source_of(scene.facts, origin.location.file)
    node = source.call_at(origin.location.range)
    if node is None:
        return
    given = _given(node)
    if scene.name == "nll_loss":
        yield from _logarithm(scene, source, node, origin.module)
    elif origin.module is not None and not _calls(node, scene.facts.name_of(origin.module)):
        yield from _without_element(scene, origin.module, known.by)
    elif given is not None:
        text = source.slice(source.range_of(given))
        yield fix(f"Leave out {known.by}", source.replace(node, text))


def _calls(node: ast.Call, name: str) -> bool:
    """Whether a call is one of the layer with this name itself, rather than of a container that it is part of."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == name.rsplit(".", 1)[-1]


def _without_element(scene: Scene, layer: Any, by: str) -> Iterator[Fix]:
    """Take a layer out of the nn.Sequential in whose call it is built after others."""
    built = scene.facts.built_of(layer)
    if built is None or built.location is None:
        return
    source = source_of(scene.facts, built.location.file)
    call = source.call_at(built.location.range)
    holder = source.parents.get(call) if call is not None else None
    places = [i for i, part in enumerate(holder.args) if part is call] if isinstance(holder, ast.Call) else []
    if isinstance(holder, ast.Call) and places and places[0]:
        before = source.range_of(holder.args[places[0] - 1])
        place = Range(before.end, built.location.range.end)
        yield fix(f"Leave out {by}", Edit(Location(source.file, place), ""))


def _given(node: ast.Call) -> Optional[ast.expr]:
    """The tensor that a call of softmax or sigmoid is about: its first argument, or what its method belongs to."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in _SQUASHING:
        owner = node.func.value
        plain = isinstance(owner, ast.Name) and owner.id in ("F", "torch", "nn", "functional")
        dotted = isinstance(owner, ast.Attribute) and owner.attr == "functional"
        is_self = isinstance(owner, ast.Name) and owner.id == "self"
        if not (plain or dotted or is_self):
            return owner
    return node.args[0] if node.args else None


def _logarithm(scene: Scene, source: Any, node: ast.Call, module: Any) -> Iterator[Fix]:
    if isinstance(module, nn.Softmax):
        built = scene.facts.built_of(module)
        call = None
        if built is not None and built.location is not None:
            source = source_of(scene.facts, built.location.file)
            call = source.call_at(built.location.range)
        if call is not None and isinstance(call.func, ast.Attribute):
            text = source.slice(source.range_of(call.func))
            title = f"Make {layer_word(scene, module)} a LogSoftmax"
            yield fix(title, source.replace(call.func, text[: -len(call.func.attr)] + "LogSoftmax"))
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "softmax":
        text = source.slice(source.range_of(node.func))
        yield fix("Use log_softmax", source.replace(node.func, text[: -len("softmax")] + "log_softmax"))


IDEAS: tuple[Idea, ...] = (
    (_PAIRWISE, broadcast),
    (frozenset(_TAKES), twice),
    (frozenset(_SQUASHING), squash),
    (_MOVING, move),
)
