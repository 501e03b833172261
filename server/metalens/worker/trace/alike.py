"""What outcomes of a search have in common: whether they fail at one place, and in one way whatever was chosen."""

from __future__ import annotations

import math
import re

from metalens.worker.trace.assume import Point, is_size, leaves, tensors
from metalens.worker.trace.trial import Outcome, Place

_FACTORS = 4  # numbers up to here stand in programs for more than sizes
_SUMS = ("add", "radd", "iadd", "sub", "rsub", "isub")
# Where no two numbers disagree: what is said of ranks. Types are no matter of a class alone (`model.double()`).
SPEAKS_OF_RANKS = re.compile(
    r"[Dd]imension out of range|number of dimensions|[Ee]xpected \S*\d-?D|must be \S*\d-?D|dims?\. Received|Wrong shape"
    r"|too many indices|dimensions? specified|len\(dims\)|same number of dim"
)


def differing(outcome: Outcome) -> tuple[bool, int, int]:
    """Whether no made-up number may be taken for a factor, how many differ (no two are taken for one), how small."""
    sizes = [value for path, value in leaves(outcome.point) if path[0] == "argument" and is_size(value)]
    return all(size > _FACTORS for size in sizes), len(set(sizes)), -sum(sizes)


def ranks(point: Point) -> list[int]:
    """How many dimensions each tensor of the inputs has."""
    return [len(value.shape) for value in tensors(point).values()]


def same(outcome: Outcome, place: Place) -> bool:
    """Whether an outcome failed at this very place."""
    mine = outcome.place
    return mine is not None and (mine.key, mine.module) == (place.key, place.module) and mine.count <= place.count


def by_chance(found: Outcome, passed: Outcome) -> bool:
    """Whether a sum that failed goes well where of one size, that is cut to smaller ones, just 1 is left, or was."""
    name = str(getattr(found.raised.function, "__name__", "")).strip("_") if found.raised is not None else ""
    if name not in _SUMS or found.sides is None:
        return False
    small, large = sorted((found.sides.given, found.sides.wanted))
    alone = (large - small + 1, large // max(small, 1), 1)
    before, after = dict(leaves(found.point)), dict(leaves(passed.point))
    changed = [path for path, value in after.items() if before.get(path) != value]
    return bool(changed) and all(path[0] == "input" and after[path] in alone for path in changed)


def elsewhere(outcome: Outcome, found: Outcome) -> bool:
    """Whether forward took another way, on which it may well have run."""
    if not outcome.built or outcome.ok or found.place is None:
        return False
    failed = {outcome.place.key} if outcome.place is not None else set[tuple[str, int]]()
    return bool((set(outcome.done) | failed) - set(found.done) - {found.place.key})


def never_a_multiple(failed: list[Outcome]) -> bool:
    """Whether one number is always a multiple of something, and the other is always the same and no multiple of it."""
    known = [outcome.sides for outcome in failed if outcome.sides is not None and not outcome.sides.divides]
    if len(known) != len(failed) or len({pair.wanted for pair in known}) != 1:
        return False
    return known[0].wanted % (math.gcd(*(pair.given for pair in known)) or 1) != 0


def regular(failed: list[Outcome]) -> bool:
    """Whether what disagrees does so in one way: in the same words, by the same ratio or by the same difference."""
    sides = [outcome.sides for outcome in failed]
    known = [pair for pair in sides if pair is not None]
    if not known:
        return len({outcome.words for outcome in failed}) == 1 and bool(SPEAKS_OF_RANKS.search(failed[0].words))
    if len(known) != len(sides):
        return False
    if any(pair.agree for pair in known):
        return False
    ratios = {pair.given / pair.wanted if pair.wanted else 0.0 for pair in known}
    differences = {pair.given - pair.wanted for pair in known}
    if any(pair.divides for pair in known):
        return len(ratios) == 1
    return len(ratios) == 1 or len(differences) == 1


def always_more(failed: list[Outcome]) -> bool:
    """Whether what disagrees differs by one size that was chosen, whatever it was: it is never nothing."""
    paths = {path for path, value in leaves(failed[0].point) if is_size(value)}
    tables = [dict(leaves(outcome.point)) for outcome in failed]
    pairs = [outcome.sides for outcome in failed if outcome.sides is not None]
    if len(pairs) != len(failed) or any(pair.agree or pair.divides for pair in pairs):
        return False
    for path in paths:
        values = [table.get(path) for table in tables]
        if len(set(values)) > 1 and all(is_size(value) for value in values):
            ratios = {(pair.given - pair.wanted) / value for pair, value in zip(pairs, values) if value}
            if len(ratios) == 1:
                return True
    return False
