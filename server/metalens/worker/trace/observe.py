"""Watches modules being built and called: patches of torch.nn.Module for the length of a run."""

from __future__ import annotations

import copy
import copyreg
import functools
import os
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Optional

import torch
from torch.nn import Module

from metalens.protocol.values import Location
from metalens.worker.load.inventions import SIZES, invented
from metalens.worker.load.unknown import UnknownBase, UnknownError, contains_unknown
from metalens.worker.trace.certain import sizes_of_data
from metalens.worker.trace.facts import Built, ModuleCall, Origin
from metalens.worker.trace.handed_on import kept_by
from metalens.worker.trace.holes import Arguments, completed, filled
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.recover import NOTHING
from metalens.worker.trace.tracer import Tracer

_PARTS = 16
_COPYING = copyreg.__newobj__.__code__, copy._reconstruct.__code__  # type: ignore[attr-defined]


@dataclass
class Seen:
    """One instance of a workspace class: how it was built, in which run, and how its first complete call went.

    `source` is `call site`, `parent`, `default` or `invented`; `assumed` tells that the arguments, or those of a
    parent, were made up or wait for real ones; `holes` are those that were, where they are sizes that data decides and
    all others are the caller's; `data_sizes` those that data may have decided, where all others are certain whatever
    is in doubt. `mended` are the tracer's reasons at the time of building and of the call. `root` is
    the outermost model under construction then. `ended` is the error that ended its constructor or its first call.
    """

    built: Built
    file: str
    source: str
    mended: str
    assumed: bool = False
    root: Optional[Seen] = None
    done: bool = False
    ended: Optional[BaseException] = None
    called: Optional[ModuleCall] = None
    call_source: str = "call site"
    call_mended: str = ""
    output: Any = None
    returned: bool = False
    holes: frozenset[str] = frozenset()
    data_sizes: frozenset[str] = frozenset()

    def know(self, data_sizes: Optional[frozenset[str]]) -> None:
        """Its arguments are certain but for these, whatever was in doubt before; None: they are not."""
        if data_sizes is None:
            return
        self.data_sizes = data_sizes
        if self.holes or not data_sizes:
            self.mended = f"{SIZES} are made up" if self.holes else ""

    @property
    def is_own(self) -> bool:
        """Whether it was built with what its caller says alone, though other models may rest on sizes of data."""
        return not self.assumed and (not self.mended or self.mended.startswith(SIZES))


