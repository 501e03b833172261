"""Loops of callers: one round of those that train, and what is needed to see the rest.

A loop that calls no model in its first round (it gathers data, or waits until there is enough) shows its late rounds;
one that calls some goes on for a while if there are others.
The rounds between are left out; that proves nothing unless a round leaves everything as it was: see `state_of`. Where
rounds call a model and leave everything as it was, as in sampling step by step, a few of them show all that there is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from types import FrameType
from typing import Any, Protocol

import torch

from metalens.worker.load import inventions
from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace.guards import unknowns

_EVERY = (10_000, 1_000, 100, 10)  # what happens every so many rounds
_DEEP, _MOST = 3, 64
_SECONDS = 1.5  # that a loop may go on which gathers something
_WAITING, _BUSY = 1.0, 2  # that loops may wait for their models; rounds that call some and are enough
_WHILE_ROUNDS, _MODEL_ROUNDS, _ENDLESS_ROUNDS = 1000, 8, 2
_FURTHER = 5  # rounds in which more is gathered, where that is supposed
_CALLS = 4  # of one function whose loops are counted, as one may call itself
_ALIKE, _LOOKED_AT = 3, 8  # rounds that show what all are like, and after so many nobody looks any more


class Spare:
    """The time that loops of one program may take to get to their first model, all together."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """For a new program."""
        self._until = 0.0

    def left(self) -> bool:
        """Whether there is time for another round."""
        now = time.process_time()
        self._until = self._until or now + _WAITING
        return now < self._until


spare = Spare()


class Tolerant(Protocol):
    """What loops change of a run, see Tracer."""

    cut: bool
    called: int
    hurries: bool
    idle: Callable[[], frozenset[type]]

    def doubt(self, reason: str) -> None:
        """Shapes are no proof from here on."""


def rounds(tracer: Tolerant, items: Any, most: int, structure: Any, frame: FrameType) -> Iterator[Any]:
    """The items of a loop in `frame`, up to so many of them, and late ones where the first call no model."""
    source, called = iter(items), tracer.called
    last: list[Any] = []
    states: list[dict[str, Any]] = []
    more, following = False, None
    try:
        for index in range(most):
            before = tracer.called
            last = [*last[1 - _ALIKE :], next(source)]
            yield last[-1]
            if most > 1 and tracer.called > before and index < _LOOKED_AT:
                states = [*states[1 - _ALIKE :], state_of(frame)]
                if len(states) == _ALIKE and is_steady(_without(last, states)):
                    tracer.cut = True
                    return
            elif most > 1 and index >= most - _ALIKE:
                states = [*states[1 - _ALIKE :], state_of(frame)]
        if most > 1 and not is_steady(_without(last, states)):
            more = yield from _gathering(tracer, source)
        else:
            following = next(source, source)
            more = following is not source
    except StopIteration:
        return
    except UnknownError:
        tracer.cut = True  # nobody knows how many rounds there are
        yield unknowns(structure)
        return
    if more and most == 1 and tracer.called == called:
        warm = isinstance(items, range)
        if warm:
            yield from _late(tracer, items, frame)
        if tracer.called == called:
            yield from _until_called(tracer, chain([following], source))
    elif more and most == 1:
        yield from _until_busy(tracer, chain([following], source))
    elif more:
        tracer.cut = True


def _until_called(tracer: Tolerant, source: Iterator[Any]) -> Iterator[Any]:
    """Further rounds, until one after another calls a model: before that something is gathered, or tried at times."""
    busy = 0
    for item in source:
        called = tracer.called
        yield item
        busy = busy + 1 if tracer.called > called else 0
        if busy == _BUSY or not spare.left():
            break
    tracer.cut = True


def _until_busy(tracer: Tolerant, source: Iterator[Any]) -> Iterator[Any]:
    """Further rounds, as long as classes have models of which none was called: they wait until enough is gathered."""
    idle = tracer.idle()
    further, before = _FURTHER * inventions.more(), tracer.hurries
    for item in source if idle else ():
        if tracer.idle() != idle:
            break
        hurries = before or (further < 0 and not spare.left())
        further -= not spare.left()
        tracer.hurries = hurries
        try:
            yield item
        finally:
            tracer.hurries = before
        if hurries:
            break
    tracer.cut = True


class Whiles:
    """How often each `while` went round, by its number and the frame that it stands in.

    The frames of the last few calls are kept: another one that came to life in the place of a dead one is not that.
    """

    def __init__(self) -> None:
        self._counts: dict[int, deque[tuple[FrameType, tuple[int, int, int, int]]]] = {}

    def goes_on(self, tracer: Tolerant, number: int, frame: FrameType, endless: bool) -> bool:
        """Whether there is to be another round."""
        known = self._counts.setdefault(number, deque(maxlen=_CALLS))
        before = next((item for item in known if item[0] is frame), None)
        done, first, last, busy = before[1] if before is not None else (0, tracer.called, tracer.called, 0)
        busy = busy + 1 if tracer.called > last else 0
        if before is not None:
            known.remove(before)
        known.append((frame, (done + 1, first, tracer.called, busy)))
        most = _ENDLESS_ROUNDS if endless else _MODEL_ROUNDS if tracer.called - first >= done else _WHILE_ROUNDS
        if done < most or (endless and busy < _BUSY and spare.left()):
            return True
        tracer.cut = True
        tracer.doubt("most rounds of a loop were left out" if most == _MODEL_ROUNDS else "")
        return False


def _gathering(tracer: Tolerant, source: Iterator[Any]) -> Generator[Any, None, bool]:
    """The rest of a loop that leaves something behind in each round; whether that took too long."""
    until = time.process_time() + _SECONDS
    for item in source:
        if time.process_time() > until:
            tracer.doubt("most rounds of a loop were left out")
            return True
        yield item
    return False


def _late(tracer: Tolerant, items: range, frame: FrameType) -> Iterator[Any]:
    states, called = [state_of(frame)], tracer.called
    for item in items[1:3]:
        yield item
        states.append(state_of(frame))
    if len(items) > 3 and not is_steady(_without(list(items[:3]), states)):
        if len(items) <= _MOST and (yield from _all_of(tracer, items[3:], called)):
            return
        tracer.doubt("most rounds of a loop were left out")
        tracer.cut = True
    last = items[-1]
    regular = next((last - last % every for every in _EVERY if items[:3][-1] < last - last % every < last), last)
    if regular in items and regular != last:
        yield regular
    if last not in items[:3]:
        yield last


def _all_of(tracer: Tolerant, items: range, called: int) -> Generator[Any, None, bool]:
    """The rest of a short loop, until one of its rounds calls a model; whether there was time for that."""
    until = time.process_time() + _SECONDS
    for item in items:
        if tracer.called > called:
            tracer.cut = True
            return True
        if time.process_time() > until:
            return False
        yield item
    return True


def _without(items: list[Any], states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The states without the loop's own variables, which change as they should."""
    runs = [items]
    if all(isinstance(item, tuple) for item in items):
        runs = [list(parts) for parts in zip(*items)]
    counted = [run for run in runs if all(type(item) is int for item in run)]
    own = [name for name in states[0] if [state.get(name) for state in states] in counted]
    return [{name: part for name, part in state.items() if name not in own} for state in states]


