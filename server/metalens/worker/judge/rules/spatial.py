"""Kernels larger than what is left of the image, and paddings larger than what they pad."""

from __future__ import annotations

import re
from typing import Any, Optional

from metalens.worker.judge import words
from metalens.worker.judge.case import Case, Mistake

_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def collapse(case: Case) -> Optional[Mistake]:
    """Convolutions and pools whose output would have no size left."""
    if re.search(r"Kernel size can't be greater than actual input size|Output size is too small", case.torch):
        return _collapse(case)
    if "Padding size should be less than the corresponding input dimension" in case.torch and case.input is not None:
        word = case.word() or case.name
        pad = re.search(r"padding \(([\d, ]+)\)", case.torch)
        amount = pad.group(1).split(",")[0] if pad else "the padding"
        message = words.fit(f"{word}: reflecting {amount} needs a larger input than {words.shape(case.input.shape)}")
        return Mistake("spatial-collapse", message, case.layer, tensor=case.input)
    return None


def outgrown(case: Case) -> Optional[Mistake]:
    """Transposed convolutions that add more at an edge than lies between two of their steps."""
    if not case.torch.startswith("output padding must be smaller"):
        return None
    layer = case.layer
    added, stride = (_per_dim(getattr(layer, name, None), 1) for name in ("output_padding", "stride"))
    if not added or not stride:
        return None
    message = words.fit(f"{case.word()}: output_padding {added[0]} must be smaller than the stride, {stride[0]}")
    return Mistake("forward-error", message, layer, "output_padding", given=added[0], tensor=case.input)


def _collapse(case: Case) -> Optional[Mistake]:
    layer, x = case.layer, case.input
    word = case.word() or case.name
    space = _space(case)
    if x is None or space is None or x.dim() < space:
        return None
    sizes = [int(size) for size in x.shape[-space:]]
    kernel = _per_dim(_setting(case, "kernel_size"), space)
    padding = _per_dim(_setting(case, "padding"), space) or [0] * space
    dilation = _per_dim(_setting(case, "dilation"), space) or [1] * space
    for name, size, pad, spread, k, place in zip(
        _NAMES[space], sizes, padding, dilation, kernel or [0] * space, range(x.dim() - space, x.dim())
    ):
        if kernel and size + 2 * pad < spread * (k - 1) + 1:
            extent = f"kernel {k}" + (f", dilation {spread}" if spread > 1 else "")
            around = f"padding {pad}" if pad else "no padding"
            head = f"{word} would produce {name} 0: input {size}, {extent}, {around}"
            message = words.within(head, f" ({words.shape(x.shape)})")
            return Mistake(
                "spatial-collapse", message, layer, "kernel_size", expected=k, given=size, tensor=x, dim=place
            )
    message = words.fit(f"{word} would produce an empty output from {words.shape(x.shape)}")
    return Mistake("spatial-collapse", message, layer, tensor=x)


def _space(case: Case) -> Optional[int]:
    name = case.name if re.search(r"[123]d", case.name) else type(case.layer).__name__.lower()
    match = re.search(r"([123])d", name)
    return int(match.group(1)) if match else None


def _setting(case: Case, name: str) -> Any:
    if case.layer is not None and hasattr(case.layer, name):
        return getattr(case.layer, name)
    if name in case.failure.kwargs:
        return case.failure.kwargs[name]
    args = case.failure.args
    if case.name.startswith("conv"):
        order = {"padding": 4, "dilation": 5}
        weight = args[1] if len(args) > 1 else None
        if name == "kernel_size":
            return tuple(weight.shape[2:]) if weight is not None else None
    else:
        order = {"kernel_size": 1, "padding": 3, "dilation": 4}
    place = order.get(name, len(args))
    return args[place] if place < len(args) else None


def _per_dim(value: Any, space: int) -> list[int]:
    if isinstance(value, int):
        return [int(value)] * space
    if isinstance(value, (list, tuple)) and all(isinstance(item, int) for item in value) and value:
        return [int(value[min(i, len(value) - 1)]) for i in range(space)]
    return []
