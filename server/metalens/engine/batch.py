"""Many files at once: each caller is rehearsed once for all of them, then what is unexplained on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from metalens.engine.rescue import rescue
from metalens.engine.result import Model, Result, explained, merge
from metalens.engine.verify import verify
from metalens.plan.plan import Plan
from metalens.protocol.messages import Caller, Crash, Finding, Report, Run, Target
from metalens.protocol.values import Location
from metalens.workspace.documents import Unreadable

Runner = Callable[[Run], Awaitable[Report | Crash]]
Texts = Callable[[str], str]

# A shared rehearsal explains the classes of many files, so it may take longer than one that somebody waits for.
PATIENCE = 6.0

# Command lines of one caller at a time, and those that share a process.
MOST_LINES = 96
LINES_AT_ONCE = 8


@dataclass(frozen=True)
class Planned:
    """One file of a batch: its text at this version, and its plan."""

    file: str
    text: str
    version: int | None
    plan: Plan


@dataclass(frozen=True, order=True)
class _Answer:
    """What a run brought: its place in the order of the runs, and the file that it began with."""

    at: int
    file: str = field(compare=False)
    what: Report | Crash = field(compare=False)


@dataclass
class Batch:
    """The state of one check of many files.

    `run` does runs, `attempt` those that try a fix; `step(text)` hears of progress.
    """

    files: Sequence[Planned]
    run: Runner
    attempt: Runner
    text_of: Texts
    torch: str
    step: Callable[[str], None]
    at_once: int = 2
    _answers: list[_Answer] = field(default_factory=list)
    _deeper: dict[str, tuple[Run, ...]] = field(default_factory=dict)
    _lines: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    _elsewhere: set[tuple[Location, str]] = field(default_factory=set)
    _done: int = 0

    async def complete(self) -> tuple[Result, ...]:
        """The results, in the order of the files."""
        shared = self._shared(lambda plan: plan.runs[: len(plan.runs) - plan.sweeps], self.files)
        total = len(shared) + len(self.files)
        await self._each(self._rehearse(at, run, total) for at, run in enumerate(shared))
        swept = self._shared(lambda plan: plan.runs[len(plan.runs) - plan.sweeps :], self._uncalled())
        total += len(swept)
        await self._each(self._rehearse(at, run, total) for at, run in enumerate(swept, len(shared)))
        rehearsed = len(shared) + len(swept)
        await self._each(self._alone(at, item, total) for at, item in enumerate(self.files, rehearsed))
        results = [self._with_untold(self._merged(item)) for item in self.files]
        await self._each(self._verify(results, at) for at in range(len(results)))
        return tuple(results)

    def _shared(self, part: Callable[[Plan], Sequence[Run]], files: Iterable[Planned]) -> list[Run]:
        """General rehearsals of each caller of any of the files.

        Of the command lines each file gives its best one, then its second best.
        """
        parts = [part(item.plan) for item in files]
        runs = [*(run for each in parts for run in each[:1]), *(run for each in parts for run in each[1:])]
        lines = [
            (at, replace(caller, names=(), needed=False), run) for run in runs for at, caller in enumerate(run.callers)
        ]
        found: dict[str, dict[Caller, Run]] = {run.callers[0].file: {} for run in runs}
        told = {(caller.file, caller.argv) for _, caller, _ in lines if not caller.assumed}
        for _, caller, run in sorted(lines, key=lambda line: line[0]):
            assumed = caller.assumed and (caller.file, caller.argv) not in told
            found[caller.file].setdefault(replace(caller, assumed=assumed), run)
        runs = [general for callers in found.values() for general in self._general(callers)]
        # Long programs first: one that starts last, alone, is waited for by all.
        return sorted(runs, key=lambda run: -self._length(run.callers[0].file))

    def _length(self, file: str) -> int:
        try:
            return len(self.text_of(file))
        except Unreadable:
            return 0

    def _general(self, callers: dict[Caller, Run]) -> Iterable[Run]:
        fresh = [caller for caller in callers if (caller.file, caller.argv) not in self._lines][:MOST_LINES]
        self._lines.update((caller.file, caller.argv) for caller in fresh)
        for at in range(0, len(fresh), LINES_AT_ONCE):
            some = tuple(fresh[at : at + LINES_AT_ONCE])
            run = callers[some[0]]
            yield replace(run, callers=some, targets=(), wanted=(), traces=(), timeout=run.timeout * PATIENCE)

    def _uncalled(self) -> list[Planned]:
        """The files with a class that nobody called with arguments of its own."""

        def called(model: Model) -> bool:
            return any(context.status == "traced" and context.grade != "borrowed" for context in model.contexts)

        return [item for item in self.files if not all(map(called, self._merged(item).models))]

    async def _each(self, work: Iterable[Awaitable[None]]) -> None:
        turn = asyncio.Semaphore(self.at_once)

        async def one(item: Awaitable[None]) -> None:
            async with turn:
                await item

        await asyncio.gather(*(one(item) for item in work))

    async def _rehearse(self, at: int, run: Run, total: int) -> None:
        self._tell(run.callers[0].file, total)
        self._answers.append(_Answer(at, run.callers[0].file, await self.run(run)))

    async def _alone(self, at: int, item: Planned, total: int) -> None:
        """Build and run what no caller explained."""
        self._tell(item.file, total)
        if not item.plan.runs:
            return
        models = self._merged(item).models
        left = tuple(
            Target(model.cls.file, model.cls.qualname, model.cls.line)
            for model in models
            if not explained(model) or model.contexts[0].status != "traced"
        )
        if left:
            run = replace(item.plan.runs[0], targets=left, wanted=(), traces=(), thorough=True)
            before = next((answer for answer in self._own(item.file) if isinstance(answer, Crash)), None)
            self._deeper[item.file] = (run,)
            answers = await rescue(run, before, self.attempt) if before else [await self.run(run)]
            self._answers += [_Answer(at, item.file, answer) for answer in answers]

    def _tell(self, file: str, total: int) -> None:
        self._done += 1
        self.step(f"{self._done}/{total} {file}")

    def _merged(self, item: Planned) -> Result:
        """The file's own answers tell of its problems; every report tells of its classes.

        In the order of the runs, however long each took: of equal evidence the first is shown.
        """
        others = [one.what for one in sorted(self._answers) if one.file != item.file]
        reports = [what for what in others if isinstance(what, Report)]
        result = merge(item.plan, item.text, item.version, [*self._own(item.file), *reports], file=item.file)
        return replace(result, torch=self.torch)

    def _with_untold(self, result: Result) -> Result:
        return replace(result, elsewhere=tuple(filter(self._is_untold, result.elsewhere)))

    def _own(self, file: str) -> list[Report | Crash]:
        return [one.what for one in sorted(self._answers) if one.file == file]

    async def _verify(self, results: list[Result], at: int) -> None:
        """Keep, of the fixes of one result, those that mend."""
        item, result = self.files[at], results[at]
        findings = [await self._offered(item, finding) for finding in result.findings]
        elsewhere = [await self._offered(item, finding) for finding in result.elsewhere]
        results[at] = replace(result, findings=tuple(findings), elsewhere=tuple(elsewhere))

    def _is_untold(self, finding: Finding) -> bool:
        """Whether an error of another file stands in none that is checked as well, and no other file told it."""
        key = finding.location, finding.code
        if key in self._elsewhere or any(item.file == finding.location.file for item in self.files):
            return False
        self._elsewhere.add(key)
        return True

    async def _offered(self, item: Planned, finding: Finding) -> Finding:
        """The finding with the fixes that mend it in the first of the file's runs that shows it."""
        if not finding.fixes:
            return finding
        for run in (*item.plan.runs, *self._deeper.get(item.file, ())):
            before = await self.attempt(run)
            if isinstance(before, Report) and any(_same(finding, other) for other in before.findings):
                return await verify(finding, [(run, before)], self.text_of, self.attempt)
        return replace(finding, fixes=())


def _same(one: Finding, other: Finding) -> bool:
    return (one.code, one.location) == (other.code, other.location)
