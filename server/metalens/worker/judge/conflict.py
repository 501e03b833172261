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

Name = tuple[str, Any]
"""A name (or what is read like one) in an expression, and the function in which it stands."""

_LARGEST = 4096
_EXPLOSIVE = (ast.Pow, ast.LShift)


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

    `expression` is what stands there for the argument, `names` are those in it with the function around them; both are
    None if it cannot be seen.
    """

    layer: Any
    argument: str
    needs: Optional[int]
    expression: Optional[ast.expr]
    names: Optional[frozenset[Name]]

    @property
    def is_literal(self) -> bool:
        """Whether the argument is a plain number."""
        return self.names == frozenset()

    @property
    def solution(self) -> Optional[int]:
        """The value of the only name in the expression that would end the conflict, if there is one."""
        if self.needs is None or self.expression is None or not self.names or len(self.names) != 1:
            return None
        ((name, _),) = self.names
        if not name.isidentifier() or any(isinstance(part, _EXPLOSIVE) for part in ast.walk(self.expression)):
            return None
        code = compile(ast.Expression(self.expression), "<size>", "eval")
        values = (value for value in range(1, _LARGEST + 1) if _evaluated(code, {name: value}) == self.needs)
        return next(values, None)


@dataclass(frozen=True)
class Conflict:
    """Two sizes that disagree, or `sides` of unknown size where a mistake is of another kind.

    `model` is the outermost module under way, `place` the expression that failed, `layer` the one that failed there.
    `numbers` are the two that the message speaks of, if it does. `shares` are the layers that want or give the sizes,
    by their constructor calls. `written` tells that no number behind the sizes could be wrong; else `unknowns` are the
    names that could, each with the values that would end the conflict (None: it is not known which). `seen` tells that
    all that set the sizes are constructor calls whose arguments can be seen.
    """

    code: str
    model: Any
    place: Location
    layer: Any
    numbers: Optional[tuple[int, int]]
    sides: tuple[Side, ...]
    sizes: Optional[tuple[int, int]]
    shares: dict[Location, list[Share]]
    written: bool
    unknowns: dict[Name, set[Optional[int]]]
    seen: bool


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
    shares = _shares(case, mistake, sides)
    written = sizes is not None and _is_written(case, mistake, places)
    return Conflict(
        code=mistake.code,
        model=case.failure.modules[0].module if case.failure.modules else None,
        place=case.location,
        layer=mistake.layer,
        numbers=sizes or _numbers(mistake),
        sides=sides,
        sizes=sizes,
        shares=shares,
        written=written,
        unknowns={} if written else _unknowns(shares),
        seen=_is_seen(mistake, sides, shares),
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


def _numbers(mistake: Mistake) -> Optional[tuple[int, int]]:
    expected, given = mistake.expected, mistake.given
    return (expected, given) if expected and given and expected > 0 and given > 0 else None


def _other(sizes: tuple[int, int], size: int) -> int:
    return sizes[0] if size == sizes[1] else sizes[1]


def _everything(case: Case) -> list[tuple[Any, int]]:
    call = case.call
    given = (*call.args, *call.kwargs.values()) if call is not None and case.layer is not None else ()
    if case.failure.function is None:
        given = (*given, *_mentioned(case))
    if case.layer is None:
        given = (*given, *case.failure.read)
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
            share = Share(layer, argument, needs, *_slot(case.facts, layer, argument))
            shares.setdefault(built.location, []).append(share)
    return shares


def _unknowns(shares: dict[Location, list[Share]]) -> dict[Name, set[Optional[int]]]:
    found: dict[Name, set[Optional[int]]] = {}
    for share in (share for group in shares.values() for share in group):
        for name in share.names or ():
            found.setdefault(name, set()).add(share.solution)
    return found


def _is_seen(mistake: Mistake, sides: tuple[Side, ...], shares: dict[Location, list[Share]]) -> bool:
    visible = {id(share.layer) for group in shares.values() for share in group if share.names is not None}
    if len(sides) == 1 and id(mistake.layer) not in visible:
        return False
    return all(side.descent.layers and all(id(layer) in visible for layer in side.descent.layers) for side in sides)


def _evaluated(code: Any, names: dict[str, int]) -> Any:
    try:
        return eval(code, {"__builtins__": {}}, names)
    except Exception:  # noqa: BLE001 - an expression of the user's
        return None


def _is_written(case: Case, mistake: Mistake, places: list[tuple[Any, int]]) -> bool:
    """Whether no number elsewhere can make both sizes agree: they are plain numbers, or made of the same names."""
    wants = [(mistake.layer, mistake.argument)] if mistake.layer is not None else []
    for tensor, dim in places:
        layer = case.lineage(tensor, dim).layer
        wants.append((layer, torchkind.output_argument(layer) if layer is not None else ""))
    names = [_slot(case.facts, layer, argument)[1] for layer, argument in wants]
    return len(names) > 1 and None not in names and all(found == names[0] for found in names)


def _slot(facts: Facts, layer: Any, argument: str) -> tuple[Optional[ast.expr], Optional[frozenset[Name]]]:
    slot = slot_of(facts, layer, argument) if layer is not None else None
    if slot is None or slot.node is None:
        return None, None
    parts = [part for part in ast.walk(slot.node) if isinstance(part, (ast.Name, ast.Subscript, ast.Call))]
    scope = slot.source.function_at(slot.node.lineno - 1)
    return slot.node, frozenset((ast.unparse(part), scope) for part in parts)
