"""A guest process as its host sees it: started, given runs, heard, killed."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Optional, Protocol

from metalens.protocol.codec import ProtocolError, encode
from metalens.protocol.messages import Run
from metalens.worker.host.frames import CHUNK, SECRET, Frames, Tail, write

Events = queue.SimpleQueue[Callable[[], None]]


class Listener(Protocol):
    """Who is told; always in the thread that takes the events."""

    def heard(self, hosted: Hosted, body: bytes, printed: str) -> None:
        """The process sent a frame; `printed` is what was printed since the one before."""

    def ended(self, hosted: Hosted, trusted: bool) -> None:
        """The process closed its pipe, or (not `trusted`) something was written to it that is no frame."""


class Hosted:
    """One guest. `warm` once it was ready; `run` while it performs; `deadline` while it owes a frame."""

    def __init__(self, command: Sequence[str], events: Events, listener: Listener) -> None:
        self.warm = False
        self.idle = False
        self.run: Optional[Run] = None
        self.runs = 0
        self.memory: Optional[int] = None
        self.began = 0.0
        self.deadline: Optional[float] = None
        self._events = events
        self._listener = listener
        self._secret = os.urandom(SECRET)
        self._tail = Tail()
        self._bodies: deque[bytes] = deque()
        self._prints: deque[str] = deque()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._printing = threading.Thread(target=self._read_prints, daemon=True)
        self._printing.start()
        threading.Thread(target=self._read_frames, daemon=True).start()
        self._send(self._secret)

    def begin(self, run: Run) -> None:
        """Give it a run."""
        self.run, self.idle, self.memory = run, False, run.memory
        self.began = time.monotonic()
        self.deadline = self.began + run.patience
        self.runs += 1
        self._send(encode(run))

    def lives(self) -> bool:
        """Whether the process is there, as far as the system knows."""
        return self._process.poll() is None

    def answered(self, seconds: float) -> None:
        """It answered its run, and has so long to put itself right."""
        self.run, self.deadline = None, time.monotonic() + seconds

    def ready(self) -> None:
        """It can take a run."""
        self.warm, self.idle, self.deadline = True, True, None

    def kill(self) -> str:
        """End it and all that it may have started; what it printed last."""
        if sys.platform != "win32":
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._printing.join(1.0)
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        return self._tail.text()

    def status(self) -> Optional[int]:
        """The exit status of a process that is about to end, negative for a signal; None if it does not end."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(1.0)
        return None

    # ---------------------------------------------------------------- pipes

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # its end is told by the pipe on which it answers
            write(self._process.stdin.fileno(), data)

    def _read_frames(self) -> None:
        assert self._process.stdout is not None
        frames, trusted = Frames(self._secret), True
        try:
            for data in _chunks(self._process.stdout):
                for body in frames.feed(data):
                    self._events.put(partial(self._framed, body))
        except ProtocolError:
            trusted = False
        if trusted:
            self._printing.join(1.0)  # so that what it printed is told before its end
        self._events.put(lambda: self._listener.ended(self, trusted))

    def _read_prints(self) -> None:
        assert self._process.stderr is not None
        for data in _chunks(self._process.stderr):
            self._tail.add(data)
            while (text := self._tail.split(self._secret)) is not None:
                self._events.put(partial(self._printed, text))

    def _framed(self, body: bytes) -> None:
        self._bodies.append(body)
        self._pair()

    def _printed(self, text: str) -> None:
        self._prints.append(text)
        self._pair()

    def _pair(self) -> None:
        """Frames and prints come by two pipes; the listener gets each frame with the prints that belong to it."""
        while self._bodies and self._prints:
            self._listener.heard(self, self._bodies.popleft(), self._prints.popleft())


def _chunks(pipe: IO[bytes]) -> Iterator[bytes]:
    """What comes by a pipe until its end; then it is closed.

    Nobody else may close it: its number would be given to a pipe of the next process, and this thread, if it comes to
    read only then, would take the first bytes of that one.
    """
    with pipe:
        while data := os.read(pipe.fileno(), CHUNK):
            yield data
