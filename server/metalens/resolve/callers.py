"""Which files of the workspace may build or call given classes.

The search goes backwards: from the classes to the functions, classes and variables that refer to them, in the same file
and in files that import them, then to what refers to those. A text is parsed only if it has one of the wanted words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from weakref import WeakKeyDictionary

from metalens.resolve.classes import ModuleClass, classes_in
from metalens.resolve.configs import values_of, words_of
from metalens.resolve.declared import groups
from metalens.resolve.index import View, is_below
from metalens.resolve.names import Definition, Module, Names, Symbol
from metalens.resolve.options import facts_of
from metalens.resolve.outline import MODULE, Outline
from metalens.resolve.reaching import reaching
from metalens.resolve.registered import registered
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.walk import PYTHON

MAX_CALLERS = 8
MAX_HOPS = 5
_MAX_CONFIGS = 300
_LOADING = frozenset({"import_module", "__import__"})

_TEST_FILE = re.compile(r"(?:^test_.*|.*_test|^tests?|^conftest)\.py$")

# Words that a text was searched for in vain, by workspace and file, with the stamp of the text.
_ABSENT: WeakKeyDictionary[Workspace, dict[str, tuple[str, set[str]]]] = WeakKeyDictionary()


class Kind(IntEnum):
    """What a file does for the classes, best first. `CONTAINS`: nothing runs by itself, a class builds them."""

    HOME = 0
    SCRIPT = 1
    TEST = 2
    PAGE = 3
    LIBRARY = 4
    CONTAINS = 5


@dataclass(frozen=True)
class CallerFile:
    """A file that may build or call the classes, through these of its top-level names.

    `names` are all the names, of any file, that lead to the classes; `choices` are those of classes, functions and
    files among them, by which an option may choose.
    """

    file: str
    kind: Kind
    definitions: frozenset[str]
    names: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()

    def containing(self, view: View) -> tuple[ModuleClass, ...]:
        """Its module classes that contain the wanted ones, or contain what contains them."""
        found = classes_in(view, self.file)
        return tuple(item for item in found if item.qualname.partition(".")[0] in self.definitions)

    def registered(self, view: View) -> frozenset[str]:
        """The names under which those are kept in a registry."""
        return registered(view, self.containing(view))


def callers_of(workspace: Workspace, classes: Sequence[ModuleClass]) -> tuple[str, ...]:
    """At most `MAX_CALLERS` files, best first: the defining file if it builds anything, scripts, tests, pages, others.

    Files that only contain a model which contains the class come last; their own callers count as well.
    """
    return tuple(item.file for item in callers_in(View(workspace), classes))


def callers_in(view: View, classes: Sequence[ModuleClass]) -> tuple[CallerFile, ...]:
    """As `callers_of`, within a view. All classes are of one file."""
    if not classes:
        return ()
    home = classes[0].file
    search = _Search(view)
    search.run((home, item.qualname.partition(".")[0]) for item in classes)
    return _chosen(view, search, home, classes)


def users_in(view: View, home: str) -> tuple[CallerFile, ...]:
    """The callers of what a file without module classes defines: functions that models are made of."""
    outline = view.outline(home)
    names = (outline.functions | outline.class_names) if outline is not None else frozenset()
    search = _Search(view)
    search.run((home, name.partition(".")[0]) for name in sorted(names))
    return _chosen(view, search, home, ()) if names else ()


def _chosen(view: View, search: _Search, home: str, classes: Sequence[ModuleClass]) -> tuple[CallerFile, ...]:
    leading = list(search.callers(home))
    unnamed = all(item.kind in (Kind.HOME, Kind.CONTAINS) for item in leading)
    if (classes and unnamed) or registered(view, classes):
        search.reach(reaching(view, home))
    # Who builds one of the models that a registry keeps builds the others as well.
    others = sorted((item for item in leading if item.file != home), key=lambda item: search.distance(item, home))
    keeper = next((item.file for item in others if item.registered(view)), None)
    if keeper is not None:
        search.reach(reaching(view, keeper))
    found = sorted(search.callers(home), key=lambda item: (search.distance(item, home), item.file))
    # Many scripts of one kind tell less than a test or a page beside them.
    kinds = {item.kind: item for item in reversed(found)}
    others = [item for item in found if kinds[item.kind] is not item]
    chosen = {item.file for item in (*kinds.values(), *others[: max(MAX_CALLERS - len(kinds), 0)])}
    return tuple(item for item in found if item.file in chosen)


class _Search:
    """`_found` maps each file to its definitions that lead to a wanted class, with the number of files between."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names = Names(view)
        self._found: dict[str, dict[str, int]] = {}
        self._files = (*view.workspace.python_files(), *view.workspace.pages())
        self._absent = _ABSENT.setdefault(view.workspace, {})

    def run(self, wanted: Iterable[tuple[str, str]]) -> None:
        for file, name in wanted:
            self._found.setdefault(file, {})[name] = 0
        names = frozenset(name for found in self._found.values() for name in found)
        for script in self._configured(names):
            self._found.setdefault(script, {MODULE: 1})
        fresh = {file: set(names) for file, names in self._found.items()}
        for hops in range(MAX_HOPS + 1):
            for file in list(fresh):
                fresh[file] |= self._spread(file, hops)
            if hops == MAX_HOPS:
                return
            named = frozenset(name for found in fresh.values() for name in found)
            fresh = self._search(_words(fresh), hops + 1)
            for file, name in self._loaders(named):
                if name not in self._found.get(file, {}):
                    self._found.setdefault(file, {})[name] = hops + 1
                    fresh.setdefault(file, set()).add(name)
            if not fresh:
                return

    def _configured(self, names: frozenset[str]) -> Iterator[str]:
        """The scripts that build what their configurations name, where no code speaks of it."""
        for file in self._files:
            if file.endswith(PYTHON) and self._mentioning(file, frozenset({"hydra"})) is not None:
                composed = facts_of(self._view, file).composed
                files = {
                    path
                    for told in composed
                    for group in groups(self._view, file, *told)
                    for path in group.files.values()
                }
                if self._is_named(names, files):
                    yield file

    def _is_named(self, names: frozenset[str], configurations: Iterable[str]) -> bool:
        """Whether an entry of a configuration has one of the names as its value."""
        return any(
            names & words_of(self._view, path) and names & values_of(self._view, path) for path in configurations
        )

    def reach(self, scripts: Iterable[str]) -> None:
        """Scripts which lead to the classes although they do not name them."""
        for script in scripts:
            self._found.setdefault(script, {})[MODULE] = MAX_HOPS + 1

    def _loaders(self, names: frozenset[str]) -> Iterator[tuple[str, str]]:
        """What imports by name, file by file, if a configuration names one of the classes: `target: models.Net`."""
        loading = [(file, outline) for file in self._files if (outline := self._mentioning(file, _LOADING)) is not None]
        configs = self._view.workspace.configurations()[:_MAX_CONFIGS] if loading else ()
        if self._is_named(names, configs):
            for file, outline in loading:
                for word in _LOADING & outline.mentions.keys():
                    yield from ((file, name) for name, _ in outline.mentions[word])

    def callers(self, home: str) -> Iterator[CallerFile]:
        """What was found, by file."""
        leading = frozenset(name for found in self._found.values() for name in found if name != MODULE)
        choices = frozenset(name for file in self._found for name in self._choices(file))
        for file, names in self._found.items():
            caller = CallerFile(file, self._kind(file, home), frozenset(names), leading, choices)
            if caller.kind != Kind.CONTAINS or (file != home and caller.containing(self._view)):
                yield caller

    def _choices(self, file: str) -> Iterator[str]:
        outline = self._view.outline(file)
        found = self._found[file].keys() - {MODULE}
        if outline is not None and found:
            yield os.path.basename(file).removesuffix(".py")
            yield from found & (outline.class_names | outline.functions)

    def distance(self, caller: CallerFile, home: str) -> tuple[int, ...]:
        """The smaller the better: the kind, files between, how much it builds, how near the folders are."""
        found = self._found[caller.file]
        away = os.path.relpath(caller.file, os.path.dirname(home)).count(os.sep)
        return caller.kind, min(found.values()), -len(found), away

    def _kind(self, file: str, home: str) -> Kind:
        found = self._found[file]
        outline = self._view.outline(file)
        if outline is None:
            return Kind.CONTAINS
        runs = MODULE in found and outline.calls
        if not runs and outline.functions.isdisjoint(found):
            return Kind.CONTAINS
        if file == home:
            return Kind.HOME
        if not file.endswith(PYTHON):
            return Kind.PAGE
        name = os.path.basename(file)
        if _TEST_FILE.match(name):
            return Kind.TEST
        # What calls something while it is imported, as part of a package, is no script.
        is_script = outline.main_guard or (runs and not self._view.is_package(os.path.dirname(file)))
        return Kind.SCRIPT if is_script else Kind.LIBRARY

    def _spread(self, file: str, hops: int) -> set[str]:
        """The definitions of the same file that refer to what was found in it."""
        outline = self._view.outline(file)
        added: set[str] = set()
        while outline is not None:
            found = self._found[file]
            new = {
                name
                for name, references in outline.definitions.items()
                if name not in found and any(self._within(item, found) for item in references)
            }
            if not new:
                break
            found.update(dict.fromkeys(new, hops))
            added |= new
        return added

    def _within(self, reference: str, found: dict[str, int]) -> bool:
        return reference.partition(".")[0] in found

    def _search(self, words: frozenset[str], hops: int) -> dict[str, set[str]]:
        """The definitions of other files that refer to what was found, by file."""
        added: dict[str, set[str]] = {}
        for file in self._files:
            outline = self._mentioning(file, words)
            if outline is None:
                continue
            known = self._found.get(file, {})
            pairs = {pair for word in words & outline.mentions.keys() for pair in outline.mentions[word]}
            names = {name for name, item in pairs if name not in known and self._leads_there(file, item)}
            if names:
                added[file] = names
        for file, names in added.items():
            self._found.setdefault(file, {}).update(dict.fromkeys(names, hops))
        return added

    def _mentioning(self, file: str, words: frozenset[str]) -> Outline | None:
        """The outline of a file that has one of the words."""
        outline = self._view.fresh_outline(file)
        if outline is None:
            stamp = self._view.stamp(file)
            if stamp is None:
                return None
            known = self._absent.get(file)
            absent = known[1] if known is not None and known[0] == stamp else set()
            missing = words - absent
            if not missing:
                return None
            try:
                text = self._view.workspace.text(file)
            except Unreadable:
                return None
            if not any(word in text for word in missing):
                self._absent[file] = (stamp, absent | missing)
                return None
            outline = self._view.outline(file)
        return outline if outline is not None and not words.isdisjoint(outline.mentions) else None

    def _leads_there(self, file: str, reference: str) -> bool:
        name = reference.strip("'")
        if name != reference:
            plain = name.lstrip(".")
            path = self._view.module(file, plain, len(name) - len(plain))
            return path is not None and self._exposes(path)
        return any(self._is_found(symbol) for symbol in self._symbols(file, name))

    def _symbols(self, file: str, name: str) -> tuple[Symbol, ...]:
        """What the name or, if it goes on below a definition (`Net.create`), its beginning stands for."""
        while name:
            found = self._names.lookup(file, name)
            if found:
                return found
            name = name.rpartition(".")[0]
        return ()

    def _is_found(self, symbol: Symbol) -> bool:
        if isinstance(symbol, Definition):
            return symbol.name.partition(".")[0] in self._found.get(symbol.file, {})
        return isinstance(symbol, Module) and self._exposes(symbol.path)

    def _exposes(self, path: str) -> bool:
        """Whether a module that is used as a value may give what was found: it or a module in its folder defines it."""
        if path in self._found:
            return True
        if path.endswith(".py") and os.path.basename(path) != "__init__.py":
            return False
        folder = path.removesuffix("__init__.py").rstrip(os.sep)
        return any(is_below(file, folder) for file in self._found)


def _words(fresh: dict[str, set[str]]) -> frozenset[str]:
    """The names by which other files may mean these definitions: their own, their module's, their package's."""
    words = {name for names in fresh.values() for name in names if name != MODULE}
    for file, names in fresh.items():
        if names - {MODULE}:
            folder, base = os.path.split(file)
            words |= {base.removesuffix(".py"), os.path.basename(folder)}
    return frozenset(words - {"", "__init__"})
