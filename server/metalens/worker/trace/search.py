"""A class that nobody builds or calls: is there anything with which it runs? If not, what stands in the way?

First the search climbs: each error tells what else to try, and what gets further is followed. Where nothing gets past
one operation, every choice is varied there, alone and together with those that hang together with it. An operation is
called a contradiction only if it was reached and failed whatever was chosen, each of the made-up numbers having been
another one at least once, and if the two numbers that disagree keep their ratio, or their difference, throughout. A
point at which it goes well ends the suspicion.
"""

from __future__ import annotations

import heapq
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

from metalens.worker.trace.alike import (
    SPEAKS_OF_RANKS,
    always_more,
    by_chance,
    differing,
    elsewhere,
    never_a_multiple,
    ranks,
    regular,
    same,
)
from metalens.worker.trace.assume import Path, Point, chosen, is_size, leaves, tensors
from metalens.worker.trace.choices import alternatives, other_kinds, other_ranks, repairs, together
from metalens.worker.trace.hints import hints_of
from metalens.worker.trace.trial import Lab, Outcome, Place

_CLIMBS = 0.4  # of the time that is left may be climbed
_CLIMBING, _PATIENCE, _HELPING, _REPAIRS, _ALIKE = 240, 120, 10, 60, 2
_SHORT, _SAME = 40, 2  # of what layers alone decide: so many tries, and so many other sizes for each of an input
_LITTLE = 4  # sizes up to here may be asked for, or lost: `squeeze`, `if x.shape[1] == 3`
_START = 1 << 21  # whatever got anywhere comes before what was not tried
_DETOUR = 2  # so much of what mends a step back is as good as what comes after a step ahead
_FEW = 3  # other choices show whether a size is asked for
_ENOUGH = 4  # and so many failures, all in one way, say it where there is no time for more
_KINDS = (RuntimeError, ValueError, IndexError)
# What a layer says of its own settings, whatever it is given.
_SETTINGS = re.compile(
    r"output padding must be smaller|-D weight|duplicate dims|repeated dim|appears multiple times in"
)
_NO_KINDS = (NotImplementedError, RecursionError, UnicodeError)


@dataclass(frozen=True)
class Answer:
    """What a search found: a point at which forward runs, or the outcome at which it fails whatever is chosen.

    `unless` is what would have to be so by chance for it to go well.
    """

    runs: Optional[Point] = None
    contradiction: Optional[Outcome] = None
    best: Optional[Outcome] = None
    unless: str = ""


def _is_plain(found: Outcome) -> bool:
    """Whether layers alone decided what failed, or ranks did: few sizes show as well as many."""
    return found.fixed or (found.sides is None and SPEAKS_OF_RANKS.search(found.words) is not None)


def _is_wanted(outcome: Outcome, other: int, value: int) -> bool:
    """Whether what was said of another size is that it is not this one, or not so many times this one."""
    sides = outcome.sides
    if sides is None or sides.divides:
        return isinstance(outcome.error, AssertionError)
    return sides.given * value == sides.wanted * other or sides.wanted * value == sides.given * other


def _refuses_itself(outcome: Outcome) -> bool:
    return _SETTINGS.search(outcome.words) is not None


