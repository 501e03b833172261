"""Rules: from a failure to what is wrong, in words. One function per family of operations; the first to know wins."""

from __future__ import annotations

from metalens.worker.judge import words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.rules import dtypes, joining, layers, products, reshaping, sequence, spatial

_RULES = (
    joining.prepared,
    reshaping.unpacking,
    reshaping.assertion,
    reshaping.item,
    reshaping.rearrange,
    sequence.attention,
    layers.embedding,
    joining.loss,
    dtypes.mask,
    dtypes.dtype,
    spatial.collapse,
    spatial.outgrown,
    layers.linear,
    layers.convolution,
    layers.batch_norm,
    layers.layer_norm,
    layers.group_norm,
    layers.groups,
    layers.other,
    sequence.recurrent,
    products.matmul,
    products.einsum,
    joining.cat,
    joining.stack,
    reshaping.view,
    reshaping.split,
    reshaping.expand,
    reshaping.dims,
    reshaping.indexed,
    joining.broadcast,
)


def mistake_of(case: Case) -> Mistake:
    """The mistake behind a failure; what no rule knows is told in PyTorch's own first line."""
    for rule in _RULES:
        found = rule(case)
        if found is not None:
            return found
    head = f"{case.word()} fails here: " if case.layer is not None else "forward fails here: "
    if not case.failure.modules:
        head = ""
    return Mistake("forward-error", words.fit(head + words.first_line(case.torch)), case.layer, tensor=case.input)


__all__ = ["mistake_of"]
