"""The state of one run, and the hooks through which instrumented code reports to it."""

from __future__ import annotations

import inspect
import operator
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, Optional

import torch

from metalens.protocol.values import Location
from metalens.worker.load import instrument, inventions, typed
from metalens.worker.load.grids import GRID, grid
from metalens.worker.load.unknown import Unknown, UnknownError, is_list_of_weights, lists_weights, of_argument
from metalens.worker.trace.command_line import start_again
from metalens.worker.trace.downloads import lacking
from metalens.worker.trace.facts import Facts, ModuleCall, Origin, Raised
from metalens.worker.trace.guarding import asks_a_guard
from metalens.worker.trace.guards import branch, held, hurried, keeps, length, loses, marked, unknowns, why
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.operands import INDEX_IS_UNSEEN, inputs_of, is_unwritten, mapped, tensor_of, to_meta
from metalens.worker.trace.operators import FIRST, IN_PLACE, OPERATORS, SURPLUS, unpacker
from metalens.worker.trace.recover import NOTHING, Recovery
from metalens.worker.trace.rounds import Whiles, rounds

_SEEN_PER_EXPRESSION, _PARTS, _READ, _WALKED, _NUMBERS = 6, 16, 8, 6, (int, float)
_FACTORY_ROUNDS = 100
_LEGACY = (type(torch.FloatTensor), type(torch.Tensor))  # constructors that torch's modes do not see


@dataclass
class FileTrace:
    """The table of one instrumented file and the values seen at each of its numbers."""

    file: str
    table: instrument.Table
    seen: dict[int, list[Any]] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)


