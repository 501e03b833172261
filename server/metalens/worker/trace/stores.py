"""Arrays of many gigabytes (replay buffers), which scripts make and rehearsals only look at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

STAND_IN = True
_LARGE = 1 << 28  # bytes of an array that is really made


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for the functions of numpy that fill arrays, where there is numpy: owner, name, value."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return []
    return [(numpy, name, _filler(numpy, name)) for name in ("zeros", "ones", "empty")]


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
