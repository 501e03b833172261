"""The shape of what a failed operation would have given, and which of its dimensions are in doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Optional

import torch
from torch import Tensor


class Guess(NamedTuple):
    """The shape of one tensor; `doubtful` are the dimensions that the mistake leaves open, `dtype` is None for f32.

    `otherwise` has the only other size that a doubtful dimension may have, where there are but two.
    """

    shape: tuple[int, ...]
    doubtful: frozenset[int]
    dtype: Optional[torch.dtype] = None
    otherwise: Mapping[int, int] = MappingProxyType({})


# A guess, or a (nested) tuple of guesses where an operation gives several tensors; None where there is no guess.
Guesses = Any


def linear_like(x: Tensor, expected: int, width: int, dtype: torch.dtype) -> Guess:
    """Only the last dimension differs, unless flattening or turning the input would have made it fit."""
    shape = shape_of(x)
    for start in range(1, x.dim() - 1):  # the batch is never flattened
        if math.prod(shape[start:]) == expected:
            return Guess((*shape[:start], width), frozenset(range(start)), dtype)
    doubtful = frozenset(range(x.dim() - 1)) if x.dim() > 3 else turned(x, expected, x.dim() - 1)
    if x.dim() < 2:  # the batch may have been flattened too
        doubtful = all_of(x)
    return Guess((*shape[:-1], width), doubtful, dtype)


class Window(NamedTuple):
    """How a kernel moves; `padding` is None where it keeps the size ("same")."""

    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Optional[Sequence[int]]
    dilation: Sequence[int]

    def over(self, sizes: Sequence[int], transposed: bool = False) -> tuple[int, ...]:
        """The sizes of the output, at least 1 each."""
        found = []
        for i, size in enumerate(sizes):
            reach = self.dilation[i] * (self.kernel[i] - 1)
            if self.padding is None:
                found.append(size)
            elif transposed:
                found.append((size - 1) * self.stride[i] - 2 * self.padding[i] + reach + 1)
            else:
                found.append((size + 2 * self.padding[i] - reach - 1) // self.stride[i] + 1)
        return tuple(max(1, int(size)) for size in found)


def convolved(x: Tensor, expected: int, channels: int, window: Window, dtype: torch.dtype, transposed: bool) -> Guess:
    """A convolution: its channels are declared, and only they differ unless the input may be turned."""
    space, shape = len(window.kernel), shape_of(x)
    if x.dim() not in (space + 1, space + 2):
        sizes = (*shape[:1], channels, *((*shape[2:], *(1,) * space)[:space]))
        return Guess(sizes, frozenset({0, *range(2, space + 2)}), dtype)
    place = x.dim() - space - 1
    sizes = window.over(shape[place + 1 :], transposed)
    doubtful = turned(x, expected, place)
    if shape[place] == expected:  # it is the space that does not fit
        doubtful = frozenset(range(place + 1, x.dim()))
    if place == 0:  # taken for one item without a batch, which it may not be
        doubtful = all_of(x)
    return Guess((*shape[:place], channels, *sizes), doubtful, dtype)


def reshaped(x: Tensor, wanted: Sequence[int]) -> Guess:
    """The sizes asked for; one that is left open is what remains. The first is sure if it stays what it was."""
    known = max(1, math.prod(size for size in wanted if size != -1))
    left = int(x.shape[0]) if x.dim() and wanted[0] == -1 else max(1, x.numel() // known)
    sizes = tuple(left if size == -1 else int(size) for size in wanted)
    sure = {0} if x.dim() and wanted[0] == x.shape[0] else set()
    return Guess(sizes, frozenset(range(len(sizes))) - sure, x.dtype)


def unflattened(shape: tuple[int, ...], dim: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with one of its dimensions replaced by several."""
    dim %= len(shape)
    return (*shape[:dim], *sizes, *shape[dim + 1 :])


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The sizes of a tensor as plain numbers."""
    return tuple(int(size) for size in tensor.shape)


def all_of(tensor: Tensor) -> frozenset[int]:
    """All dimensions of a tensor."""
    return frozenset(range(tensor.dim()))


def same(tensor: Tensor, doubtful: frozenset[int], otherwise: Optional[Mapping[int, int]] = None) -> Guess:
    """The shape of a tensor; integers become f32."""
    dtype = tensor.dtype if tensor.dtype.is_floating_point else None
    return Guess(shape_of(tensor), doubtful, dtype, otherwise or {})


def turned(x: Tensor, expected: int, dim: int) -> frozenset[int]:
    """The other dimensions, if one of them has the size that was expected here: the input may be turned."""
    others = frozenset(range(x.dim())) - {dim}
    return others if any(int(x.shape[i]) == expected for i in others) else frozenset()


def same_width(x: Tensor, dim: int, expected: int) -> Guess:
    """A layer that gives what it takes: its width is one of two; all else is in doubt if the input may be turned."""
    if x.dim() <= dim or dim < 0:
        return same(x, all_of(x))
    if int(x.shape[dim]) == expected:  # something else does not fit
        return same(x, all_of(x) - {0, dim})
    return same(x, turned(x, expected, dim) | {dim}, {dim: expected})


def each(value: Any, count: int) -> tuple[Any, ...]:
    """An argument that is given once for all dimensions of space, or for each of them."""
    return tuple(value) if isinstance(value, (tuple, list)) and len(value) == count else (_only(value),) * count


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value