class Tracer:
    """Everything that a run knows so far.

    `strict` counts the module constructors and calls under way: inside them nothing is mended. `mended` says why shapes
    of this run are no proof (a statement was skipped, a value was invented), or is empty; `doubted`: more is in doubt
    than the command line. `guesses` counts the values that were invented; `counted`: whole numbers are among them.
    `cut`: a loop ended early, and what it gathered is too short; `hurries`: nobody waits for more. `called` counts
    calls of modules. `done` counts the expressions that went well, where someone wants to know; `unpacked` is what was
    last unpacked in vain. `fixed` and `unless` are set while a probed contradiction is reported, see Failure.
    `building` counts the constructors under way: what fails there is not recovered, as sizes of layers may hang on it.
    `entering` gives what is to be run for a method, `idle` the classes that callers built and nobody called.
    """

    def __init__(self) -> None:
        self.facts = Facts()
        self.files: dict[str, FileTrace] = {}
        self.at: list[tuple[FileTrace, int]] = []
        self.modules: list[ModuleCall] = []
        self.strict = 0
        self.building = 0
        self.mended, self.doubted = "", False
        self.guesses, self.counted = 0, False
        self.cut, self.called, self.hurries = False, 0, False
        self.fixed, self.unless, self.in_use = False, "", False
        self.done: Optional[Counter[tuple[str, int]]] = None
        self.unpacked: Any = None
        self.raised: dict[int, Raised] = {}
        self.under_way: dict[int, tuple[ModuleCall, ...]] = {}
        self.notes: dict[int, list[Location]] = {}
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self.on_refusal = self.on_failure
        self.entering: Callable[[Any], Any] = lambda method: method
        self.idle: Callable[[], frozenset[type]] = frozenset
        self.recovery = Recovery(self.facts, self._is_caught)

    # ------------------------------------------------------------ what the other rooms report

    def doubt(self, reason: str) -> None:
        """From here on shapes are no proof, unless there is no reason; the first is kept, but of data gives way."""
        self.doubted = self.doubted or bool(reason)
        self.mended = inventions.graver(self.mended, reason)

    def taint(self, reason: str) -> None:
        """A value was invented: from here on this run proves nothing, unless it only decides that nothing is raised."""
        self.guesses += 1
        if reason.startswith("bool of") and asks_a_guard(self.files, self.facts.source_of):
            return
        self.counted = self.counted or reason.startswith(inventions.NUMBERS)
        if self.strict:
            self.doubt(reason)

    def invent(self, reason: str) -> None:
        """A stand-in made a size up, inside of a module or not."""
        self.doubt(f"{reason} are made up")

    def torch_error(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
    ) -> None:
        """A torch function raised; the innermost one is remembered."""
        self.raised.setdefault(id(error), Raised(error, function, args, kwargs))

    def name_modules(self) -> None:
        """Give every module its dotted path in the outermost model that holds it."""
        names, built = self.facts.names, list(self.facts.built.values())
        modules = [item.module for item in built if "_modules" in vars(item.module)]
        containers = [part for part in modules if isinstance(part, (torch.nn.Sequential, torch.nn.ModuleList))]
        held = {id(part) for container in containers for part in vars(container)["_modules"].values()}
        # Parents are built before their children, apart from containers: so the longest path is the first one found.
        for module in sorted(modules, key=lambda module: id(module) in held):
            if id(module) not in names:
                for name, part in torch.nn.Module.named_modules(module):
                    if name:
                        names.setdefault(id(part), name)

    def location(self, outwards: int = 0) -> Optional[Location]:
        """The innermost instrumented expression under way, or one so many further out."""
        if len(self.at) <= outwards:
            return None
        trace, number = self.at[-1 - outwards]
        return Location(trace.file, trace.table.ranges[number])

    def recover(
        self, error: BaseException, frame: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What goes on in place of a call that failed in `frame`; NOTHING if the error must go on its way."""
        if self.strict and (value := lacking(function, error, (args, kwargs))) is not None:
            return value
        if not self.modules or self.building:
            return NOTHING
        # As if the error had passed all expressions under way, which it would without the recovery.
        notes = self.notes.setdefault(id(error), [])
        kept = len(notes)
        notes += [Location(trace.file, trace.table.ranges[number]) for trace, number in reversed(self.at[:-1])]
        value = self.recovery.attempt(error, frame, function, args, kwargs)
        if value is NOTHING:
            del notes[kept:]
        return value

    def _assumed(self, trace: FileTrace, number: int, says: tuple[Callable[[], Any], ...]) -> bool:
        """Whether what was asserted in vain is taken to hold from here."""
        if not self.modules or self.building:
            return False
        try:
            raise AssertionError(*(say() for say in says))
        except AssertionError as error:
            self._note(error, trace, number)
            return self.recovery.assume(error, sys._getframe(1))

    # ------------------------------------------------------------ hooks

    def hooks(self, file: str, table: instrument.Table) -> dict[str, Any]:
        """The names that an instrumented file needs in its namespace."""
        trace = self.files.get(file)
        if trace is None or len(trace.table.ranges) != len(table.ranges):
            trace = self.files[file] = FileTrace(file, table)
        seen, at = trace.seen, self.at

        def record(number: int, value: Any) -> Any:
            if isinstance(value, (torch.Tensor, tuple, list)):
                values = seen.setdefault(number, [])
                if len(values) < _SEEN_PER_EXPRESSION:
                    values.append(value if isinstance(value, (torch.Tensor, tuple)) else tuple(value[:8]))
            return value

        def call(number: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if Unknown in map(type, args) or (kwargs and Unknown in map(type, kwargs.values())):
                if is_list_of_weights(function, args):
                    return args[0]
                name = "a value" if isinstance(function, Unknown) else getattr(function, "__name__", "call")
                if self.strict and not (isinstance(function, Unknown) or marked(function) or keeps(function)):
                    raise of_argument(name, args)
                # An unknown value has every attribute, so what walks down it would never end.
                if not self._takes_unknown(function) or at.count((trace, number)) > _WALKED:
                    self.doubt(f"what {name} changes is not known" if loses(function) else "")
                    return Unknown(name)
            at.append((trace, number))
            try:
                kind = type(function)
                run = self.entering(function) if kind is MethodType else function
                value = tensor_of(run, *args, **kwargs) if kind in _LEGACY else run(*args, **kwargs)
            except Exception as error:
                self._note(error, trace, number)
                value = self.recover(error, sys._getframe(), function, args, kwargs)
                if value is NOTHING:
                    raise
            finally:
                at.pop()
            if self.done is not None:
                self.done[file, number] += 1
            if type(value) is int or type(value) is torch.Size:
                self._read_size(getattr(function, "__self__", None), sys._getframe(1))
            self._made_all(value, trace, number, function, args, kwargs)
            return record(number, value)

        def computing(table: dict[str, Any]) -> Callable[..., Any]:
            def operate(number: int, name: str, left: Any, right: Any) -> Any:
                if type(left) in _NUMBERS and type(right) in _NUMBERS and right and self.done is None:
                    return table[name](left, right)
                at.append((trace, number))
                try:
                    value = table[name](left, right)
                except Exception as error:
                    self._note(error, trace, number)
                    value = self.recover(error, sys._getframe(), table[name], (left, right), {})
                    if value is NOTHING:
                        raise
                finally:
                    at.pop()
                if self.done is not None:
                    self.done[file, number] += 1
                if isinstance(value, torch.Tensor):
                    self._made(value, trace, number, table[name], (left, right))
                return record(number, value) if isinstance(value, (torch.Tensor, list)) else value

            return operate

        def index(number: int, value: Any, key: Any) -> Any:
            if not isinstance(value, (torch.Tensor, tuple)):
                return record(number, value[key])
            at.append((trace, number))
            try:
                part = value[key]
                if INDEX_IS_UNSEEN and is_unwritten(part, (value, key), {}):
                    part = to_meta(value)[mapped(to_meta, key)]
            except Exception as error:
                self._note(error, trace, number)
                if isinstance(value, tuple) and value:  # of `*args` that nobody gave nothing is known
                    self.torch_error(operator.getitem, (value, key), {}, error)
                part = self.recover(error, sys._getframe(), operator.getitem, (value, key), {})
                if part is NOTHING:
                    raise
            finally:
                at.pop()
            if self.done is not None:
                self.done[file, number] += 1
            if isinstance(part, torch.Tensor) and isinstance(value, torch.Tensor):
                self._made(part, trace, number, operator.getitem, (value,))
            return record(number, part)

        def shape(number: int, value: Any) -> Any:
            self._read_size(value, sys._getframe(1))
            return record(number, value.shape)

        def unpack(number: int, value: Any, count: int) -> Any:
            value = tuple(value) if type(value) is map else value
            if not isinstance(value, (tuple, list)) or len(value) == count:
                if self.done is not None:
                    self.done[file, number] += 1
                return value
            try:
                return unpacker(count)(value)
            except ValueError as error:
                self._note(error, trace, number)
                self.unpacked = value
                setattr(error, SURPLUS, len(value) - count)
                values = self.recover(error, sys._getframe(), unpacker, (value, count), {})
                if values is NOTHING:
                    raise
            self._made_all(values, trace, number, unpacker, (value,), {})
            return values

        def skip(number: int, loss: int) -> bool:
            return self._skip(loss)

        def loop(number: int, make: Callable[[], Any], training: bool, structure: Any) -> Any:
            if self.strict:
                return make()
            try:
                items = make()
                if not isinstance(items, Unknown) or lists_weights(items):
                    return rounds(self, items, 1 if training else _FACTORY_ROUNDS, structure, sys._getframe(1))
            except UnknownError:
                pass
            self.cut = True  # nobody knows how many rounds there are
            return iter((unknowns(structure),))

        # What Python says of a call that cannot be made names the function that would make it.
        call.__module__, call.__qualname__ = "builtins", "function"
        whiles = Whiles()

        def again(number: int, endless: bool) -> bool:
            return self.strict > 0 or whiles.goes_on(self, number, sys._getframe(1), endless)

        def test(number: int, value: Any, then: str, otherwise: str, machine: bool, waits: str) -> Any:
            if self.strict:
                return value
            value = hurried(value, waits) if self.hurries else value
            value, reason = branch(value, then, otherwise, machine, sys._getframe(1).f_locals)
            self.doubt(reason)
            return value

        def holds(number: int, before: int, value: Any, *says: Callable[[], Any]) -> Any:
            return held(value, self.guesses != before) or value or self._assumed(trace, number, says)

        return {
            instrument.RECORD: record,
            instrument.CALL: call,
            instrument.OPERATE: computing(OPERATORS),
            instrument.AUGMENT: computing(IN_PLACE),
            instrument.INDEX: index,
            instrument.SLICE: slice,
            instrument.UNPACK: unpack,
            instrument.SHAPE: shape,
            instrument.LENGTH: length,
            instrument.SKIP: skip,
            instrument.LOOP: loop,
            instrument.ROUND: again,
            instrument.TEST: test,
            instrument.ENTER: trace.entered.add,
            GRID: grid,
            instrument.MARK: lambda: self.guesses,
            instrument.HOLDS: holds,
            instrument.UNKNOWN: lambda: Unknown("a value of a skipped statement"),
            instrument.ERROR: (Exception, SystemExit),
            typed.ANNOTATION: typed.evaluated,
        }

    # ------------------------------------------------------------ inside

    def _takes_unknown(self, function: Any) -> bool:
        """Whether a call may be made although an argument is not known: of the workspace's own, and what keeps it."""
        if isinstance(function, Unknown) or marked(function):
            return True
        if isinstance(function, type):
            return self._is_own(inspect.unwrap(function.__init__))  # type: ignore[misc]
        return keeps(function) or self._is_own(function)

    def _is_own(self, function: Any) -> bool:
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        return code is not None and code.co_filename in self.files

    def _is_caught(self, file: str, line: int) -> bool:
        known = self.files.get(file)
        return known is not None and any(first <= line <= last for first, last in known.table.caught)

    def _read_size(self, tensor: Any, frame: Any) -> None:
        """Sizes became numbers; one that is in doubt can no longer be followed."""
        if not isinstance(tensor, torch.Tensor):
            return
        read = self.facts.read.setdefault(frame.f_code, [])
        if not any(tensor is other for other in read):
            read[_READ - 1 :] = []
            read.insert(0, tensor)
        if self.recovery.in_doubt and not self.facts.leaked and self.facts.rests_on_mistake(tensor):
            self.facts.leaked = True

    def _note(self, error: BaseException, trace: FileTrace, number: int) -> None:
        self.notes.setdefault(id(error), []).append(Location(trace.file, trace.table.ranges[number]))
        if not hasattr(error, FIRST):
            setattr(error, FIRST, (trace.file, number))
        if id(error) not in self.under_way:
            self.under_way[id(error)] = tuple(self.modules)
            self.facts.alive.append(error)

    def _made_all(
        self, value: Any, trace: FileTrace, number: int, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Remember where a tensor, or each tensor of a result of several, came from."""
        if isinstance(value, torch.Tensor):
            if kwargs:
                args = (*args, *kwargs.values())
            self._made(value, trace, number, function, args)
        elif isinstance(value, (tuple, list)) and len(value) <= _PARTS:
            for part in value:
                self._made_all(part, trace, number, function, args, kwargs)

    def _made(self, value: Any, trace: FileTrace, number: int, function: Any, args: tuple[Any, ...]) -> None:
        if id(value) in self.facts.origins or any(value is part for part in args):
            return
        module = function if isinstance(function, torch.nn.Module) else None
        location = Location(trace.file, trace.table.ranges[number])
        self.facts.origins[id(value)] = Origin(location, function, module, inputs_of(function, args))
        self.facts.alive.append(value)

    def _skip(self, loss: int) -> bool:
        """An instrumented statement failed: whether the error must go on its way."""
        error = sys.exc_info()[1]
        if error is None or (self.strict and not getattr(error, "loaded", False)):
            return True  # what only weights could tell that are not here ends no building of a model
        start_again(error, self.called)
        if isinstance(error, SystemExit):
            # What ends a script before it did anything speaks of the machine or of the command line.
            self.doubt("" if self.called else "the script would have ended earlier")
            return self.called > 0
        if isinstance(error, RecursionError) and sys._getframe(2).f_code.co_name != "<module>":
            return True  # where it is met first, there is no room for what skipping takes
        if not isinstance(error, (UnknownError, Limit)):
            self.on_failure(error)
        # A name that does not exist stops its statement before that has changed anything.
        asserted = loss == instrument.ASKS and isinstance(error, AssertionError)
        called = loss == instrument.CALLS and not self.under_way.get(id(error))
        if (loss == instrument.LOSES or asserted or called) and not isinstance(error, NameError):
            self.doubt(f"a statement was skipped ({why(error)})")
        return False
