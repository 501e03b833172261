"""One try: a class built and called at one point of the space of what it may be given, leaving no trace behind."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import torch

from metalens.protocol.values import Location
from metalens.worker.trace.assume import Config, Point, first_inputs, made, told
from metalens.worker.trace.clash import Sides, masked, sides_of
from metalens.worker.trace.deadline import TOO_LONG, OutOfTime
from metalens.worker.trace.facts import ModuleCall, Raised
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.invent import MadeUp
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.operands import is_lazy
from metalens.worker.trace.operators import FIRST
from metalens.worker.trace.provenance import conflict, from_layers, layer_conflict

_SIZES, _MOST = 32, 1 << 16  # how many numbers of a model are of interest, and how large they may be
_UNBUILT = 1 << 20  # more than any model has expressions
_ELEMENTWISE = frozenset("add sub mul truediv div iadd isub imul itruediv".split())

Dim = tuple[int, int, int]
"""The ranks of two operands, and a dimension of both, counted from behind."""


@dataclass(frozen=True)
class Place:
    """Where forward failed: the expression, how often it had gone well before, the module under way, and its place.

    `dims` are the dimensions in which two operands disagreed, if they are broadcast, see `_unequal`.
    """

    key: tuple[str, int]
    count: int
    module: str
    location: Location
    dims: frozenset[Dim] = frozenset()


@dataclass
class Outcome:
    """What came of a try. `point` has what was made up on the way; `done` counts the expressions that went well.

    `begun` those of the constructor; `built` tells whether it ended, `error` is None if forward did too. `ended` are
    the modules whose calls returned. At the places in `stretched` a size of 1 met that of a parameter, in these
    dimensions. `layered`: of what failed something came out of a layer or a parameter; `fixed`: layers alone decided
    both sizes that disagree.
    """

    point: Point
    begun: Counter[tuple[str, int]] = field(default_factory=Counter)
    built: bool = False
    error: Optional[BaseException] = None
    mended: str = ""
    done: Counter[tuple[str, int]] = field(default_factory=Counter)
    ended: frozenset[str] = frozenset()
    stretched: dict[Location, frozenset[Dim]] = field(default_factory=dict)
    place: Optional[Place] = None
    sides: Optional[Sides] = None
    words: str = ""
    line: str = ""
    layered: bool = False
    fixed: bool = False
    raised: Optional[Raised] = None
    call: Optional[ModuleCall] = None

    @property
    def ok(self) -> bool:
        """Whether forward ran to its end."""
        return self.built and self.error is None

    @property
    def reach(self) -> int:
        """How far it came: more is further."""
        return 1 + len(self.done) + len(self.ended) if self.built else len(self.begun) - _UNBUILT

    @property
    def signature(self) -> object:
        """The same for tries that ended in the same way."""
        return (self.reach, self.words, self.line, self.sides, self.place) if self.built else self.line

    def passes(self, place: Place) -> bool:
        """Whether the operation that failed at `place` went well here, and not for a size of 1 that fits any other."""
        if not place.dims.isdisjoint(self.stretched.get(place.location, ())):
            return False
        if self.ok or self.done[place.key] > place.count:
            return True
        mine = self.place
        return (
            mine is not None
            and (mine.key, mine.count) == (place.key, place.count)
            and mine.module != place.module
            and place.module in self.ended
        )


class Lab:
    """Makes tries of one class, or of one model that is given, in which these `sizes` occur."""

    def __init__(self, observer: Observer, cls: type, given: Optional[torch.nn.Module]) -> None:
        self.observer, self.cls, self.given = observer, cls, given
        self.tries = 0
        self._state = _state_of(given) if given is not None else []
        self.sizes = _sizes_of(given) if given is not None else ()

    def attempt(self, point: Point) -> Outcome:
        """Build and call."""
        self.tries += 1
        self.observer.tracer.unpacked = None
        with apart(self.observer):
            outcome, _ = self.perform(point)
            made = self.observer.tracer.facts.origins.values()
            outcome.stretched = {
                origin.location: _unequal(origin.function, origin.inputs, ones=True) for origin in made
            }
            self._describe(outcome)
        return outcome

    def perform(self, point: Point) -> tuple[Outcome, Optional[torch.nn.Module]]:
        """Build and call, as part of the run. The model too, if it was built."""
        tracer, observer = self.observer.tracer, self.observer
        outcome = Outcome(point)
        configs: list[tuple[Config, MadeUp]] = []
        tracer.mended = ""
        observer.call_source = "probe"
        module = self.given
        try:
            if module is None:
                observer.build_source, observer.assumed = "invented", True
                arguments = {
                    name: made(value, lambda told, config: configs.append((told, config)))
                    for name, value in (point.arguments or {}).items()
                }
                tracer.done = outcome.begun
                module = self.cls(**arguments)
                if any(not is_lazy(part) and part.numel() == 0 for part in module.parameters()):
                    raise ValueError("a layer has no size")  # with which anything fits
            else:
                _restore(self._state)
            outcome.built = True
            inputs = first_inputs(module) if point.inputs is None else point.inputs
            point = replace(point, inputs=inputs)
            tracer.done = outcome.done
            module(**{name: made(value, lambda told, config: None) for name, value in inputs.items()})
        except (OutOfTime, Limit) as error:
            if isinstance(error, OutOfTime) or str(error) == TOO_LONG:
                raise
            outcome.error = error
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            outcome.error = error
        finally:
            tracer.done = None
            observer.build_source, observer.assumed, observer.call_source = "call site", False, "call site"
        outcome.mended = tracer.mended
        outcome.point = _grown(point, configs)
        return outcome, module

    def _describe(self, outcome: Outcome) -> None:
        """Where and in what words it failed, while the objects of the try are at hand."""
        error, tracer = outcome.error, self.observer.tracer
        if error is None:
            return
        outcome.words, outcome.line = masked(error), _line(error, tracer.files, tracer.facts.source_of)
        if not outcome.built:
            return
        modules = tracer.under_way.get(id(error), ())
        outcome.call = modules[-1] if modules else None
        outcome.raised = tracer.raised.get(id(error))
        raised, call = outcome.raised, outcome.call
        given: Any = (raised.args, raised.kwargs) if raised is not None else tracer.unpacked
        fixed = conflict(raised.function, raised.args, tracer.facts) if raised is not None else None
        if raised is None and call is not None and isinstance(call.module, torch.nn.RNNBase):
            # A recurrent layer checks itself what it is given.
            given, fixed = call.args, layer_conflict(call.module, call.args, tracer.facts)
        outcome.layered = from_layers(given, tracer.facts)
        outcome.fixed = fixed is not None
        # Of several dimensions in which they disagree, the one that layers decide is in each of their sizes.
        outcome.sides = Sides(*fixed) if fixed is not None else sides_of(error, raised, outcome.call)
        names = {id(part): name for name, part in modules[0].module.named_modules()} if modules else {}
        outcome.ended = frozenset(names[number] for number in self.observer.calls if number in names)
        key, notes = getattr(error, FIRST, None), tracer.notes.get(id(error), ())
        if key is not None and notes and modules:
            module = names.get(id(modules[-1].module), "")
            tensors = [part for part in raised.args if isinstance(part, torch.Tensor)] if raised is not None else []
            dims = _unequal(raised.function, tensors, ones=False) if raised is not None else frozenset[Dim]()
            outcome.place = Place(key, outcome.done[key], module, notes[0], dims)


def _unequal(function: Any, operands: Sequence[torch.Tensor], *, ones: bool) -> frozenset[Dim]:
    """Where two operands that are broadcast differ: in dimensions of which none is 1, or that of a parameter is not."""
    if len(operands) != 2 or getattr(function, "__name__", "").strip("_").removeprefix("r") not in _ELEMENTWISE:
        return frozenset()
    one, two = (operand.shape for operand in operands)
    found = set()
    for dim, pair in enumerate(zip(reversed(one), reversed(two))):
        fits = 1 in pair
        larger = operands[0] if pair[0] > pair[1] else operands[1]
        if pair[0] != pair[1] and fits == ones and (not ones or isinstance(larger, torch.nn.Parameter)):
            found.add((len(one), len(two), dim))
    return frozenset(found)


def _line(error: BaseException, files: Any, source_of: Callable[[str], str]) -> str:
    """The innermost line of user code."""
    trace, found = error.__traceback__, ("", 0)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        found = (file, trace.tb_lineno) if file in files else found
        trace = trace.tb_next
    lines = source_of(found[0]).split("\n") if found[0] else []
    return lines[found[1] - 1] if 0 < found[1] <= len(lines) else ""


def _grown(point: Point, configs: list[tuple[Config, MadeUp]]) -> Point:
    """The point with the attributes that were made up on the way."""
    if not configs or point.arguments is None:
        return point
    asked = {id(config): told(made_up) for config, made_up in configs}
    arguments = {name: asked.get(id(value), value) for name, value in point.arguments.items()}
    return replace(point, arguments=arguments)


def _sizes_of(module: torch.nn.Module) -> tuple[int, ...]:
    """The numbers among the attributes and the shapes of a model, those of its outer parts first."""
    found: dict[int, None] = {}
    for part in module.modules():
        own = [value for value in vars(part).values() if type(value) is int]
        tables = (vars(part).get(name, {}).values() for name in ("_parameters", "_buffers"))
        own += [int(size) for table in tables for value in table if value is not None for size in value.shape]
        found.update(dict.fromkeys(size for size in own if 1 < size < _MOST))
        if len(found) >= _SIZES:
            break
    return tuple(found)[:_SIZES]


def _state_of(module: torch.nn.Module) -> list[tuple[Any, dict[str, Any], dict[str, dict[str, Any]]]]:
    """What forward may change of a model: the attributes of its parts."""
    kept = []
    for part in module.modules():
        tables = {
            name: dict(vars(part)[name]) for name in ("_parameters", "_buffers", "_modules") if name in vars(part)
        }
        kept.append((part, dict(vars(part)), tables))
    return kept


def _restore(state: list[tuple[Any, dict[str, Any], dict[str, dict[str, Any]]]]) -> None:
    for part, attributes, tables in state:
        vars(part).clear()
        vars(part).update(attributes)
        for name, table in tables.items():
            vars(part)[name].clear()
            vars(part)[name].update(table)


@contextlib.contextmanager
def apart(observer: Observer) -> Iterator[None]:
    """What the body leaves in the memory of the run is forgotten afterwards."""
    tracer, facts = observer.tracer, observer.tracer.facts
    seen, by_id, calls = observer.seen, observer.by_id, observer.calls
    built, origins, alive = facts.built, facts.origins, facts.alive
    raised, under_way, notes, names = tracer.raised, tracer.under_way, tracer.notes, facts.names
    recovered, followed, leaked = facts.recovered, facts.followed, facts.leaked
    values = {
        file: {number: len(items) for number, items in trace.seen.items()} for file, trace in tracer.files.items()
    }
    observer.seen, observer.by_id, observer.calls = list(seen), dict(by_id), {}
    facts.built, facts.origins, facts.alive, facts.names = dict(built), {}, [], dict(names)
    facts.recovered, facts.followed, facts.leaked = {}, {}, False
    tracer.raised, tracer.under_way, tracer.notes = {}, {}, {}
    try:
        yield
    finally:
        observer.seen, observer.by_id, observer.calls = seen, by_id, calls
        facts.built, facts.origins, facts.alive, facts.names = built, origins, alive, names
        facts.recovered, facts.followed, facts.leaked = recovered, followed, leaked
        tracer.raised, tracer.under_way, tracer.notes = raised, under_way, notes
        for file, trace in tracer.files.items():
            before = values.get(file, {})
            for number in list(trace.seen):
                if number in before:
                    del trace.seen[number][before[number] :]
                else:
                    del trace.seen[number]
