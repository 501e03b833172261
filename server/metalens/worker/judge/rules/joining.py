"""Tensors that must agree in shape: broadcasting, cat, stack, losses."""

from __future__ import annotations

import re
from typing import Any, Optional

from metalens.worker.judge import words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.rules.products import operator_text
from metalens.worker.load.told import said

_LOSSES = frozenset(
    [
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "kl_div",
        "soft_margin_loss",
        "poisson_nll_loss",
        "gaussian_nll_loss",
        "cross_entropy",
        "nll_loss",
        "multi_margin_loss",
        "multilabel_margin_loss",
        "multilabel_soft_margin_loss",
        "hinge_embedding_loss",
    ]
)
_CLASSES = frozenset(["cross_entropy", "nll_loss", "multi_margin_loss"])
_MISMATCH = re.compile(
    r"must match the size of tensor|Attempting to broadcast|not broadcastable|broadcast together|must be broadcastable"
    r"|shape mismatch|doesn't match the broadcast shape|Expected shape of indices to be same"
)


def prepared(case: Case) -> Optional[Mistake]:
    """What prepares data does not fit it, in the words of the stand-in that prepares it."""
    text = said(case.failure.error)
    return Mistake("broadcast", words.fit(text)) if text else None


def loss(case: Case) -> Optional[Mistake]:
    """Losses: prediction and target of different sizes, or a target of another dtype than the loss takes."""
    if case.name not in _LOSSES or len(case.tensors) < 2:
        return None
    word = case.word() or case.name
    prediction, target = case.tensors[:2]
    shapes = f"prediction {words.shape(prediction.shape)}, target {words.shape(target.shape)}"
    wanted = re.search(
        r"(?:target dtype to be|expected scalar type|Expected floating point type for target|but expected)"
        r"\D*?(Long|Float)?",
        case.torch,
    )
    if wanted and not case.torch.startswith("Expected input batch"):
        kind = "float" if "floating" in case.torch else "i64" if case.name in _CLASSES else "f32"
        message = words.fit(f"{word} needs {kind} targets, got {words.dtype(target.dtype)} ({shapes})")
        return Mistake("dtype-mismatch", message, case.layer, "target", tensor=target, other=prediction)
    if case.name in _CLASSES:
        return _classes(case, word, prediction, target, shapes)
    differing = _differing(prediction, target)
    if differing is None and tuple(prediction.shape) == tuple(target.shape):
        return None
    return Mistake(
        "loss-size", words.fit(f"{word}: sizes differ, {shapes}"), case.layer, tensor=prediction, other=target
    )


def _classes(case: Case, word: str, prediction: Any, target: Any, shapes: str) -> Optional[Mistake]:
    if prediction.dim() and target.dim() and int(prediction.shape[0]) != int(target.shape[0]):
        head = f"{word}: {int(prediction.shape[0])} predictions but {int(target.shape[0])} targets"
        message = words.within(head, f" ({shapes})", f" ({words.shape(prediction.shape)})")
        given, expected = int(prediction.shape[0]), int(target.shape[0])
        return Mistake(
            "loss-size", message, case.layer, tensor=prediction, other=target, given=given, expected=expected
        )
    if re.search(r"out of bounds|Target \d+ is", case.torch):
        message = (
            f"{word}: a target is not below the {int(prediction.shape[1])} classes of {words.shape(prediction.shape)}"
        )
        return Mistake("loss-size", words.fit(message), case.layer, tensor=prediction, other=target)
    wanted = (*prediction.shape[:1], *prediction.shape[2:])
    message = f"{word} expects targets {words.shape(wanted)}, got {words.shape(target.shape)}"
    return Mistake("loss-size", words.fit(message), case.layer, tensor=prediction, other=target)


def cat(case: Case) -> Optional[Mistake]:
    """cat: another dimension than the joined one differs, or the ranks do."""
    if case.name not in ("cat", "concat", "concatenate", "hstack", "vstack", "dstack") or len(case.tensors) < 2:
        return None
    tensors = [t for t in case.tensors if t.dim() != 1 or t.numel()]
    first = tensors[0]
    dim = _cat_dim(case, first)
    for place, tensor in enumerate(tensors[1:], 2):
        if tensor.dim() != first.dim():
            message = words.fit(
                f"cat: argument {place} is {tensor.dim()}-D {words.shape(tensor.shape)},"
                f" argument 1 is {first.dim()}-D {words.shape(first.shape)}"
            )
            return Mistake("cat-dim", message, tensor=tensor, other=first, expected=first.dim(), given=tensor.dim())
        for i, (left, right) in enumerate(zip(first.shape, tensor.shape)):
            if left != right and i != dim:
                head = f"cat on dim {dim}: dim {i} differs, {int(left)} vs {int(right)} (argument {place})"
                return Mistake(
                    "cat-dim",
                    head,
                    tensor=tensor,
                    dim=i,
                    other=first,
                    other_dim=i,
                    expected=int(left),
                    given=int(right),
                )
    return None


def stack(case: Case) -> Optional[Mistake]:
    """stack: tensors of different shapes."""
    if case.name != "stack" or len(case.tensors) < 2:
        return None
    first = case.tensors[0]
    for place, tensor in enumerate(case.tensors[1:], 2):
        if tuple(tensor.shape) != tuple(first.shape):
            message = words.fit(
                f"stack: argument {place} is {words.shape(tensor.shape)}, argument 1 is {words.shape(first.shape)}"
            )
            return Mistake("cat-dim", message, tensor=tensor, other=first)
    return None


def broadcast(case: Case) -> Optional[Mistake]:
    """Elementwise operations: two sizes that neither match nor are 1."""
    if not _MISMATCH.search(case.torch) or len(case.tensors) < 2:
        return None
    for i, left in enumerate(case.tensors):
        for right in case.tensors[i + 1 :]:
            differing = _differing(left, right)
            if differing is not None:
                return _differs(case, left, right, differing)
    return None


def _differs(case: Case, left: Any, right: Any, back: int) -> Mistake:
    rank = max(left.dim(), right.dim())
    sizes = f"dim {rank - back} differs, {int(left.shape[-back])} vs {int(right.shape[-back])}"
    shapes = f" ({words.shape(left.shape)} vs {words.shape(right.shape)})"
    head, short = operator_text(case), words.symbol(case.name) or case.name
    message = words.fit(
        f"{head}: {sizes}{shapes}", f"{short}: {sizes}{shapes}", f"{head}: {sizes}", f"{short}: {sizes}"
    )
    return Mistake(
        "broadcast",
        message,
        tensor=right,
        dim=right.dim() - back,
        other=left,
        given=int(right.shape[-back]),
        expected=int(left.shape[-back]),
        other_dim=left.dim() - back,
    )


def _differing(left: Any, right: Any) -> Optional[int]:
    """The first dimension, counted from the end, in which two shapes do not broadcast."""
    for back in range(1, min(left.dim(), right.dim()) + 1):
        if left.shape[-back] != right.shape[-back] and 1 not in (left.shape[-back], right.shape[-back]):
            return back
    return None


def _cat_dim(case: Case, first: Any) -> int:
    if case.name in ("hstack", "vstack", "dstack"):
        return {"hstack": 1 if first.dim() > 1 else 0, "vstack": 0, "dstack": 2}[case.name]
    value = case.failure.kwargs.get("dim", case.failure.kwargs.get("axis"))
    if value is None:
        value = case.failure.args[1] if len(case.failure.args) > 1 else 0
    return int(value) % max(first.dim(), 1) if isinstance(value, int) else 0
