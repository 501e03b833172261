"""A guest process and those who listen to it: what belongs to one of them never reaches another."""

from __future__ import annotations

import os
import queue
import sys
import threading

from metalens.worker.host.hosted import Events, Hosted

DEADLINE = 20.0


class Ends:
    """Hears that a process is at its end."""

    def heard(self, hosted: Hosted, body: bytes, printed: str) -> None:
        raise AssertionError("this process sends nothing")

    def ended(self, hosted: Hosted, trusted: bool) -> None:
        pass


def test_a_listener_that_comes_late_does_not_read_from_the_next_process(monkeypatch):
    read, late, mine = os.read, threading.Event(), threading.get_ident()

    def read_late(descriptor: int, size: int) -> bytes:
        assert threading.get_ident() == mine or late.wait(DEADLINE)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", read_late)
    events: Events = queue.SimpleQueue()
    Hosted([sys.executable, "-c", ""], events, Ends()).kill()
    # The lowest free numbers, which the pipes of the next process get, too.
    ends = [os.pipe() for _ in range(3)]
    try:
        for _, end in ends:
            os.write(end, b"the next process is ready")
        late.set()
        events.get(timeout=DEADLINE)
        for end, _ in ends:
            os.set_blocking(end, False)
            assert read(end, 100) == b"the next process is ready"
    finally:
        for descriptor in (end for pipe in ends for end in pipe):
            os.close(descriptor)
