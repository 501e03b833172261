"""What a dotted name in a file stands for, followed through imports, re-exports, stars and aliases."""

from __future__ import annotations

import os
from dataclasses import dataclass

from metalens.resolve.index import View
from metalens.resolve.outline import Import


@dataclass(frozen=True)
class Definition:
    """A top-level name of a workspace file, or a class with its qualified name."""

    file: str
    name: str


@dataclass(frozen=True)
class Module:
    """A module of the workspace: its file, or its folder if that has no `__init__.py`."""

    path: str


@dataclass(frozen=True)
class External:
    """A full dotted name outside the workspace."""

    name: str


Symbol = Definition | Module | External


class Names:
    """Answers for one view, each found once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[tuple[str, str], tuple[Symbol, ...]] = {}

    def lookup(self, file: str, name: str) -> tuple[Symbol, ...]:
        """Everything that the dotted name may stand for at the top level of `file`; empty if that cannot be told."""
        key = (file, name)
        if key not in self._known:
            self._known[key] = tuple(dict.fromkeys(_lookup(self._view, file, name, set())))
        return self._known[key]


def _lookup(view: View, file: str, name: str, seen: set[tuple[str, str]]) -> list[Symbol]:
    """`seen` are the places where this name has been looked for: packages import each other in circles."""
    outline = view.outline(file)
    if outline is None or (file, name) in seen:
        return []
    seen.add((file, name))
    head, _, rest = name.partition(".")
    found: list[Symbol] = []
    for alias in outline.aliases.get(head, ()):
        if alias.partition(".")[0] != head:
            found.extend(_lookup(view, file, f"{alias}.{rest}" if rest else alias, seen))
    if head in outline.definitions and (not found or head in outline.class_names | outline.functions):
        if not rest:
            found.append(Definition(file, head))
        elif name in outline.class_names:
            found.append(Definition(file, name))
    for item in outline.imports.get(head, ()):
        found.extend(_imported(view, file, item, rest, seen))
    if found or head in outline.definitions or head in outline.imports:
        return found
    for star in outline.stars:
        found.extend(_through_star(view, file, star, name, seen))
    return found


def _imported(view: View, file: str, item: Import, rest: str, seen: set[tuple[str, str]]) -> list[Symbol]:
    inner = ".".join(part for part in (item.name, rest) if part)
    path = view.module(file, item.module, item.level)
    if path is not None:
        found = _attribute(view, path, inner, seen)
        # A folder without `__init__.py` gives way to an installed package of the same name.
        if found or path.endswith(".py"):
            return found
    return [External(".".join(part for part in (item.module, inner) if part))] if item.level == 0 else []


def _attribute(view: View, path: str, name: str, seen: set[tuple[str, str]]) -> list[Symbol]:
    if not name:
        return [Module(path)]
    if path.endswith(".py"):
        found = _lookup(view, path, name, seen)
        if found or os.path.basename(path) != "__init__.py":
            return found
    folder = path if not path.endswith(".py") else os.path.dirname(path)
    head, _, rest = name.partition(".")
    inner = view.module(os.path.join(folder, "__init__.py"), head, 1)
    if inner is None or inner == path:
        return []
    return _attribute(view, inner, rest, seen)


def _through_star(view: View, file: str, star: Import, name: str, seen: set[tuple[str, str]]) -> list[Symbol]:
    path = view.module(file, star.module, star.level)
    if path is not None:
        return _attribute(view, path, name, seen)
    return [External(f"{star.module}.{name}")] if star.level == 0 and name[:1].isupper() else []
