"""Arrays of many gigabytes (replay buffers) and costly ones, which scripts make and rehearsals only look at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

STAND_IN = True
_LARGE = 1 << 28  # bytes of an array that is really made
_COSTLY = 1 << 16  # items of a matrix that is really inverted, or of a list that is really converted


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for the functions of numpy that fill arrays, where there is numpy: owner, name, value."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return []
    fillers = [(numpy, name, _filler(numpy, name)) for name in ("zeros", "ones", "empty")]
    fillers += [(numpy, "array", _array(numpy)), (torch, "from_numpy", _from_array(numpy))]
    return [*fillers, *((numpy.linalg, name, _inverse(numpy, name)) for name in ("inv", "pinv"))]


def _from_array(numpy: Any) -> Callable[[Any], Any]:
    """torch.from_numpy, also of arrays that are turned: with data in place of stand-ins they may well be copies."""
    real = torch.from_numpy

    def convert(array: Any) -> Any:
        turned = isinstance(array, numpy.ndarray) and any(stride < 0 for stride in array.strides)
        return real(array.copy() if turned else array)

    return convert


def _filler(numpy: Any, name: str) -> Callable[..., Any]:
    real = getattr(numpy, name)

    def fill(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
        sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
        kind = numpy.dtype(dtype)
        count = kind.itemsize
        for size in sizes:
            if not isinstance(size, (int, numpy.integer)) or size < 0:
                return real(shape, dtype, *args, **kwargs)
            count *= int(size)
        if count <= _LARGE:
            return real(shape, dtype, *args, **kwargs)
        # One cell is all of its cells.
        return numpy.lib.stride_tricks.as_strided(real(1, kind), tuple(sizes), (0,) * len(sizes))

    return fill


def _array(numpy: Any) -> Callable[..., Any]:
    real = numpy.array

    def array(items: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("copy") is False:  # which before numpy 2 was a wish
            kwargs = {**kwargs, "copy": None}
        if type(items) is not list or len(items) <= _COSTLY or any(item is not items[0] for item in items):
            return real(items, *args, **kwargs)
        one = real(items[:1], *args, **kwargs)
        return numpy.lib.stride_tricks.as_strided(one, (len(items), *one.shape[1:]), (0, *one.strides[1:]))

    return array


def _inverse(numpy: Any, name: str) -> Callable[..., Any]:
    real = getattr(numpy.linalg, name)

    def inverse(matrix: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(matrix, numpy.ndarray) or matrix.ndim < 2 or matrix.size <= _COSTLY:
            return real(matrix, *args, **kwargs)
        if name == "inv" and matrix.shape[-1] != matrix.shape[-2]:
            return real(matrix, *args, **kwargs)
        return numpy.zeros((*matrix.shape[:-2], *matrix.shape[:-3:-1]), matrix.dtype)

    return inverse
