"""Which failures of a run are mistakes of their own, and which merely follow from others.

Forward goes on after a mistake with a substitute. What fails later is told only if no fix of the earlier mistakes can
make it go away: nothing in it may rest on a dimension that they left in doubt, on the same size, or on the same number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Optional

from metalens.protocol.messages import Finding
from metalens.worker.judge.conflict import Conflict, Share, Side, conflict_of
from metalens.worker.judge.judge import Repairs, case_of, tell
from metalens.worker.judge.repair import repairs_of
from metalens.worker.trace.facts import Facts, Failure


def findings_of(failures: Iterable[Failure], facts: Facts, repairs: Repairs = repairs_of) -> tuple[Finding, ...]:
    """The findings among the failures, in the order in which they were met, one for each mistake."""
    found: dict[tuple[Any, ...], Finding] = {}
    earlier: list[Conflict] = []
    for failure in failures:
        try:
            case = case_of(failure, facts)
            conflict = conflict_of(case) if case is not None else None
            # Where nothing went on after a mistake, nothing can follow from one.
            alone = not facts.recovered and not facts.leaked
            if case is None or conflict is None or not (alone or _is_new(conflict, earlier)):
                continue
        except Exception as error:  # noqa: BLE001 - judging runs torch on what user code left behind
            sys.stderr.write(f"metalens could not judge a {type(failure.error).__name__}: {error!r}\n")
            continue
        finding = tell(case, repairs)
        found.setdefault((finding.location, finding.code, conflict.built), finding)
    return tuple(found.values())


def _is_new(conflict: Conflict, earlier: list[Conflict]) -> bool:
    """Whether a mistake is one of its own; it is remembered."""
    if any(_is_again(conflict, other) for other in earlier):
        return False
    follows = _is_in_doubt(conflict) or any(_same_cause(conflict, other) for other in earlier)
    earlier.append(conflict)
    return not follows


def _is_again(conflict: Conflict, other: Conflict) -> bool:
    """Whether a mistake is one that was met before, in another round or instance."""
    same = conflict.place == other.place and conflict.built == other.built
    return same and conflict.blamed == other.blamed


def _is_in_doubt(conflict: Conflict) -> bool:
    """Whether some fix of an earlier mistake may end this conflict too."""
    if any(side.descent.doubtful for side in conflict.sides):
        return True
    either = [side for side in conflict.sides if side.descent.alternatives]
    if not either:
        return False
    # One of two known sizes comes in here: the conflict stays if neither is what is needed.
    side = either[0]
    if len(either) > 1 or len(side.descent.alternatives) > 1 or side.size is None:
        return True
    ((got, other),) = side.descent.alternatives
    # Handed on as it is, as a factor (flattened) or as a part (joined).
    return side.needs in (other, side.size * other / got, side.size - got + other)


def _same_cause(conflict: Conflict, other: Conflict) -> bool:
    """Whether one change may mend both: of a size on which both rest, a constructor call, or a number behind them."""
    if any(_same_root(one, two) for one in conflict.sides for two in other.sides):
        return True
    for place, shares in conflict.shares.items():
        if any(_same_call(one, two, conflict, other) for one in shares for two in other.shares.get(place, ())):
            return True
    if any(
        _same_value(conflict.unknowns[name], other.unknowns[name]) for name in {*conflict.unknowns} & {*other.unknowns}
    ):
        return True
    if conflict.model is not other.model:
        return False
    if conflict.numbers is None or other.numbers is None:
        return conflict.numbers is other.numbers and conflict.code == other.code
    if conflict.sizes is not None and other.sizes is not None and (conflict.written or other.written):
        return False
    if conflict.seen or other.seen:
        return False
    return _alike(conflict.numbers, other.numbers, parts=not conflict.seen and not other.seen)


def _same_value(one: set[Optional[int]], two: set[Optional[int]]) -> bool:
    """Whether one value of a name may mend both."""
    return None in one or None in two or bool(one & two)


def _alike(one: tuple[int, int], two: tuple[int, int], *, parts: bool) -> bool:
    """Whether one number, as a factor of both pairs (or as one of their parts), may make both of them differ."""
    ratio = Fraction(*one)
    return Fraction(*two) in (ratio, 1 / ratio) or (parts and abs(one[0] - one[1]) == abs(two[0] - two[1]))


def _same_root(one: Side, two: Side) -> bool:
    """Whether both rest on one place, unless it would have to have two sizes at once."""
    shared = one.descent.places & two.descent.places
    if not shared or one.size is None or two.size is None:
        return bool(shared)
    if one.is_passed_on and two.is_passed_on:
        return one.needs == two.needs
    roots = shared & set(one.descent.roots) & set(two.descent.roots)
    if not roots or not roots <= set(one.descent.declared) & set(two.descent.declared):
        return True  # sizes that nobody declared may change together
    return any(one.wanted(root) & two.wanted(root) for root in roots)


def _same_call(one: Share, two: Share, conflict: Conflict, other: Conflict) -> bool:
    """Whether one change of a constructor call may mend both: it stands in a loop, or its sizes are swapped."""
    if conflict.numbers is not None and other.numbers is not None and set(conflict.numbers) == set(other.numbers):
        return True
    if one.layer is two.layer or conflict.sizes is None or other.sizes is None:
        # A layer that was called in another one's place fails again in its own.
        return one.layer is two.layer is conflict.layer is other.layer and _gives(one.layer, conflict)
    if one.argument != two.argument:
        return False
    if one.is_handed_on and two.is_handed_on and conflict.blamed != other.blamed:
        return False  # what was handed on is wrong, each time in another place
    if one.needs is None or two.needs is None or one.needs & two.needs:
        return True
    if (one.is_literal and two.is_literal) or not one.size or not two.size:
        return False
    # One expression may be off by a factor or a part, whatever its names stand for.
    factors = {Fraction(value, one.size) for value in one.needs} & {Fraction(value, two.size) for value in two.needs}
    return bool(factors or {value - one.size for value in one.needs} & {value - two.size for value in two.needs})


def _gives(layer: Any, conflict: Conflict) -> bool:
    return any(layer is giver for side in conflict.sides for giver in side.descent.layers)
