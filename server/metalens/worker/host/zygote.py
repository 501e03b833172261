"""The process that has torch imported and warm, and forks one child for each run.

One thread, one loop, no user code. It reads requests, passes on what the children answer, and ends those that do not.
When nothing is to be done, it forks the child of the next run ahead of time.
"""

from __future__ import annotations

import gc
import math
import os
import selectors
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Optional

from metalens.protocol.codec import HEADER, ProtocolError, decode, encode
from metalens.protocol.messages import Cancel, Crash, ReadAhead, Run, Shutdown
from metalens.worker.host import crashes
from metalens.worker.host.child import Pipes, be_child
from metalens.worker.host.containment import Room
from metalens.worker.host.frames import CHUNK, SECRET, Frames, Tail, answers, with_output, write
from metalens.worker.host.threads import count_threads
from metalens.worker.host.work import Loaded

# A child that closed its pipe without an answer is about to end, and has this long for it.
ENDING = 0.5
# How often children that were killed, or are about to end, are asked for their status.
POLL = 0.005
# Stands for the run of a child that has none yet; most runs have its limits.
NO_RUN = Run(0, "", (), (), ())


@dataclass
class _Child:
    """A process with the limits that it was made for; `run` once it has one."""

    pid: int
    limits: tuple[int, int]
    request: int
    answers: int
    output: int
    frames: Frames
    run: Run = NO_RUN
    deadline: float = math.inf
    tail: Tail = field(default_factory=Tail)
    ending: bool = False


class Zygote:
    """Serves requests from one descriptor, with answers to another."""

    def __init__(self, loaded: Loaded, room: Room, requests: int, answers: int) -> None:
        self._loaded = loaded
        self._room = room
        self._requests = requests
        self._answers = answers
        self._incoming = Frames()
        self._children: dict[int, _Child] = {}
        self._spare: Optional[_Child] = None
        self._limits = _limits(NO_RUN)
        self._killed: set[int] = set()
        self._ahead: deque[str] = deque()
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until `Shutdown` or the end of the requests; then no child is left. Raises ProtocolError."""
        self._selector.register(self._requests, selectors.EVENT_READ, self._read_requests)
        try:
            while self._requests >= 0:
                self._prepare()
                events = self._selector.select(0 if self._ahead else self._patience())
                for key, _ in events:
                    key.data()
                if not events and self._ahead:
                    self._read_ahead()
                self._end_overdue()
                self._reap()
        finally:
            for child in (*self._children.values(), *([self._spare] if self._spare else [])):
                self._kill(child)
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
        elif isinstance(request, ReadAhead):
            self._ahead.extend(request.files)
        elif isinstance(request, Shutdown):
            self._requests = -1
        else:
            raise ProtocolError(f"{type(request).__name__} is no request")

    def _start(self, run: Run) -> None:
        self._limits = _limits(run)
        try:
            child = self._take_spare() or self._fork()
        except OSError as problem:
            write(self._answers, encode(Crash(run.id, "internal", f"No process could be started: {problem}")))
            return
        child.run, child.deadline = run, time.monotonic() + run.patience
        self._children[child.pid] = child
        self._selector.register(child.answers, selectors.EVENT_READ, lambda: self._read_answer(child))
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._read_output(child))
        with suppress(BrokenPipeError):  # it died just now, which the pipe for the answer tells
            write(child.request, encode(run))

    def _read_ahead(self) -> None:
        """One file at a time, while there is nothing else to do; children made from now on have it."""
        self._loaded.read_ahead(self._ahead.popleft())
        if not self._ahead:
            gc.collect()
            gc.freeze()
            if self._spare is not None:
                self._kill(self._spare)
                self._spare = None

    def _prepare(self) -> None:
        """Have a child for the next run, unless the processor is needed for the present ones."""
        if self._spare is None and not self._children and not self._ahead:
            with suppress(OSError):
                self._spare = self._fork()

    def _take_spare(self) -> Optional[_Child]:
        """The child made ahead, if it is made for this run's limits and lives."""
        spare, self._spare = self._spare, None
        if spare is not None and (spare.limits != self._limits or _ended(spare.pid) is not None):
            self._kill(spare)
            return None
        return spare

    def _fork(self) -> _Child:
        if count_threads() > 1:
            raise RuntimeError("this process has more than one thread and cannot be forked")
        parent, secret = os.getpid(), os.urandom(SECRET)
        ends = [os.pipe() for _ in range(3)]
        (request_end, request), (answers, answers_end), (output, output_end) = ends
        try:
            pid = os.fork()
        except OSError:
            for descriptor in (end for pipe in ends for end in pipe):
                os.close(descriptor)
            raise
        if pid == 0:
            pipes = Pipes(request_end, answers_end, output_end, secret)
            be_child(self._loaded, self._room, *self._limits, parent, pipes)
        for descriptor in (request_end, answers_end, output_end):
            os.close(descriptor)
        os.set_blocking(output, False)
        return _Child(pid, self._limits, request, answers, output, Frames(secret))

    # ---------------------------------------------------------------- children

    def _read_answer(self, child: _Child) -> None:
        if child.pid not in self._children:
            return  # another descriptor of the same round ended it
        data = os.read(child.answers, CHUNK)
        if not data:
            self._selector.unregister(child.answers)
            child.ending = True
            child.deadline = time.monotonic() + ENDING  # dying takes a moment, also at the end of the run's own time
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
            status = _ended(child.pid)
            if status is not None:
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
        del self._children[child.pid]
        self._kill(child)
        write(self._answers, with_output(body, child.tail.text()))

    def _kill(self, child: _Child) -> None:
        """Kill a child and all that it may have started, and take the rest of its output."""
        for kill in (os.kill, os.killpg):  # it may not have made its group yet
            with suppress(ProcessLookupError):
                kill(child.pid, signal.SIGKILL)
        self._killed.add(child.pid)
        with suppress(BlockingIOError):
            while data := os.read(child.output, CHUNK):
                child.tail.add(data)
        for descriptor in (child.request, child.answers, child.output):
            with suppress(KeyError):
                self._selector.unregister(descriptor)
            os.close(descriptor)


def _limits(run: Run) -> tuple[int, int]:
    """Memory in MiB and seconds of processor time."""
    return run.memory, math.ceil(run.timeout) + 2


def _ended(pid: int) -> Optional[int]:
    """The exit status of a child, negative for a signal; None while it lives.

    It is looked at but not taken: until its group is killed, its number must stay in use.
    """
    seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if seen is None:
        return None
    return seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
