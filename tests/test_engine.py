"""What happens over time: latest wins, results in steps, fixes tried first, faults apart. The worker is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from harness.results import FILE, ROOT, tensor
from harness.scenes import NET, built, finding, report
from harness.workers import Asked, FakeWorker, Listener
from metalens.engine.edits import moved
from metalens.engine.engine import Engine
from metalens.engine.result import Result
from metalens.engine.verify import ENOUGH
from metalens.plan.plan import Plan
from metalens.protocol.messages import Caller, Crash, Edit, Fix, Report, Run
from metalens.protocol.values import Evidence
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

TRAIN = str(ROOT / "train.py")
OTHER = str(ROOT / "other.py")


@dataclass
class Desk:
    """An engine on a workspace with net.py open."""

    engine: Engine
    workspace: Workspace
    worker: FakeWorker
    listener: Listener

    def type(self, text: str, version: int, file: str = FILE) -> None:
        self.workspace.open(file, text, version)
        self.engine.touch(file)


@asynccontextmanager
async def desk(
    callers: Sequence[str] = (), *, worker: FakeWorker | None = None, idle: str = "", telling: int = 0
) -> AsyncIterator[Desk]:
    workspace, listener, worker = Workspace(ROOT), Listener(), worker or FakeWorker()

    def plan(workspace: Workspace, settings: Settings, file: str) -> Plan:
        classes = replace(NET, text=workspace.text(file), file=file).plan().classes
        files = [file, *(callers if file == FILE else ())]
        runs = tuple(
            Run(0, str(ROOT), (), (Caller(caller),), (), overlay=workspace.overlay(), traces=(file,))
            for caller in files
        )
        return Plan(classes, runs, "", telling=telling or len(runs))

    engine = Engine(
        workspace,
        Settings(),
        None if idle else Interpreter("python", "test"),
        listener=listener,
        idle=idle,
        make_worker=lambda: worker,
        plan=plan,
    )
    try:
        yield Desk(engine, workspace, worker, listener)
    finally:
        await asyncio.wait_for(engine.stop(), 5)


def statuses(result: Result) -> list[str]:
    return [context.status for model in result.models for context in model.contexts]


# ---------------------------------------------------------------- steps


async def test_an_opened_file_gives_a_result_of_its_version():
    async with desk() as d:
        d.type(NET.text, 7)
        (await d.worker.nth(1)).reply(report(built()))
        result = await d.listener.until(lambda results: len(results) == 1)
    assert (result.file, result.version, result.text, result.torch) == (FILE, 7, NET.text, "2.13.0")
    assert statuses(result) == ["traced"]
    assert d.worker.stopped


async def test_the_first_report_is_shown_before_other_callers_have_answered():
    async with desk([TRAIN, OTHER]) as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report())
        first = await d.listener.until(lambda results: len(results) == 1)
        assert statuses(first) == []
        (await d.worker.nth(2)).reply(report(built(arguments=Evidence("Net()", "parent"))))
        second = await d.listener.until(lambda results: len(results) == 2)
        assert statuses(second) == ["traced"]
        (await d.worker.nth(3)).reply(report(built(arguments=Evidence("Net(1)", "call site"))))
        last = await d.listener.until(lambda results: len(results) == 3)
        assert statuses(last) == ["traced", "traced"]


async def test_callers_that_find_no_mistakes_are_left_out_once_all_is_explained():
    async with desk([TRAIN, OTHER], worker=FakeWorker(lambda run: report(built())), telling=2) as d:
        await _checked(d)
        assert [asked.run.callers[0].file for asked in d.worker.asked] == [FILE, TRAIN]
    async with desk([TRAIN, OTHER], worker=FakeWorker(lambda run: report()), telling=1) as d:
        await _checked(d)
        assert [asked.run.callers[0].file for asked in d.worker.asked] == [FILE, TRAIN, OTHER]


async def test_a_caller_that_crashes_takes_nothing_along():
    async with desk([TRAIN]) as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report(built()))
        (await d.worker.nth(2)).reply(Crash(0, "timeout", "it took 10 s"))
        await asyncio.wait_for(d.engine._jobs[FILE].task, 5)
        result = d.listener.results[-1]
    assert statuses(result) == ["traced"]
    assert d.listener.faults == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("timeout", "stopped: it ran longer than the time limit"),
        ("memory", "stopped: it wanted more memory than the limit"),
        ("exit", "the code ended the interpreter while it was run"),
        ("signal", "the interpreter crashed while the code was run"),
    ],
)
async def test_a_crash_is_told_in_calm_words(reason: str, words: str):
    async with desk(worker=FakeWorker(lambda run: Crash(run.id, reason, "detail"))) as d:
        result = await _checked(d)
    assert result.problem == words
    assert (result.findings, d.listener.faults) == ((), [])


async def _checked(d: Desk) -> Result:
    d.workspace.open(FILE, NET.text, 1)
    return await asyncio.wait_for(d.engine.check(FILE), 5)


async def test_an_internal_crash_is_a_fault_too():
    async with desk(worker=FakeWorker(lambda run: Crash(run.id, "internal", "KeyError"))) as d:
        result = await _checked(d)
    assert result.problem == "could not be analysed; the log says why"
    assert d.listener.faults == ["the worker failed: KeyError"]


# ---------------------------------------------------------------- latest wins


async def test_a_newer_text_cancels_the_older_run_and_replaces_it():
    async with desk() as d:
        d.type(NET.text, 1)
        old = await d.worker.nth(1)
        newer = NET.text.replace("20", "21")
        d.type(newer, 2)
        new = await d.worker.nth(2)
        assert old.cancelled
        assert new.run.overlay[FILE] == newer
        new.reply(report(built()))
        result = await d.listener.until(lambda results: len(results) == 1)
    assert result.version == 2
    assert [r.version for r in d.listener.results] == [2]


async def test_ten_keys_in_a_row_become_two_runs_at_most():
    async with desk() as d:
        for version in range(1, 11):
            d.type(NET.text + "#" * version, version)
        d.worker.respond = lambda run: report(built())
        for asked in d.worker.asked:
            asked.reply(report())
        result = await d.listener.until(lambda results: bool(results) and results[-1].version == 10)
        assert result.text.endswith("#" * 10)
        assert len(d.worker.asked) <= 2


async def test_a_closed_file_is_forgotten():
    async with desk() as d:
        d.type(NET.text, 1)
        asked = await d.worker.nth(1)
        task = d.engine._jobs[FILE].task
        d.engine.close(FILE)
        await asyncio.wait([task], timeout=5)
        assert asked.cancelled
        assert d.listener.results == []


async def test_what_other_callers_told_stays_while_one_types():
    """The class is explained by train.py alone, and so is the mistake; both must not vanish between two keys."""
    async with desk([TRAIN]) as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report())
        (await d.worker.nth(2)).reply(report(built(), findings=[finding()]))
        await d.listener.until(lambda results: len(results) == 2)
        shifted = replace(NET, text="\n" + NET.text)
        d.type(shifted.text, 2)
        (await d.worker.nth(3)).reply(report())
        between = await d.listener.until(lambda results: len(results) == 3)
        assert statuses(between) == ["traced"]
        assert [f.location for f in between.findings] == [shifted.location("self.fc(x)")]
        (await d.worker.nth(4)).reply(report(replace(built(), line=4)))
        last = await d.listener.until(lambda results: len(results) == 4)
        assert (statuses(last), last.findings) == (["traced"], ())


async def test_files_that_rest_on_an_edited_file_are_analysed_again():
    elsewhere = replace(built(), file=OTHER)
    async with desk() as d:
        d.type(NET.text, 1, OTHER)
        (await d.worker.nth(1)).reply(report(elsewhere, files=[OTHER, FILE]))
        await d.listener.until(lambda results: len(results) == 1)
        d.type(NET.text, 1)
        (await d.worker.nth(2)).reply(report(built(), files=[FILE, OTHER]))
        (await d.worker.nth(3)).reply(report(elsewhere, files=[OTHER, FILE]))
        await d.listener.until(lambda results: len(results) == 3)
        assert [r.file for r in d.listener.results] == [OTHER, FILE, OTHER]
        await asyncio.wait_for(d.engine._jobs[OTHER].task, 5)
        assert len(d.worker.asked) == 3, "a dependent that was run again wakes nobody"


async def test_a_caller_that_is_opened_is_evidence_for_what_it_calls():
    async with desk() as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 1)
        d.type(NET.text, 1, OTHER)
        (await d.worker.nth(2)).reply(report(replace(built(), file=OTHER), files=[OTHER, FILE]))
        (await d.worker.nth(3)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 3)
        assert [r.file for r in d.listener.results] == [FILE, OTHER, FILE]


async def test_a_file_that_changed_on_the_disk_wakes_those_that_rest_on_it():
    async with desk() as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report(built(), files=[FILE, TRAIN]))
        await d.listener.until(lambda results: len(results) == 1)
        d.engine.changed_on_disk([OTHER])
        d.engine.changed_on_disk([TRAIN])
        (await d.worker.nth(2)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 2)


# ---------------------------------------------------------------- fixes


def fix(text: str, *, preferred: bool = False, guess: bool = False) -> Fix:
    return Fix(f"Use {text}", (Edit(NET.location("10, 20"), text),), preferred, guess)


def answering(**by_text: Report | Crash) -> FakeWorker:
    """Answers by what stands in the constructor."""

    def respond(run: Run) -> Report | Crash:
        for text, answer in by_text.items():
            if f"Linear({text[1:].replace('_', ', ')})" in run.overlay.get(FILE, ""):
                return answer
        raise AssertionError("an unexpected text")

    return FakeWorker(respond)


OTHER_MISTAKE = replace(finding(), location=NET.location("return"), code="conv-in-channels")


async def test_only_fixes_that_mend_are_offered():
    fixes = [fix("1, 2"), fix("3, 4", preferred=True), fix("5, 6", preferred=True), fix("7, 8"), fix("9, 9")]
    failing = built(status="instantiated")
    worker = answering(
        n10_20=report(failing, findings=[finding(fixes=fixes)]),
        n1_2=report(failing, findings=[replace(finding(), location=moved(finding().location, fixes[0].edits))]),
        n3_4=report(built()),
        n5_6=report(built(), findings=[OTHER_MISTAKE]),
        n7_8=Crash(0, "timeout", ""),
        n9_9=report(failing),
    )
    async with desk(worker=worker) as d:
        result = await _checked(d)
    assert [(f.title, f.preferred) for f in result.findings[0].fixes] == [("Use 3, 4", True)]


async def test_a_guess_is_tried_only_where_nothing_likelier_mends():
    failing = built(status="instantiated")
    fixes = [fix("9, 9", guess=True), fix("3, 4"), fix("5, 6")]
    found = report(failing, findings=[finding(fixes=fixes)])
    worker = answering(n10_20=found, n3_4=report(built()), n5_6=report(built()), n9_9=report(built()))
    async with desk(worker=worker) as d:
        result = await _checked(d)
    assert [f.title for f in result.findings[0].fixes] == ["Use 3, 4", "Use 5, 6"]
    worker = answering(n10_20=found, n3_4=found, n5_6=found, n9_9=report(built()))
    async with desk(worker=worker) as d:
        result = await _checked(d)
    assert [(f.title, f.preferred) for f in result.findings[0].fixes] == [("Use 9, 9", False)]


async def test_a_fix_knows_what_forward_then_gives():
    failing = built(status="instantiated")
    worker = answering(
        n10_20=report(failing, findings=[finding(fixes=[fix("3, 4")])]), n3_4=report(built(output=tensor(32, 5)))
    )
    async with desk(worker=worker) as d:
        result = await _checked(d)
    assert [f.gives for f in result.findings[0].fixes] == [tensor(32, 5)]


async def test_enough_fixes_are_enough():
    fixes = [fix(f"{size}, 4") for size in range(1, ENOUGH + 3)]
    answers = {f"n{size}_4": report(built()) for size in range(1, ENOUGH + 3)}
    worker = answering(n10_20=report(built(status="instantiated"), findings=[finding(fixes=fixes)]), **answers)
    async with desk(worker=worker) as d:
        result = await _checked(d)
    assert len(result.findings[0].fixes) == ENOUGH


async def test_a_mistake_is_shown_before_its_fixes_are_tried():
    failed = built(status="instantiated", inputs=Evidence("x [2, 10]", "call site"))
    async with desk() as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report(failed, findings=[finding(fixes=[fix("3, 4")])]))
        first = await d.listener.until(lambda results: len(results) == 1)
        assert [f.fixes for f in first.findings] == [()]
        tried = await d.worker.nth(2)
        assert "nn.Linear(3, 4)" in tried.run.overlay[FILE]
        tried.reply(report(built()))
        last = await d.listener.until(lambda results: len(results) == 2)
        assert [f.title for f in last.findings[0].fixes] == ["Use 3, 4"]


# ---------------------------------------------------------------- faults and limits


async def test_a_worker_that_cannot_serve_is_a_fault_and_leaves_the_classes():
    async with desk(worker=FakeWorker(unusable="no torch in this interpreter")) as d:
        d.type(NET.text, 1)
        assert await d.listener.until_fault() == "no torch in this interpreter"
        result = await d.listener.until(lambda results: len(results) == 1)
    assert [model.cls.qualname for model in result.models] == ["Net"]
    assert result.findings == ()


async def test_without_trust_nothing_runs():
    async with desk(idle="not run: this workspace is not trusted") as d:
        d.type(NET.text, 1)
        result = await d.listener.until(lambda results: len(results) == 1)
    assert d.worker.asked == []
    assert result.problem == "not run: this workspace is not trusted"
    assert [model.cls.qualname for model in result.models] == ["Net"]


async def test_a_file_that_is_gone_is_a_problem():
    async with desk() as d:
        gone = await asyncio.wait_for(d.engine.check(str(ROOT / "gone.py")), 5)
    assert gone.problem == "gone.py does not exist any more."


async def test_a_defect_of_ours_ends_one_analysis_only():
    async with desk() as d:
        plan = d.engine._plan
        d.engine._plan = lambda *given: 1 / 0
        d.type(NET.text, 1)
        assert "internal error" in await d.listener.until_fault()
        d.engine._plan = plan
        d.type(NET.text, 2)
        (await d.worker.nth(1)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 1)


async def test_a_restart_analyses_everything_open_again():
    async with desk() as d:
        d.type(NET.text, 1)
        (await d.worker.nth(1)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 1)
        await asyncio.wait_for(d.engine.restart(), 5)
        assert d.worker.stopped
        (await d.worker.nth(2)).reply(report(built()))
        await d.listener.until(lambda results: len(results) == 2)


async def test_of_equal_evidence_the_first_is_shown_however_long_its_run_took() -> None:
    async with desk([TRAIN, OTHER]) as d:
        d.workspace.open(FILE, NET.text, 1)
        check = asyncio.ensure_future(d.engine.check_all([FILE], lambda step: None))
        (await d.worker.nth(1)).reply(report())  # net.py itself, which builds nothing
        slow, quick = await d.worker.nth(2), await d.worker.nth(3)
        quick.reply(shown(quick))
        slow.reply(shown(slow))
        (result,) = await asyncio.wait_for(check, 5)
    evidence = result.models[0].contexts[0].arguments
    assert evidence is not None
    assert evidence.text == f"Net({slow.run.callers[0].file})"


def shown(asked: Asked) -> Report:
    return report(built(arguments=Evidence(f"Net({asked.run.callers[0].file})", "call site")))
