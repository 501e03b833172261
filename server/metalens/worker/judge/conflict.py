"""A mistake as a disagreement of sizes, with all that each of them rests on."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Optional

from metalens.protocol.values import Location
from metalens.worker.judge import torchkind
from metalens.worker.judge.blame import place_of
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.descent import Descent, Place, descent_of
from metalens.worker.judge.rules import mistake_of
from metalens.worker.judge.source import source_of

Name = tuple[str, Any, Optional[Location]]
"""A name (or what is read like one) in an expression, the function in which it stands, and whose constructor it is."""

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

    def wanted(self, root: Place) -> frozenset[int]:
        """The sizes of a root with which the side would be what is needed, if it is handed on, a factor or a part."""
        if not self.size or not self.needs:
            return frozenset()
        if self.is_passed_on:
            return frozenset([self.needs])
        size = self.descent.roots[root]
        found = (Fraction(size * self.needs, self.size), Fraction(size - self.size + self.needs))
        return frozenset(int(value) for value in found if value.denominator == 1 and value > 0)

    def wanted_of(self, layer: Any) -> Optional[frozenset[int]]:
        """The sizes that a layer would have to set; None if that is not known."""
        if self.size is None:
            return None
        roots = [root for root, module in self.descent.declared.items() if module is layer]
        return frozenset(value for root in roots for value in self.wanted(root))


@dataclass(frozen=True)
class Share:
    """What a layer has to do with a conflict: a constructor argument, its size, and those that would end the conflict.

    `needs` is None where they are not known. `expression` is what stands there for the argument, `names` are those in
    it with the function around them; both are None if it cannot be seen.
    """

    layer: Any
    argument: str
    size: Optional[int]
    needs: Optional[frozenset[int]]
    expression: Optional[ast.expr]
    names: Optional[frozenset[Name]]

    @property
    def is_literal(self) -> bool:
        """Whether the argument is a plain number."""
        return self.names == frozenset()

    @property
    def is_handed_on(self) -> bool:
        """Whether the argument is only the name of what someone else decided."""
        return isinstance(self.expression, (ast.Name, ast.Attribute))

    @property
    def solutions(self) -> frozenset[Optional[int]]:
        """The values of the only name in the expression that would end the conflict; None among them if any may."""
        unknown: frozenset[Optional[int]] = frozenset([None])
        if self.needs is None or self.expression is None or not self.names or len(self.names) != 1:
            return unknown
        ((name, _, _),) = self.names
        if not name.isidentifier() or any(isinstance(part, _EXPLOSIVE) for part in ast.walk(self.expression)):
            return unknown
        code = compile(ast.Expression(self.expression), "<size>", "eval")
        return frozenset(value for value in range(1, _LARGEST + 1) if _evaluated(code, {name: value}) in self.needs)


@dataclass(frozen=True)
class Conflict:
    """Two sizes that disagree, or `sides` of unknown size where a mistake is of another kind.

    `model` is the outermost module under way, `place` the expression that failed, `blamed` the one that is at fault,
    `layer` the layer that failed there and `built` the call that made it.
    `numbers` are the two that the message speaks of, if it does. `shares` are the layers that want or give the sizes,
    by their constructor calls. `written` tells that no number behind the sizes could be wrong; else `unknowns` are the
    names that could, each with the values that would end the conflict (None: it is not known which). `seen` tells that
    all that set the sizes are constructor calls whose arguments can be seen.
    """

    code: str
    model: Any
    place: Location
    blamed: Location
    layer: Any
    built: Optional[Location]
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
    built = facts.built_of(mistake.layer)
    return Conflict(
        code=mistake.code,
        model=case.failure.modules[0].module if case.failure.modules else None,
        place=case.location,
        blamed=place_of(case, mistake),
        layer=mistake.layer,
        built=built.location if built is not None else None,
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
        return [(tensor, dim)] if mistake.argument or mistake.exact else []
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
    given = frozenset([mistake.given]) if mistake.given is not None else None
    found = [(mistake.layer, mistake.argument, given)] if mistake.layer is not None else []
    for side in sides:
        found += [(layer, torchkind.output_argument(layer), side.wanted_of(layer)) for layer in side.descent.layers]
    shares: dict[Location, list[Share]] = {}
    for layer, argument, needs in found:
        built = case.facts.built_of(layer)
        if built is not None and built.location is not None:
            size = torchkind.width(layer, argument) if argument else None
            share = Share(layer, argument, size, needs, *_slot(case, layer, argument))
            shares.setdefault(built.location, []).append(share)
    return shares


def _unknowns(shares: dict[Location, list[Share]]) -> dict[Name, set[Optional[int]]]:
    found: dict[Name, set[Optional[int]]] = {}
    for share in (share for group in shares.values() for share in group):
        for name in share.names or ():
            found.setdefault(name, set()).update(share.solutions)
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
    names = [_slot(case, layer, argument)[1] for layer, argument in wants]
    return len(names) > 1 and None not in names and all(found == names[0] for found in names)


def _slot(case: Case, layer: Any, argument: str) -> tuple[Optional[ast.expr], Optional[frozenset[Name]]]:
    slot = slot_of(case.facts, layer, argument) if layer is not None else None
    if slot is None or slot.node is None:
        return None, None
    parts = [part for part in ast.walk(slot.node) if isinstance(part, (ast.Name, ast.Subscript, ast.Call))]
    scope = slot.source.function_at(slot.node.lineno - 1)
    owner = _owner(case, layer)
    return slot.node, frozenset((ast.unparse(part), scope, owner) for part in parts)


def _owner(case: Case, layer: Any) -> Optional[Location]:
    """Where the user's module was built that holds a layer: each one has its own sizes behind the same names."""
    if not case.failure.modules:
        return None
    holders = {id(part): holder for holder in case.failure.modules[0].module.modules() for part in holder.children()}
    holder = holders.get(id(layer))
    while holder is not None and torchkind.is_own(holder):
        holder = holders.get(id(holder))
    built = case.facts.built_of(holder) if holder is not None else None
    return built.location if built is not None else None
