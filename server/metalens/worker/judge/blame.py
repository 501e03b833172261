"""Where the squiggle goes, and the places that explain it.

One root cause, one squiggle: on the call in the frame where both sides of the disagreement were decided. A shared
block that was given the wrong width is its caller's mistake; elements of one `nn.Sequential` that disagree among
themselves are shown at the element.
"""

from __future__ import annotations

import ast
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Related
from metalens.protocol.values import Location, Position, Range
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Case, Mistake, layer_word, own_location
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.lineage import RESHAPES, Lineage, operation_of, producing_layer
from metalens.worker.judge.source import source_of, text_at
from metalens.worker.judge.whose import inwards, is_callers, is_slip, overlap, told_otherwise
from metalens.worker.trace.facts import ModuleCall, Origin


def place_of(case: Case, mistake: Mistake) -> Location:
    """The range of the squiggle: an expression of a user frame under way, or a layer's constructor call."""
    frames = case.failure.frames
    location = frames[-1].location
    if mistake.layer is not None and mistake.tensor is not None:
        decided = _where_decided(case, mistake)
        inside = decided is not None and decided.file == location.file and _same_function(case, decided, location)
        elsewhere = decided is not None and not inside and _in_frames(case, decided)
        if decided is not None and (not elsewhere or is_callers(case, mistake)):
            location = inwards(case, mistake, told_otherwise(case, mistake) or decided)
    elif mistake.tensor is not None and mistake.other is not None:
        location = _given_as_they_are(case, mistake) or location
    return _narrowed(case, location)


def related_to(case: Case, mistake: Mistake) -> tuple[Related, ...]:
    """The definitions of both layers, the operations that made the size, the other operand, and the evidence."""
    found: list[Related] = []
    if mistake.layer is not None:
        found += _definition(case, mistake.layer, mistake.argument, mistake.expected)
    for tensor, dim in ((mistake.tensor, mistake.dim), (mistake.other, mistake.other_dim)):
        if tensor is not None:
            found += _history(case, tensor, min(dim, max(tensor.dim() - 1, 0)), mistake)
    found += _evidence(case)
    place = place_of(case, mistake)
    unique: dict[Location, Related] = {}
    for item in found:
        if item.location != place:
            unique.setdefault(item.location, item)
    return tuple(unique.values())[:8]


def _given_as_they_are(case: Case, mistake: Mistake) -> Optional[Location]:
    """The call of the outermost block that was given both sizes that disagree, each by an input of its own."""
    sizes = {int(mistake.tensor.shape[mistake.dim]), int(mistake.other.shape[mistake.other_dim])}
    found = None
    for place in range(len(case.failure.modules) - 1, 0, -1):
        call = case.failure.modules[place]
        inputs = [part for part in (*call.args, *call.kwargs.values()) if isinstance(part, torch.Tensor)]
        given = [int(part.shape[mistake.dim]) for part in inputs if part.dim() == mistake.tensor.dim()]
        if torchkind.is_own(call.module) or len(given) < 2 or set(given) != sizes:
            break
        found = own_location(case.failure, place) or found
    return found


def _where_decided(case: Case, mistake: Mistake) -> Optional[Location]:
    lineage = case.lineage(mistake.tensor, mistake.dim)
    made = _maker_within(case, lineage)
    if made is not None:
        return _below(case, _paths(case).get(id(made.module), ""), mistake.layer, None)
    layer = lineage.layer if lineage.layer is not None else producing_layer(case.facts, mistake.tensor)
    paths = _paths(case)
    if layer is not None and id(layer) in paths and id(mistake.layer) in paths:
        owner = _common(paths[id(mistake.layer)], paths[id(layer)])
        return _below(case, owner, mistake.layer, lineage.layer)
    if lineage.origin is not None:
        held = _frame_holding(case, lineage.origin.location)
        if held is not None:
            return held
    return _below(case, "", mistake.layer, None)


