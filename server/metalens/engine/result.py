"""What is known of one file at one version: the reports of its runs, merged into a Result, best evidence first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from metalens.plan.plan import Plan
from metalens.protocol.messages import Context, Crash, Expression, Finding, Report, Trace
from metalens.protocol.values import Evidence, Range, Value
from metalens.resolve.classes import ModuleClass

MOST_VALUES = 4

Rank = tuple[bool, bool, bool, int, int, int]

UNTOLD = -1
"""The line of a class that a run met without having been asked for it."""

_SETTINGS = ".toml"

_BEST = (False, False, False, 0, 0, 0)
_WORST = (True, True, True, 99, 99, 99)
_GRADES = ("clean", "mended", "borrowed")
_STATUSES = ("traced", "instantiated", "failed", "skipped")
_SOURCES = {"pin": 0, "call site": 1, "parent": 1, "default": 2, "annotation": 2, "probe": 3, "invented": 4}
_CRASHES = {
    "timeout": "stopped: it ran longer than the time limit",
    "memory": "stopped: it wanted more memory than the limit",
    "exit": "the code ended the interpreter while it was run",
    "signal": "the interpreter crashed while the code was run",
    "cancelled": "stopped: a newer run took its place",
    "internal": "could not be analysed; the log says why",
}


@dataclass(frozen=True)
class Model:
    """A module class and the ways in which it was built and run, best evidence first; none: not explained."""

    cls: ModuleClass
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class Result:
    """What is known of `file`; `text` is what was analysed, and all places are places in it.

    `problem` says calmly why classes without a context have none. `torch` is the version that was used. What is not
    `complete` grows. `settings` are findings about the settings of the workspace, which stand in their own file;
    `elsewhere` are errors that stand in other files, and in which code of this one has a part.
    """

    file: str
    version: int | None
    text: str
    models: tuple[Model, ...]
    findings: tuple[Finding, ...]
    trace: Trace | None
    problem: str = ""
    torch: str = ""
    complete: bool = True
    settings: tuple[Finding, ...] = ()
    elsewhere: tuple[Finding, ...] = ()


def merge(plan: Plan, text: str, version: int | None, reports: Sequence[Report | Crash], *, file: str = "") -> Result:
    """One Result from the reports of a plan's runs, which come in the order of the runs."""
    file = file or _file_of(plan)
    answered = [report for report in reports if isinstance(report, Report)]
    contexts = [context for report in answered for context in report.contexts]
    return Result(
        file=file,
        version=version,
        text=text,
        models=tuple(Model(cls, _contexts_of(cls, contexts)) for cls in plan.classes),
        findings=_findings(answered, lambda finding: finding.location.file == file),
        trace=_trace(file, answered),
        problem=plan.problem or _problem(file, reports),
        settings=tuple(dict.fromkeys([*plan.complaints, *_about_settings(answered)])),
        elsewhere=_findings(answered, lambda finding: _has_part(file, finding)),
    )


def crash_words(crash: Crash) -> str:
    """A run that gave no report, in calm words."""
    return _CRASHES.get(crash.reason, _CRASHES["internal"])


def explained(model: Model) -> bool:
    """Whether anything of the class was seen: it was at least built, or its own code failed."""
    return any(context.status != "skipped" for context in model.contexts)


def context_rank(context: Context) -> Rank:
    """The smaller, the better the evidence: something was seen, pinned, the user's own; then status, grade and source.

    A model that ran on evidence of its own, even where a statement was skipped, shows more than one that nobody called.
    """
    status = _STATUSES.index(context.status) if context.status in _STATUSES else len(_STATUSES)
    source = max(_source_rank(context.arguments), _source_rank(context.inputs))
    grade = _GRADES.index(context.grade) if context.grade in _GRADES else len(_GRADES)
    pinned = "pin" in (_source(context.arguments), _source(context.inputs))
    return context.status == "skipped", not pinned, context.grade == "borrowed", status, grade, source


def _file_of(plan: Plan) -> str:
    if plan.classes:
        return plan.classes[0].file
    return plan.runs[0].callers[0].file if plan.runs and plan.runs[0].callers else ""


def _contexts_of(cls: ModuleClass, contexts: Iterable[Context]) -> tuple[Context, ...]:
    own = [c for c in contexts if (c.file, c.qualname) == (cls.file, cls.qualname) and c.line in (cls.line, UNTOLD)]
    own.sort(key=context_rank)
    kept: list[Context] = []
    for context in own:
        superseded = any(_supersedes(other, context) for other in own)
        if not superseded and not any(_same_evidence(context, other) for other in kept):
            kept.append(context)
    return tuple(kept)


