"""The operators of Python by the names of their syntax nodes, and what unpacking means."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

SURPLUS = "__metalens_surplus__"
"""The attribute of an unpacking's error that tells how many values there are too many (fewer than none: missing)."""

FIRST = "__metalens_first__"
"""The attribute of an error that tells the innermost expression it passed: its file, and its number there."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mult": operator.mul,
    "MatMult": operator.matmul,
    "Div": operator.truediv,
    "Mod": operator.mod,
    "Pow": operator.pow,
    "LShift": operator.lshift,
    "RShift": operator.rshift,
    "BitOr": operator.or_,
    "BitXor": operator.xor,
    "BitAnd": operator.and_,
    "FloorDiv": operator.floordiv,
}
IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.iadd,
    "Sub": operator.isub,
    "Mult": operator.imul,
    "MatMult": operator.imatmul,
    "Div": operator.itruediv,
    "Mod": operator.imod,
    "Pow": operator.ipow,
    "LShift": operator.ilshift,
    "RShift": operator.irshift,
    "BitOr": operator.ior,
    "BitXor": operator.ixor,
    "BitAnd": operator.iand,
    "FloorDiv": operator.ifloordiv,
}


@functools.cache
def unpacker(count: int) -> Callable[[Any], Any]:
    """A function that unpacks its argument into so many names, and raises as Python does if it cannot."""
    names = ", ".join(f"_{i}" for i in range(count))
    namespace: dict[str, Any] = {}
    exec(f"def unpack(values):\n    {names}, = values\n    return ({names},)", namespace)
    return namespace["unpack"]  # type: ignore[no-any-return]
