"""Operands whose dtypes do not go together."""

from __future__ import annotations

import re
from typing import Optional

from metalens.worker.judge import words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.rules.products import operator_text

_DTYPE = re.compile(
    r"same dtype|expected scalar type|should be the same|dtype of the input|must have the same dtype|to have dtype"
    r"|Expected floating point|dtypes? .*must match|should be the same dtype|input dtype",
    re.I,
)

_MASK = re.compile(r"only supports boolean masks|expected BoolTensor for mask|expected condition to be a boolean")


def mask(case: Case) -> Optional[Mistake]:
    """Elements are chosen by numbers where only true and false will do."""
    if not _MASK.search(case.torch):
        return None
    place = 0 if case.name == "where" else 1
    if len(case.tensors) <= place:
        return None
    chosen = case.tensors[place]
    message = words.within(
        f"{case.name} expects a bool mask, got {words.dtype(chosen.dtype)}", f" ({words.shape(chosen.shape)})"
    )
    return Mistake("dtype-mismatch", message, argument="mask", tensor=chosen, dim=place)


def dtype(case: Case) -> Optional[Mistake]:
    """A layer or a product that gets another dtype than it computes in."""
    if not _DTYPE.search(case.torch) or case.input is None:
        return None
    x = case.input
    weight = getattr(case.layer, "weight", None)
    weight = (
        weight if weight is not None else next(iter(case.layer.parameters()), None) if case.layer is not None else None
    )
    if weight is not None and weight.dtype != x.dtype:
        head = f"{case.word()} weights are {words.dtype(weight.dtype)}, input is {words.dtype(x.dtype)}"
        return Mistake("dtype-mismatch", words.within(head, f" ({words.shape(x.shape)})"), case.layer, tensor=x)
    kinds: list[str] = []
    for tensor in case.tensors:
        kind = words.dtype(tensor.dtype)
        if kind not in kinds:
            kinds.append(kind)
    if len(kinds) < 2:
        return None
    head = operator_text(case) if case.layer is None else case.word()
    message = words.fit(
        f"{head}: dtypes differ, {' vs '.join(kinds[:2])}", f"{case.name}: dtypes differ, {' vs '.join(kinds[:2])}"
    )
    return Mistake(
        "dtype-mismatch", message, case.layer, tensor=x, other=case.tensors[1] if len(case.tensors) > 1 else None
    )
