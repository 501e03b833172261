"""Where a model failed on data that is not here, whose sizes were made up: rehearsed again with other sizes.

A mistake that is met with the same two numbers whatever those sizes are has nothing to do with them. So has one whose
two numbers both follow the pictures' sizes and never agree, not even where these are round. Where one number follows
the data, and the model is told by its caller what that is, the other would have to be the same by chance: a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

import torch

from metalens.protocol.messages import Finding, Fix
from metalens.worker import judge
from metalens.worker.judge.judge import Repairs, no_repairs
from metalens.worker.judge.repair import repairs_of
from metalens.worker.load.inventions import (
    COLUMNS,
    NUMBERS,
    PICTURE_CHANNELS,
    SIZES,
    SOUND_CHANNELS,
    VARIED,
    Supposed,
    supposing,
)
from metalens.worker.trace.deadline import OutOfTime, deadline
from metalens.worker.trace.facts import Failure
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.trial import apart

# Wide and square, large first, since what cuts a part out of a picture expects it to be large enough.
_WORLDS = ((768, 512, 0), (1024, 1024, 2), (640, 480, 1), (512, 512, 0), (224, 224, 3))
_DISTINCT = 3
_BY_CHANCE = "The data is not here. This fails unless it has, by chance, the very size that is wanted."
_NOTE = "The data is not here: its sizes are one example, and it fails with others as well."
_SHAPE = re.compile(r"\[[\d, ]*\]")
# The numbers of channels that pictures and sounds may have.
_CHANNELS = re.compile(r"(?<!dim )(?<!argument )\b[1234]\b(?!-D)")
_PAIR = re.compile(r"(\d+) vs (\d+)")
_EXPECTS = re.compile(r"expects (\d+) .*\bgot (\d+)")
_BUILT = "Built with "
_NUMBER = re.compile(r"\d+")

_Place = tuple[Any, ...]


def rests_on_data(failure: Failure, mended: str) -> bool:
    """Whether a model failed in a run of which nothing is in doubt before but the sizes of data that is not here."""
    return bool(failure.modules) and failure.grade == "mended" and mended.startswith(VARIED)


@dataclass(frozen=True)
class Variation:
    """What failed, as something that can be done again: `rehearse` adds to `failures`, which is undone afterwards.

    Each time may take so many `seconds`.
    """

    rehearse: Callable[[], None]
    failures: list[Failure]
    observer: Observer
    seconds: float

    def stays(self) -> list[Finding]:
        """What is found whatever the data's sizes are."""
        told: list[dict[_Place, Finding]] = []
        asked: set[str] = set()
        for width, height, more in _WORLDS:
            supposed = Supposed(width, height, more)
            try:
                found, _ = self._found(supposed, no_repairs if told else repairs_of)
            except OutOfTime:
                if len(told) < _DISTINCT:
                    raise
                break
            told.append({_place(finding): finding for finding in found})
            asked |= supposed.asked
            told[0] = {place: finding for place, finding in told[0].items() if _may_stay(place, told)}
            if not told[0] or (len(told) >= _DISTINCT and all(_is_same(place, told) for place in told[0])):
                break
        # Two numbers that are counted may be the same on the true data, whatever they follow here.
        follow = asked.isdisjoint((NUMBERS, COLUMNS, SIZES))
        found = [
            finding
            for place, finding in told[0].items()
            if _is_same(place, told) or (follow and _both_follow(place, told))
        ]
        if found and not asked.isdisjoint((PICTURE_CHANNELS, SOUND_CHANNELS)):
            # What runs with grey pictures, or with stereo, was made for them.
            rare, ran = self._found(Supposed(*_WORLDS[0], rare=True), no_repairs)
            places = {_place(item) for item in rare}
            found = [
                item for item in found if _place(item) in places or not (rare or item.model in ran or _speaks(item))
            ]
        chance = [finding for place, finding in told[0].items() if finding not in found and _by_chance(place, told)]
        return [
            *(replace(finding, notes=(*finding.notes, _NOTE)) for finding in found),
            *(replace(_without_example(item), severity="warning", notes=(*item.notes, _BY_CHANCE)) for item in chance),
        ]

    def _found(self, supposed: Supposed, repairs: Repairs) -> tuple[list[Finding], set[str]]:
        """What is found with such data, and the classes of the modules that ran to their end."""
        facts, before = self.observer.tracer.facts, len(self.failures)
        kept: list[Any] = []
        try:
            with apart(self.observer), supposing(supposed):
                kept = facts.alive
                with deadline(self.seconds):
                    self.rehearse()
                self.observer.tracer.name_modules()
                built = [facts.built[number] for number in self.observer.calls if number in facts.built]
                ran = {item.cls.__qualname__ for item in built}
                with torch._C.DisableTorchFunction():
                    found = judge.findings_of([item for item in self.failures[before:] if item.modules], facts, repairs)
                return list(found), ran
        finally:
            del self.failures[before:]
            facts.alive.append(kept)  # what is known by its identity must not come to life as something else


def _place(finding: Finding) -> _Place:
    return finding.location, finding.code


def _words(finding: Finding) -> str:
    return _SHAPE.sub("[]", finding.message)


def _speaks(finding: Finding) -> bool:
    """Whether a finding may speak of channels."""
    return _CHANNELS.search(_words(finding)) is not None


def _pair(finding: Optional[Finding]) -> Optional[tuple[int, int]]:
    match = _PAIR.search(_words(finding)) if finding is not None else None
    return (int(match.group(1)), int(match.group(2))) if match else None


def _sides(finding: Finding) -> Optional[tuple[int, int]]:
    match = _EXPECTS.search(_words(finding))
    return (int(match.group(1)), int(match.group(2))) if match else _pair(finding)


def _may_stay(place: _Place, told: Sequence[dict[_Place, Finding]]) -> bool:
    return all(place in each for each in told) and (_is_same(place, told) or _sides(told[0][place]) is not None)


def _is_same(place: _Place, told: Sequence[dict[_Place, Finding]]) -> bool:
    return len({_words(each[place]) for each in told}) == 1


def _both_follow(place: _Place, told: Sequence[dict[_Place, Finding]]) -> bool:
    """Whether both numbers differ with the sizes of pictures."""
    pairs = [_pair(each.get(place)) for each in told]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(_WORLDS):
        return False
    return all(len({pair[side] for pair in known}) >= _DISTINCT for side in (0, 1))


def _without_example(finding: Finding) -> Finding:
    """Without fixes that are guesses, or that write down a size of the example."""
    sizes = {str(size) for size in _sides(finding) or ()}

    def rests(fix: Fix) -> bool:
        return any(not sizes.isdisjoint(_NUMBER.findall(edit.text)) for edit in fix.edits)

    return replace(finding, fixes=tuple(fix for fix in finding.fixes if not (fix.guess or rests(fix))))


def _by_chance(place: _Place, told: Sequence[dict[_Place, Finding]]) -> bool:
    """Whether one number alone differs with the data, and so does what the model was built with."""
    met = [each[place] for each in told]
    pairs = [pair for pair in map(_sides, met) if pair is not None]
    built = {note for finding in met for note in finding.notes if note.startswith(_BUILT)}
    if len(pairs) < len(told) or len(built) < _DISTINCT:
        return False
    given, wanted = (len({pair[side] for pair in pairs}) for side in (0, 1))
    return min(given, wanted) == 1 and max(given, wanted) >= _DISTINCT
