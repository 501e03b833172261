"""Starting workers without torch, giving them texts to execute, and finding processes that were left behind."""

import asyncio
import contextlib
import itertools
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from metalens.engine.worker import Worker, WorkerState
from metalens.protocol.messages import Caller, Report, Run

ENTRY = Path(__file__).parent / "host_entry.py"
DEADLINE = 20.0
MARK = "METALENS_TEST_MARK"

_ids = itertools.count(1)


def run_of(source: str, root: Path, timeout: float = 10.0, memory: int = 1024) -> Run:
    """A run that executes this text in `root`."""
    file = str(root / "guest.py")
    return Run(next(_ids), str(root), (), (Caller(file),), (), overlay={file: source}, timeout=timeout, memory=memory)


def error(answer: object) -> str:
    """What the text of a run raised."""
    assert isinstance(answer, Report), answer
    return answer.problems.get("error", "")


def result(answer: object) -> str:
    """The `repr` of what the text of a run left in `result`."""
    assert isinstance(answer, Report), answer
    assert "error" not in answer.problems, answer
    return answer.problems["result"]


class Host:
    """A worker without torch, and what was heard of it."""

    def __init__(self, fork: bool, root: Path, interpreter: str = sys.executable, script: Path = ENTRY) -> None:
        self.fork = fork
        self.root = root
        self.mark = uuid.uuid4().hex
        self.states: list[WorkerState] = []
        self.log: list[str] = []
        self.worker = Worker(
            interpreter,
            fork=fork,
            on_state=lambda state, _detail: self.states.append(state),
            on_log=self.log.append,
            script=script,
        )

    async def do(self, source: str, **settings):
        """The answer to one run."""
        return await asyncio.wait_for(self.worker.run(run_of(source, self.root, **settings)), DEADLINE)

    def processes(self) -> dict[int, int]:
        """All living processes that descend from the worker, orphans included, with their parents."""
        return processes(self.mark)

    def leader(self) -> int:
        """The process that the engine started."""
        return next(pid for pid, parent in self.processes().items() if parent == os.getpid())

    async def settled(self) -> None:
        """Wait until only the processes are there that serve when nothing is to be done."""
        await until(lambda: len(self.processes()) == (2 if self.fork else 3))


@contextlib.asynccontextmanager
async def hosting(fork: bool, root: Path, **settings) -> AsyncIterator[Host]:
    """A worker for a `with` block, after which none of its processes is left."""
    host = Host(fork, root, **settings)
    os.environ[MARK] = host.mark
    try:
        yield host
    finally:
        await asyncio.wait_for(host.worker.stop(), DEADLINE)
        del os.environ[MARK]
    await until(lambda: not host.processes())


async def until(condition) -> None:
    """Wait for something that only other processes can bring about, and that tells nobody."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def processes(mark: str) -> dict[int, int]:
    """Processes that were started with this mark in their environment, with their parents; the dead are left out."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    found[int(folder.name)] = int(parent)
    return found
