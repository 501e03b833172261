"""Begins the search for what a class runs with that no caller ran, and acts on its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Optional

from metalens.worker.trace.assume import Point, first_arguments, given_arguments
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.search import Search
from metalens.worker.trace.stateful import waits_for_state
from metalens.worker.trace.trial import Lab

_VARIANTS = 3


def seek(cls: type, seen: Optional[Seen], observer: Observer, seconds: float) -> None:
    """Run a class with what suits it, or report what makes that impossible. `seen` is an instance that was built."""
    given = seen.built.module if seen is not None and seen.done and not (seen.assumed or seen.mended) else None
    lab = Lab(observer, cls, given)
    if given is not None:
        starts: list[Point] = [Point(None)]
    else:
        starts = list(_starts(cls, seen))
    answer = Search(lab, time.process_time() + seconds).run(starts)
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


def _starts(cls: type, seen: Optional[Seen]) -> Iterator[Point]:
    if seen is not None:
        arguments = given_arguments(cls, seen.built.args, seen.built.kwargs)
        if arguments is not None:
            yield Point(arguments)
    for variant in range(_VARIANTS):
        arguments = first_arguments(cls, variant)
        if arguments is not None:
            yield Point(arguments)