def _maker_within(case: Case, lineage: Lineage) -> Optional[ModuleCall]:
    """The innermost module under way with a part, done by now, in whose code the size was made, or items were mixed."""
    mixing = (s.origin for s in lineage.steps if operation_of(s.origin) in RESHAPES and _mixes(s.tensor, s.origin))
    origin = next(mixing, lineage.origin if lineage.layer is None and not lineage.is_factory else None)
    if origin is None or origin.module is not None:
        return None
    source = source_of(case.facts, origin.location.file)
    function = source.function_at(origin.location.range.start.line)
    owner = next((n for n in source.enclosing(function) if isinstance(n, ast.ClassDef)), None) if function else None
    under_way = {type(call.module).__name__ for call in case.failure.modules}
    if owner is None or owner.name in under_way:
        return None
    for call in reversed(case.failure.modules):
        if any(type(part).__name__ == owner.name for part in call.module.modules()):
            return call
    return None


def _mixes(tensor: Any, origin: Origin) -> bool:
    """Whether another number of items came out than went in."""
    before = origin.inputs[0] if origin.inputs else None
    return before is not None and bool(before.dim() and tensor.dim()) and before.shape[0] != tensor.shape[0]


def _same_function(case: Case, one: Location, other: Location) -> bool:
    source = source_of(case.facts, one.file)
    return source.function_at(one.range.start.line) is source.function_at(other.range.start.line)


def _in_frames(case: Case, place: Location) -> bool:
    return any(overlap(frame.location, place) for frame in case.failure.frames)


def _below(case: Case, owner: str, consumer: Any, producer: Any) -> Optional[Location]:
    """The call that left the module named `owner`, on the way to the failure."""
    paths = _paths(case)
    for place, call in enumerate(case.failure.modules):
        name = paths.get(id(call.module), "")
        if name and (not owner or name.startswith(owner + ".")):
            own = own_location(case.failure, place)
            holder = case.failure.modules[place - 1] if place else None
            return own or _element(case, holder, call.module, consumer, producer) or call.location
    return None


def _paths(case: Case) -> dict[int, str]:
    """The dotted paths of all modules in the outermost one under way."""
    if not case.failure.modules:
        return {}
    return {id(part): name for name, part in case.failure.modules[0].module.named_modules()}


def _element(
    case: Case, holder: Optional[ModuleCall], element: Any, consumer: Any, producer: Any
) -> Optional[Location]:
    """The constructor call of the element at fault where elements of one nn.Sequential, written together, disagree."""
    if holder is None or not isinstance(holder.module, nn.Sequential) or producer is None:
        return None
    guilty = element
    if element is consumer and (_next_agrees(holder.module, consumer, producer) or _slipped(consumer, producer)):
        guilty = producer
    places = [built.location for built in map(case.facts.built_of, (element, producer)) if built is not None]
    if len(places) < 2 or places[0] is None or places[1] is None or places[0].file != places[1].file:
        return None
    if places[0] == places[1]:  # one call in a loop made both
        return None
    source = source_of(case.facts, places[0].file)
    nodes = [source.call_at(place.range) for place in places if place is not None]
    if None in nodes or source.statement_of(nodes[0]) is not source.statement_of(nodes[1]):  # type: ignore[arg-type]
        return None
    built = case.facts.built_of(guilty)
    return built.location if built is not None else None


def _slipped(consumer: Any, producer: Any) -> bool:
    expected = torchkind.width(consumer, torchkind.input_argument(consumer))
    return is_slip(torchkind.width(producer, torchkind.output_argument(producer)), expected)


