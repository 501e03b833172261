"""The worker as the engine sees it: asked for runs, replaced when it dies, given up when it dies again and again."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from pathlib import Path

from metalens.engine.connection import Connection, Died, Refused
from metalens.protocol.messages import Cancel, Crash, ReadAhead, Ready, Report, Run

SCRIPT = Path(__file__).parent.parent / "worker" / "__main__.py"
CRASHES = 3


class WorkerUnusable(Exception):
    """No run can be done with this interpreter. The text says why, in a sentence for the user."""


class WorkerState(enum.Enum):
    """Where the worker stands."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPED = "stopped"
    FAILED = "failed"


class Worker:
    """A worker process run by `interpreter`, and its successors.

    `fork` off makes it serve without forking on every system. `on_state` hears of each change, with a sentence where
    there is something to say; `on_log` of each line that the process writes. `script` is what the interpreter runs.
    """

    def __init__(
        self,
        interpreter: str,
        *,
        fork: bool = True,
        on_state: Callable[[WorkerState, str], None] | None = None,
        on_log: Callable[[str], None] | None = None,
        script: Path = SCRIPT,
    ) -> None:
        self._command = [interpreter, str(script), *([] if fork else ["--no-fork"])]
        self._on_state = on_state or (lambda _state, _detail: None)
        self._on_log = on_log or (lambda _line: None)
        self._state = WorkerState.STOPPED
        self._starting = asyncio.Lock()
        self._connection: Connection | None = None
        self._ready: Ready | None = None
        self._crashes = 0
        self._failure = ""
        self._ahead: dict[str, int] = {}

    @property
    def state(self) -> WorkerState:
        """Where the worker stands now."""
        return self._state

    async def start(self) -> Ready:
        """Start a process, if there is none, and wait until torch is warm. Raises WorkerUnusable."""
        async with self._starting:
            self._crashes, self._failure = 0, ""
            await self._connect()
        assert self._ready is not None
        return self._ready

    async def run(self, run: Run) -> Report | Crash:
        """Do one run; any number at once. Cancelling the task cancels the run. Raises WorkerUnusable."""
        async with self._starting:
            connection = await self._connect()
            answer = connection.ask(run)
        self._set_state(WorkerState.BUSY)
        try:
            result = await answer
        except asyncio.CancelledError:
            connection.send(Cancel(run.id))
            raise
        if connection.alive:
            self._crashes = 0
            self._read_ahead(connection, run, result)
        if connection is self._connection and connection.alive and not connection.pending:
            self._set_state(WorkerState.READY)
        return result

    async def cancel(self, id: int) -> None:
        """End a run, which is then answered with a Crash of reason `cancelled`."""
        if self._connection is not None:
            self._connection.send(Cancel(id))

    async def stop(self) -> None:
        """End the process; runs that it still owes are answered with a Crash. A run afterwards starts a new one."""
        async with self._starting:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
            self._set_state(WorkerState.STOPPED)

    async def _connect(self) -> Connection:
        """The living process, or a new one. Raises WorkerUnusable."""
        if self._connection is not None and self._connection.alive:
            return self._connection
        while not self._failure:
            self._set_state(WorkerState.STARTING)
            try:
                connection, self._ready = await Connection.open(self._command, self._on_log, self._ended)
            except Refused as problem:
                self._failure = str(problem)
            except Died as problem:
                self._count_crash(str(problem))
            else:
                self._connection, self._ahead = connection, {}
                self._set_state(WorkerState.READY)
                return connection
        self._set_state(WorkerState.FAILED, self._failure)
        raise WorkerUnusable(self._failure)

    def _read_ahead(self, connection: Connection, run: Run, result: Report | Crash) -> None:
        """What this run imported, the next ones will import, too."""
        if not isinstance(result, Report):
            return
        callers = {caller.file for caller in run.callers}
        changed = [file for file in result.files if file not in callers and self._is_new(file)]
        if changed:
            connection.send(ReadAhead(tuple(changed)))

    def _is_new(self, file: str) -> bool:
        try:
            stamp = Path(file).stat().st_mtime_ns
        except OSError:
            return False
        known, self._ahead[file] = self._ahead.get(file), stamp
        return known != stamp

    def _ended(self) -> None:
        """The process that served came to its end."""
        connection, self._connection = self._connection, None
        if connection is not None:  # it was not stopped by us
            self._count_crash(f"The worker process ended: {connection.last_words}")
            self._set_state(WorkerState.STOPPED, connection.last_words)

    def _count_crash(self, detail: str) -> None:
        self._crashes += 1
        if self._crashes >= CRASHES:
            self._failure = detail

    def _set_state(self, state: WorkerState, detail: str = "") -> None:
        if state is not self._state or detail:
            self._state = state
            self._on_state(state, detail)