@dataclass
class Calls:
    """The calls of one module: the first one's inputs and output, and how many there were."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None
    count: int = 0


@dataclass
class Observer:
    """What was built and called in a run. Use as a context manager around user code.

    `place` is where a construction or call is written down that no code of the user's makes.
    """

    tracer: Tracer
    is_workspace: Callable[[str], bool]
    seen: list[Seen] = field(default_factory=list)
    by_id: dict[int, Seen] = field(default_factory=dict)
    calls: dict[int, Calls] = field(default_factory=dict)
    call_source: str = "call site"
    build_source: str = "call site"
    assumed: bool = False
    place: Optional[Location] = None
    building: list[Seen] = field(default_factory=list)
    holes: dict[int, Arguments] = field(default_factory=dict)

    def __enter__(self) -> Observer:
        self._call = Module.__call__
        self._subclass = Module.__dict__.get("__init_subclass__")
        observer = self

        def new(cls: type, /, *args: Any, **kwargs: Any) -> Any:
            return observer.construct(cls, args, kwargs)

        def call(module: Any, /, *args: Any, **kwargs: Any) -> Any:
            return observer.run(module, args, kwargs)

        def init_subclass(cls: type, /, **kwargs: Any) -> None:
            super(Module, cls).__init_subclass__(**kwargs)  # type: ignore[misc]
            observer.adopt(cls)

        self.tracer.entering, self.tracer.idle = self.entering, self.idle
        Module.__new__ = new  # type: ignore[method-assign, assignment]
        Module.__call__ = call  # type: ignore[method-assign]
        Module.__init_subclass__ = classmethod(init_subclass)  # type: ignore[assignment, arg-type]
        return self

    def __exit__(self, *exc: Any) -> None:
        del Module.__new__
        Module.__call__ = self._call  # type: ignore[method-assign]
        del Module.__init_subclass__

    # ------------------------------------------------------------ building

    def construct(self, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`cls(*args, **kwargs)` was called: make the bare object and remember how."""
        module: Any = object.__new__(cls)
        tracer = self.tracer
        original = _original(sys._getframe(2))
        if original is not None and self._copy(module, original):
            return module
        holes = None
        if contains_unknown((args, kwargs)):
            holes = None if tracer.strict else filled(cls, args, kwargs)
            if holes is None or self.building:
                raise UnknownError(f"an argument of {cls.__name__} is not known")
            args, kwargs = self.holes[id(module)] = holes.arguments
            if holes.sizes:
                invented(SIZES)
            else:
                tracer.doubt(f"an argument of {cls.__name__} is not known")
        if issubclass(cls, UnknownBase):
            tracer.doubt(f"a base class of {cls.__name__} is not installed")
        handed = kept_by(sys._getframe(1), tracer.files, args, kwargs) if _is_torch(cls) else None
        outer = tracer.location(1) if handed is not None else None
        place = outer or tracer.location() or self.place
        through = tracer.location(2 if outer else 1)
        built = Built(module, cls, args, kwargs, place, handed or 0 if outer else 0, through)
        tracer.facts.built[id(module)] = built
        tracer.facts.alive.append(module)
        file = class_file(cls)  # type: ignore[arg-type]
        if file is not None and self.is_workspace(file):
            parent = tracer.strict > 0
            source = "parent" if parent else "invented" if holes else self.build_source
            root = self.building[0] if self.building else None
            assumed = self.assumed or holes is not None or (root is not None and root.assumed)
            made_up = holes.holes if holes is not None and holes.sizes else frozenset()
            seen = Seen(built, file, source, tracer.mended, assumed, root, holes=made_up)
            if seen.mended and not parent:
                seen.know(sizes_of_data(built, made_up, tracer.facts.sources))
            # A class without a constructor of its own is built as soon as it exists.
            seen.done = _constructor_owner(cls) is None
            self.seen.append(seen)
            self.by_id[id(module)] = seen
        return module

    def _copy(self, module: Any, original: Any) -> bool:
        """Remember that a module was built as the one of which it is a copy; False if nobody knows of that one."""
        facts, known = self.tracer.facts, self.by_id.get(id(original))
        built = facts.built_of(original)
        if built is None:
            return False
        facts.built[id(module)] = replace(built, module=module)
        facts.alive.append(module)
        if known is not None:
            root = self.building[0] if self.building else None
            assumed = known.assumed or (root is not None and root.assumed)
            seen = Seen(facts.built[id(module)], known.file, known.source, self.tracer.mended, assumed, root)
            seen.holes, seen.data_sizes = known.holes, known.data_sizes
            seen.done = known.done
            self.seen.append(seen)
            self.by_id[id(module)] = seen
        return True

    def adopt(self, cls: type) -> None:
        """Wrap the constructor of a new workspace class, its own or that of torch's, so that its end is known."""
        owner, file = _constructor_owner(cls), class_file(cls)
        constructor: Any = owner.__dict__["__init__"] if owner is cls or _is_torch(owner) else None
        if isinstance(constructor, functools.partialmethod):
            constructor = constructor.__get__(None, cls)
        if constructor is None or file is None or not self.is_workspace(file):
            return
        observer = self

        @functools.wraps(constructor)
        def init(module: Any, /, *args: Any, **kwargs: Any) -> None:
            outermost = type(module) is cls
            holes = observer.holes.pop(id(module), None)
            if holes is not None:
                args, kwargs = holes
            observer.tracer.strict += 1
            observer.tracer.building += 1
            seen = observer.by_id.get(id(module))
            if seen is not None:
                observer.building.append(seen)
            try:
                try:
                    constructor(module, *args, **kwargs)
                except UnknownError:
                    alone = outermost and holes is None and observer.tracer.strict == 1
                    holes = completed(args, kwargs) if alone else None
                    if holes is None or seen is None:
                        raise
                    observer.assume(seen, holes)
                    constructor(module, *holes[0], **holes[1])
            except BaseException as error:
                ended = _limited(error)
                if holes is not None and isinstance(error, Exception):
                    ended = UnknownError(f"an argument of {cls.__name__} is not known")
                if seen is not None and outermost:
                    seen.ended = ended
                if ended is not error:
                    raise ended from error
                raise
            finally:
                observer.tracer.strict -= 1
                observer.tracer.building -= 1
                if seen is not None:
                    observer.building.pop()
            if seen is not None and (outermost or _constructor_owner(type(module)) is cls):
                seen.done = True

        cls.__init__ = init  # type: ignore[misc]

    def assume(self, seen: Seen, known: Arguments) -> None:
        """A class is built once more with arguments of which a part is made up."""
        self.tracer.doubt(f"an argument of {seen.built.cls.__name__} is not known")
        seen.built = replace(seen.built, args=known[0], kwargs=known[1])
        seen.assumed, seen.source, seen.mended = True, "invented", self.tracer.mended
        self.tracer.facts.built[id(seen.built.module)] = seen.built

    # ------------------------------------------------------------ calling

    def entering(self, method: Any) -> Any:
        """What is to be run for a method that is called: `model.forward` outside of a call of the model is one."""
        module = method.__self__
        if method.__name__ != "forward" or id(module) not in self.by_id:
            return method
        if self.tracer.modules and self.tracer.modules[-1].module is module:
            return method
        return lambda *args, **kwargs: self.run(module, args, kwargs, method)

    def idle(self) -> frozenset[type]:
        """The classes that callers built by themselves, and of which no model was called."""
        own = [seen for seen in self.seen if seen.done and seen.root is None and seen.source == "call site"]
        called = {seen.built.cls for seen in self.seen if seen.called is not None}
        return frozenset(seen.built.cls for seen in own) - called

    def run(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], method: Any = None) -> Any:
        """`module(*args, **kwargs)`, or the method that was called instead."""
        tracer = self.tracer
        if contains_unknown((args, kwargs), 1):
            raise UnknownError(f"an input of {type(module).__name__} is not known")
        seen = self.by_id.get(id(module))
        record = ModuleCall(module, args, kwargs, tracer.location() or self.place)
        first = seen is not None and not seen.returned
        if seen is not None and first:
            seen.called, seen.done = record, True
            seen.call_source = "parent" if tracer.modules and self.call_source != "probe" else self.call_source
        tracer.modules.append(record)
        tracer.called += 1
        tracer.strict += 1
        try:
            output = self._call(module, *args, **kwargs) if method is None else method(*args, **kwargs)
        except SystemExit as error:
            if seen is not None and first:
                seen.ended = _limited(error)
            raise _limited(error) from error
        except BaseException as error:
            if seen is not None and first:
                seen.ended, seen.call_mended = error, tracer.mended
            if id(error) not in tracer.under_way:
                tracer.under_way[id(error)] = tuple(tracer.modules)
                tracer.facts.alive.append(error)
            output = NOTHING
            if _is_element(tracer.modules):
                output = tracer.recover(error, sys._getframe(), module, args, kwargs)
            if output is NOTHING:
                raise
        finally:
            tracer.modules.pop()
            tracer.strict -= 1
        calls = self.calls.get(id(module))
        if calls is None:
            calls = self.calls[id(module)] = Calls(args, kwargs, output)
        calls.count += 1
        if seen is not None and first:
            seen.output, seen.returned, seen.ended, seen.call_mended = output, True, None, tracer.mended
        else:
            self._origin(output, module, (*args, *kwargs.values()))
        return output

    def _origin(self, output: Any, module: Any, args: tuple[Any, ...]) -> None:
        if isinstance(output, (tuple, list)):
            for part in output[:_PARTS]:
                self._origin(part, module, args)
        location: Optional[Location] = self.tracer.location()
        if not isinstance(output, torch.Tensor):
            return
        facts = self.tracer.facts
        if location is None or id(output) in facts.origins or any(output is part for part in args):
            return
        inputs = tuple(part for part in args if isinstance(part, torch.Tensor))
        facts.origins[id(output)] = Origin(location, type(module).forward, module, inputs)
        facts.alive.append(output)