def state_of(frame: FrameType) -> dict[str, Any]:
    """The shapes of all that the code of a frame has at hand, for `is_steady`."""
    names = {name: value for name, value in list(frame.f_locals.items()) if not name.startswith("__")}
    return {name: _state(value, _DEEP) for name, value in names.items()}


def is_steady(states: Sequence[Any]) -> bool:
    """Whether rounds change values alone, judged by the state after each: no shape changes, no number only grows."""
    first = states[0]
    if all(type(state) is int for state in states):
        steps = [states[index] - states[index - 1] for index in range(1, len(states))]
        return not (all(step > 0 for step in steps) or all(step < 0 for step in steps))
    if isinstance(first, dict):
        return all(first.keys() == state.keys() for state in states) and all(
            is_steady([state[name] for state in states]) for name in first
        )
    if isinstance(first, tuple):
        alike = all(type(state) is tuple and len(state) == len(first) for state in states)
        return alike and all(map(is_steady, zip(*states)))
    return all(state == first for state in states)


def _state(value: Any, depth: int) -> Any:
    """What `is_steady` compares: numbers, texts for what must not change, and tuples and dictionaries of them."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind is int:
        return value
    if isinstance(value, torch.nn.Module):
        return name, str([(key, tuple(part.shape)) for key, part in value.named_parameters()])
    if isinstance(value, torch.Tensor) or kind.__module__ == "numpy":
        return f"{name} {getattr(value, 'shape', None)} {getattr(value, 'dtype', None)}"
    if depth and isinstance(value, (list, tuple, deque)):
        return f"{name} {len(value)}", tuple(_state(part, depth - 1) for part in list(value)[:_MOST])
    if depth and isinstance(value, dict):
        parts = list(value.items())[:_MOST]
        return f"{name} {len(value)}", tuple((str(id(key)), _state(part, depth - 1)) for key, part in parts)
    own = getattr(value, "__dict__", None)
    if depth and isinstance(own, dict) and not isinstance(value, type) and not _is_foreign(kind):
        room = max((len(part) for part in own.values() if _is_store(part)), default=0)
        parts = list(own.items())[:_MOST]
        return name, {key: "" if _is_place(part, room) else _state(part, depth - 1) for key, part in parts}
    return f"{name} {len(value) if isinstance(value, (set, frozenset, bytes)) else ''}"


def _is_store(value: Any) -> bool:
    """Whether a value is an array or a tensor of several rows."""
    return (isinstance(value, torch.Tensor) or type(value).__module__ == "numpy") and len(
        getattr(value, "shape", ())
    ) > 0


def _is_place(value: Any, room: int) -> bool:
    """Whether a number may be the place in a buffer of so many rows, up to which it is filled."""
    return type(value) is int and 0 <= value < room


def _is_foreign(kind: type) -> bool:
    """Whether objects of a type keep no shapes of the user's: those of Python, of torch, and stand-ins."""
    return kind.__module__.split(".")[0] in ("builtins", "torch", "metalens", "types", "functools", "logging", "random")
