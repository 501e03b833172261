"""A mistake as a disagreement of sizes, with all that each of them rests on."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Optional

from metalens.protocol.values import Location
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.descent import Descent, descent_of
from metalens.worker.judge.rules import mistake_of
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts


@dataclass(frozen=True)
class Side:
    """A size that disagrees, the size that the other side needs here (None: it is not about sizes), and its descent."""

    size: Optional[int]
    needs: Optional[int]
    descent: Descent

    @property
    def is_passed_on(self) -> bool:
        """Whether the size was only handed on since it was set, so that another one could be followed in mind."""
        return self.size is not None and self.descent.sizes == {self.size}


@dataclass(frozen=True)
class Share:
    """What a layer has to do with a conflict: a constructor argument, and the size that would end the conflict.

    `literal` tells that the argument is a plain number there.
    """

    layer: Any
    argument: str
    needs: Optional[int]
    literal: bool


@dataclass(frozen=True)
class Conflict:
    """Two sizes that disagree, or `sides` of unknown size where a mistake is of another kind.

    `model` is the outermost module under way, `place` the expression that failed, `layer` the one that failed there.
    `numbers` are those that the message speaks of. `shares` are the layers that want or give the sizes, by their
    constructor calls. `written` tells that no number behind the sizes could be wrong.
    """

    code: str
    model: Any
    place: Location
    layer: Any
    numbers: frozenset[Optional[int]]
    sides: tuple[Side, ...]
    sizes: Optional[tuple[int, int]]
    shares: dict[Location, list[Share]]
    written: bool


def conflict_of(case: Case) -> Conflict:
    """What disagrees in a case."""
    mistake = mistake_of(case)
    facts, leaked = case.facts, case.failure.leaked
    places = _places(mistake)
    sizes = _sizes(mistake, places)
    if sizes is None:
        sides: tuple[Side, ...] = (Side(None, None, descent_of(facts, _everything(case), leaked)),)
    else:
        found = [(place, descent_of(facts, [place], leaked)) for place in places]
        sides = tuple(Side(int(t.shape[d]), _other(sizes, int(t.shape[d])), descent) for (t, d), descent in found)
    return Conflict(
        code=mistake.code,
        model=case.failure.modules[0].module if case.failure.modules else None,
        place=case.location,
        layer=mistake.layer,
        numbers=frozenset(sizes or (mistake.expected, mistake.given)),
        sides=sides,
        sizes=sizes,
        shares=_shares(case, mistake, sides),
        written=sizes is not None and _is_written(case, mistake, places),
    )


def _places(mistake: Mistake) -> list[tuple[Any, int]]:
    """The dimensions that disagree, where the mistake is that two sizes do; else nothing."""
    tensor, dim = mistake.tensor, mistake.dim
    if tensor is None or mistake.given is None or dim >= tensor.dim() or int(tensor.shape[dim]) != mistake.given:
        return []
    if mistake.other is None:
        return [(tensor, dim)] if mistake.argument or mistake.code == "split-sizes" else []
    place = mistake.other_dim
    return [(tensor, dim), (mistake.other, place)] if place < mistake.other.dim() else []


def _sizes(mistake: Mistake, places: list[tuple[Any, int]]) -> Optional[tuple[int, int]]:
    found = [int(tensor.shape[dim]) for tensor, dim in places]
    if len(found) == 1 and mistake.expected:
        found.insert(0, mistake.expected)
    return (found[0], found[1]) if len(found) == 2 and all(found) else None


def _other(sizes: tuple[int, int], size: int) -> int:
    return sizes[0] if size == sizes[1] else sizes[1]


def _everything(case: Case) -> list[tuple[Any, int]]:
    call = case.call
    given = (*call.args, *call.kwargs.values()) if call is not None and case.layer is not None else ()
    if case.failure.function is None:
        given = (*given, *_mentioned(case))
    tensors = [*case.tensors, *(part for part in given if hasattr(part, "dim") and hasattr(part, "shape"))]
    return [(tensor, dim) for tensor in tensors for dim in range(tensor.dim())]


def _mentioned(case: Case) -> list[Any]:
    """The values of the variables in the statement that failed."""
    statement = source_of(case.facts, case.location.file).statement_at(case.location.range.start.line)
    parts = ast.walk(statement) if statement is not None else ()
    return [case.failure.names.get(part.id) for part in parts if isinstance(part, ast.Name)]


def _shares(case: Case, mistake: Mistake, sides: tuple[Side, ...]) -> dict[Location, list[Share]]:
    found = [(mistake.layer, mistake.argument, mistake.given)] if mistake.layer is not None else []
    for side in sides:
        needs = side.needs if side.is_passed_on else None
        found += [(layer, torchkind.output_argument(layer), needs) for layer in side.descent.layers]
    shares: dict[Location, list[Share]] = {}
    for layer, argument, needs in found:
        built = case.facts.built_of(layer)
        if built is not None and built.location is not None:
            share = Share(layer, argument, needs, _names(case.facts, layer, argument) == frozenset())
            shares.setdefault(built.location, []).append(share)
    return shares


def _is_written(case: Case, mistake: Mistake, places: list[tuple[Any, int]]) -> bool:
    """Whether no number elsewhere can make both sizes agree: they are plain numbers, or made of the same names."""
    wants = [(mistake.layer, mistake.argument)] if mistake.layer is not None else []
    for tensor, dim in places:
        layer = case.lineage(tensor, dim).layer
        wants.append((layer, torchkind.output_argument(layer) if layer is not None else ""))
    names = [_names(case.facts, layer, argument) for layer, argument in wants]
    return len(names) > 1 and None not in names and all(found == names[0] for found in names)


def _names(facts: Facts, layer: Any, argument: str) -> Optional[frozenset[Any]]:
    """The names in the expression of a constructor's argument, with the function around it; None if it is not seen."""
    slot = slot_of(facts, layer, argument) if layer is not None else None
    if slot is None or slot.node is None:
        return None
    parts = [part for part in ast.walk(slot.node) if isinstance(part, (ast.Name, ast.Subscript, ast.Call))]
    scope = slot.source.function_at(slot.node.lineno - 1)
    return frozenset((ast.unparse(part), scope) for part in parts)
