"""From an exception that left a module or a script statement to a Failure that can be judged."""

from __future__ import annotations

import re
import sys
from typing import Any, Optional

import torch

from metalens.protocol.values import Evidence, Location, Position, Range
from metalens.worker.load.inventions import VARIED
from metalens.worker.load.ranges import Lines
from metalens.worker.load.told import said
from metalens.worker.load.unknown import contains_unknown
from metalens.worker.trace import describe
from metalens.worker.trace.facts import Failure, Frame, ModuleCall
from metalens.worker.trace.observe import Observer, class_file
from metalens.worker.trace.tracer import Tracer

# The text of an error that one of our objects brought about: no mistake of the user's.
_SPEAKS_OF_US = re.compile(r"metalens|\bUnknown\b|StandIn|MadeUp")


def failure_of(error: BaseException, tracer: Tracer, observer: Observer) -> Optional[Failure]:
    """The failure behind an error; None if no workspace code was involved or a stand-in had a hand in it."""
    frames = _frames(error, tracer)
    if not frames or _passes_stand_in(error, tracer) or _SPEAKS_OF_US.search(str(error)):
        return None
    raised = tracer.raised.get(id(error))
    modules = tracer.under_way.get(id(error), ())
    args, kwargs = (raised.args, raised.kwargs) if raised else ((), {})
    if contains_unknown((args, kwargs)):
        return None
    root = root_of(modules, observer)
    if root is None and (tracer.cut or tracer.counted):
        return None  # what a script gathers of a loop that ended early, or cuts at a number that a model computes
    seen = observer.by_id.get(id(root.module)) if root else None
    own = _own_frames(error, tracer)
    # A model that was built in doubt stays so, wherever it is called.
    doubted = seen is not None and (seen.assumed or bool(seen.mended and not seen.mended.startswith(VARIED)))
    grade = "borrowed" if tracer.fixed else "mended" if tracer.mended or doubted else "clean"
    return Failure(
        error=error,
        function=raised.function if raised else None,
        args=args,
        kwargs=kwargs,
        frames=frames,
        modules=modules,
        grade=grade,
        model=type(root.module).__qualname__ if root else _class_in(frames),
        fixed=tracer.fixed,
        unless=tracer.unless,
        arguments=arguments_evidence(seen) if seen else None,
        inputs=inputs_evidence(root, "probe" if tracer.fixed else _call_source(seen)) if root else None,
        leaked=tracer.recovery.leaked_before(error),
        names=dict(own[0].f_locals),
        read=tuple(part for frame in own for part in tracer.facts.read.get(frame.f_code, ())),
        in_use=tracer.in_use,
    )


def _call_source(seen: Any) -> str:
    return "pin" if seen is not None and seen.call_source == "pin" else "call site"


def arguments_evidence(seen: Any) -> Evidence:
    """What a module was built with, and where that stands."""
    built = seen.built
    text = describe.call_text(type(built.module).__name__, built.args, built.kwargs)
    given = bool(seen.holes) or seen.source in ("call site", "parent", "pin")
    return Evidence(text, seen.source, built.location if given else None)


def inputs_evidence(call: ModuleCall, source: str) -> Evidence:
    """What a module was called with, and where that stands."""
    place = None if source == "probe" else call.location
    return Evidence(describe.inputs_text(call.module, call.args, call.kwargs), source, place)


def root_of(modules: tuple[ModuleCall, ...], observer: Observer) -> Optional[ModuleCall]:
    """The outermost workspace module under way, else the outermost of any kind."""
    for call in modules:
        if id(call.module) in observer.by_id:
            return call
    return modules[0] if modules else None


def _class_in(frames: tuple[Frame, ...]) -> str:
    for frame in frames:
        if frame.cls is not None and issubclass(frame.cls, torch.nn.Module):
            return frame.cls.__qualname__
    return ""


def _passes_stand_in(error: BaseException, tracer: Tracer) -> bool:
    """Whether the error was raised in a stand-in, or in what it called, so that the user cannot be blamed for it.

    torch is no such callee: what a stand-in hands on to it (a batch, a model's input) is the user's.
    """
    if said(error):
        return False
    trace = error.__traceback__
    guilty = False
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("STAND_IN"):
            guilty = True
        elif frame.f_code.co_filename in tracer.files or _is_torch(str(frame.f_globals.get("__name__", ""))):
            guilty = False
        trace = trace.tb_next
    return guilty


def _is_torch(module: str) -> bool:
    return module.startswith(("torch.", "metalens.worker.trace.")) or module == "torch"


def _frames(error: BaseException, tracer: Tracer) -> tuple[Frame, ...]:
    frames = []
    notes = list(tracer.notes.get(id(error), ()))
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        known = tracer.files.get(code.co_filename)
        if known is not None:
            location = _place(trace, code.co_filename, notes, tracer)
            owner = trace.tb_frame.f_locals.get("self")
            cls = type(owner) if class_file(type(owner)) else None  # type: ignore[arg-type]
            name = getattr(code, "co_qualname", code.co_name)
            frames.append(Frame(location, name, cls))
        trace = trace.tb_next
    return tuple(frames)


def _own_frames(error: BaseException, tracer: Tracer) -> list[Any]:
    """The frames of the user's code in the object (or function) that failed, innermost first; there is one."""
    frames: list[Any] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in tracer.files:
            frames.insert(0, trace.tb_frame)
        trace = trace.tb_next
    owner = next((frame.f_locals.get("self") for frame in frames if not frame.f_code.co_name.startswith("<")), None)
    return frames[:1] + [frame for frame in frames[1:] if owner is not None and frame.f_locals.get("self") is owner]


def _place(trace: Any, file: str, notes: list[Location], tracer: Tracer) -> Location:
    """The expression that a traceback entry was evaluating."""
    if sys.version_info >= (3, 11):
        position = list(trace.tb_frame.f_code.co_positions())[trace.tb_lasti // 2]
        line, end_line, column, end_column = position
        if None not in position:
            text = tracer.facts.source_of(file)
            return Location(file, Lines(text).span(line, end_line, column, end_column))
    here = [
        note
        for note in notes
        if note.file == file and note.range.start.line <= trace.tb_lineno - 1 <= note.range.end.line
    ]
    if here:
        return min(here, key=lambda note: _size(note.range))
    text = tracer.facts.source_of(file).split("\n")
    line = trace.tb_lineno - 1
    code = text[line] if line < len(text) else ""
    indent = len(code) - len(code.lstrip())
    return Location(file, Range(Position(line, indent), Position(line, len(code.rstrip()))))


def _size(found: Range) -> tuple[int, int]:
    return found.end.line - found.start.line, found.end.column - found.start.column
