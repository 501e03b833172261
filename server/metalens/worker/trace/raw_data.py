"""Files of numbers that are not on this machine, as numpy reads them: zeros, and tables of a made-up width."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from metalens.worker.load.inventions import COLUMNS, invented, more

STAND_IN = True
_RAW = 1 << 20  # elements of a data file
_ROWS, _WIDTH, _WIDER = 1500, 7, 5  # of a table, and by how much it is wider where it is to be


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for numpy's readers, where there is numpy: owner, name, value."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return []
    raw = [(numpy, name, _raw(numpy, name)) for name in ("memmap", "fromfile")]
    return [*raw, *((numpy, name, _table(numpy, name)) for name in ("loadtxt", "genfromtxt"))]


def _raw(numpy: Any, name: str) -> Callable[..., Any]:
    real = getattr(numpy, name)

    def read(file: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(file, dtype, *args, **kwargs)
        except (FileNotFoundError, PermissionError):
            return numpy.zeros(kwargs.get("shape") or _RAW, dtype)

    return read


def _table(numpy: Any, name: str) -> Callable[..., Any]:
    real = getattr(numpy, name)

    def read(file: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(file, dtype, *args, **kwargs)
        except (OSError, ValueError):  # what stands in for a text holds words
            columns = kwargs.get("usecols")
            if columns is None:
                invented(COLUMNS)
            width = _WIDTH + _WIDER * more() if columns is None else numpy.size(columns)
            table = numpy.ones((_ROWS, width), dtype if numpy.dtype(dtype).kind in "iufb" else float)
            return table.T if kwargs.get("unpack") else table

    return read
