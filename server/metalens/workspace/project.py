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
_KEYS = ("rules",)


@dataclass(frozen=True)
class Project:
    """`rules` maps a rule to its level. `complaints` are findings in the file itself: what in it was not understood."""

    rules: Mapping[str, str] = field(default_factory=dict)
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
    return Project(rules, tuple(complaints))


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

    def complaint(self, key: str, message: str) -> Finding:
        """A complaint about a key of ours."""
        return self._finding(self.place(key), message)

    def place(self, key: str) -> Range:
        """Where a key of our table stands; the header of the table, where it cannot be found."""
        headers = (number for number, line in enumerate(self._lines) if re.match(rf"\s*\[+\s*{_TABLE}\b", line))
        first = next(headers, 0)
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
