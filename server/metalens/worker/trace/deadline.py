"""A soft deadline inside a run: user code that runs in Python is interrupted, and the report is still written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from metalens.worker.trace.hybrid import Limit

TOO_LONG = "stopped: it ran longer than its share of the time limit"

# After this share of the time the statement at work is given up; the rest is for those behind it.
_PATIENCE = 0.6
# Who catches the end of time is told again, so often in the time given.
_AGAIN = 0.2


class OutOfTime(BaseException):
    """Not an Exception, so that user code and guarded statements let it pass."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt the body in time, where the platform has timers (the host's deadline is hard).

    First with a Limit, which costs the statement or the module at work; at the end, and from then on, with OutOfTime.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    rings, over = 0, False

    def ring(number: int, frame: Any) -> None:
        nonlocal rings
        rings += 1
        if over:
            return
        if rings == 1:
            raise Limit(TOO_LONG)
        if rings > (1 - _PATIENCE) / _AGAIN:
            raise OutOfTime(TOO_LONG)

    seconds = max(seconds, 0.001)
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds * _PATIENCE, seconds * _AGAIN)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
