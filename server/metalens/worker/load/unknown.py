"""A value that a rehearsal does not know. Whatever is done with it gives Unknown or raises; it never pretends.

One exception is made: loaded weights have no items, for nothing that is done with each of them changes a shape.
"""

from __future__ import annotations

import argparse
import re
import types
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

STAND_IN = True

_LISTING = (".items(...)", ".keys(...)", ".values(...)")
# What classes are called whose instances have the attributes that they are given.
_SETTINGS = re.compile(r"(HParams|Hyperparameters|Namespace|Config|Configuration|Settings|Options|Arguments)$")


class UnknownError(Exception):
    """Something needed the truth, length, text or parts of a value that is not known; `loaded` tells that it was."""

    loaded = False


class Unknown:
    """Stands for any value. `why` tells what was not known, in the user's terms.

    Where it was `loaded` it holds weights, which change values alone: whoever goes through them meets none.
    """

    __slots__ = ("_loaded", "_why")

    def __init__(self, why: str, loaded: bool = False) -> None:
        object.__setattr__(self, "_why", why)
        object.__setattr__(self, "_loaded", loaded)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name != "__dict__":
            raise AttributeError(name)
        return Unknown(f"{self._why}.{name}", self._loaded)

    def __setattr__(self, name: str, value: Any) -> None:
        return None

    def __delattr__(self, name: str) -> None:
        return None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Unknown; of a function, class or parser alone, that; of named settings alone, an object that has them."""
        # Used as a decorator it gives back what it decorates, so that the decorated thing stays known; a parser that it
        # gives more options likewise.
        if len(args) == 1 and not kwargs and (_is_decorated(args[0]) or isinstance(args[0], argparse.ArgumentParser)):
            return args[0]
        if kwargs and not args and _SETTINGS.search(self._why):
            from metalens.worker.load.settings import Told  # noqa: PLC0415 - which builds on this file

            return Told(kwargs)
        return Unknown(f"{self._why}(...)", self._loaded)

    def __getitem__(self, key: Any) -> Unknown:
        return Unknown(f"{self._why}[...]", self._loaded)

    def __iter__(self) -> Any:
        return iter(()) if lists_weights(self) else self._raise()

    def __len__(self) -> int:
        return 0 if lists_weights(self) else self._raise()

    def __contains__(self, key: Any) -> bool:
        """What else a checkpoint holds beside weights is not asked for: a script begins as it would without it."""
        return False if self._loaded else self._raise()

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __enter__(self) -> Unknown:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (UnknownBase,)

    def __hash__(self) -> int:
        return id(self)

    def _raise(self, *args: Any, **kwargs: Any) -> NoReturn:
        error = UnknownError(f"{self._why} is not known")
        error.loaded = self._loaded
        raise error

    def _same(self, *args: Any) -> Unknown:
        return self

    __repr__ = __str__ = __format__ = __bool__ = __int__ = __float__ = __index__ = _raise
    __instancecheck__ = __subclasscheck__ = _raise
    __next__ = __reversed__ = __complex__ = __bytes__ = __array__ = __fspath__ = __await__ = _raise
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _same  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _same
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _same
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = _same
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = _same
    __iadd__ = __isub__ = __imul__ = __itruediv__ = _same


def of_argument(name: str, args: Iterable[Any]) -> UnknownError:
    """What a call of this function raises that needs to know all its arguments."""
    error = UnknownError(f"an argument of {name} is not known")
    error.loaded = any(isinstance(value, Unknown) and value._loaded for value in args)
    return error


def lists_weights(value: Unknown) -> bool:
    """Whether these are the items of something that was loaded."""
    return value._loaded and value._why.endswith(_LISTING)  # type: ignore[no-any-return]


def is_list_of_weights(function: Any, args: Sequence[Any]) -> bool:
    """Whether a call lists what was loaded: nobody knows what is in that list, though a loop over it does nothing."""
    lists = function is list or function is tuple or function is sorted
    return lists and len(args) == 1 and isinstance(args[0], Unknown) and lists_weights(args[0])


def _is_decorated(item: Any) -> bool:
    if isinstance(item, type):
        return not item.__module__.startswith(("torch", "builtins", "numpy"))
    return isinstance(item, types.FunctionType)


class UnknownBase:
    """Base of classes whose real base is in a package that is not installed; nothing is known of what that does."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __getattr__(self, name: str) -> Any:
        known = getattr(super(), "__getattr__", None)  # of a module, which says itself what it has
        if known is not None:
            return known(name)
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"{type(self).__name__}.{name}")


def contains_unknown(items: Any, depth: int = 3) -> bool:
    """Whether a value is Unknown or a plain container holds one, down to a depth."""
    if isinstance(items, Unknown):
        return True
    if depth and isinstance(items, dict):
        return any(contains_unknown(item, depth - 1) for item in items.values())
    if depth and isinstance(items, (list, tuple, set)) and len(items) < 1000:
        return any(contains_unknown(item, depth - 1) for item in items)
    return False
