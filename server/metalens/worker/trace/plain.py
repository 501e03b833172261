"""Plain tensors, of which the rules for shapes know all that matters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def is_plain(value: Any) -> bool:
    """A meta tensor of numbers with a fraction."""
    return isinstance(value, Tensor) and value.is_meta and value.dtype in _FLOATS


def is_tidy(value: Any) -> bool:
    """Where the layout of memory needs no rule either: what follows may be a `view`, which depends on it."""
    return is_plain(value) and bool(value.is_contiguous())


def empty(shape: Any, like: Tensor) -> Tensor:
    """One of this shape, contiguous, of the same kind."""
    return torch.empty(shape, dtype=like.dtype, device="meta")


def alike(given: Tensor) -> Tensor:
    """One of the same shape and layout; torch itself takes long to see that there is nothing to see."""
    return empty(given.shape, given) if given.is_contiguous() else torch.empty_like(given)


def each(value: Any, space: int) -> tuple[int, ...]:
    """One number for each dimension of space; nothing for words such as "same"."""
    values = (value,) * space if type(value) is int else tuple(value) if isinstance(value, (tuple, list)) else ()
    values = values * space if len(values) == 1 else values
    return values if len(values) == space and all(type(item) is int for item in values) else ()