def _supersedes(other: Context, context: Context) -> bool:
    """Whether another context, built from the same arguments, makes this one needless: it ran, or on better inputs."""
    if other.status != "traced" or _text(other.arguments) != _text(context.arguments):
        return False
    probed = context.inputs is not None and context.inputs.source == "probe"
    return context.status in ("instantiated", "skipped") or (probed and context_rank(other) < context_rank(context))


def _source(evidence: Evidence | None) -> str:
    return evidence.source if evidence else ""


def _source_rank(evidence: Evidence | None) -> int:
    """The smaller the better; what is made up in part has a place."""
    return 2 * _SOURCES.get(evidence.source, len(_SOURCES)) + (evidence.location is None) if evidence else 0


def _text(evidence: Evidence | None) -> str:
    return evidence.text if evidence else ""


def _same_evidence(one: Context, other: Context) -> bool:
    return (one.status, _text(one.arguments), _text(one.inputs), one.reason) == (
        other.status,
        _text(other.arguments),
        _text(other.inputs),
        other.reason,
    )


def _findings(reports: Sequence[Report], wanted: Callable[[Finding], bool]) -> tuple[Finding, ...]:
    """Those that are wanted, one for each mistake and place: those of the run with the best evidence."""
    ranked = [
        (_evidence_for(finding, report), index, finding)
        for index, report in enumerate(reports)
        for finding in report.findings
    ]
    # Layers that one expression calls in turn may each be wrong in their own way; a run tells each of them once.
    kept: dict[object, tuple[int, list[Finding]]] = {}
    said: dict[object, int] = {}
    for _, index, finding in sorted(ranked, key=lambda item: item[:2]):
        # Another run may meet the same mistake of a model in another frame.
        first = said.setdefault((finding.code, finding.message, finding.model), index)
        place = (finding.code, finding.location)
        if first != index and place not in kept:
            continue
        run, findings = kept.setdefault(place, (index, []))
        if run == index:
            findings.append(finding)
    found = [finding for _, findings in kept.values() for finding in findings if wanted(finding)]
    return tuple(sorted(found, key=lambda finding: _start(finding.location.range)))


def _has_part(file: str, finding: Finding) -> bool:
    """Whether what PyTorch refuses in another file came about in code of this one."""
    own = finding.location.file
    has_part = file in finding.passes or any(related.location.file == file for related in finding.related)
    return (
        (finding.severity == "error" or bool(finding.torch))
        and own != file
        and not own.endswith(_SETTINGS)
        and has_part
    )


def _about_settings(reports: Sequence[Report]) -> Iterable[Finding]:
    """Pins that cannot be followed, where they do not stand in a Python file."""
    found = (finding for report in reports for finding in report.findings)
    return (finding for finding in found if finding.location.file.endswith(_SETTINGS))


def _evidence_for(finding: Finding, report: Report) -> Rank:
    return min((context_rank(c) for c in report.contexts if c.qualname == finding.model), default=_BEST)


def _trace(file: str, reports: Sequence[Report]) -> Trace | None:
    """Every expression once: what the best run saw there comes first."""
    values: dict[Range, list[Value]] = {}
    for report in sorted(reports, key=lambda report: _report_rank(file, report)):
        for trace in report.traces:
            if trace.file == file:
                for expression in trace.expressions:
                    values.setdefault(expression.range, []).extend(expression.values)
    if not values:
        return None
    merged = (Expression(place, tuple(dict.fromkeys(seen))[:MOST_VALUES]) for place, seen in values.items())
    return Trace(file, tuple(sorted(merged, key=lambda expression: _start(expression.range))))


def _report_rank(file: str, report: Report) -> Rank:
    return min((context_rank(c) for c in report.contexts if c.file == file), default=_WORST)


def _problem(file: str, reports: Sequence[Report | Crash]) -> str:
    """Of the file's own run first: what could not be loaded, or how the run ended."""
    for report in reports:
        if isinstance(report, Crash):
            return crash_words(report)
        if file in report.problems:
            return report.problems[file]
    return ""


def _start(place: Range) -> tuple[int, int, int, int]:
    return place.start.line, place.start.column, place.end.line, place.end.column
