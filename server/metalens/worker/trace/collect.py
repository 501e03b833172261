"""From what a run saw to what it reports: contexts of classes, traces of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

import torch

from metalens.protocol.messages import Context, Expression, Layer, Target, Trace
from metalens.protocol.values import Evidence, Range, Value
from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace import describe
from metalens.worker.trace.alone import Alone
from metalens.worker.trace.deadline import OutOfTime
from metalens.worker.trace.failures import arguments_evidence
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.tracer import FileTrace, Tracer

_CONTEXTS_PER_CLASS = 4
_VALUES_PER_EXPRESSION = 4
_MOST_LAYERS = 2000
_GRADES = ("clean", "mended", "borrowed")
_LIMITS = (UnknownError, Limit, OutOfTime)
_STATUS = ("traced", "instantiated", "failed", "skipped")


def is_of(seen: Seen, file: str, qualname: str) -> bool:
    """Whether an instance is of this class itself."""
    return seen.file == file and type(seen.built.module).__qualname__ == qualname


def contexts(
    observer: Observer,
    targets: Sequence[Target],
    alone: dict[tuple[str, str], Alone],
    probed: dict[int, str],
) -> tuple[Context, ...]:
    """The contexts of all classes in the targets' files (of every file, without any), best evidence first."""
    wanted = {target.file for target in targets}
    lines = {(target.file, target.qualname): target.line for target in targets}
    groups: dict[tuple[str, str], dict[str, Seen]] = {}
    for seen in observer.seen:
        if wanted and seen.file not in wanted:
            continue
        key = (seen.file, type(seen.built.module).__qualname__)
        text = describe.call_text("", seen.built.args, seen.built.kwargs)
        known = groups.setdefault(key, {}).get(text)
        if known is None or _worth(seen) < _worth(known):
            groups[key][text] = seen
    result: list[Context] = []
    for key, group in groups.items():
        made = sorted((_context(seen, observer, lines.get(key, -1), probed) for seen in group.values()), key=_rank)
        result.extend(made[:_CONTEXTS_PER_CLASS])
    for (file, qualname), reason in alone.items():
        if (file, qualname) not in groups:
            status = "failed" if reason.failed else "skipped"
            result.append(Context(file, qualname, lines.get((file, qualname), -1), status, "clean", reason.reason))
    return tuple(result)


def _worth(seen: Seen) -> tuple[bool, ...]:
    """The smaller, the more an instance shows of how its class is used."""
    weak = bool(seen.mended or (seen.returned and seen.call_mended))
    return not seen.returned, seen.assumed, seen.call_source == "probe", weak, not seen.done


def _rank(context: Context) -> tuple[bool, int, int]:
    pinned = any(item is not None and item.source == "pin" for item in (context.arguments, context.inputs))
    return not pinned, _STATUS.index(context.status), _GRADES.index(context.grade)


def _context(seen: Seen, observer: Observer, line: int, probed: dict[int, str]) -> Context:
    module = seen.built.module
    status, reason = _status(seen)
    grade = "clean"
    if seen.mended or (seen.returned and seen.call_mended):
        grade, reason = "mended", reason or seen.mended or seen.call_mended
    if seen.assumed:
        grade = "borrowed"
    inputs: Optional[Evidence] = None
    if seen.called is not None and seen.returned:
        text = describe.inputs_text(module, seen.called.args, seen.called.kwargs)
        inputs = Evidence(text, seen.call_source, None if seen.call_source == "probe" else seen.called.location)
        if seen.call_source == "probe":
            grade = "borrowed"
    usable = status in ("traced", "instantiated")
    return Context(
        file=seen.file,
        qualname=type(module).__qualname__,
        line=line,
        status=status,
        grade=grade,
        reason=reason,
        arguments=arguments_evidence(seen),
        inputs=inputs,
        parameters=describe.parameters_of(module) if usable else (),
        buffers=describe.buffers_of(module) if usable else (),
        layers=_layers(module, observer) if usable else (),
        output=describe.value_of(seen.output) if seen.returned else None,
    )


def _status(seen: Seen) -> tuple[str, str]:
    if seen.returned:
        return "traced", ""
    reason = describe.first_line(seen.ended)
    if isinstance(seen.ended, _LIMITS):
        reason = str(seen.ended)
    if seen.done:
        return "instantiated", reason or "nobody calls it"
    if seen.ended is None or isinstance(seen.ended, _LIMITS):
        return "skipped", reason or "its constructor did not end"
    if isinstance(seen.ended, FileNotFoundError):
        return "skipped", reason  # what is not on this machine may be on the user's
    if seen.mended or seen.assumed:
        return "skipped", f"{reason} ({seen.mended or 'its arguments are made up'})"  # it may well be our doing
    return "failed", reason


def _layers(module: Any, observer: Observer) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for name, part in torch.nn.Module.named_modules(module):
        if not name:
            continue
        if len(layers) >= _MOST_LAYERS:
            break
        built = observer.tracer.facts.built_of(part)
        calls = observer.calls.get(id(part))
        layers.append(
            Layer(
                name=name,
                type=type(part).__name__,
                repr=describe.one_line(part),
                parameters=describe.own_parameters(part),
                attribute=name.split(".")[0],
                defined=built.location if built else None,
                inputs=tuple(describe.value_of(item) for item in calls.args) if calls else (),
                output=describe.value_of(calls.output) if calls else None,
                calls=calls.count if calls else 0,
            )
        )
    return tuple(layers)


# ---------------------------------------------------------------- traces


def traces(tracer: Tracer, files: Iterable[str]) -> tuple[Trace, ...]:
    """What was seen in these files, in source order."""
    return tuple(_trace(tracer.files[file]) for file in files if file in tracer.files)


def _trace(trace: FileTrace) -> Trace:
    values: dict[Range, list[Value]] = {}
    for number, items in trace.seen.items():
        _add(values, trace.table.ranges[number], items)
    for place, number, part in trace.table.aliases:
        items = trace.seen.get(number, [])
        if part is not None:
            items = [item[part] for item in items if isinstance(item, (tuple, list)) and part < len(item)]
        if items:
            _add(values, trace.table.ranges[place], items)
    ordered = sorted(values.items(), key=lambda pair: (pair[0].start.line, pair[0].start.column))
    return Trace(trace.file, tuple(Expression(place, tuple(seen)) for place, seen in ordered if seen))


def _add(values: dict[Range, list[Value]], place: Range, items: Iterable[Any]) -> None:
    known = values.setdefault(place, [])
    for item in items:
        if not _has_tensor(item) and not isinstance(item, (torch.Size, int)):
            continue
        value = describe.value_of(item)
        if value not in known and len(known) < _VALUES_PER_EXPRESSION:
            known.append(value)


def _has_tensor(item: Any) -> bool:
    if isinstance(item, torch.Tensor):
        return True
    return isinstance(item, (tuple, list)) and any(isinstance(part, torch.Tensor) for part in item)
