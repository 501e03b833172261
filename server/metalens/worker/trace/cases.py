"""Functions and tests of a caller that nobody calls: how they are called, with parameters, fixtures and set-ups."""

from __future__ import annotations

import inspect
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any, Optional

from metalens.worker.load.pytests import Fixture, MonkeyPatch
from metalens.worker.load.unknown import Unknown

_MOST_SETS, _MOST_CLASSES, _MOST_CASES = 4, 16, 40
Call = Callable[[], Any]


def calls_of(namespace: dict[str, Any], file: str, entered: set[str]) -> Iterator[Call]:
    """A call for each function, and for each test of a class, that stands in the file and was not `entered`.

    What a function requires comes from its parameters and from fixtures of the namespace; the rest is Unknown.
    """
    count = 0
    for item in list(namespace.values()):
        cases: Iterator[Call] = iter(())
        if isinstance(item, types.FunctionType) and _stands_in(item, file) and item.__name__ not in entered:
            cases = _function(item, namespace)
        elif isinstance(item, type):
            cases = _class(item, namespace, file, entered)
        for case in cases:
            count += 1
            if count > _MOST_CASES and isinstance(item, type):
                break
            yield case


def _stands_in(function: Any, file: str) -> bool:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and code.co_filename == file


def _function(function: Any, namespace: dict[str, Any], owner: Any = None) -> Iterator[Call]:
    try:
        parameters = list(inspect.signature(function).parameters.values())[0 if owner is None else 1 :]
    except (TypeError, ValueError):
        return
    required = [part.name for part in parameters if part.default is part.empty and part.kind < 2]
    for values in _sets(function):

        def call(values: dict[str, Any] = values) -> Any:
            monkeypatch = MonkeyPatch()
            named = {**namespace, "monkeypatch": monkeypatch}
            given = [values[name] if name in values else _made(name, named) for name in required]
            rest = {name: value for name, value in values.items() if name not in required}
            try:
                return function(*(() if owner is None else (owner(),)), *given, **rest)
            finally:
                monkeypatch.undo()

        yield call


def _sets(function: Any) -> list[dict[str, Any]]:
    """The first sets of parameters, each with a value of every mark; of classes and functions nearly all."""
    marks = [sets for sets in getattr(function, "parameters", ()) if sets]
    if not marks:
        return [{}]
    most = max(min(_MOST_CLASSES if _names_code(sets) else _MOST_SETS, len(sets)) for sets in marks)
    return [{name: value for sets in marks for name, value in sets[at % len(sets)].items()} for at in range(most)]


def _names_code(sets: list[dict[str, Any]]) -> bool:
    return any(isinstance(value, (type, types.FunctionType)) for value in sets[0].values())


def _made(name: str, namespace: dict[str, Any], depth: int = 4) -> Any:
    """The value of a fixture; Unknown for what is none."""
    fixture = namespace.get(name)
    if isinstance(fixture, MonkeyPatch):
        return fixture
    if not isinstance(fixture, Fixture) or depth == 0:
        return Unknown(name)
    request = types.SimpleNamespace(param=fixture.params[0] if fixture.params else Unknown("request.param"))
    wanted = [part for part in inspect.signature(fixture.function).parameters if part != "self"]
    given = {part: request if part == "request" else _made(part, namespace, depth - 1) for part in wanted}
    value = fixture.function(**given)
    return next(value) if inspect.isgenerator(value) else value


def _class(cls: Any, namespace: dict[str, Any], file: str, entered: set[str]) -> Iterator[Call]:
    of_unittest = issubclass(cls, unittest.TestCase)
    if not of_unittest and not cls.__name__.startswith("Test"):
        return
    tests = [
        (name, item)
        for name, item in vars(cls).items()
        if name.startswith("test") and isinstance(item, types.FunctionType)
        if _stands_in(item, file) and name not in entered
    ]
    own = {name: item for name, item in vars(cls).items() if isinstance(item, Fixture)}
    for name, item in tests:

        def owner(name: str = name) -> Any:
            return _prepared(cls, name if of_unittest else None)

        yield from _function(item, {**namespace, **own}, owner)


def _prepared(cls: Any, unit: Optional[str]) -> Any:
    """A new object of a class of tests, set up for a test."""
    case = cls(unit) if unit else cls()
    ups = ("setUpClass", "setUp") if unit else ("setup_class", "setup_method", "setup")
    for name in ups:
        up = getattr(case, name, None)
        if callable(up):
            up(*(None for part in inspect.signature(up).parameters.values() if part.default is part.empty))
    return case
