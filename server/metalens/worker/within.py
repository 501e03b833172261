"""Whether a model contradicts itself, whatever else a script's options are: what may speak in a choice left open.

Its own layers decided both sizes that disagree, and it was built with values that stand in the code. Where an option
might have given one of them, the other options may only not suit the choice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case
from metalens.worker.judge.lineage import lineage_of
from metalens.worker.judge.rules import mistake_of
from metalens.worker.judge.source import source_of
from metalens.worker.trace.command_line import options_given
from metalens.worker.trace.facts import Facts, Failure, ModuleCall, Origin
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.provenance import conflict, layer_conflict

_STEPS = 32
_COMMON = 4  # smaller numbers occur among the options by chance


def contradicts_itself(case: Case, observer: Observer) -> bool:
    """Whether layers within one model disagree, and no option of the script had a part in that."""
    failure = case.failure
    layer = case.layer
    fixed = conflict(failure.function, failure.args, case.facts)
    if fixed is None and layer is not None:
        fixed = layer_conflict(layer, failure.modules[-1].args, case.facts)
    call = _around(case) if fixed is not None else None
    seen = observer.by_id.get(id(call.module)) if call is not None else None
    if seen is None or not seen.done or seen.holes:
        return False
    given = options_given()
    values = list(_plain((seen.built.args, seen.built.kwargs)))
    return given is not None and not any(value is None for value in values) and given.isdisjoint(values)


def is_refused_as_written(failure: Failure, facts: Facts) -> bool:
    """Whether a layer of torch refuses numbers that stand in the code as they are: then it fails wherever it is met."""
    if failure.modules:
        layer = failure.modules[-1].module
        built = facts.built_of(layer)
        place = built.location if built is not None and _pads_too_much(layer) else None
    else:
        place = failure.frames[-1].location if _is_building(failure.error) else None
    call = source_of(facts, place.file).call_at(place.range) if place is not None else None
    return call is not None and all(map(_is_number, (*call.args, *(keyword.value for keyword in call.keywords))))


def _pads_too_much(layer: Any) -> bool:
    if "Pool" not in type(layer).__name__ or not torchkind.is_own(layer):
        return False
    sizes, pads = (
        size if isinstance(size, tuple) else (size,)
        for size in (getattr(layer, name, None) for name in ("kernel_size", "padding"))
    )
    known = all(isinstance(size, int) for size in (*sizes, *pads))
    return known and any(2 * pad > size for size, pad in zip(sizes, pads))


def _is_building(error: BaseException) -> bool:
    """Whether the constructor of a layer of torch raised an error."""
    step = error.__traceback__
    last = None
    while step is not None:
        if step.tb_frame.f_code.co_name == "__init__":
            last = step.tb_frame.f_locals.get("self")
        step = step.tb_next
    return isinstance(last, torch.nn.Module) and torchkind.is_own(last)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(map(_is_number, node.elts))
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _around(case: Case) -> Optional[ModuleCall]:
    """The innermost call of a user's model that contains all layers which disagree."""
    mistake = mistake_of(case)
    layers = [mistake.layer] if mistake.layer is not None else []
    for tensor, dim in ((mistake.tensor, mistake.dim), (mistake.other, mistake.other_dim)):
        if tensor is None or not tensor.dim() or isinstance(tensor, torch.nn.Parameter):
            continue
        lineage = lineage_of(case.facts, tensor, dim)
        deciding = [lineage.layer] if lineage.layer is not None else _weights(lineage.origin, case.facts)
        if not deciding:
            return None
        layers += deciding
    for call in reversed(case.failure.modules):
        parts = {id(part) for part in (*call.module.modules(), *call.module.parameters())}
        own = not type(call.module).__module__.startswith("torch.nn")
        if own and layers and all(id(layer) in parts for layer in layers):
            return call
    return None


def _weights(origin: Optional[Origin], facts: Facts) -> list[Any]:
    """The parameters of which the weights of a function were made: `conv2d(x, self.weight / norm)`."""
    found, waiting = [], list(origin.inputs[1:]) if origin is not None else []
    for _ in range(_STEPS):
        if not waiting:
            break
        tensor = waiting.pop()
        if isinstance(tensor, torch.nn.Parameter):
            found.append(tensor)
        else:
            made = facts.origin_of(tensor)
            waiting += made.inputs if made is not None else ()
    return found


def _plain(value: Any) -> Iterator[Any]:
    """The numbers and texts among values; None for each that may hold anything."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _plain(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _plain((key, item))
    elif isinstance(value, (int, float, str)):
        if not isinstance(value, (int, float)) or value >= _COMMON:
            yield value
    elif isinstance(value, torch.nn.Module) or not (value is None or callable(value)):
        yield None