def _original(frame: types.FrameType) -> Any:
    """The module of which `copy` makes a copy in this frame, by way of `copyreg.__newobj__`; None if it does not."""
    outer = frame.f_back
    if outer is None or (frame.f_code, outer.f_code) != _COPYING:
        return None
    return outer.f_locals.get("x")


def _is_element(modules: list[ModuleCall]) -> bool:
    """Whether torch's own Sequential made the innermost call, where no expression of the user's stands."""
    return len(modules) > 1 and type(modules[-2].module).forward is torch.nn.Sequential.forward


def _limited(error: BaseException) -> BaseException:
    """The error; but a module that ends its script shall not end the rehearsal of the others."""
    return Limit("its code ends the interpreter") if isinstance(error, SystemExit) else error


@functools.cache
def class_file(cls: Any) -> Optional[str]:
    """The file in which a class was defined, as far as its module tells."""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None


def has_own_constructor(cls: type) -> bool:
    """Whether a module class, or one of its bases that are not torch's, says how it is built."""
    owner = _constructor_owner(cls)
    return owner is not None and not _is_torch(owner)


def _is_torch(cls: Optional[type]) -> bool:
    return cls is not None and cls.__module__.split(".")[0] == "torch"


def _constructor_owner(cls: type) -> Optional[type]:
    """The most derived class that defines `__init__`, if that is not torch's own Module."""
    for base in cls.__mro__:
        if "__init__" in base.__dict__:
            return None if base is Module else base
    return None
