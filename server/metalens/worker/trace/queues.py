"""What processes of a script hand to each other, where all run here and now: nobody waits for what is not there."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import queue
from typing import Any

import torch


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for queues and pipes: owner, name, value."""
    found: list[tuple[Any, str, Any]] = []
    for name, made in (("Queue", Line), ("JoinableQueue", Line), ("SimpleQueue", Line), ("Pipe", pipe)):
        found += [(owner, name, made) for owner in (multiprocessing, torch.multiprocessing) if hasattr(owner, name)]
        found.append((multiprocessing.context.BaseContext, name, _of_context(made)))
    return found


class Line(queue.Queue):  # type: ignore[type-arg]
    """A queue of any length that does not block."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def put(self, item: Any, block: bool = True, timeout: Any = None) -> None:
        """At once."""
        super().put(item, block=False)

    def get(self, block: bool = True, timeout: Any = None) -> Any:
        """The first item; raises queue.Empty where a process would wait."""
        return super().get(block=False)

    def close(self) -> None:
        """Nothing is open."""

    join = join_thread = cancel_join_thread = close


class End:
    """One end of a pipe."""

    def __init__(self, sent: Line, received: Line) -> None:
        self._sent, self._received = sent, received

    def send(self, item: Any) -> None:
        """At once."""
        self._sent.put(item)

    def recv(self) -> Any:
        """The first item that the other end sent; raises EOFError where a process would wait."""
        try:
            return self._received.get()
        except queue.Empty as nothing:
            raise EOFError from nothing

    def poll(self, timeout: Any = None) -> bool:
        """Whether there is an item."""
        return not self._received.empty()

    def close(self) -> None:
        """Nothing is open."""


def pipe(duplex: bool = True) -> tuple[End, End]:
    """Both ends."""
    there, back = Line(), Line()
    return End(there, back), End(back, there)


def _of_context(made: Any) -> Any:
    return lambda context, *args, **kwargs: made(*args, **kwargs)
