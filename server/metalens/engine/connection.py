"""One worker process from its start to its end: the handshake, the frames, the answers that are awaited."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from metalens.engine.environment import worker_environment
from metalens.protocol.codec import GREETING, HEADER, ProtocolError, decode, encode, length
from metalens.protocol.messages import Cancel, Crash, ReadAhead, Ready, Report, Run, Shutdown, Starting, Unusable

# Importing torch for the first time since the machine was started may take a minute or two.
START = 180.0
# The worker ends runs in time by itself. When it is silent for so much longer than a run may take, it is stuck.
GRACE = 30.0
# How long each step of stopping may take: asked, told, killed.
STOP = 2.0
# A process that closed its pipe is about to end.
ENDING = 0.5

_ID = re.compile(rb'\{"type":"\w+","id":(\d+),')
_LARGE = 1 << 16


class Refused(Exception):
    """This interpreter cannot be the worker, and trying again would not help. The text is a sentence for the user."""


class Died(Exception):
    """The process ended before it was ready. The text is a sentence for the user."""


class Connection:
    """A process that is ready. `pending` are the runs that it owes an answer, by their ids."""

    def __init__(self, process: asyncio.subprocess.Process, on_log: Callable[[str], None], on_end: Callable[[], None]):
        self.pending: dict[int, Run] = {}
        self.alive = True
        self._process = process
        self._on_log = on_log
        self._on_end = on_end
        self._answers: dict[int, asyncio.Future[Report | Crash]] = {}
        self._lines: deque[str] = deque(maxlen=20)
        self._watchdog: asyncio.TimerHandle | None = None
        self._logging = asyncio.create_task(self._read_log())
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, command: Sequence[str], on_log: Callable[[str], None], on_end: Callable[[], None]
    ) -> tuple[Connection, Ready]:
        """Start a process and wait until torch is warm. Raises Refused or Died."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                limit=1 << 20,
                env=worker_environment(os.environ),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except FileNotFoundError:
            raise Refused(f"There is no interpreter {command[0]}.") from None
        except OSError as problem:
            raise Refused(f"{command[0]} cannot be started: {problem.strerror or problem}.") from problem
        connection = cls(process, on_log, on_end)
        try:
            ready = await asyncio.wait_for(connection._shake_hands(), START)
        except BaseException as problem:
            await connection._end()
            if isinstance(problem, asyncio.TimeoutError):
                raise Refused(f"{command[0]} did not import torch within {START:g} s.") from problem
            if isinstance(problem, (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ProtocolError)):
                if "SyntaxError" in connection.last_words:
                    raise Refused(
                        f"{command[0]} is too old: Metalens runs models with Python 3.9 or newer."
                    ) from problem
                raise Died(f"{command[0]} ended before it was ready: {connection.last_words}") from problem
            raise
        connection._reading = asyncio.create_task(connection._read())
        return connection, ready

    @property
    def last_words(self) -> str:
        """How the process ended, and the last line that it wrote."""
        code = self._process.returncode
        ending = "it was killed" if code is None else f"signal {-code}" if code < 0 else f"exit status {code}"
        return f"{ending}; {self._lines[-1]}" if self._lines else ending

    def ask(self, run: Run) -> asyncio.Future[Report | Crash]:
        """The answer to a run, to be awaited. It never fails: when the process dies, the answer is a Crash."""
        answer: asyncio.Future[Report | Crash] = asyncio.get_running_loop().create_future()
        self.pending[run.id] = run
        self._answers[run.id] = answer
        self.send(run)
        self._wind_watchdog()
        return answer

    def send(self, request: Run | Cancel | ReadAhead | Shutdown) -> None:
        """Send a request, if the process still lives."""
        if self.alive and self._process.stdin is not None:
            with suppress(ConnectionError, RuntimeError):  # it just went away, which the reader notices
                self._process.stdin.write(encode(request))

    async def close(self) -> None:
        """End the process: ask it, tell it, kill it."""
        self.send(Shutdown())
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not await self._ended_within(STOP):
            with suppress(ProcessLookupError):
                self._process.terminate()
            if not await self._ended_within(STOP):
                await self._end()
        if self._reading is not None:
            await self._reading
        await self._logging

    # ---------------------------------------------------------------- reading

    async def _shake_hands(self) -> Ready:
        assert self._process.stdout is not None
        await self._process.stdout.readuntil(GREETING)
        while True:
            message = await self._receive()
            if isinstance(message, Ready):
                return message
            if isinstance(message, Unusable):
                raise Refused(message.reason)
            if not isinstance(message, Starting):
                raise ProtocolError(f"{type(message).__name__} before Ready")

    async def _read(self) -> None:
        try:
            while True:
                answer = await self._receive()
                if not isinstance(answer, (Report, Crash)):
                    raise ProtocolError(f"{type(answer).__name__} after Ready")
                self._resolve(answer)
        except (asyncio.IncompleteReadError, ConnectionError, ProtocolError) as problem:
            if isinstance(problem, ProtocolError):
                self._on_log(f"the worker is killed: {problem}")
            await self._end()
        for run in list(self.pending.values()):
            self._resolve(Crash(run.id, "internal", f"The worker process ended: {self.last_words}"))
        self._on_end()

    async def _receive(self) -> object:
        assert self._process.stdout is not None
        size = length(await self._process.stdout.readexactly(HEADER.size))
        body = await self._process.stdout.readexactly(size)
        try:
            # A large report takes longer to build than the event loop may stand still.
            return decode(body) if size < _LARGE else await asyncio.to_thread(decode, body)
        except ProtocolError as problem:
            # The frames are in step, so only the run that it names is affected.
            found = _ID.match(body)
            if found is None:
                raise
            return Crash(int(found[1]), "internal", f"The report cannot be read: {problem}")

    def _resolve(self, answer: Report | Crash) -> None:
        self.pending.pop(answer.id, None)
        waiting = self._answers.pop(answer.id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        self._wind_watchdog()

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        rest = b""
        while data := await self._process.stderr.read(4096):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._log(line)
            rest = rest[-4096:]
        self._log(rest)

    def _log(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self._lines.append(text)
            self._on_log(text)

    # ---------------------------------------------------------------- ending

    def _wind_watchdog(self) -> None:
        """Kill the process if nothing is heard for longer than the slowest run may take."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self.pending and self.alive:
            patience = max(run.patience for run in self.pending.values()) + GRACE
            self._watchdog = asyncio.get_running_loop().call_later(patience, self._process.kill)

    async def _ended_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _end(self) -> None:
        """Kill the process, unless it is about to end; asking for its end would lose the status of one that did."""
        self.alive = False
        if not await self._ended_within(ENDING):
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        # Whatever inherited the pipe may hold it open.
        await asyncio.wait([self._logging], timeout=ENDING)
