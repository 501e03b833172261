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
# So many times longer it may take by the clock; somewhat less than the host's own patience.
_WAITING = 2.5


class OutOfTime(BaseException):
    """Not an Exception, so that user code and guarded statements let it pass."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Interrupt the body in time, where the platform has timers (the host's deadline is hard).

    First with a Limit, which costs the statement or the module at work; at the end, and from then on, with OutOfTime.
    The seconds are those that the process computes; by the clock, one that waits may take a few times longer.
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
    clocks = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, seconds * _WAITING),
    )
    before = [signal.signal(number, ring) for _, number, _ in clocks]
    for timer, _, span in clocks:
        signal.setitimer(timer, span * _PATIENCE, span * _AGAIN)
    try:
        yield
    finally:
        over = True
        for (timer, number, _), handler in zip(clocks, before):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
