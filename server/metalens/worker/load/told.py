"""Errors that a stand-in raises as its package would: they are the user's own, and it knows words for them."""

from __future__ import annotations

from collections.abc import Callable

_SAID = "_metalens_said"
_listeners: list[Callable[[BaseException], None]] = []
_told: set[str] = set()


def listen(listener: Callable[[BaseException], None]) -> None:
    """From now on `listener(error)` hears of each such error, once, and nobody else."""
    _listeners[:] = [listener]
    _told.clear()


def tell(error: BaseException, words: str) -> None:
    """An error that was raised, and caught to go on without it, counts as the user's, in these words."""
    setattr(error, _SAID, words)
    for listener in _listeners if words not in _told else ():
        _told.add(words)
        listener(error)


def said(error: BaseException) -> str:
    """The words of a stand-in for an error of the user's; "" for any other error."""
    return str(getattr(error, _SAID, ""))
