"""Which failures of a run are mistakes of their own, and which merely follow from others.

Forward goes on after a mistake with a substitute. What fails later is told only if no fix of the earlier mistakes can
make it go away: nothing in it may rest on a dimension that they left in doubt, on the same size, or on the same number.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Optional

from metalens.protocol.messages import Finding
from metalens.protocol.values import Location
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.descent import Descent, descent_of
from metalens.worker.judge.judge import case_of, tell
from metalens.worker.judge.rules import mistake_of
from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts, Failure


def findings_of(failures: Iterable[Failure], facts: Facts) -> tuple[Finding, ...]:
    """The findings among the failures, in the order in which they were met, one for each mistake."""
    found: dict[tuple[Any, ...], Finding] = {}
    earlier: list[_Conflict] = []
    for failure in failures:
        try:
            finding = _finding(failure, facts, earlier)
        except Exception as error:  # noqa: BLE001 - judging runs torch on what user code left behind
            print(f"metalens could not judge a {type(failure.error).__name__}: {error!r}", file=sys.stderr)
            continue
        if finding is not None:
            found.setdefault((finding.location.file, finding.location.range, finding.code), finding)
    return tuple(found.values())


def _finding(failure: Failure, facts: Facts, earlier: list[_Conflict]) -> Optional[Finding]:
    case = case_of(failure, facts)
    if case is None:
        return None
    if not facts.recovered and not facts.leaked:  # nothing went on after a mistake, so nothing can follow from one
        return tell(case)
    conflict = _conflict(case)
    follows = conflict.descent.doubtful or any(_same_cause(conflict, other) for other in earlier)
    earlier.append(conflict)
    return None if follows else tell(case)


@dataclass(frozen=True)
class _Conflict:
    """What disagrees: the sizes, if it is sizes, what they rest on, and the layer that wants one of them.

    `model` is the outermost module under way, `place` the expression that failed. `builders` are the constructor calls
    that set the sizes, each with the layers that it made. `written` tells that no number behind them could be wrong.
    """

    model: Any
    place: Location
    sizes: Optional[tuple[int, int]]
    descent: Descent
    layer: Any
    builders: dict[Location, set[int]]
    written: bool


def _conflict(case: Case) -> _Conflict:
    mistake = mistake_of(case)
    sides = _sides(mistake)
    sizes = _sizes(mistake, sides)
    descent = descent_of(case.facts, sides or _everything(case), case.failure.leaked)
    return _Conflict(
        model=case.failure.modules[0].module if case.failure.modules else None,
        place=case.location,
        sizes=sizes,
        descent=descent,
        layer=mistake.layer,
        builders=_builders(case.facts, (mistake.layer, *(descent.layers if sides else ()))),
        written=sizes is not None and _is_written(case, mistake),
    )


def _builders(facts: Facts, layers: Iterable[Any]) -> dict[Location, set[int]]:
    found: dict[Location, set[int]] = {}
    for layer in layers:
        built = facts.built_of(layer)
        if built is not None and built.location is not None:
            found.setdefault(built.location, set()).add(id(layer))
    return found


def _sizes(mistake: Mistake, sides: list[tuple[Any, int]]) -> Optional[tuple[int, int]]:
    found = [int(tensor.shape[dim]) for tensor, dim in sides]
    if len(found) == 1 and mistake.expected:
        found.insert(0, mistake.expected)
    return (found[0], found[1]) if len(found) == 2 and all(found) else None


def _sides(mistake: Mistake) -> list[tuple[Any, int]]:
    """The dimensions that disagree, where the mistake is that two sizes do; else nothing."""
    tensor, dim = mistake.tensor, mistake.dim
    if tensor is None or mistake.given is None or dim >= tensor.dim() or int(tensor.shape[dim]) != mistake.given:
        return []
    if mistake.other is None:
        return [(tensor, dim)] if mistake.argument else []
    place = mistake.other_dim
    return [(tensor, dim), (mistake.other, place)] if place < mistake.other.dim() else []


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


def _same_cause(conflict: _Conflict, other: _Conflict) -> bool:
    """Whether one change may mend both: of a size on which both rest, of one constructor call, or of a number behind."""
    if conflict.place == other.place or conflict.descent.passed & other.descent.passed:
        return True
    equal = conflict.sizes is not None and other.sizes is not None and set(conflict.sizes) == set(other.sizes)
    if conflict.descent.declared & other.descent.declared:
        # One size, given to two layers that want different ones: both must change.
        given = conflict.sizes and other.sizes and conflict.sizes[1] == other.sizes[1]
        return equal or not given
    for place, layers in conflict.builders.items():
        # One call in a loop or a factory made both layers; or the sizes of one layer are swapped.
        if place in other.builders and (equal or layers.isdisjoint(other.builders[place])):
            return True
    if conflict.written or other.written or conflict.model is not other.model:
        return False
    if conflict.sizes is None or other.sizes is None:
        return conflict.sizes is other.sizes
    ratio = Fraction(*conflict.sizes)
    return Fraction(*other.sizes) in (ratio, 1 / ratio)


def _is_written(case: Case, mistake: Mistake) -> bool:
    """Whether no number elsewhere can make both sizes agree: they are plain numbers, or made of the same names."""
    wants = [(mistake.layer, mistake.argument)] if mistake.layer is not None else []
    for tensor, dim in _sides(mistake):
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
