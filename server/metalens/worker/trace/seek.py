"""Begins the search for what a class runs with that no caller ran, and acts on its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Optional

from metalens.worker.load.inventions import SIZES
from metalens.worker.trace.assume import Point, first_arguments, given_arguments
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.search import Answer, Search
from metalens.worker.trace.stateful import waits_for_state
from metalens.worker.trace.trial import Lab

_VARIANTS = 3
_SHARE = 0.5


def seek(cls: type, seen: Optional[Seen], observer: Observer, seconds: float) -> None:
    """Run a class with what suits it, or report what makes that impossible. `seen` is an instance that was built."""
    given = seen.built.module if seen is not None and seen.done and seen.is_own else None
    lab = Lab(observer, cls, given)
    answer = Answer()
    began = time.process_time()
    for share, starts in _begins(cls, seen, given is not None):
        answer = Search(lab, began + seconds * share).run(starts)
        if answer.runs is not None or answer.contradiction is not None:
            break
    if answer.runs is not None:
        lab.perform(answer.runs)
    elif answer.contradiction is not None and not cls.__subclasses__():
        outcome, module = lab.perform(answer.contradiction.point)
        tracer = observer.tracer
        waits = module is None or waits_for_state(module)
        if outcome.error is not None and not outcome.mended and not waits:
            tracer.fixed = True
            try:
                tracer.on_failure(outcome.error)
            finally:
                tracer.fixed = False


def _begins(cls: type, seen: Optional[Seen], is_given: bool) -> Iterator[tuple[float, list[Point]]]:
    """What to begin with, and up to which share of the time: first with what a caller says, then with anything."""
    if is_given:
        yield 1.0, [Point(None)]
        return
    if seen is not None and seen.holes and seen.mended.startswith(SIZES):
        arguments = given_arguments(cls, seen.built.args, seen.built.kwargs)
        if arguments is not None:
            yield _SHARE, [Point(arguments, known=frozenset(arguments) - seen.holes)]
    yield 1.0, list(_starts(cls, seen))


def _starts(cls: type, seen: Optional[Seen]) -> Iterator[Point]:
    if seen is not None:
        arguments = given_arguments(cls, seen.built.args, seen.built.kwargs)
        if arguments is not None:
            yield Point(arguments)
    for variant in range(_VARIANTS):
        arguments = first_arguments(cls, variant)
        if arguments is not None:
            yield Point(arguments)