class Search:
    """One search, that ends at the latest at `until` (of `time.process_time`)."""

    def __init__(self, lab: Lab, until: float) -> None:
        self.lab, self.until = lab, until
        self.hints = hints_of(lab.cls)
        self.known: dict[str, Outcome] = {}
        self._telling: Optional[Outcome] = None
        self._unless = ""

    def run(self, starts: Iterable[Point]) -> Answer:
        """Search from these points."""
        waiting = list(starts)
        best: Optional[Outcome] = None
        turned = False
        for _ in range(5):
            found = self._climb(waiting)
            if found is None:
                return Answer(best=best)
            if found.ok:
                return Answer(runs=found.point)
            best = found
            waiting = self._around(found)
            if not waiting:
                return Answer(contradiction=self._telling, best=found, unless=self._unless)
            if waiting == [found.point] and self._fits_no_rank(found):
                return Answer(contradiction=self._telling, best=found)
            # What is no contradiction with inputs of these ranks may run with others.
            if waiting == [found.point]:
                waiting = [] if turned else list(other_ranks(found.point))
                turned = True
            if not waiting:
                return Answer(best=found)
        return Answer(best=best)

    # ------------------------------------------------------------ climbing

    def _attempt(self, point: Point) -> Optional[Outcome]:
        if point.key not in self.known:
            if time.process_time() > self.until:
                return None
            self.known[point.key] = self.lab.attempt(point)
        return self.known[point.key]

    def _climb(self, starts: list[Point]) -> Optional[Outcome]:
        """The outcome that got furthest; one without an error if there is any."""
        order = itertools.count()
        heap: list[tuple[int, int, int, Point]] = [(_START, 0, next(order), point) for point in starts]
        best: Optional[Outcome] = None
        asked: set[str] = set()
        detours: set[str] = set()
        seen: Counter[object] = Counter()
        tries = since = 0
        now = time.process_time()
        end = now + (self.until - now) * _CLIMBS
        while heap and tries < _CLIMBING and since < (_SHORT if best is not None and _is_plain(best) else _PATIENCE):
            if best is not None and time.process_time() > end:
                return best
            before, cost, _, point = heapq.heappop(heap)
            if point.key in asked:
                continue
            asked.add(point.key)
            outcome = self._attempt(point)
            if outcome is None:
                return best
            tries, since = tries + 1, since + 1
            if outcome.ok or isinstance(outcome.error, NameError):
                return outcome
            if best is None or outcome.reach > best.reach:
                best, since = outcome, 0
            elif outcome.reach == best.reach and _refuses_itself(outcome) and not _refuses_itself(best):
                best = outcome  # which others do as well, once what they were given has the rank for it
            seen[outcome.signature] += 1
            if seen[outcome.signature] > _ALIKE:
                continue  # what ends in the same way again is no step ahead
            # Where two sizes hang together, one step alone is a step back.
            steps = itertools.islice(repairs(outcome, self.hints), _DETOUR)
            for rank, other in enumerate(steps if -outcome.reach > before and point.key not in detours else ()):
                detours.add(other.key)
                heapq.heappush(heap, (before, cost + rank, next(order), other))
            # Of points that got as far, what is few and likely changes away comes first.
            cost = 0 if -outcome.reach < before else cost + 1
            for rank, other in enumerate(itertools.islice(repairs(outcome, self.hints), _REPAIRS)):
                heapq.heappush(heap, (-outcome.reach, cost + rank, next(order), other))
        return best

    # ------------------------------------------------------------ around one operation

    def _around(self, found: Outcome) -> list[Point]:
        """Points that get past the operation that failed; the point itself if that is not decided; else nothing."""
        place, error = found.place, found.error
        undecided = [found.point]
        if place is None or not isinstance(error, _KINDS) or isinstance(error, _NO_KINDS) or found.mended:
            return undecided
        if _refuses_itself(found):
            return self._of_settings(found, place)
        if not found.layered:
            return undecided
        failed = [found]
        past: list[Outcome] = []
        moved: set[Path] = set()
        self._unless = ""
        for paths, point in self._neighbours(found):
            outcome = self._attempt(point)
            if outcome is None:
                # What layers alone decided in a model that is given, few tries show as well as many.
                decided = found.fixed and found.point.arguments is None and not past
                if not decided or len(failed) < _ENOUGH or not regular(failed):
                    return undecided
                self._telling = found
                return []
            if outcome.passes(place) and by_chance(found, outcome):
                self._unless = "what is added to has the very size of which 1 is left, which fits any other"
            elif outcome.passes(place):
                past.append(outcome)
                if outcome.ok:
                    return [outcome.point]
            elif same(outcome, place):
                # Of several tensors in place of one each has sizes of its own.
                several = any(isinstance(value, list) for value in (point.inputs or {}).values())
                repaired = self._reached(point, found) if several else None
                if repaired is not None and repaired.passes(place):
                    past.append(repaired)
                failed.append(outcome)
                moved |= paths
            elif elsewhere(outcome, found):
                return undecided
        if past:
            return [outcome.point for outcome in sorted(past, key=lambda outcome: -outcome.reach)[:8]]
        helped = self._helped(found, moved)
        if helped is None:
            return undecided
        for outcome in helped:
            if outcome.passes(place) and not by_chance(found, outcome):
                return [outcome.point]
        failed += [outcome for outcome in helped if not outcome.passes(place)]
        if not (regular(failed) or always_more(failed)):
            past_it = self._of_each_rank(failed, place)
            if past_it is None or past_it:
                return past_it or self._solved(failed, place) or undecided
            failed = [outcome for outcome in failed if ranks(outcome.point) == ranks(found.point)]
        if not (found.fixed or self._all_moved(found, failed)):
            return undecided
        self._telling = max(failed, key=differing)
        return []

    def _all_moved(self, found: Outcome, failed: list[Outcome]) -> bool:
        """Whether each size of the inputs was another one in some failure, or a layer wants just that one."""
        chosen_in = [dict(leaves(outcome.point)) for outcome in failed]
        for path, value in leaves(found.point):
            if path[0] != "input" or not is_size(value) or any(known.get(path, value) != value for known in chosen_in):
                continue
            others = alternatives(path, value, found.point)[:_FEW]
            tried = [(other, self._attempt(chosen(found.point, {path: other}))) for other in others]
            if not any(outcome is not None and _is_wanted(outcome, other, value) for other, outcome in tried):
                return False
        return True

    def _fits_no_rank(self, found: Outcome) -> bool:
        """Whether a model that is given, and takes one tensor, wants another rank of it whatever that has."""
        if found.point.arguments is not None or len(tensors(found.point)) != 1:
            return False
        outcomes = [found]
        for point in other_ranks(found.point):
            outcome = self._attempt(point)
            if outcome is None:
                return False
            outcomes.append(outcome)
        if not all(isinstance(each.error, _KINDS) and each.built and not each.mended for each in outcomes):
            return False
        if not all(SPEAKS_OF_RANKS.search(each.words) for each in outcomes):
            return False
        # What a layer wants is what the code around it was written for: it is a dimension that does not exist.
        self._telling = max(
            outcomes, key=lambda each: (isinstance(each.error, IndexError), each.reach, ranks(each.point))
        )
        return self._telling.place is not None

    def _of_settings(self, found: Outcome, place: Place) -> list[Point]:
        """Points at which other arguments give the layer other settings; nothing if it refuses itself with all."""
        for path, value in leaves(found.point):
            if path[0] == "argument" and isinstance(path[-1], int):
                return [found.point]  # one of several numbers, where the layer may want a single one
            for other in alternatives(path, value, found.point) if path[0] == "argument" else ():
                outcome = self._reached(chosen(found.point, {path: other}), found, path)
                if outcome is not None and outcome.passes(place):
                    return [outcome.point]
        if time.process_time() > self.until:
            return [found.point]
        self._telling = found
        return []

    def _of_each_rank(self, failed: list[Outcome], place: Place) -> Optional[list[Point]]:
        """Nothing if inputs of each rank disagree in one way of their own; None if not; or a point that gets past."""
        groups: dict[tuple[int, ...], list[Outcome]] = {}
        for outcome in failed:
            groups.setdefault(tuple(ranks(outcome.point)), []).append(outcome)
        for group in groups.values():
            point, kept = group[0].point, set[str]()
            for path, value in leaves(point):
                reached, fixed = len(group), False
                for other in alternatives(path, value, point)[:3] if is_size(value) else ():
                    tried = self._attempt(chosen(point, {path: other}))
                    if tried is None:
                        return None
                    if tried.passes(place):
                        return [tried.point]
                    if same(tried, place):
                        group.append(tried)
                    fixed = fixed or tried.sides == (other, value, False)
                if is_size(value) and len(group) == reached and path[0] == "argument":
                    return None  # a number that cannot be another one may be what disagrees
                # What no other layer takes with another size has been looked at as well.
                kept |= {path[0]} if fixed or (len(group) > reached and path[-1] != 0) else set()
            if "input" not in kept or not (regular(group) or never_a_multiple(group)):
                return None
        return []

    def _neighbours(self, found: Outcome) -> Iterator[tuple[frozenset[Path], Point]]:
        point = found.point
        for path, value in leaves(point):
            # A model that is given says by its parameters and attributes which sizes it may be made for.
            own = self.lab.sizes if path[0] == "input" and is_size(value) else ()
            others = list(dict.fromkeys([*alternatives(path, value, point), *own]))
            if _is_plain(found) and path[0] == "input":
                others = [*others[:_SAME], *(other for other in others[_SAME:] if other <= _LITTLE and not found.fixed)]
            for other in others:
                yield frozenset((path,)), chosen(point, {path: other})
        yield from together(point)
        for other in (*(() if found.fixed else other_ranks(point)), *other_kinds(point)):
            yield frozenset(), other

    def _helped(self, found: Outcome, moved: set[Path]) -> Optional[list[Outcome]]:
        """The operation reached with what is not varied yet, other choices following; None if that is not possible."""
        results: list[Outcome] = []
        for path, value in leaves(found.point):
            if path in moved or not is_size(value):
                continue
            others = alternatives(path, value, found.point)[:4]
            reached = [self._reached(chosen(found.point, {path: other}), found, path) for other in others]
            if path[0] == "argument" and not any(reached):
                return None
            results += [outcome for outcome in reached if outcome is not None]
        if found.sides is None:
            for point in other_ranks(found.point):
                outcome = self._reached(point, found)
                results += [outcome] if outcome is not None else []
        return None if time.process_time() > self.until else results

    def _reached(self, start: Point, found: Outcome, path: Optional[Path] = None) -> Optional[Outcome]:
        """The operation reached from a point by what its errors ask for, its choice at `path` and its ranks kept."""
        place = found.place
        assert place is not None
        kept = dict(leaves(start)).get(path) if path is not None else None
        started = ranks(start)
        waiting = [start]
        for _ in range(_HELPING):
            if not waiting:
                return None
            point = waiting.pop(0)
            if ranks(point) != started or (path is not None and dict(leaves(point)).get(path) != kept):
                continue
            outcome = self._attempt(point)
            if outcome is None:
                return None
            if outcome.passes(place) or same(outcome, place):
                return outcome
            waiting = [*itertools.islice(repairs(outcome, self.hints), 4), *waiting]
        return None

    def _solved(self, failed: list[Outcome], place: Place) -> list[Point]:
        """Points at which the two numbers would agree if they went on as they do."""
        base = failed[0]
        points: list[Point] = []
        for other in failed[1:]:
            if base.sides is None or other.sides is None:
                continue
            before, after = dict(leaves(base.point)), dict(leaves(other.point))
            changed = [path for path, value in before.items() if path in after and after[path] != value]
            if len(changed) != 1 or not is_size(before[changed[0]]) or not is_size(after[changed[0]]):
                continue
            path = changed[0]
            apart, then = base.sides.given - base.sides.wanted, other.sides.given - other.sides.wanted
            if then == apart:
                continue
            step = after[path] - before[path]
            wanted = before[path] - apart * step / (then - apart)
            if wanted == int(wanted) and 0 < wanted < 1 << 16:
                points.append(chosen(base.point, {path: int(wanted)}))
        for point in points:
            outcome = self._reached(point, base)
            if outcome is not None and outcome.passes(place):
                return [outcome.point]
        return []
