"""A soft deadline inside a run: user code that runs in Python is interrupted, and the report is still written."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Any, Iterator


class OutOfTime(BaseException):
    """Not an Exception, so that user code and guarded statements let it pass."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the body after so many seconds, where the platform has timers (the host's deadline is hard)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
