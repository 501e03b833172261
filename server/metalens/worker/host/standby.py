"""Serving runs without fork: one warm process at work, a second one warm and waiting.

The one at work is killed when a run does not end, crashes, or leaves dirt behind; then the second takes its place and a
third is started to wait. This process runs no user code and imports no torch. Everything happens in its main thread;
other threads only wait for bytes.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Optional

from metalens.protocol.codec import HEADER, ProtocolError, decode, encode
from metalens.protocol.messages import Cancel, Crash, ReadAhead, Ready, Run, Shutdown
from metalens.worker.host import crashes
from metalens.worker.host.frames import answers, framed, read_body, with_output, write
from metalens.worker.host.hosted import Events, Hosted

# How long a process may take to put itself right between two runs.
TIDYING = 10.0
# What leaks in user code ends with the process.
RUNS_PER_PROCESS = 200
# So many processes in a row may die while they import torch.
COLD_DEATHS = 3
# A process that is killed so soon after it was given a run may have been dying before; Windows knows no such signal.
DYING = 2.0
KILLED = 9


class Standby:
    """Serves requests from one descriptor, with answers to another. `command` starts a process that does runs."""

    def __init__(self, command: Sequence[str], requests: int, answers: int) -> None:
        self._command = command
        self._requests = requests
        self._answers = answers
        self._events: Events = queue.SimpleQueue()
        self._waiting: deque[Run] = deque()
        self._started = time.monotonic()
        self._announced = False
        self._cold_deaths = 0
        self._over = False
        self._given_again = -1
        self._active = self._spawn()
        self._second: Optional[Hosted] = None

    def serve(self) -> None:
        """Serve until `Shutdown` or the end of the requests; then no process is left."""
        threading.Thread(target=self._read_requests, daemon=True).start()
        try:
            while not self._over:
                self._next_event()()
        finally:
            self._active.kill()
            if self._second is not None:
                self._second.kill()

    # ---------------------------------------------------------------- requests

    def _read_requests(self) -> None:
        with suppress(ProtocolError, OSError):
            while (body := read_body(self._requests)) is not None:
                self._events.put(partial(self._obey, decode(body)))
        self._events.put(partial(self._obey, Shutdown()))

    def _obey(self, request: object) -> None:
        if isinstance(request, Run):
            self._waiting.append(request)
            self._begin()
        elif isinstance(request, Cancel):
            self._cancel(request.id)
        elif isinstance(request, ReadAhead):
            return  # the process at work keeps what its runs imported
        else:
            self._over = True

    def _cancel(self, run_id: int) -> None:
        running = self._active.run
        if running is not None and running.id == run_id:
            self._crash(crashes.cancelled(running))
        for run in [run for run in self._waiting if run.id == run_id]:
            self._waiting.remove(run)
            write(self._answers, encode(crashes.cancelled(run)))

    def _begin(self) -> None:
        """Give the next run to the process at work, if that is free."""
        if not self._waiting or not self._active.idle:
            return
        if self._active.memory not in (None, self._waiting[0].memory):
            self._replace()  # the limit of a process is fixed for good
        elif not self._active.lives():
            self._replace()  # killed from outside a moment ago, and its end not heard of yet
        elif self._active.runs >= RUNS_PER_PROCESS:
            self._replace()
        else:
            self._active.begin(self._waiting.popleft())

    # ---------------------------------------------------------------- processes

    def _spawn(self) -> Hosted:
        return Hosted(self._command, self._events, self)

    def _replace(self) -> str:
        """Kill the process at work and let the second take its place; what the killed one printed last."""
        printed = self._active.kill()
        self._active, self._second = self._second or self._spawn(), None
        self._complete()
        self._begin()
        return printed

    def _complete(self) -> None:
        """Have a second process, once the first does not compete with it for the processor."""
        if self._active.warm and self._second is None:
            self._second = self._spawn()

    def heard(self, hosted: Hosted, body: bytes, printed: str) -> None:
        """A process answered its run, or says how it is."""
        if hosted not in (self._active, self._second):
            return
        if hosted.run is not None:
            self._answered(hosted.run, body, printed)
            return
        sys.stderr.write(printed)
        message = decode(body)
        if isinstance(message, Ready):
            hosted.ready()
            self._cold_deaths = 0
            if not self._announced:
                self._announced = True
                write(self._answers, encode(Ready(message.torch, message.mode, time.monotonic() - self._started)))
            self._complete()
            self._begin()
        elif hosted.warm:
            sys.stderr.write(f"the process is replaced: {message.reason}\n")
            self._replace()
        else:
            write(self._answers, framed(body))
            self._over = True

    def ended(self, hosted: Hosted, trusted: bool) -> None:
        """A process closed its pipe, or wrote to it what is no frame."""
        if hosted not in (self._active, self._second):
            return
        if not hosted.warm:
            self._cold_deaths += 1
            if not self._announced or self._cold_deaths >= COLD_DEATHS:
                raise RuntimeError(f"a process ended with status {hosted.status()} before it was ready")
        if hosted is self._second:
            hosted.kill()
            self._second = None
            self._complete()
        elif hosted.run is None:
            self._replace()
        elif not trusted:
            self._crash(crashes.forged(hosted.run))
        else:
            status = hosted.status()
            if self._was_dying(hosted.run, status, time.monotonic() - hosted.began):
                self._waiting.appendleft(hosted.run)
                self._replace()
                return
            self._crash(crashes.silent(hosted.run) if status is None else crashes.ended(hosted.run, status))

    def _was_dying(self, run: Run, status: Optional[int], seconds: float) -> bool:
        """Whether a process was killed from outside before it had its run, which is then given to another, once."""
        if status != -KILLED or seconds > DYING or run.id == self._given_again:
            return False
        self._given_again = run.id
        return True

    def _answered(self, run: Run, body: bytes, printed: str) -> None:
        if not answers(body, run.id):
            self._crash(crashes.forged(run))
            return
        self._active.answered(TIDYING)
        write(self._answers, with_output(body, printed))
        if body.startswith(b'{"type":"Crash"'):
            self._replace()

    def _crash(self, crash: Crash) -> None:
        """End the run of the process at work, and the process."""
        self._active.answered(0.0)
        printed = self._replace()
        write(self._answers, with_output(encode(crash)[HEADER.size :], printed))

    def _next_event(self) -> Callable[[], None]:
        deadline = self._active.deadline
        try:
            return self._events.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return self._end_overdue

    def _end_overdue(self) -> None:
        deadline = self._active.deadline
        if deadline is None or deadline > time.monotonic():
            return
        if self._active.run is not None:
            self._crash(crashes.out_of_time(self._active.run))
        else:
            self._replace()
