"""pytest, as much of it as tests say to it: what their parameters and fixtures are, and which errors they expect."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from typing import Any, Optional

from metalens.worker.load.hydra import located
from metalens.worker.load.unknown import Unknown

STAND_IN = True
_NOTHING: Any = object()


class Skipped(Exception):
    """A test that does not want to run."""


class Fixture:
    """A function that makes a value for tests that ask for it by its name."""

    def __init__(self, function: Callable[..., Any], params: Any = None) -> None:
        self.function = function
        self.params = list(params or ())


class MonkeyPatch:
    """`monkeypatch`: what a test puts in the place of something else, until `undo`."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def setattr(self, target: Any, name: Any, value: Any = _NOTHING, raising: bool = True) -> None:
        """`setattr(owner, name, value)`, or `setattr("package.module.name", value)`."""
        if value is _NOTHING:
            path, _, attribute = target.rpartition(".")
            target, name, value = located(path), attribute, name
        self._before.append((target, name, vars(target).get(name, _NOTHING)))
        setattr(target, name, value)

    def undo(self) -> None:
        """Everything as it was."""
        while self._before:
            owner, name, value = self._before.pop()
            delattr(owner, name) if value is _NOTHING else setattr(owner, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None  # environment, items and paths decide no shapes


class _Values(tuple):  # type: ignore[type-arg]
    """What `pytest.param` gives."""


class _Marks:
    """`pytest.mark`: only parameters change what a test does."""

    def parametrize(self, names: Any, values: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Remember the values; `names` are one name, several with commas between, or a list."""
        wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        sets = [_set(wanted, value) for value in values]

        def mark(function: Any) -> Any:
            function.parameters = [*getattr(function, "parameters", ()), sets]
            return function

        return mark

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _mark


def _set(names: list[str], value: Any) -> dict[str, Any]:
    if isinstance(value, _Values):
        value = tuple(value) if len(names) > 1 else value[0]
    return dict(zip(names, value)) if len(names) > 1 else {names[0]: value}


def _mark(*args: Any, **kwargs: Any) -> Any:
    if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
        return args[0]
    return lambda function: function


def _fixture(function: Any = None, *args: Any, **kwargs: Any) -> Any:
    if function is not None:
        return Fixture(function)
    return lambda inner: Fixture(inner, kwargs.get("params"))


class _Expected:
    """A block whose errors the test wants to see."""

    value = Unknown("an expected error")

    def __enter__(self) -> _Expected:
        return self

    def __exit__(self, *error: Any) -> bool:
        return True


def _raises(*args: Any, **kwargs: Any) -> Any:
    return _Expected()


def _skip(*args: Any, **kwargs: Any) -> None:
    raise Skipped


def _import_or_skip(name: str, *args: Any, **kwargs: Any) -> Any:
    return importlib.import_module(name)


_PYTEST: dict[str, Any] = {
    "mark": _Marks(),
    "MonkeyPatch": MonkeyPatch,
    "fixture": _fixture,
    "param": lambda *values, **kwargs: _Values(values),
    "raises": _raises,
    "warns": _raises,
    "skip": _skip,
    "xfail": _skip,
    "fail": _skip,
    "importorskip": _import_or_skip,
    "approx": lambda value, *args, **kwargs: value,
    "main": lambda *args, **kwargs: 0,
}


def replaces(name: str) -> bool:
    """Whether this module is stood in for even where it is installed."""
    return name == "pytest"


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other module."""
    return _PYTEST if name == "pytest" else None
