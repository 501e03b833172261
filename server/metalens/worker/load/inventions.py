"""Where stand-ins say that they made a size up, so that what rests on it is never called a mistake."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[str], None]] = []


def listen(listener: Callable[[str], None]) -> None:
    """From now on `listener(reason)` hears of each invented size, and nobody else."""
    _listeners[:] = [listener]


def invented(reason: str) -> None:
    """Tell that a size was made up, and what it stands for."""
    for listener in _listeners:
        listener(reason)
