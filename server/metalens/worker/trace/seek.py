"""Begins the search for what a class runs with that no caller ran, and acts on its end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Optional

from metalens.worker.load.inventions import SIZES
from metalens.worker.trace.assume import Point, chosen, first_arguments, given_arguments, is_size, leaves
from metalens.worker.trace.observe import Observer, Seen, has_own_constructor
from metalens.worker.trace.search import Answer, Search
from metalens.worker.trace.stateful import waits_for_state
from metalens.worker.trace.trial import Lab, Outcome

_VARIANTS = 3
_FEW = 2
_LAYERS = re.compile(r"(^|_)(n_?|num_?)?(layers?|blocks|depth)$")
_SHARE = 0.5
_OTHERS = ((120, 0), (136, 24))
"""Other sizes that data may decide: the first one, and by how much each further one differs."""


def seek(cls: type, seen: Optional[Seen], observer: Observer, seconds: float) -> None:
    """Run a class with what suits it, or report what makes that impossible. `seen` is an instance that was built."""
    began = time.process_time()
    if seen is not None and seen.done and (seen.is_own or rests_on_sizes(seen)):
        lab = Lab(observer, cls, seen.built.module)
        share = 1.0 if seen.is_own else _SHARE
        answer = Search(lab, began + seconds * share).run([Point(None)])
        unless = _unless(seen, answer.contradiction, observer) if answer.contradiction is not None else ""
        if seen.is_own or answer.runs is not None or unless is not None:
            _act(lab, answer, unless or answer.unless)
            return
    lab = Lab(observer, cls, None)
    answer = Search(lab, began + seconds).run(_starts(cls, seen))
    # What one of torch's own constructors was given is no statement of the class.
    _act(lab, answer if has_own_constructor(cls) else replace(answer, contradiction=None), answer.unless)


def rests_on_sizes(seen: Seen) -> bool:
    """Whether nothing in it is made up, or in doubt, but sizes that data decides."""
    return bool(seen.holes and seen.mended.startswith(SIZES)) or bool(seen.data_sizes and not seen.assumed)


def _act(lab: Lab, answer: Answer, unless: str) -> None:
    """Run the class as part of the run where that goes well; report what stands in the way where nothing else does."""
    if answer.runs is not None:
        lab.perform(answer.runs)
    elif answer.contradiction is not None and not lab.cls.__subclasses__():
        outcome, module = lab.perform(answer.contradiction.point)
        tracer = lab.observer.tracer
        waits = module is None or waits_for_state(module)
        if outcome.error is not None and not outcome.mended and not waits:
            tracer.fixed, tracer.unless = True, unless
            try:
                tracer.on_failure(outcome.error)
            finally:
                tracer.fixed, tracer.unless = False, ""


def _unless(seen: Seen, found: Outcome, observer: Observer) -> Optional[str]:
    """What would have to be so for a contradiction to go away; None if other sizes of data do away with it."""
    built, open_sizes = seen.built, seen.holes | seen.data_sizes
    if not open_sizes:
        return ""
    sides = [found.sides]
    for first, step in _OTHERS:
        arguments = _with_sizes(seen, first, step)
        if arguments is None or found.place is None:
            return None
        lab, plain = Lab(observer, built.cls, None), replace(found.point, arguments=arguments)
        # What comes in may have the size that the model was built for.
        outcomes = (lab.attempt(point) for point in (plain, _following(plain, seen)))
        key = found.place.key, found.place.module
        outcome = next((each for each in outcomes if each.place and (each.place.key, each.place.module) == key), None)
        if outcome is None:
            return None
        sides.append(outcome.sides)
    if all(pair == sides[0] for pair in sides):
        return ""
    return f"{' and '.join(sorted(open_sizes))} of the data fits by chance"


def _following(point: Point, seen: Seen) -> Point:
    """The point with inputs whose sizes follow those that were changed in its arguments."""
    before = given_arguments(seen.built.cls, seen.built.args, seen.built.kwargs) or {}
    changed = {before[name]: value for name, value in (point.arguments or {}).items() if before.get(name) != value}
    sizes = {value: new for value, new in changed.items() if is_size(value)}
    return chosen(point, {path: sizes[value] for path, value in leaves(point) if path[0] == "input" and value in sizes})


def _with_sizes(seen: Seen, first: int, step: int) -> Optional[Mapping[str, Any]]:
    arguments = given_arguments(seen.built.cls, seen.built.args, seen.built.kwargs)
    open_sizes = seen.holes | seen.data_sizes
    if arguments is None or not open_sizes <= arguments.keys():
        return None
    names = [name for name in arguments if name in open_sizes and isinstance(arguments[name], int)]
    return {**arguments, **{name: first + at * step for at, name in enumerate(names)}}


def _starts(cls: type, seen: Optional[Seen]) -> Iterator[Point]:
    if seen is not None:
        arguments = given_arguments(cls, seen.built.args, seen.built.kwargs)
        if arguments is not None:
            yield Point(arguments)
    for variant in range(_VARIANTS):
        arguments = first_arguments(cls, variant)
        if arguments is not None:
            yield _shallow(Point(arguments))


def _shallow(point: Point) -> Point:
    """The point with fewer layers, which are soon built, and as wrong as many."""
    deep = [path for path, value in leaves(point) if is_size(value) and value > _FEW and _LAYERS.search(str(path[-1]))]
    return chosen(point, dict.fromkeys(deep, _FEW))
