"""Files that are edited, and results that follow: debounce, latest wins, one worker, dependents."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from metalens.engine.analysis import Analysis
from metalens.engine.batch import Batch, Planned
from metalens.engine.result import Result, merge
from metalens.engine.worker import Worker, WorkerState, WorkerUnusable
from metalens.plan.plan import Plan, plan_file
from metalens.protocol.messages import Crash, Finding, Ready, Report, Run
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

DEBOUNCE = 0.03

log = logging.getLogger(__name__)


class EngineListener(Protocol):
    """Who hears of results. Calls come on the event loop and must not block."""

    def result(self, result: Result) -> None:
        """A newer or richer result of a file."""

    def fault(self, text: str) -> None:
        """Our side broke; `text` is a sentence for the status and the log, never for a squiggle."""

    def state(self, state: WorkerState, detail: str) -> None:
        """The worker's state changed."""


class RunsModels(Protocol):
    """What the engine needs of a worker."""

    async def start(self) -> Ready:
        """Import torch; raises WorkerUnusable."""

    async def run(self, run: Run) -> Report | Crash:
        """Run one job; cancelling the task ends it in the worker too. Raises WorkerUnusable."""

    async def stop(self) -> None:
        """End the worker."""


@dataclass(frozen=True)
class Timing:
    """Seconds of the latest analysis of a file: planning, until the first report, and in all."""

    plan: float
    first: float
    total: float


@dataclass
class _Job:
    task: asyncio.Task[None] | None = None
    latest: Result | None = None
    foreign: tuple[Finding, ...] = ()
    reads: frozenset[str] = frozenset()
    wakes: bool = False
    timing: Timing | None = None
    touched: float = field(default_factory=lambda: -DEBOUNCE)


