"""Classes that the user pinned: built with the arguments and called with the inputs that a pin gives."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import torch

from metalens.protocol.messages import Finding, Pin
from metalens.protocol.values import Location
from metalens.worker.load.unknown import UnknownError, contains_unknown
from metalens.worker.trace.alone import build_alone
from metalens.worker.trace.describe import DTYPES, first_line
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.rehearse import Stage

INVALID = "invalid-pin"

_CALL = "_({})"
_LONGEST = 100

# How a model was built whose mistakes are the user's.
_TOLD = ("pin", "call site", "parent")


class BadPin(Exception):
    """A pin that cannot be followed; its text is a sentence for the user."""


def follow(pin: Pin, stage: Stage, observer: Observer) -> Iterator[Finding]:
    """Build and call the class as the pin says; gives what is wrong with the pin, if anything is.

    A pin of inputs alone is followed with a model that others built. What fails in `forward` is a mistake as any other.
    """
    made = _found(pin, observer) or _by_default(pin, stage, observer)
    for where, act in ((pin.arguments_at, _build), (pin.inputs_at, _call)):
        if where is None:
            continue
        try:
            made = act(pin, where, made, stage, observer)
        except BadPin as problem:
            text = str(problem)
            shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
            yield Finding(INVALID, "warning", shown, where, pin.qualname)
            return


def _build(pin: Pin, where: Location, made: Optional[Seen], stage: Stage, observer: Observer) -> Optional[Seen]:
    """A model with the pinned arguments; None where the class is not to be had, which others tell about."""
    cls = stage.class_named(pin.file, pin.qualname)
    if cls is None:
        stage.define(pin.file)
        cls = stage.class_named(pin.file, pin.qualname)
    if not isinstance(cls, type) or not issubclass(cls, torch.nn.Module):
        return None
    args, kwargs = _values(pin.arguments, pin, stage)
    name = pin.qualname.rpartition(".")[2]
    try:
        inspect.signature(cls).bind(*args, **kwargs)
    except TypeError as error:
        raise BadPin(f"{name} does not take these arguments: {error}") from error
    except ValueError:
        pass  # it has no readable signature
    observer.build_source, observer.place = "pin", where
    observer.tracer.mended, before = "", len(observer.seen)
    try:
        cls(*args, **kwargs)
    except (UnknownError, Limit):
        return None
    except Exception as error:
        raise BadPin(f"{name} cannot be built like this: {first_line(error)}") from error
    finally:
        observer.build_source, observer.place = "call site", None
    return next((seen for seen in observer.seen[before:] if type(seen.built.module) is cls), None)


def _found(pin: Pin, observer: Observer) -> Optional[Seen]:
    """The first model of the class that was built completely."""
    made = (seen for seen in observer.seen if seen.done and seen.file == pin.file)
    return next((seen for seen in made if type(seen.built.module).__qualname__ == pin.qualname), None)


def _by_default(pin: Pin, stage: Stage, observer: Observer) -> Optional[Seen]:
    """For inputs alone: a model with the defaults of its class. Nobody says that it is built like this."""
    cls = stage.class_named(pin.file, pin.qualname) if pin.arguments_at is None else None
    if cls is None or not issubclass(cls, torch.nn.Module) or not _takes_nothing(cls):
        return None
    return _found(pin, observer) if build_alone(cls, observer) is None else None


def _takes_nothing(cls: type) -> bool:
    try:
        inspect.signature(cls).bind()
    except (TypeError, ValueError):
        return False
    return True


def _call(pin: Pin, where: Location, made: Optional[Seen], stage: Stage, observer: Observer) -> Optional[Seen]:
    """Call the model, if there is one, with the pinned inputs."""
    if made is None:
        return None
    module = made.built.module
    unsized: list[str] = []
    args, kwargs = _values(pin.inputs, pin, stage, unsized)
    try:
        inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise BadPin(f"forward does not take these inputs: {error}") from error
    except ValueError:
        pass
    observer.call_source, observer.place = "pin", where
    tracer = observer.tracer
    tracer.mended = f"the size of {unsized[0]} is not given" if unsized else ""
    if made.source not in _TOLD:
        tracer.mended = "nobody says how it is built"
    made.called = None
    try:
        module(*args, **kwargs)
    except (UnknownError, Limit):
        pass
    except Exception as error:  # noqa: BLE001 - the user's forward may raise anything
        tracer.on_failure(error)
    finally:
        observer.call_source, observer.place = "call site", None
    return made


# ---------------------------------------------------------------- what a pin says


def _values(
    text: str, pin: Pin, stage: Stage, unsized: Optional[list[str]] = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a text means. With `unsized` they are inputs: shapes in it stand for tensors."""
    try:
        call = ast.parse(_CALL.format(text), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise BadPin(f"this is no list of arguments: {text}") from error
    if not isinstance(call, ast.Call):
        raise BadPin(f"this is no list of arguments: {text}")
    reader = _Reader(pin, stage.namespace_of(pin.file, pin.qualname), unsized)
    if any(isinstance(item, ast.Starred) for item in call.args) or any(item.arg is None for item in call.keywords):
        raise BadPin("a pin cannot use * or **")
    args = tuple(reader.value(item) for item in call.args)
    kwargs = {str(item.arg): reader.value(item.value) for item in call.keywords}
    if contains_unknown((args, kwargs)):
        raise BadPin("something in this pin is not known")
    return args, kwargs


class _Reader:
    """Reads values; names of sizes get one each time, those that have no number go to `unsized`."""

    def __init__(self, pin: Pin, namespace: dict[str, Any], unsized: Optional[list[str]]) -> None:
        self._sizes = dict(pin.sizes)
        self._namespace = namespace
        self._unsized = unsized

    def value(self, node: ast.expr) -> Any:
        if self._unsized is not None:
            shape, dtype = self._shape(node)
            if shape is not None:
                return _tensor(shape, dtype)
            if isinstance(node, (ast.List, ast.Tuple)):
                items = [self.value(item) for item in node.elts]
                return items if isinstance(node, ast.List) else tuple(items)
            if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
                return {self._evaluated(key): self.value(item) for key, item in zip(node.keys, node.values) if key}
        return self._evaluated(node)

    def _shape(self, node: ast.expr) -> tuple[Optional[list[int]], torch.dtype]:
        """`f32[B, 3]`, `[B, 3]` or `(B, 3)`."""
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in DTYPES:
            inner: Any = node.slice
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if not all(map(_is_size, parts)):
                raise BadPin(f"sizes are numbers or names, unlike in {ast.unparse(node)}")
            return self._sized(parts), DTYPES[node.value.id]
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts and all(map(_is_size, node.elts)):
            return self._sized(node.elts), torch.float32
        return None, torch.float32

    def _sized(self, parts: Iterable[ast.expr]) -> list[int]:
        return [part.value if isinstance(part, ast.Constant) else self._named(part) for part in parts]  # type: ignore[misc]

    def _named(self, part: ast.expr) -> int:
        assert isinstance(part, ast.Name)
        if part.id not in self._sizes:
            assert self._unsized is not None
            self._unsized.append(part.id)
            self._sizes[part.id] = 4 + 4 * len(self._unsized)
        return self._sizes[part.id]

    def _evaluated(self, node: ast.expr) -> Any:
        try:
            code = compile(ast.Expression(node), "<pin>", "eval")
            return eval(code, {**vars(torch.nn), "torch": torch, "nn": torch.nn, **self._namespace})
        except Exception as error:
            raise BadPin(f"{ast.unparse(node)} has no value here: {first_line(error)}") from error


def _is_size(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int) and not isinstance(node.value, bool) and node.value >= 0
    return isinstance(node, ast.Name)


def _tensor(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
