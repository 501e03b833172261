"""After the callers have been run: further runs for the classes that none of them ran, which take their time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from metalens.engine.result import Model
from metalens.protocol.messages import Context, Crash, Finding, Report, Run, Target

_MORE_TIME = 2.0  # nobody waits for them
_UNKNOWN = 4, True


def deeper_runs(runs: Sequence[Run], answers: Mapping[int, Report | Crash], models: Sequence[Model]) -> list[Run]:
    """For each class that did not run: the run that knows most of it once more, now to search for what it runs with."""
    chosen: dict[int, list[Target]] = {}
    told = {index: answer for index, answer in answers.items() if isinstance(answer, Report)}
    for model in models:
        if told and not _is_explained(model.contexts):
            best = min(told, key=lambda index: (_rank(model, told[index]), index))
            chosen.setdefault(best, []).append(Target(model.cls.file, model.cls.qualname, model.cls.line))
    return [
        replace(runs[index], targets=tuple(targets), thorough=True, timeout=runs[index].timeout * _MORE_TIME)
        for index, targets in sorted(chosen.items())
    ]


def narrowed(told: Iterable[tuple[Run, Report]], finding: Finding) -> Iterator[tuple[Run, Report]]:
    """The runs with the class of a finding as their only target: to try its fixes they need not search the others."""
    for run, report in told:
        own = tuple(target for target in run.targets if target.qualname == finding.model)
        yield replace(run, targets=own or run.targets), report


def _is_explained(contexts: Sequence[Context]) -> bool:
    """Whether the class ran: with the arguments that code gives it, where there are such."""
    ran = [context for context in contexts if _has_run(context)]
    given = [context.arguments for context in contexts if context.status == "instantiated" and _is_own(context)]
    return any(_is_own(context) or not given or context.arguments in given for context in ran)


def _is_own(context: Context) -> bool:
    """Whether code says how it is built, or all of that but sizes that data decides."""
    told = context.arguments
    return context.grade != "borrowed" or (told is not None and told.source == "invented" and told.location is not None)


def _has_run(context: Context) -> bool:
    """Whether it ran to its end, or failed on what a caller called it with."""
    return context.status == "traced" or (context.grade == "clean" and context.inputs is not None)


def _rank(model: Model, report: Report) -> tuple[int, bool]:
    """The smaller, the more a report knows of how a class is built."""
    own = [c for c in report.contexts if (c.file, c.qualname) == (model.cls.file, model.cls.qualname)]
    return min(map(_of_context, own), default=_UNKNOWN)


def _of_context(context: Context) -> tuple[int, bool]:
    """How well it is known, and whether no model around it tells more."""
    if context.status != "instantiated":
        return _UNKNOWN
    is_alone = context.arguments is None or context.arguments.source != "parent"
    return ("clean", "mended", "borrowed").index(context.grade) + (not _is_own(context)), is_alone
