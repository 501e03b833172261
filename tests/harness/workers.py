"""An engine without processes: a worker that answers when a test says so, and a listener that can be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from metalens.engine.result import Result
from metalens.engine.worker import WorkerState, WorkerUnusable
from metalens.protocol.messages import Crash, Ready, Report, Run

DEADLINE = 5.0


@dataclass
class Asked:
    """A run that waits for its answer."""

    run: Run
    answer: asyncio.Future[Report | Crash]
    cancelled: bool = False

    def reply(self, answer: Report | Crash) -> None:
        self.answer.set_result(replace(answer, id=self.run.id))


@dataclass
class FakeWorker:
    """Keeps every run until it is answered; with `respond` it answers by itself."""

    respond: Callable[[Run], Report | Crash] | None = None
    unusable: str = ""
    asked: list[Asked] = field(default_factory=list)
    stopped: bool = False
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> Ready:
        if self.unusable:
            raise WorkerUnusable(self.unusable)
        return Ready("2.13.0", "fork", 0.5)

    async def run(self, run: Run) -> Report | Crash:
        if run.thorough:
            return Report(run.id, (), (), (), ())  # what nobody builds stays so
        if self.respond is not None:
            self.asked.append(Asked(run, asyncio.get_running_loop().create_future()))
            return replace(self.respond(run), id=run.id)
        asked = Asked(run, asyncio.get_running_loop().create_future())
        async with self._news:
            self.asked.append(asked)
            self._news.notify_all()
        try:
            return await asked.answer
        except asyncio.CancelledError:
            asked.cancelled = True
            raise

    async def stop(self) -> None:
        self.stopped = True

    async def nth(self, count: int) -> Asked:
        """The run with this number, from 1, as soon as it was asked for."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.asked) >= count), DEADLINE)
        return self.asked[count - 1]


@dataclass
class Listener:
    """Remembers what the engine says."""

    results: list[Result] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    states: list[WorkerState] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def result(self, result: Result) -> None:
        self.results.append(result)
        self._news.set()

    def fault(self, text: str) -> None:
        self.faults.append(text)
        self._news.set()

    def state(self, state: WorkerState, detail: str) -> None:
        self.states.append(state)

    async def until(self, wanted: Callable[[Sequence[Result]], bool]) -> Result:
        """Wait until the results are as wanted; gives the latest."""

        async def wait() -> Result:
            while not wanted(self.results):
                self._news.clear()
                await self._news.wait()
            return self.results[-1]

        return await asyncio.wait_for(wait(), DEADLINE)

    async def until_fault(self) -> str:
        async def wait() -> str:
            while not self.faults:
                self._news.clear()
                await self._news.wait()
            return self.faults[-1]

        return await asyncio.wait_for(wait(), DEADLINE)