class Engine:
    """Analyses files: the open ones as they change, and any on request.

    Without an interpreter, or with a reason in `idle`, nothing of the user's runs: results hold the classes that the
    source shows, and `idle` as their problem.
    """

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        interpreter: Interpreter | None,
        *,
        listener: EngineListener,
        idle: str = "",
        make_worker: Callable[[], RunsModels] | None = None,
        plan: Callable[[Workspace, Settings, str], Plan] = plan_file,
    ) -> None:
        self._workspace = workspace
        self._settings = settings
        self._interpreter = interpreter
        self._listener = listener
        self._idle = idle or ("" if interpreter or make_worker else "there is no interpreter to run it with")
        self._make_worker = make_worker or self._real_worker
        self._plan = plan
        self._worker: RunsModels | None = None
        self._started: asyncio.Task[Ready] | None = None
        self._jobs: dict[str, _Job] = {}
        self._ids = itertools.count(1)
        self._planner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self.ready: Ready | None = None

    async def start(self) -> None:
        """Start the worker. Raises WorkerUnusable."""
        await self._begun()

    async def stop(self) -> None:
        """End all work and the worker, for good."""
        await self._halt()
        self._planner.shutdown(wait=False, cancel_futures=True)

    async def restart(self) -> None:
        """Replace the worker and analyse the open files again. Raises WorkerUnusable."""
        files = list(self._jobs)
        await self._halt()
        for file in files:
            self.touch(file)
        await self._begun()

    async def check(self, file: str) -> Result:
        """Everything that can be known of a file, its fixes tried. Raises WorkerUnusable."""
        return await self._analyse(file, _Job(), lambda result: None)

    async def check_all(self, files: Sequence[str], step: Callable[[str], None]) -> tuple[Result, ...]:
        """As `check` for many files, whose callers are rehearsed once for all. Raises WorkerUnusable."""
        results: dict[str, Result] = {}
        planned: list[Planned] = []
        for file in files:
            try:
                version, text, plan = await self._planned(file)
            except Unreadable as problem:
                results[file] = Result(file, None, "", (), (), None, problem=problem.reason)
                continue
            planned.append(Planned(file, text, version, plan))
        torch = (await self._begun()).torch
        batch = Batch(planned, self._run, self._attempt, self._workspace.text, torch, step)
        results.update((result.file, result) for result in await batch.complete())
        return tuple(results[file] for file in files)

    def beside(self, workspace: Workspace) -> Engine:
        """Another engine with the same worker, on other texts, that tells nobody."""
        return Engine(
            workspace,
            self._settings,
            self._interpreter,
            listener=_Nobody(),
            make_worker=lambda: _Lent(self),
            plan=self._plan,
        )

    async def lend(self, run: Run) -> Report | Crash:
        """Do a run for another engine. Raises WorkerUnusable."""
        return await self._attempt(run)

    def touch(self, file: str) -> None:
        """An open file is new or has a new text: analyse it, at once if nothing is under way.

        The open files that it rests on or that rest on it follow: a caller is evidence for what it calls.
        """
        job = self._jobs.setdefault(file, _Job())
        job.wakes = True
        now = asyncio.get_running_loop().time()
        busy = job.task is not None and not job.task.done()
        delay = DEBOUNCE if busy or now - job.touched < DEBOUNCE else 0.0
        job.touched = now
        self._schedule(file, job, delay)

    def close(self, file: str) -> None:
        """A file is no longer open: forget it."""
        job = self._jobs.pop(file, None)
        if job and job.task:
            job.task.cancel()

    def changed_on_disk(self, files: Iterable[str]) -> None:
        """Files changed outside the editor: analyse the open files that rest on them."""
        changed = set(files)
        for file, job in self._jobs.items():
            if job.reads & changed:
                self._schedule(file, job, DEBOUNCE)

    def refresh(self) -> None:
        """Analyse every open file again."""
        for file, job in self._jobs.items():
            self._schedule(file, job, DEBOUNCE)

    def timings(self) -> dict[str, Timing]:
        """The latest timing of each open file."""
        return {file: job.timing for file, job in self._jobs.items() if job.timing}

    async def _halt(self) -> None:
        tasks: list[asyncio.Future[Any]] = [job.task for job in self._jobs.values() if job.task]
        self._jobs.clear()
        if self._started:
            tasks.append(self._started)
            self._started = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._worker:
            worker, self._worker = self._worker, None
            await worker.stop()

    def _real_worker(self) -> RunsModels:
        if self._interpreter is None:
            raise WorkerUnusable(self._idle)
        return Worker(self._interpreter.path, fork=self._settings.fork, on_state=self._listener.state, on_log=log.debug)

    async def _begun(self) -> Ready:
        """The worker, started once; every job waits for the same start."""
        if self._started is None:
            self._worker = self._make_worker()
            self._started = asyncio.create_task(self._worker.start())
        self.ready = await asyncio.shield(self._started)
        return self.ready

    def _schedule(self, file: str, job: _Job, delay: float) -> None:
        if job.task:
            job.task.cancel()
        job.task = asyncio.create_task(self._follow(file, job, delay))

    async def _follow(self, file: str, job: _Job, delay: float) -> None:
        try:
            await asyncio.sleep(delay)
            job.latest = await self._analyse(file, job, self._listener.result)
        except WorkerUnusable as problem:
            self._listener.fault(str(problem))
            await self._publish_static(file, job)
        except Exception:
            # The border of an analysis: a defect of ours ends this one only, and never the server.
            log.exception("the analysis of %s failed", file)
            self._listener.fault(f"internal error while analysing {file}; the log has the details")
        if job.wakes:
            job.wakes = False
            for other, reader in self._jobs.items():
                if other != file and (file in reader.reads or other in job.reads):
                    self._schedule(other, reader, 0.0)

    async def _analyse(self, file: str, job: _Job, publish: Callable[[Result], None]) -> Result:
        started = time.perf_counter()
        try:
            version, text, plan = await self._planned(file)
        except Unreadable as problem:
            result = Result(file, self._workspace.version(file), "", (), (), None, problem=problem.reason)
            publish(result)
            return result
        planned = time.perf_counter() - started
        if self._idle:
            result = _static(plan, file, text, version, self._idle)
            publish(result)
            return result
        torch = (await self._begun()).torch if plan.runs else ""
        analysis = Analysis(
            file=file,
            text=text,
            version=version,
            plan=plan,
            run=self._run,
            attempt=self._attempt,
            text_of=self._workspace.text,
            torch=torch,
            previous=job.latest,
            foreign=job.foreign,
        )
        result = await analysis.complete(publish)
        job.foreign, job.reads = analysis.foreign, analysis.reads()
        job.timing = Timing(planned, planned + analysis.first_seconds, time.perf_counter() - started)
        return result

    async def _planned(self, file: str) -> tuple[int | None, str, Plan]:
        """Reading and planning, in the one thread that does so: a long file must not hold up the event loop."""

        def work() -> tuple[int | None, str, Plan]:
            version, text = self._workspace.version(file), self._workspace.text(file)
            return version, text, self._plan(self._workspace, self._settings, file)

        return await asyncio.get_running_loop().run_in_executor(self._planner, work)

    async def _publish_static(self, file: str, job: _Job) -> None:
        try:
            version, text, plan = await self._planned(file)
        except Unreadable:
            return
        job.latest = _static(plan, file, text, version, "the worker cannot run; see the status")
        self._listener.result(job.latest)

    async def _run(self, run: Run) -> Report | Crash:
        """One job in the worker; when this task is cancelled, so is the job."""
        answer = await self._attempt(run)
        if isinstance(answer, Crash) and answer.reason == "internal":
            self._listener.fault(f"the worker failed: {answer.detail}")
        return answer

    async def _attempt(self, run: Run) -> Report | Crash:
        """As `_run`, for a fix that is tried: what fails then is no fault, and the fix is not offered."""
        await self._begun()
        if self._worker is None:
            raise WorkerUnusable("the worker was stopped")
        answer = await self._worker.run(replace(run, id=next(self._ids)))
        if isinstance(answer, Crash) and answer.reason == "internal":
            log.error("the worker failed: %s\n%s", answer.detail, answer.output)
        return answer


@dataclass(frozen=True)
class _Lent:
    """The worker of an engine, for another one that must not end it."""

    owner: Engine

    async def start(self) -> Ready:
        await self.owner.start()
        assert self.owner.ready is not None
        return self.owner.ready

    async def run(self, run: Run) -> Report | Crash:
        return await self.owner.lend(run)

    async def stop(self) -> None:
        pass


class _Nobody:
    """Listens to nothing."""

    def result(self, result: Result) -> None:
        pass

    def fault(self, text: str) -> None:
        pass

    def state(self, state: WorkerState, detail: str) -> None:
        pass


def _static(plan: Plan, file: str, text: str, version: int | None, why: str) -> Result:
    return replace(merge(plan, text, version, (), file=file), problem=why)
