"""Pins: what the user says of how a class is built and called, in comments beside it and in `pyproject.toml`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from metalens.protocol.messages import Finding, Pin
from metalens.protocol.values import Location
from metalens.resolve.classes import ModuleClass
from metalens.resolve.directives import ARGS, INPUT, Directive, directives, line_of
from metalens.resolve.statements import statement_at
from metalens.workspace.project import ModelPin, Project

INVALID = "invalid-pin"


@dataclass(frozen=True)
class Pins:
    """The pins of a file's classes; `complaints` are about entries of the settings that name no class of the file."""

    pins: tuple[Pin, ...] = ()
    complaints: tuple[Finding, ...] = ()


def pins_of(root: str, file: str, text: str, classes: Sequence[ModuleClass], project: Project) -> Pins:
    """The pins of each class in its order. A comment beside a class says more than the settings do."""
    found: dict[int, Pin] = {}
    complaints: list[Finding] = []
    for entry in project.models:
        if not _means(entry.module, root, file):
            continue
        cls = next((item for item in classes if item.qualname == entry.qualname), None)
        if cls is None:
            complaints.append(_no_such_class(entry, file, classes))
        else:
            said = (entry.arguments, entry.inputs, entry.arguments_at, entry.inputs_at)
            found[cls.line] = Pin(file, cls.qualname, *said, sizes=dict(project.sizes))
    for item in directives(text):
        cls = pinned_class(item, text, classes)
        if cls is None:
            continue
        place = Location(file, item.place)
        known = found.get(cls.line) or Pin(file, cls.qualname, sizes=dict(project.sizes))
        if item.word == ARGS:
            found[cls.line] = replace(known, arguments=item.rest, arguments_at=place)
        else:
            found[cls.line] = replace(known, inputs=item.rest, inputs_at=place)
    return Pins(tuple(found[line] for line in sorted(found)), tuple(complaints))


def loose_pins(text: str, classes: Sequence[ModuleClass]) -> tuple[Directive, ...]:
    """The comments that pin something and stand beside no class."""
    pinning = (item for item in directives(text) if item.word in (ARGS, INPUT))
    return tuple(item for item in pinning if pinned_class(item, text, classes) is None)


def pinned_class(item: Directive, text: str, classes: Iterable[ModuleClass]) -> ModuleClass | None:
    """The class whose statement, or whose `forward`, a comment that pins stands beside or above."""
    if item.word not in (ARGS, INPUT):
        return None
    statement = statement_at(text, line_of(item, text))
    header = range(statement.first, statement.last + 1)
    for cls in classes:
        if cls.line in header or (item.word == INPUT and cls.forward and cls.forward.start.line in header):
            return cls
    return None


def _means(module: str, root: str, file: str) -> bool:
    """Whether `pkg.net`, or `pkg/net.py`, is this file of the workspace; `src/pkg/net.py` is `pkg.net` as well."""
    parts = module.removesuffix(".py").split("/" if module.endswith(".py") or "/" in module else ".")
    try:
        path = PurePath(file).relative_to(root)
    except ValueError:
        return False
    own = [*path.parts[:-1], *([] if path.stem == "__init__" else [path.stem])]
    return own[-len(parts) :] == parts


def _no_such_class(entry: ModelPin, file: str, classes: Sequence[ModuleClass]) -> Finding:
    meant = difflib.get_close_matches(entry.qualname, [item.qualname for item in classes], 1)
    hint = f"; did you mean {meant[0]}?" if meant else ""
    message = f"{PurePath(file).name} has no module class {entry.qualname}{hint}"
    return Finding(INVALID, "warning", message, entry.place, "")
