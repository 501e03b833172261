"""Which failures of a run are mistakes of their own, and which merely follow from others.

Forward goes on after a mistake with a substitute. What fails later is told only if no fix of the earlier mistakes can
make it go away: nothing in it may rest on a dimension that they left in doubt, on the same size, or on the same number.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Optional

from metalens.protocol.messages import Finding
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.descent import Descent, descent_of
from metalens.worker.judge.judge import case_of, tell
from metalens.worker.judge.rules import mistake_of
from metalens.worker.trace.facts import Facts, Failure


def findings_of(failures: Iterable[Failure], facts: Facts) -> tuple[Finding, ...]:
    """The findings among the failures, in the order in which they were met, one for each mistake."""
    found: dict[tuple[Any, ...], Finding] = {}
    earlier: list[_Conflict] = []
    for failure in failures:
        try:
            finding = _finding(failure, facts, earlier)
        except Exception as error:  # noqa: BLE001 - judging runs torch on what user code left behind
            print(f"metalens could not judge {failure.error!r}: {error!r}", file=sys.stderr)
            continue
        if finding is not None:
            found.setdefault((finding.location.file, finding.location.range, finding.code), finding)
    return tuple(found.values())


def _finding(failure: Failure, facts: Facts, earlier: list[_Conflict]) -> Optional[Finding]:
    case = case_of(failure, facts)
    if case is None:
        return None
    if not facts.recovered:  # nothing went on after a mistake, so nothing can follow from one
        return tell(case)
    conflict = _conflict(case)
    follows = conflict.descent.doubtful or any(_same_cause(conflict, other) for other in earlier)
    earlier.append(conflict)
    return None if follows else tell(case)


@dataclass(frozen=True)
class _Conflict:
    """What disagrees: the sizes, if it is sizes, what they rest on, and the layer that wants one of them.

    `model` is the outermost module under way; `written` tells that both sizes stand as plain numbers in the source.
    """

    model: Any
    sizes: Optional[tuple[int, int]]
    descent: Descent
    layer: Any
    written: bool


def _conflict(case: Case) -> _Conflict:
    mistake = mistake_of(case)
    sides = _sides(mistake)
    sizes = _sizes(mistake, sides)
    descent = descent_of(case.facts, sides or _everything(case))
    built = case.facts.built_of(mistake.layer)
    place = built.location if built is not None and built.location is not None else mistake.layer
    model = case.failure.modules[0].module if case.failure.modules else None
    return _Conflict(model, sizes, descent, place, sizes is not None and _is_written(case, mistake))


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
    tensors = [*case.tensors, *(part for part in given if hasattr(part, "dim") and hasattr(part, "shape"))]
    return [(tensor, dim) for tensor in tensors for dim in range(tensor.dim())]


def _same_cause(conflict: _Conflict, other: _Conflict) -> bool:
    """Whether one change may mend both: of a size on which both rest, of one layer, or of one number behind both."""
    if conflict.descent.passed & other.descent.passed:
        return True
    equal = conflict.sizes is not None and other.sizes is not None and set(conflict.sizes) == set(other.sizes)
    if conflict.descent.declared & other.descent.declared:
        # One size, given to two layers that want different ones: both must change.
        given = conflict.sizes and other.sizes and conflict.sizes[1] == other.sizes[1]
        return equal or not given
    if equal and conflict.layer is not None and conflict.layer == other.layer:
        return True
    if (conflict.written and other.written) or conflict.model is not other.model:
        return False
    if conflict.sizes is None or other.sizes is None:
        return conflict.sizes is other.sizes
    ratio = Fraction(*conflict.sizes)
    return Fraction(*other.sizes) in (ratio, 1 / ratio)


def _is_written(case: Case, mistake: Mistake) -> bool:
    """Whether both sizes stand as plain numbers in constructor calls, so that no other number is behind them."""
    layers = [(mistake.layer, mistake.argument)] if mistake.layer is not None else []
    for tensor, dim in _sides(mistake):
        layer = case.lineage(tensor, dim).layer
        layers.append((layer, torchkind.output_argument(layer) if layer is not None else ""))
    return all(_is_number(case.facts, layer, argument) for layer, argument in layers if layer is not None)


def _is_number(facts: Facts, layer: Any, argument: str) -> bool:
    slot = slot_of(facts, layer, argument)
    return slot is not None and slot.node is not None and not _names(slot.node)


def _names(node: ast.expr) -> Sequence[ast.AST]:
    return [part for part in ast.walk(node) if isinstance(part, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))]
