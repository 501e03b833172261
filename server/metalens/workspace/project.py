"""What `pyproject.toml` says to us, in its table `[tool.metalens]`."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from metalens.protocol.messages import Finding
from metalens.protocol.values import Location, Position, Range
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.settings import read_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "pyproject.toml"
INVALID = "invalid-setting"

_TABLE = "tool.metalens"
_KEYS = ("rules", "dims", "models")
_PIN_KEYS = ("args", "inputs")
_KNOWN = f"there is {' and '.join(_PIN_KEYS)}"


@dataclass(frozen=True)
class ModelPin:
    """What `[tool.metalens.models."pkg.net:Net"]` says, as source text; what is not said has no place."""

    module: str
    qualname: str
    place: Location
    arguments: str = ""
    inputs: str = ""
    arguments_at: Location | None = None
    inputs_at: Location | None = None


@dataclass(frozen=True)
class Project:
    """`rules` maps a rule to its level, `sizes` a named dimension to its number; `models` are pins.

    `complaints` are findings in the file itself: what in it was not understood.
    """

    rules: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    models: tuple[ModelPin, ...] = ()
    complaints: tuple[Finding, ...] = ()


def project_file(workspace: Workspace) -> str:
    """Where the settings of a workspace stand, if it has any."""
    return str(workspace.root / NAME)


def read_project(workspace: Workspace) -> Project:
    """The settings of the workspace. Never raises: what is not understood is left out and complained about."""
    file = project_file(workspace)
    try:
        text = workspace.text(file)
    except Unreadable:
        return Project()
    return _parsed(file, text) if _TABLE in text else Project()


@lru_cache(maxsize=4)
def _parsed(file: str, text: str) -> Project:
    writer = _Writer(file, text)
    try:
        table = tomllib.loads(text)["tool"]["metalens"]
    except tomllib.TOMLDecodeError as problem:
        return Project(complaints=(writer.broken(str(problem)),))
    except (KeyError, TypeError):
        return Project()
    if not isinstance(table, dict):
        return Project(complaints=(writer.complaint("metalens", f"{_TABLE} must be a table"),))
    complaints = list(_unknown(table, writer))
    rules, wrong = read_rules(table.get("rules", {}))
    complaints += [writer.complaint(rule or "rules", message) for rule, message in wrong]
    sizes, wrong = _sizes(table.get("dims", {}))
    complaints += [writer.complaint(name, message) for name, message in wrong]
    models = list(_models(table.get("models", {}), writer, complaints))
    return Project(rules, sizes, tuple(models), tuple(complaints))


def _sizes(given: object) -> tuple[dict[str, int], list[tuple[str, str]]]:
    if not isinstance(given, dict):
        return {}, [("dims", "dims must map each name to its size")]
    sizes = {name: size for name, size in given.items() if isinstance(size, int) and size > 0 and size is not True}
    return sizes, [(name, f"dims.{name} must be a whole number above 0") for name in given if name not in sizes]


def _models(given: object, writer: _Writer, complaints: list[Finding]) -> Iterator[ModelPin]:
    if not isinstance(given, dict):
        complaints.append(writer.complaint("models", "models must be a table of classes"))
        return
    for name, said in given.items():
        module, _, qualname = name.rpartition(":")
        if not module or not qualname or not isinstance(said, dict):
            complaints.append(writer.complaint(name, 'a model is named as in [tool.metalens.models."pkg.net:Net"]'))
            continue
        unknown = (key for key in said if key not in _PIN_KEYS)
        complaints += [writer.complaint(key, f"a model has no setting {key}; {_KNOWN}", name) for key in unknown]
        places = {key: writer.location(key, name) if key in said else None for key in _PIN_KEYS}
        yield ModelPin(
            module,
            qualname,
            writer.location(name),
            _arguments(said.get("args", "")),
            _arguments(said.get("inputs", ""), source=True),
            places["args"],
            places["inputs"],
        )


def _arguments(said: object, *, source: bool = False) -> str:
    """As source text: a text is source itself, a table gives keywords, a list values.

    Texts in these are `source` as well, or plain texts.
    """

    def shown(value: object) -> str:
        return value if source and isinstance(value, str) else repr(value)

    if isinstance(said, dict):
        return ", ".join(f"{name}={shown(value)}" for name, value in said.items())
    if isinstance(said, list):
        return ", ".join(map(shown, said))
    return str(said)


def _unknown(table: Mapping[str, Any], writer: _Writer) -> Iterable[Finding]:
    for key in table.keys() - set(_KEYS):
        meant = difflib.get_close_matches(key, _KEYS, 1)
        hint = f"did you mean {meant[0]}?" if meant else f"there is {', '.join(_KEYS)}"
        yield writer.complaint(key, f"{_TABLE} has no setting {key}; {hint}")


class _Writer:
    """Knows where the keys of the file stand."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = text.split("\n")

    def broken(self, problem: str) -> Finding:
        """The whole file is not TOML; the parser's words end in the place."""
        place = re.search(r" \(at line (\d+), column \d+\)", problem)
        line = int(place[1]) - 1 if place else 0
        said = problem[: place.start()] if place else problem
        return self._finding(self._of_line(line), f"this is not TOML, so that nothing of it counts: {said}")

    def complaint(self, key: str, message: str, within: str = "") -> Finding:
        """A complaint about a key of ours."""
        return self._finding(self._place(key, within), message)

    def location(self, key: str, within: str = "") -> Location:
        """Where a key of ours stands; `within` is one that stands above it."""
        return Location(self._file, self._place(key, within))

    def _place(self, key: str, within: str) -> Range:
        """The header of the table, where the key cannot be found."""
        headers = (number for number, line in enumerate(self._lines) if re.match(rf"\s*\[+\s*{_TABLE}\b", line))
        first = self._place(within, "").start.line if within else next(headers, 0)
        for number, line in self._numbered(first):
            found = re.search(rf"""(?<![\w-])(["']?){re.escape(key)}\1(?![\w-])""", line.partition("#")[0])
            if found:
                return Range(Position(number, found.start()), Position(number, found.end()))
        return self._of_line(first)

    def _numbered(self, first: int) -> Iterator[tuple[int, str]]:
        yield from ((number, line) for number, line in enumerate(self._lines) if number >= first)

    def _of_line(self, number: int) -> Range:
        number = min(number, len(self._lines) - 1)
        return Range(Position(number, 0), Position(number, len(self._lines[number].rstrip())))

    def _finding(self, place: Range, message: str) -> Finding:
        return Finding(INVALID, "warning", message, Location(self._file, place), "")
