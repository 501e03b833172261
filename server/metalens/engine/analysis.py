"""One analysis of one file: its plan is run, fixes are tried, and the result grows richer from step to step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from metalens.engine.deepen import deeper_runs, narrowed
from metalens.engine.lines import shift_between
from metalens.engine.rescue import rescue
from metalens.engine.result import Model, Rank, Result, context_rank, merge
from metalens.engine.verify import LITTLE_PATIENCE, PATIENCE, Edits, verify
from metalens.plan.plan import Plan
from metalens.protocol.messages import Context, Crash, Finding, Report, Run
from metalens.protocol.values import Location

Runner = Callable[[Run], Awaitable[Report | Crash]]
Texts = Callable[[str], str]

_Key = tuple[str, Location]

_NO_EVIDENCE = (True, True, True, 99, 99, 99)
_OWN_EVIDENCE = (False, True, False, 0, 0, 99)  # something was seen, the grade is clean, and forward ran to its end

# After so many seconds of runs, choices that nobody wrote are gone through no further, and no more fixes are tried.
_CHOOSING = 40.0
_FIXING = 90.0


@dataclass
class Analysis:
    """The state of one analysis.

    `run` does the plan's runs, `attempt` those that try a fix. `answers` are by index of the plan's runs. `previous`
    and `foreign` (its findings that other callers brought) fill the gaps until those callers have been run again, so
    that nothing flickers while somebody types.
    """

    file: str
    text: str
    version: int | None
    plan: Plan
    run: Runner
    attempt: Runner
    text_of: Texts
    torch: str = ""
    at_once: int = 2
    previous: Result | None = None
    foreign: tuple[Finding, ...] = ()
    answers: dict[int, Report | Crash] = field(default_factory=dict)
    first_seconds: float = 0.0
    _spent: float = 0.0
    _rescued: list[Report] = field(default_factory=list)
    _deeper: list[tuple[Run, Report]] = field(default_factory=list)
    _deepened: bool = False
    _left_out: set[int] = field(default_factory=set)
    _verified: dict[_Key, tuple[frozenset[int], Finding]] = field(default_factory=dict)
    _refused: dict[_Key, set[Edits]] = field(default_factory=dict)

    async def complete(self, publish: Callable[[Result], None]) -> Result:
        """Run everything; `publish` gets each result on the way that says something new, the last one included."""
        started = time.perf_counter()
        runs = self.plan.runs
        shown: Result | None = None
        if runs:
            self.answers[0] = await self._timed(self.run, runs[0])
            self.first_seconds = time.perf_counter() - started
            shown = self._show(None, publish)
            self._rescued = await rescue(runs[0], self.answers[0], partial(self._timed, self.attempt))
            if len(runs) > 1:
                await self._verify()
                shown = self._show(shown, publish)
                shown = await self._run_others(shown, publish)
            await self._verify()
            shown = self._show(shown, publish)
            await self._deepen()
        final = self._show(shown, publish)
        self.foreign = self._of_others(final)
        return final

    def reads(self) -> frozenset[str]:
        """The files on which the result rests."""
        read = {file for answer in self.answers.values() if isinstance(answer, Report) for file in answer.files}
        return frozenset(read | {caller.file for run in self.plan.runs for caller in run.callers} | {self.file})

    async def _deepen(self) -> None:
        """Search for what the classes run with that no caller ran."""
        for run in deeper_runs(self.plan.runs, self.answers, self._merged().models):
            answer = await self._timed(self.run, run)
            if isinstance(answer, Report):
                self._deeper.append((run, answer))
        if self._deeper:
            await self._verify()
        self._deepened = True

    async def _run_others(self, shown: Result, publish: Callable[[Result], None]) -> Result:
        turn = asyncio.Semaphore(self.at_once)

        async def one(index: int) -> None:
            async with turn:
                if index < self.plan.telling or (self._spent < _CHOOSING and not self._explained()):
                    self.answers[index] = await self._timed(self.run, self.plan.runs[index])
                else:
                    self._left_out.add(index)

        tasks = [asyncio.create_task(one(index)) for index in range(1, len(self.plan.runs))]
        try:
            for arrived in asyncio.as_completed(tasks):
                await arrived
                shown = self._show(shown, publish)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return shown

    async def _timed(self, run: Runner, wanted: Run) -> Report | Crash:
        answer = await run(wanted)
        self._spent += answer.seconds if isinstance(answer, Report) else wanted.timeout
        return answer

    def _explained(self) -> bool:
        """Whether every class is known from evidence of its own, so that further callers can only repeat it."""
        models = self._merged().models
        return all(model.contexts and context_rank(model.contexts[0]) <= _OWN_EVIDENCE for model in models)

    def _show(self, shown: Result | None, publish: Callable[[Result], None]) -> Result:
        merged = self._merged()
        answered = self._all_answered(merged)
        result = merged if answered else self._carried(merged)
        findings, elsewhere = (tuple(map(self._offered, found)) for found in (result.findings, result.elsewhere))
        result = replace(result, findings=findings, elsewhere=elsewhere, torch=self.torch)
        result = replace(result, complete=answered and self._all_tried(merged))
        if result != shown:
            publish(result)
        return result

    def _merged(self) -> Result:
        deeper = (answer for _, answer in self._deeper)
        answers = [*(self.answers[index] for index in sorted(self.answers)), *self._rescued, *deeper]
        return merge(self.plan, self.text, self.version, answers, file=self.file)

    def _offered(self, finding: Finding) -> Finding:
        known = self._verified.get(_key(finding))
        return known[1] if known else replace(finding, fixes=())

    async def _verify(self) -> None:
        """Try the fixes of each finding in all runs that found it, unless that was done already.

        Where more runs found it since then, what mended the earlier ones is tried in those, or what was not tried yet.
        """
        merged = self._merged()
        attempt = partial(self._timed, self.attempt)
        for finding in (*merged.findings, *merged.elsewhere):
            told = [(self.plan.runs[index], answer) for index, answer in sorted(self.answers.items())]
            found_by = [
                (run, answer)
                for run, answer in [*told, *narrowed(self._deeper, finding)]
                if isinstance(answer, Report) and any(_key(other) == _key(finding) for other in answer.findings)
            ]
            # What somebody wrote counts; choices that are open are many, and show the same. What is searched for is the
            # less sure, as a search goes another way where the mistake is gone.
            found_by = [found for found in found_by if not found[0].thorough] or found_by
            found_by = [found for found in found_by if _is_written(found[0])] or found_by
            known = self._verified.get(_key(finding))
            told_by = frozenset(id(answer) for _, answer in found_by)  # which are all kept
            if not known or known[0] != told_by:
                candidates = finding.fixes
                if known and known[1].fixes:
                    candidates = known[1].fixes
                    found_by = [found for found in found_by if id(found[1]) not in known[0]] or found_by
                patience = PATIENCE if finding.location.file == self.file else LITTLE_PATIENCE
                patience = min(patience, _FIXING - self._spent)
                tried = replace(finding, fixes=candidates)
                refused = self._refused.setdefault(_key(finding), set())
                offered = await verify(tried, found_by, self.text_of, attempt, patience, refused)
                self._verified[_key(finding)] = told_by, offered

    def _all_tried(self, merged: Result) -> bool:
        told = (*merged.findings, *merged.elsewhere)
        return all(_key(finding) in self._verified for finding in told if finding.fixes)

    def _all_answered(self, merged: Result) -> bool:
        if len(self.answers) + len(self._left_out) < len(self.plan.runs):
            return False
        return self._deepened or not deeper_runs(self.plan.runs, self.answers, merged.models)

    def _carried(self, result: Result) -> Result:
        if self.previous is None:
            return result
        known = {model.cls.qualname: model.contexts for model in self.previous.models}
        models = tuple(Model(m.cls, min(m.contexts, known.get(m.cls.qualname, ()), key=_rank)) for m in result.models)
        present = {_key(finding) for finding in result.findings}
        kept = [finding for finding in self._moved_foreign() if _key(finding) not in present]
        return replace(result, models=models, findings=(*result.findings, *kept))

    def _moved_foreign(self) -> Iterable[Finding]:
        if self.previous is None or not self.foreign:
            return
        shift = shift_between(self.previous.text, self.text)
        for finding in self.foreign:
            if place := shift.newer_range(finding.location.range):
                yield replace(finding, location=Location(self.file, place), fixes=())

    def _of_others(self, final: Result) -> tuple[Finding, ...]:
        own = self.answers.get(0)
        found = {_key(finding) for finding in own.findings} if isinstance(own, Report) else set()
        return tuple(finding for finding in final.findings if _key(finding) not in found)


def _is_written(run: Run) -> bool:
    return not all(caller.assumed for caller in run.callers)


def _rank(contexts: tuple[Context, ...]) -> Rank:
    """Of equally good evidence the newer is taken, which stands first where this is used."""
    return context_rank(contexts[0]) if contexts else _NO_EVIDENCE


def _key(finding: Finding) -> _Key:
    return finding.code, finding.location
