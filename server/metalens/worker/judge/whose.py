"""Whose mistake it is that a layer does not fit: its own, its producer's, its block's or that of the block's caller."""

from __future__ import annotations

import ast
import itertools
from typing import Any, Optional

from metalens.protocol.values import Location
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Built, Frame

# A block computes what goes into one of its layers of what came in within so many operations.
_MOST_BEFORE = 100


def is_callers(case: Case, mistake: Mistake) -> bool:
    """Whether the size of a layer in a block is rather the mistake of whoever built the block than its own."""
    if _forgot(case, mistake):
        return False
    return _works_elsewhere(case, mistake.layer) or (_is_given(case, mistake) and not _was_told(case, mistake))


def _forgot(case: Case, mistake: Mistake) -> bool:
    """Whether the block was built with the very size that comes in, and has a layer for it that was never called."""
    built = _block(case)
    if built is None or not _is_among(mistake.given, (*built.args, *built.kwargs.values())):
        return False
    called = {id(origin.module) for origin in case.facts.origins.values()}
    parts = [part for part in built.module.children() if torchkind.is_layer(part) and part is not mistake.layer]
    taking = [part for part in parts if torchkind.width(part, torchkind.input_argument(part)) == mistake.given]
    return bool(taking) and not any(id(part) in called for part in taking)


def innermost_own(case: Case) -> Any:
    """The innermost module of the user's that was under way, or None."""
    called = (call.module for call in reversed(case.failure.modules))
    return next((module for module in called if not torchkind.is_own(module)), None)


def _block(case: Case) -> Optional[Built]:
    """How that one was built."""
    block = innermost_own(case)
    return case.facts.built_of(block) if block is not None else None


def _was_told(case: Case, mistake: Mistake) -> bool:
    """Whether the block around the layer was built with the very size that comes in, and took another for the layer.

    So it is if none of its layers has that size, or if one took what comes in before.
    """
    built = _block(case)
    if built is None or not _is_among(mistake.given, (*built.args, *built.kwargs.values())):
        return False
    parts = [part for part in built.module.modules() if torchkind.is_layer(part)]
    taking = {id(part) for part in parts if torchkind.width(part, torchkind.input_argument(part)) == mistake.given}
    making = {id(part) for part in parts if torchkind.width(part, torchkind.output_argument(part)) == mistake.given}
    if not taking | making:
        return True
    before = {id(tensor) for tensor in itertools.islice(case.facts.before(mistake.tensor), _MOST_BEFORE)}
    took = (item for item in case.facts.origins.values() if id(item.module) in taking)
    return any(id(tensor) in before for item in took for tensor in item.inputs)


def told_otherwise(case: Case, mistake: Mistake) -> Optional[Location]:
    """Where a block around the innermost one goes on that was built for what comes in, and built its part for more."""
    own = [call for call in case.failure.modules if not torchkind.is_own(call.module)]
    for call in reversed(own[1:-1]):
        built = case.facts.built_of(call.module)
        values = (*built.args, *built.kwargs.values()) if built is not None else ()
        if _is_among(mistake.given, values) and not _is_among(mistake.expected, values):
            frames = [frame for frame in case.failure.frames if _is_of(call.module, frame)]
            return frames[0].location if frames else None
    return None


def _is_among(size: Optional[int], values: tuple[Any, ...]) -> bool:
    return any(type(value) is int and value == size for value in values)


def _is_given(case: Case, mistake: Mistake) -> bool:
    """Whether the layer's size is a plain name or attribute, so that whoever built the block decided it."""
    slot = slot_of(case.facts, mistake.layer, mistake.argument)
    return slot is None or isinstance(slot.node, (ast.Name, ast.Attribute))


def _works_elsewhere(case: Case, layer: Any) -> bool:
    """Whether the expression that built this layer built another one that ran: then its caller is at fault, not it."""
    built = case.facts.built_of(layer)
    if built is None or built.location is None:
        return True
    for number, origin in case.facts.origins.items():
        if number in case.facts.recovered:
            continue  # it failed as well
        other = case.facts.built_of(origin.module) if origin.module is not None else None
        if other is not None and other.module is not layer and other.location == built.location:
            return True
    return False


def inwards(case: Case, mistake: Mistake, place: Location) -> Location:
    """The place within a block, instead of its call, if the block fails there wherever it is called.

    Where a block was given both sizes as they are, its own code has no part in that.
    """
    frames = case.failure.frames
    at = next((at for at, frame in enumerate(frames) if overlap(frame.location, place)), len(frames))
    if _is_given(case, mistake) and _is_made_beside(case, mistake, place):
        return place
    while at + 1 < len(frames) and _always_fails(case, at + 1):
        at += 1
        place = frames[at].location
    return place


def _is_made_beside(case: Case, mistake: Mistake, place: Location) -> bool:
    """Whether the size that comes in was made in the function that a place is in, and is not that of an input."""
    origin = case.lineage(mistake.tensor, mistake.dim).origin
    if origin is None or origin.location.file != place.file:
        return False
    source = source_of(case.facts, place.file)
    around = source.function_at(origin.location.range.start.line)
    return around is not None and around is source.function_at(place.range.start.line)


def _always_fails(case: Case, at: int) -> bool:
    """Whether the block of a frame failed there when called in several places, and never got further."""
    frame = case.failure.frames[at]
    path = _path(case, frame)
    failed = [each for each in case.facts.failed if each.modules]
    calls = [each for failure in failed for each in zip(failure.frames, failure.frames[1:])]
    if not path or len({caller.location for caller, called in calls if called.location == frame.location}) < 2:
        return False
    worked = {id(origin.module) for made, origin in case.facts.origins.items() if made not in case.facts.recovered}
    models = {id(failure.modules[0].module): failure.modules[0].module for failure in failed}
    blocks = (part for model in models.values() for part in model.modules() if _is_of(part, frame))
    return all(id(part) not in worked for block in blocks for name, part in block.named_modules() if name == path)


def _path(case: Case, frame: Frame) -> str:
    """Where in the block of a frame the layer is that failed."""
    called = [call.module for call in case.failure.modules]
    block = next((part for part in reversed(called) if _is_of(part, frame)), None)
    return next((name for name, part in block.named_modules() if part is called[-1]), "") if block is not None else ""


def _is_of(part: Any, frame: Frame) -> bool:
    """Whether a module is of the class of a frame (of any of its loadings)."""
    return frame.cls is not None and type(part).__qualname__ == frame.cls.__qualname__


def is_slip(size: Optional[int], other: Optional[int]) -> bool:
    """Whether a size is hardly meant: it is one or two off a larger round one (127 beside 128, but not 7 beside 8)."""
    return size is not None and other is not None and abs(size - other) in (1, 2) and other > 16 and other % 8 == 0


def overlap(one: Location, other: Location) -> bool:
    """Whether two places share a line."""
    first, second = (one.range.start.line, one.range.end.line), (other.range.start.line, other.range.end.line)
    return one.file == other.file and first[0] <= second[1] and second[0] <= first[1]
