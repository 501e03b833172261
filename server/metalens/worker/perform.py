"""One run from end to end: load, trace, judge; and the warming of a process that will do many."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Optional

import torch

from metalens.protocol.messages import CUT_SHORT, Caller, Finding, Pin, Report, Run, Target
from metalens.worker import judge
from metalens.worker.agreed import Chosen, is_of_data
from metalens.worker.judge.case import Case
from metalens.worker.judge.indices import beyond
from metalens.worker.judge.judge import no_repairs, tell
from metalens.worker.judge.quiet import Watch
from metalens.worker.judge.silent import suspicion
from metalens.worker.load.sources import Sources
from metalens.worker.seeking import seek_all
from metalens.worker.trace import collect, pinned
from metalens.worker.trace.again import judge_failed
from metalens.worker.trace.alone import Alone, build_alone, run_alike, run_alone
from metalens.worker.trace.deadline import TOO_LONG, OutOfTime, deadline
from metalens.worker.trace.declared import declares_inputs
from metalens.worker.trace.facts import Failure
from metalens.worker.trace.failures import failure_of
from metalens.worker.trace.following import Following
from metalens.worker.trace.hybrid import Hybrid, Limit
from metalens.worker.trace.modes import run_untrained
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.parts import know_parts
from metalens.worker.trace.rehearse import Stage
from metalens.worker.trace.tracer import Tracer
from metalens.worker.trace.world import world
from metalens.worker.varied import Variation, rests_on_data
from metalens.worker.within import is_refused_as_written

# A rehearsal may take this share of the run's time; what is left is for the classes that it did not explain.
_SHARE = 0.6
_VARIED = 0.9  # and with what is done again because of a mistake, which tells more than what is left
# One program of a page may take this share of what is left for the page: those before it promised more.
_SLOW = 0.5
_MOST_DEPTH = 3000

_AHEAD = 1.5  # of what is left for each caller behind it

# And following one pin this one.
_PINNED = 0.2


class Met(BaseException):
    """What a run waited for was found."""


def warm() -> None:
    """Run the common layers once on meta tensors, so that a forked child finds everything loaded."""
    nn = torch.nn
    with torch.no_grad(), Hybrid(lambda reason: None, lambda *raised: None), world():
        image = torch.empty((2, 3, 16, 16), device="meta")
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout())(
            image
        )
        tokens = nn.Embedding(64, 32)(torch.empty((2, 8), dtype=torch.int64, device="meta"))
        nn.TransformerEncoderLayer(32, 4, batch_first=True)(tokens)
        nn.LSTM(32, 16, batch_first=True)(tokens)
        hidden = nn.Linear(32, 64)(nn.LayerNorm(32)(tokens))
        nn.functional.cross_entropy(hidden.flatten(0, 1), torch.empty(16, dtype=torch.int64, device="meta"))
        torch.einsum("bij,bkj->bik", hidden, hidden).softmax(-1) @ hidden
        torch.cat([hidden, hidden], 1).view(2, -1).transpose(0, 1).mean()
    with contextlib.suppress(ImportError):
        importlib.import_module("packaging.version")  # which scripts use without importing it, as others have
    with contextlib.suppress(RuntimeError):
        nn.Linear(4, 4, device="meta")(torch.empty((2, 3), device="meta"))


def perform(run: Run) -> Report:
    """Do one run in this process. Whatever user code does short of killing the process ends in the report."""
    started, began = time.perf_counter(), time.process_time()
    sys.setrecursionlimit(_MOST_DEPTH)
    sources = Sources(run.root, run.overlay)
    tracer = Tracer()
    observer = Observer(tracer, sources.holds)
    watch = Watch(tracer, observer)
    failures = tracer.facts.failed
    doubtful: list[Failure] = []
    chosen = Chosen()
    current: list[Caller] = []
    rehearsing: list[Caller] = []
    enough: list[int] = []  # so many failures end a rehearsal that is done again
    alone: dict[tuple[str, str], Alone] = {}
    probed: dict[int, str] = {}

    def failure_with(error: BaseException) -> Optional[Failure]:
        failure = failure_of(error, tracer, observer)
        if failure is not None and current:
            failure = replace(failure, caller=run.callers.index(current[-1]))
        if failure is not None and failure.grade != "clean" and is_refused_as_written(failure, tracer.facts):
            return replace(failure, grade="clean")
        if failure is None or not (current and current[-1].alike and is_of_data(failure, tracer.facts)):
            return failure
        tracer.mended = tracer.mended or f"{os.path.basename(current[-1].file)} may be meant for other data"
        return replace(failure, grade="mended")

    def failed(error: BaseException) -> None:
        failure = failure_with(error)
        if failure is not None:
            doubtful.extend([failure] if rests_on_data(failure, tracer.mended) else ())
            if current and current[-1].assumed and not tracer.doubted:
                chosen.add(current[-1], failure, observer)
            failures.append(failure)
            stop_at(judge.case_of(failure, tracer.facts) if run.until is not None else None)
            stop_at_last()

    def refused(error: BaseException) -> None:
        """What a class raised that was built with arguments which are made up."""
        failure = failure_of(error, tracer, observer)
        if failure is not None and is_refused_as_written(failure, tracer.facts):
            failures.append(replace(failure, grade="clean"))

    def stop_at(case: Optional[Case]) -> None:
        """End the run at the finding that it waits for."""
        if case is None or run.until is None or not rehearsing:
            return
        with torch._C.DisableTorchFunction():
            found = tell(case, no_repairs)
        if (found.code, found.location) == (run.until.code, run.until.location):
            raise Met

    def stop_at_last() -> None:
        if enough and len(failures) >= enough[0]:
            raise Met

    def confirmed(error: BaseException) -> bool:
        if observer.call_source == "probe" and not tracer.fixed:
            return False
        failure = failure_with(error)
        case = judge.case_of(failure, tracer.facts) if failure is not None else None
        if failure is None or case is None:
            return False
        failures.append(failure)
        stop_at(case)
        stop_at_last()
        return True

    wrong: list[Finding] = []

    def follow(pins: Iterable[Pin]) -> None:
        for pin in pins:
            with contextlib.suppress(OutOfTime, Limit), deadline(run.timeout * _PINNED):
                wrong.extend(pinned.follow(pin, stage, observer))
            mode.settle()

    def again(caller: Caller, at: int, most: int) -> None:
        enough[:] = [len(failures) + most]
        try:
            stage.rehearse(caller, stage.programs_of(caller)[at])
        except Met:
            pass
        finally:
            enough.clear()

    tracer.on_failure, tracer.on_refusal = failed, refused
    tracer.recovery.confirm = confirmed

    def suspected(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Exception]:
        return suspicion(function, args, kwargs) or beyond(tracer.facts, function, args, kwargs)

    with torch.no_grad(), Following(tracer, suspected, watch.saw) as mode, world(), observer:
        stage = Stage(run.root, run.import_paths, sources, tracer)
        follow(pin for pin in run.pins if pin.arguments_at is not None)
        met = False
        for index, caller in enumerate(run.callers):
            if met:
                break
            share = _share(run, index, time.process_time() - began)
            explained = index and not caller.needed and _all_explained(run, observer, in_any_way=caller.assumed)
            if share <= 0 or explained or (index and run.thorough and _all_given(run, observer)):
                continue
            end = time.process_time() + share
            current[:] = [caller]
            programs = stage.programs_of(caller)
            given = set[tuple[str, str]]()
            for at, program in enumerate(programs):
                left = end - time.process_time()
                if left <= 0:
                    break
                # An example that sets what none before it set may go another way through a model.
                new = not program.mended and not program.settings <= given
                if at and not new and _all_explained(run, observer, in_any_way=bool(program.mended)):
                    continue
                given |= program.settings
                failed_before = len(failures)
                # Of many programs in one page a slow one leaves time for those behind it.
                with deadline(max(left / (len(programs) - at), left * _SLOW)):
                    rehearsing.append(caller)
                    try:
                        stage.rehearse(caller, program)
                    except Met:
                        met = True
                        break
                    except (OutOfTime, Limit):
                        stage.problems[caller.file] = f"the rehearsal of {caller.file} {CUT_SHORT}"
                    except BaseException as error:  # noqa: BLE001 - whatever ends the user's script ends it alone
                        stage.problems[caller.file] = f"its code ended with {type(error).__name__}"
                    finally:
                        rehearsing.clear()
                mode.settle()
                if doubtful:
                    left = (run.timeout * _VARIED - (time.process_time() - began)) / 2
                    once_more = partial(again, caller, at, len(failures) - failed_before)
                    with contextlib.suppress(OutOfTime, Limit), watch.looking_away():
                        wrong += Variation(once_more, failures, observer, left).stays()
                    doubtful.clear()
                    mode.settle()
        current.clear()
        with contextlib.suppress(OutOfTime, Limit), deadline(run.timeout * 0.2):
            know_parts(observer)
            if run.explore:
                run_alike(observer)
            if not met:
                run_untrained(observer)
        mode.settle()
        follow(pin for pin in run.pins if pin.arguments_at is None)
        for target in _left(run, observer) if run.explore and not met else ():
            if run.thorough and target in run.targets:
                continue  # it was probed before, and is searched below
            left = run.timeout * 0.9 - (time.process_time() - began)
            if left <= 0:
                break
            with deadline(min(left, 2.0)):
                try:
                    _explain(target, target in run.targets, stage, observer, alone, probed)
                except (OutOfTime, Limit):
                    alone.setdefault((target.file, target.qualname), Alone(TOO_LONG))
                except BaseException as error:  # noqa: BLE001 - whatever ends this class leaves the others alone
                    alone.setdefault(
                        (target.file, target.qualname), Alone(f"its code ended with {type(error).__name__}")
                    )
            mode.settle()
        mode.settle()
        if run.thorough and not met:
            if run.targets and not stage.rehearsed:
                stage.define(run.targets[0].file)
            seek_all(run, stage, observer, mode, began)
    tracer.name_modules()
    wrong += chosen.findings(observer.seen, tracer.facts)
    told = judge.findings_of(failures, tracer.facts)
    known = {(finding.location, finding.code) for finding in told}
    more = [finding for finding in wrong if (finding.location, finding.code) not in known]
    findings = (*told, *watch.findings(), *more)
    return Report(
        id=run.id,
        contexts=collect.contexts(observer, (*run.targets, *run.wanted), alone, probed),
        findings=findings,
        traces=collect.traces(tracer, run.traces),
        files=tuple(sorted(sources.texts)),
        problems=stage.problems,
        seconds=time.perf_counter() - started,
    )


def _share(run: Run, index: int, elapsed: float) -> float:
    """How long a caller may take: the first all that rehearsals may, each further one somewhat more than its part."""
    left = run.timeout * _SHARE - elapsed
    return run.timeout * _SHARE if index == 0 else left * min(1.0, _AHEAD / (len(run.callers) - index))


def _all_explained(run: Run, observer: Observer, in_any_way: bool = False) -> bool:
    """Whether each wanted class was called with evidence that may judge it, or `in_any_way`."""
    called = {
        (seen.file, type(seen.built.module).__qualname__)
        for seen in observer.seen
        if seen.called is not None
        and ((in_any_way and seen.returned) or (not seen.mended and (not seen.returned or not seen.call_mended)))
    }
    return bool(run.wanted) and all((target.file, target.qualname) in called for target in run.wanted)


def _all_given(run: Run, observer: Observer) -> bool:
    """Whether code says of each target how it is built."""
    given = {
        (seen.file, type(seen.built.module).__qualname__)
        for seen in observer.seen
        if seen.done and (seen.is_own or seen.holes)
    }
    return all((target.file, target.qualname) in given for target in run.targets)


def _left(run: Run, observer: Observer) -> list[Target]:
    """The targets, and the classes (the wanted ones, or all) that were met and may be probed."""
    wanted = {(target.file, target.qualname) for target in run.wanted}
    met = {(seen.file, type(seen.built.module).__qualname__) for seen in observer.seen}
    named = {(target.file, target.qualname) for target in run.targets}
    more = sorted(key for key in met - named if not run.wanted or key in wanted)
    return [*run.targets, *(Target(file, qualname, -1) for file, qualname in more)]


def _explain(
    target: Target,
    may_build: bool,
    stage: Stage,
    observer: Observer,
    alone: dict[tuple[str, str], Alone],
    probed: dict[int, str],
) -> None:
    """Run one class that no caller ran; build it first if none built it either."""
    file, qualname = target.file, target.qualname
    instances = [seen for seen in observer.seen if collect.is_of(seen, file, qualname)]
    judge_failed(instances, observer)
    if any(seen.returned for seen in instances):
        return
    built = [seen for seen in instances if seen.done and seen.called is None]
    if not built and (not may_build or any(seen.called is not None for seen in instances)):
        return
    if not built:
        if not stage.rehearsed:
            stage.define(file)
        cls: Any = stage.class_named(file, qualname)
        if not isinstance(cls, type) or not issubclass(cls, torch.nn.Module):
            alone[file, qualname] = Alone(stage.problems.get(file, "its class statement did not run"))
            return
        problem = build_alone(cls, observer)
        if problem is not None:
            alone[file, qualname] = problem
            return
        built = [seen for seen in observer.seen if collect.is_of(seen, file, qualname) and seen.done][-1:]
    for seen in sorted(built, key=lambda seen: not declares_inputs(seen.root or seen))[:1]:
        # A model that was built but not called shows its parts together better than each is shown by itself.
        for item in (seen.root, seen):
            if item is not None and item.done and item.called is None:
                probed[id(item.built.module)] = run_alone(item, observer, may_judge=item.is_own)
