"""The process that has torch imported and warm, and forks one child for each run.

One thread, one loop, no user code. It reads requests, passes on what the children answer, and ends those that do not.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Optional

from metalens.protocol.codec import HEADER, ProtocolError, decode, encode
from metalens.protocol.messages import Cancel, Crash, Report, Run, Shutdown
from metalens.worker.host import crashes
from metalens.worker.host.child import be_child
from metalens.worker.host.containment import Room
from metalens.worker.host.frames import CHUNK, Frames, Tail, answers, with_output, write
from metalens.worker.host.threads import count_threads

# A child that closed its pipe without an answer is about to end, and has this long for it.
ENDING = 0.5
# How often children that were killed, or are about to end, are asked for their status.
POLL = 0.005


@dataclass
class _Child:
    run: Run
    pid: int
    answers: int
    output: int
    deadline: float
    frames: Frames
    tail: Tail = field(default_factory=Tail)
    ending: bool = False


class Zygote:
    """Serves requests from one descriptor, with answers to another. `perform` does a run in a contained child."""

    def __init__(self, perform: Callable[[Run], Report], room: Room, requests: int, answers: int) -> None:
        self._perform = perform
        self._room = room
        self._requests = requests
        self._answers = answers
        self._incoming = Frames()
        self._children: dict[int, _Child] = {}
        self._killed: set[int] = set()
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until `Shutdown` or the end of the requests; then no child is left. Raises ProtocolError."""
        self._selector.register(self._requests, selectors.EVENT_READ, self._read_requests)
        try:
            while self._requests >= 0:
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._end_overdue()
                self._reap()
        finally:
            for child in list(self._children.values()):
                self._end(child)
            for pid in self._killed:
                os.waitpid(pid, 0)

    # ---------------------------------------------------------------- requests

    def _read_requests(self) -> None:
        data = os.read(self._requests, CHUNK)
        if not data:
            self._requests = -1
            return
        for body in self._incoming.feed(data):
            self._obey(decode(body))

    def _obey(self, request: object) -> None:
        if isinstance(request, Run):
            self._start(request)
        elif isinstance(request, Cancel):
            for child in [child for child in self._children.values() if child.run.id == request.id]:
                self._crash(child, crashes.cancelled(child.run))
        elif isinstance(request, Shutdown):
            self._requests = -1
        else:
            raise ProtocolError(f"{type(request).__name__} is no request")

    def _start(self, run: Run) -> None:
        if count_threads() > 1:
            raise RuntimeError("this process has more than one thread and cannot be forked")
        secret = os.urandom(16)
        parent = os.getpid()
        answers, answers_end = os.pipe()
        output, output_end = os.pipe()
        started = time.monotonic()
        try:
            pid = os.fork()
        except OSError as problem:
            for descriptor in (answers, answers_end, output, output_end):
                os.close(descriptor)
            write(self._answers, encode(Crash(run.id, "internal", f"No process could be started: {problem}")))
            return
        if pid == 0:
            be_child(run, self._perform, self._room, parent, secret, answers_end, output_end)
        os.close(answers_end)
        os.close(output_end)
        os.set_blocking(output, False)
        child = _Child(run, pid, answers, output, started + run.timeout, Frames(secret))
        self._children[pid] = child
        self._selector.register(answers, selectors.EVENT_READ, lambda: self._read_answer(child))
        self._selector.register(output, selectors.EVENT_READ, lambda: self._read_output(child))

    # ---------------------------------------------------------------- children

    def _read_answer(self, child: _Child) -> None:
        if child.pid not in self._children:
            return  # another descriptor of the same round ended it
        data = os.read(child.answers, CHUNK)
        if not data:
            self._selector.unregister(child.answers)
            child.ending = True
            child.deadline = min(child.deadline, time.monotonic() + ENDING)
            return
        try:
            for body in child.frames.feed(data):
                if not answers(body, child.run.id):
                    raise ProtocolError("no answer to this run")
                self._answer(child, body)
                return
        except ProtocolError:
            self._crash(child, crashes.forged(child.run))

    def _read_output(self, child: _Child) -> None:
        """Take what was printed so far; a child that prints without end does not keep the loop busy."""
        if child.pid not in self._children:
            return
        with suppress(BlockingIOError):
            data = os.read(child.output, CHUNK)
            child.tail.add(data)
            if not data:
                self._selector.unregister(child.output)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for child in [child for child in self._children.values() if child.deadline <= now]:
            self._crash(child, crashes.silent(child.run) if child.ending else crashes.out_of_time(child.run))

    def _reap(self) -> None:
        for child in [child for child in self._children.values() if child.ending]:
            # The status is looked at but not taken: until the group is killed, its number must stay in use.
            seen = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is not None:
                status = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
                self._crash(child, crashes.ended(child.run, status))
        for pid in list(self._killed):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._killed.discard(pid)

    def _patience(self) -> Optional[float]:
        if self._killed or any(child.ending for child in self._children.values()):
            return POLL
        deadlines = [child.deadline for child in self._children.values()]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _crash(self, child: _Child, crash: Crash) -> None:
        self._answer(child, encode(crash)[HEADER.size :])

    def _answer(self, child: _Child, body: bytes) -> None:
        self._end(child)
        write(self._answers, with_output(body, child.tail.text()))

    def _end(self, child: _Child) -> None:
        """Kill the child and all that it may have started, take the rest of its output, forget it."""
        del self._children[child.pid]
        for kill in (os.kill, os.killpg):  # it may not have made its group yet
            with suppress(ProcessLookupError):
                kill(child.pid, signal.SIGKILL)
        self._killed.add(child.pid)
        with suppress(BlockingIOError):
            while data := os.read(child.output, CHUNK):
                child.tail.add(data)
        for descriptor in (child.answers, child.output):
            with suppress(KeyError):
                self._selector.unregister(descriptor)
            os.close(descriptor)