def _next_agrees(holder: Any, consumer: Any, producer: Any) -> bool:
    """Whether the layer after the consumer sides with it against the producer (then the producer is the odd one)."""
    elements = list(holder)
    if not any(element is consumer for element in elements):
        return False
    expected = torchkind.width(consumer, torchkind.input_argument(consumer))
    given = torchkind.width(producer, torchkind.output_argument(producer))
    if torchkind.output_argument(consumer):
        return False
    place = next(i for i, element in enumerate(elements) if element is consumer)
    for element in elements[place + 1 :]:
        wanted = torchkind.width(element, torchkind.input_argument(element))
        if wanted is not None:
            return wanted == expected != given
    return False


def _frame_holding(case: Case, origin: Location) -> Optional[Location]:
    source = source_of(case.facts, origin.file)
    function = source.function_at(origin.range.start.line)
    for frame in reversed(case.failure.frames):
        same = frame.location.file == origin.file
        if same and source.function_at(frame.location.range.start.line) is function and frame.cls is not None:
            return frame.location
    return None


def _common(left: str, right: str) -> str:
    parts = []
    for a, b in zip(left.split("."), right.split(".")):
        if a != b:
            break
        parts.append(a)
    if ".".join(parts) in (left, right):
        parts = parts[:-1]
    return ".".join(parts)


def _narrowed(case: Case, location: Location) -> Location:
    """A chained call over several lines begins at its own attribute, as in a traceback; an assertion at its test."""
    source = source_of(case.facts, location.file)
    statement = source.statement_at(location.range.start.line)
    if isinstance(statement, ast.Assert) and source.range_of(statement) == location.range:
        return source.location_of(statement.test)
    node = source.node_at(location.range)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return location
    before = source.range_of(node.func.value).end
    after = source.range_of(node.func).end
    if before.line == after.line:
        return location
    start = Position(after.line, after.column - len(node.func.attr))
    return Location(location.file, Range(start, location.range.end))


def _definition(case: Case, layer: Any, argument: str, size: Optional[int]) -> list[Related]:
    built = case.facts.built_of(layer)
    if built is None or built.location is None:
        return []
    slot = slot_of(case.facts, layer, argument) if argument else None
    if slot is not None and slot.node is not None and size is not None:
        return [Related(slot.source.location_of(slot.node), f"{argument}={size} declared here")]
    return [Related(built.location, f"{layer_word(case, layer)} is built here")]


def _history(case: Case, tensor: Any, dim: int, mistake: Mistake) -> list[Related]:
    if not tensor.dim():
        return []
    lineage = case.lineage(tensor, dim)
    found: list[Related] = []
    for step in lineage.steps:
        if len(found) < 2 and step.origin.module is None and step.origin.inputs:
            before = step.origin.inputs[0]
            if before.dim() != step.tensor.dim():
                made = f"made {words.shape(step.tensor.shape)} from {words.shape(before.shape)}"
                found.append(Related(step.origin.location, f"{_said(case, step.origin.location)} {made}"))
    return found + _maker(case, lineage, mistake)


def _maker(case: Case, lineage: Lineage, mistake: Mistake) -> list[Related]:
    if lineage.origin is None:
        return []
    shape = words.shape(lineage.tensor.shape)
    if lineage.layer is None:
        return [Related(lineage.origin.location, f"{_said(case, lineage.origin.location)} made {shape}")]
    found = [Related(lineage.origin.location, f"{layer_word(case, lineage.layer)} made {shape}")]
    if lineage.layer is not mistake.layer:
        argument = torchkind.output_argument(lineage.layer)
        found += _definition(case, lineage.layer, argument, torchkind.width(lineage.layer, argument))
    return found


def _said(case: Case, location: Location) -> str:
    text = text_at(case.facts, location)
    return text if len(text) <= 48 else text[:47] + "…"


def _evidence(case: Case) -> list[Related]:
    found = []
    for evidence, verb in ((case.failure.arguments, "built"), (case.failure.inputs, "called")):
        if evidence is not None and evidence.location is not None:
            text = evidence.text if len(evidence.text) <= 60 else evidence.text[:59] + "…"
            found.append(Related(evidence.location, f"{verb} here with {text}" if text else f"{verb} here"))
    return found
