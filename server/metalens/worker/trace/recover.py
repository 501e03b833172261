"""An operation that fails does not end forward: the mistake is recorded, and a substitute goes on in its place."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace.facts import Facts
from metalens.worker.trace.function_guess import guess_of_function, guess_of_values, plain_name
from metalens.worker.trace.guess import Guess, Guesses, same, shape_of
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.layer_guess import guess_of_layer
from metalens.worker.trace.operators import unpacker

NOTHING = object()
"""There is no substitute: the error goes on its way."""

# Of these the second operand chooses elements.
MASKED = frozenset(("masked_fill", "masked_scatter"))

_MOST = 20
_KINDS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
_NO_MISTAKES = (NotImplementedError, RecursionError, UnknownError, Limit)


class Recovery:
    """Substitutes for the outputs of failed operations.

    `confirm` is asked whether an error, with its traceback completed, is a mistake of the model; it records those that
    are. `guarded` tells whether the user's own code catches what a line raises (a `try` around it).
    """

    def __init__(self, facts: Facts, guarded: Callable[[str, int], bool]) -> None:
        self.confirm: Callable[[BaseException], bool] = lambda error: False
        self._facts = facts
        self._guarded = guarded
        self._left = _MOST
        self._refused: set[int] = set()
        self._leaked: dict[int, bool] = {}
        self._doubts = False

    @contextlib.contextmanager
    def trying(self, admit: Callable[[BaseException], bool]) -> Iterator[list[BaseException]]:
        """Recover from what `admit` admits, and only gather those errors."""
        errors: list[BaseException] = []
        before = self.confirm, self._left, self._facts.leaked

        def confirm(error: BaseException) -> bool:
            admitted = admit(error)
            if admitted:
                errors.append(error)
            return admitted

        self.confirm, self._facts.leaked = confirm, False
        try:
            yield errors
        finally:
            self.confirm, self._left, self._facts.leaked = before

    def begin(self) -> None:
        """Another program starts: what an earlier one left in doubt is no concern of it."""
        self._doubts = self._facts.leaked = False
        self._facts.read.clear()

    def leaked_before(self, error: BaseException) -> bool:
        """What the facts said of leaks when an error was raised."""
        return self._leaked.get(id(error), self._facts.leaked)

    @property
    def in_doubt(self) -> bool:
        """Whether a size that user code reads may be one that a mistake made."""
        return self._doubts

    def attempt(
        self, error: BaseException, frame: Any, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """The substitute for a call that raised in `frame`, or NOTHING.

        Asked by the innermost call first; once it is refused there, the outer ones refuse it too.
        """
        if not self._may_go_on(error, frame):
            return NOTHING
        with torch._C.DisableTorchFunction():
            guesses = guesses_of(function, args, dict(kwargs))
            if guesses is None:
                return NOTHING
            return self._made(guesses) if self._confirmed(error, frame) else NOTHING

    def assume(self, error: BaseException, frame: Any) -> bool:
        """Whether forward goes on after an assertion that failed: a mistake, but no size becomes another one by it."""
        if not self._may_go_on(error, frame) or not self._confirmed(error, frame):
            return False
        self._facts.recovered[id(error)] = {}  # nothing stands in, but what is made from here on is followed
        return True

    # ------------------------------------------------------------ inside

    def _may_go_on(self, error: BaseException, frame: Any) -> bool:
        if id(error) in self._refused:
            return False
        self._refused.add(id(error))
        self._leaked[id(error)] = self._facts.leaked
        self._facts.alive.append(error)
        if not self._left or not isinstance(error, _KINDS) or isinstance(error, _NO_MISTAKES):
            return False
        return not self._is_caught(frame)

    def _confirmed(self, error: BaseException, frame: Any) -> bool:
        before = error.__traceback__
        error.__traceback__ = whole(before, frame.f_back)
        if self.confirm(error):
            self._left -= 1
            return True
        error.__traceback__ = before
        return False

    def _is_caught(self, frame: Any) -> bool:
        while frame is not None:
            file = frame.f_code.co_filename
            if self._guarded(file, (frame.f_lineno or 1) - 1) or file.replace("\\", "/").endswith("unittest/case.py"):
                return True
            frame = frame.f_back
        return False

    def _made(self, guesses: Guesses) -> Any:
        if isinstance(guesses, Guess):
            tensor = torch.empty(guesses.shape, dtype=guesses.dtype or torch.float32, device="meta")
            self._facts.recovered[id(tensor)] = {dim: guesses.otherwise.get(dim) for dim in guesses.doubtful}
            self._doubts = self._doubts or bool(guesses.doubtful)
            self._facts.alive.append(tensor)
            return tensor
        if isinstance(guesses, int):
            self._facts.leaked = True
        return tuple(self._made(part) for part in guesses) if isinstance(guesses, tuple) else guesses


def guesses_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    """What a call of a torch layer, a torch function, a tensor method or an operator would have given."""
    try:
        if isinstance(function, torch.nn.Module):
            return guess_of_layer(function, args, kwargs)
        if function is unpacker:
            return guess_of_values(*args)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, torch.Tensor):
            function, args = getattr(type(owner), function.__name__), (owner, *args)
        elif not _is_torch(function):
            return None
        return _as_floats(function, args, kwargs) or guess_of_function(plain_name(function), args, kwargs)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError):
        return None  # called in a way that no rule expects


def _is_torch(function: Any) -> bool:
    module = str(getattr(function, "__module__", None) or "_operator")
    return module.split(".", maxsplit=1)[0] in ("torch", "_operator")


def _as_floats(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    """Where only the dtypes disagree the shape is no guess."""
    tensors = [part for part in (*args, *kwargs.values()) if isinstance(part, torch.Tensor)]
    if len({tensor.dtype for tensor in tensors}) < 2:
        return None
    masks = plain_name(function) in MASKED

    def convert(place: int, part: Any) -> Any:
        dtype = torch.bool if masks and place == 1 else torch.float32
        return torch.empty(shape_of(part), dtype=dtype, device="meta") if isinstance(part, torch.Tensor) else part

    try:
        named = {key: convert(key == "mask", part) for key, part in kwargs.items()}
        result = function(*(convert(place, part) for place, part in enumerate(args)), **named)
    except Exception:  # noqa: BLE001 - torch raises any type: then it was not the dtypes alone
        return None
    return same(result, frozenset()) if isinstance(result, torch.Tensor) else None


def whole(trace: Optional[types.TracebackType], frame: Any) -> Optional[types.TracebackType]:
    """A traceback that begins where the program does, although its error has not left `frame`."""
    while frame is not None:
        trace = types.TracebackType(trace, frame, frame.f_lasti, frame.f_lineno or frame.f_code.co_firstlineno)
        frame = frame.f_back
    return trace


__all__ = ["NOTHING", "Recovery", "guesses_of", "whole"]
