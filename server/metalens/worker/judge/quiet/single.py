"""softmax and cross entropy over one class: the answer is always 1, the loss always 0, and nothing is learnt."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Mistake, layer_word
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Quiet, Scene, Tell, history
from metalens.worker.judge.repair.edits import fix
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts

_ALWAYS = {"softmax": "always gives 1", "log_softmax": "always gives 0", "cross_entropy": "is always 0"}


def of_one(call: Call, marks: Marks) -> Optional[Tell]:
    """[B, 1], the 1 being the width of a layer."""
    x = call.argument(0, "input")
    if not isinstance(x, torch.Tensor) or x.dim() != 2 or x.shape[1] != 1 or x.shape[0] < 2:
        return None
    dim = call.argument(1, "dim") if call.name != "cross_entropy" else 1
    if dim not in (1, -1, None) or not _is_output(call.facts, x):
        return None

    def tell(scene: Scene) -> Quiet:
        word = scene.word() or scene.name
        head = f"{word} over the one class of {words.shape(x.shape)} {_ALWAYS[scene.name]}"
        return Quiet(Mistake("one-class", words.fit(head), scene.layer, tensor=x, dim=1), tuple(_fixes(scene)))

    return tell


def _is_output(facts: Facts, x: Any) -> bool:
    for tensor, origin in history(facts, x):
        if origin is None or tensor.shape != x.shape:
            return False
        if torchkind.output_argument(origin.module):
            return torchkind.width(origin.module, torchkind.output_argument(origin.module)) == 1
    return False


def _fixes(scene: Scene) -> Iterator[Fix]:
    built = scene.facts.built_of(scene.layer) if isinstance(scene.layer, nn.Softmax) else None
    if built is None or built.location is None:
        return
    source = source_of(scene.facts, built.location.file)
    call = source.call_at(built.location.range)
    if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "Softmax":
        text = source.slice(source.range_of(call.func))[: -len("Softmax")]
        yield fix(f"Make {layer_word(scene, scene.layer)} a Sigmoid", source.replace(call, f"{text}Sigmoid()"))


IDEAS: tuple[Idea, ...] = ((frozenset(_ALWAYS), of_one),)
