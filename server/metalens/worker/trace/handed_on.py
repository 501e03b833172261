"""Functions that hand all that they are given on to a layer: `def conv(dims, *args): return Conv1d(*args)`."""

from __future__ import annotations

import inspect
from collections.abc import Container
from types import FrameType
from typing import Any, Optional


def kept_by(
    frame: Optional[FrameType], files: Container[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Optional[int]:
    """How many arguments the innermost function of the user's keeps to itself, if it hands the others on.

    `args` and `kwargs` are what a layer is built with in it. None if it is no such function.
    """
    while frame is not None and frame.f_code.co_filename not in files:
        frame = frame.f_back
    if frame is None or not frame.f_code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    code = frame.f_code
    names = list(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
    given = frame.f_locals
    row = given.get(names.pop(0), ()) if code.co_flags & inspect.CO_VARARGS else ()
    table = given.get(names.pop(0), {}) if code.co_flags & inspect.CO_VARKEYWORDS else {}
    if not (args or kwargs) or not isinstance(row, tuple) or not isinstance(table, dict):
        return None
    same = len(row) == len(args) and all(one is other for one, other in zip(row, args))
    told = all(name in table and table[name] is value for name, value in kwargs.items())
    return code.co_argcount if same and told else None
