"""Runs callers in the locked room: sliced, statement by statement, tolerant of every failure."""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import random
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Optional

import torch

from metalens.protocol.messages import Caller
from metalens.worker.load import arrays, inventions, told
from metalens.worker.load.finder import MissingFinder, ReplacingFinder, WorkspaceFinder
from metalens.worker.load.instrument import Table, instrument
from metalens.worker.load.lent import LentFinder
from metalens.worker.load.pages import page_of
from metalens.worker.load.parsing import OLDER, is_older
from metalens.worker.load.readers import ReadersFinder
from metalens.worker.load.slicing import slice_script, workspace_names
from metalens.worker.load.snippets import continued, identifiers, programs, settings
from metalens.worker.load.sources import Sources
from metalens.worker.load.syntax import without_messages
from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace.cases import calls_of
from metalens.worker.trace.command_line import WantsPlaces, places
from metalens.worker.trace.devices import WantsDevices, devices
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.recover import whole
from metalens.worker.trace.rounds import spare
from metalens.worker.trace.tracer import Tracer


@dataclass(frozen=True)
class Program:
    """What is rehearsed in one go; `mended` tells why that proves nothing, if so, `settings` what it gives by name."""

    tree: ast.Module
    mended: str = ""
    settings: frozenset[tuple[str, str]] = frozenset()


class Stage:
    """Loads and runs workspace code for one run. `problems` are files that could not be loaded, and why."""

    def __init__(self, root: str, import_paths: tuple[str, ...], sources: Sources, tracer: Tracer) -> None:
        self.tracer = tracer
        self.sources = sources
        self.problems: dict[str, str] = {}
        self.rehearsed: list[types.ModuleType] = []
        self._mended = ""
        self.missing = MissingFinder(sources)
        self.local = workspace_names(root, import_paths)
        for folder in (*import_paths, root):
            if folder not in sys.path:
                sys.path.insert(min(len(import_paths), len(sys.path)), folder)
        sys.path[:0] = [folder for folder in import_paths if folder not in sys.path[: len(import_paths)]]
        inventions.listen(tracer.invent)
        told.listen(self._hear)
        sys.meta_path.insert(0, WorkspaceFinder(sources, self._import_text))
        sys.meta_path.insert(0, ReplacingFinder(sources))
        sys.meta_path.insert(0, ReadersFinder())
        sys.meta_path += [LentFinder(), self.missing]

    def _hear(self, error: BaseException) -> None:
        """A stand-in goes on after an error of the user's."""
        error.__traceback__ = whole(error.__traceback__, sys._getframe(3))
        self.tracer.on_failure(error)

    def programs_of(self, caller: Caller) -> list[Program]:
        """The programs of a file: a script, the fences of a page, the cells of a notebook.

        Of several programs in one page those without a wanted name are left out; those with most of them come first.
        """
        file, names = caller.file, set(caller.names)
        base = os.path.basename(file)
        chosen = f"{base} was run with a choice that it leaves open" if caller.assumed else ""
        try:
            text = self.sources.text(file)
            found = [Program(tree, chosen or (OLDER if is_older(file) else "")) for tree in programs(file, text)]
            told = f"several examples of {base} were run in one go"
            later = [Program(tree, chosen or told) for tree in continued(file, text)]
        except (OSError, SyntaxError, UnicodeDecodeError, ValueError, RecursionError) as error:
            self.problems[file] = _why_unreadable(error)
            return []
        self._forget_modules()
        return [*_relevant(found, names), *_relevant(later, names)]

    def rehearse(self, caller: Caller, program: Program) -> None:
        """Run one program of a caller, then its functions that nobody called.

        One that ends for want of accelerators, or of the place of its data, is run again as if there were some.
        """
        self._mended = program.mended
        slice_script(program.tree, self.local)
        table, code = self._compiled(program.tree, caller.file)
        devices.begin(False)
        places.begin(False)
        while True:
            module = self._main(caller.file, caller.argv)
            try:
                self._run(table, code, caller.file, module.__dict__)
                self._call_functions(module, caller.file)
            except WantsDevices:
                devices.begin(True)
            except WantsPlaces:
                places.begin(True)
            else:
                break
            self._forget_modules()

    def _main(self, file: str, argv: tuple[str, ...]) -> types.ModuleType:
        """A new `__main__` for a file."""
        module = types.ModuleType("__main__")
        module.__file__ = file
        module.__package__ = _package_of(file) or None
        sys.modules["__main__"] = module
        sys.argv = [file, *argv]
        self.rehearsed.append(module)
        random.seed(0)
        with contextlib.suppress(UnknownError):
            arrays.numpy().random.seed(0)
        torch.manual_seed(0)
        self.tracer.mended, self.tracer.doubted = self._mended, False
        self.tracer.cut, self.tracer.counted, self.tracer.called = False, False, 0
        self.tracer.recovery.begin()
        spare.begin()
        return module

    def define(self, file: str) -> None:
        """Run what a file defines (imports, functions, classes, constants) without its script."""
        try:
            tree = next(programs(file, self.sources.text(file)), ast.Module([], []))
        except (OSError, SyntaxError, UnicodeDecodeError, ValueError, RecursionError) as error:
            self.problems[file] = _why_unreadable(error)
            return
        tree.body = [part for part in tree.body if _is_definition(part)]
        devices.begin(present=True)
        self._execute(tree, file, self._main(file, ()).__dict__)

    def class_named(self, file: str, qualname: str) -> Any:
        """The class of that name in a file that was rehearsed or imported; None if running the file did not make it."""
        module = self._module_with(file, qualname)
        return _lookup(module, qualname) if module is not None else None

    def namespace_of(self, file: str, qualname: str) -> dict[str, Any]:
        """The names beside a class; none where running its file did not make it."""
        module = self._module_with(file, qualname)
        return vars(module) if module is not None else {}

    def _module_with(self, file: str, qualname: str) -> Optional[types.ModuleType]:
        real = os.path.realpath(file)
        for module in [*self.rehearsed, *sys.modules.values()]:
            here = os.path.realpath(getattr(module, "__file__", None) or "/") == real
            if here and isinstance(_lookup(module, qualname), type):
                return module
        return None

    # ------------------------------------------------------------ inside

    def _forget_modules(self) -> None:
        """Each command line is a process of its own: what an earlier one left in the workspace's modules is gone."""
        if self.rehearsed:
            for name, module in list(sys.modules.items()):
                file = getattr(module, "__file__", None)
                if isinstance(file, str) and self.sources.holds(file):
                    del sys.modules[name]

    def _import_text(self, text: str, file: str, namespace: dict[str, Any]) -> None:
        real = os.path.realpath(file)
        page = page_of(text, real)
        self._remember(real, text)
        self._run(page.table, page.code, file, namespace)

    def _remember(self, file: str, text: str) -> None:
        """The text as it runs, for the judge, and for whoever asks Python for a line of it."""
        self.tracer.facts.sources[file] = text
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)

    def _execute(self, tree: ast.Module, file: str, namespace: dict[str, Any]) -> None:
        self._run(*self._compiled(tree, file), file, namespace)

    def _compiled(self, tree: ast.Module, file: str) -> tuple[Table, types.CodeType]:
        real = os.path.realpath(file)
        text = self.sources.texts.get(real) or self.sources.text(file)
        self._remember(real, text)
        table = instrument(without_messages(tree), text)
        return table, compile(tree, real, "exec", dont_inherit=True)

    def _run(self, table: Table, code: types.CodeType, file: str, namespace: dict[str, Any]) -> None:
        namespace.update(self.tracer.hooks(os.path.realpath(file), table))
        strict, self.tracer.strict = self.tracer.strict, 0
        try:
            exec(code, namespace)
        except (SystemExit, UnknownError, Limit):
            return
        finally:
            self.tracer.strict = strict

    def _call_functions(self, module: types.ModuleType, file: str) -> None:
        """Call each function and each test of a caller that nobody called."""
        real = os.path.realpath(file)
        for call in calls_of(vars(module), real, self._entered(real)):
            self.tracer.mended, self.tracer.doubted, self.tracer.cut = self._mended, False, False
            _attempt(call)

    def _entered(self, file: str) -> set[str]:
        trace = self.tracer.files.get(file)
        return trace.entered if trace is not None else set()


def _relevant(found: list[Program], names: set[str]) -> list[Program]:
    """Of several programs those that speak of the names, most of them first."""
    if len(found) < 2 or not names:
        return found
    hits = [len(names & identifiers(program.tree)) for program in found]
    order = [at for at in sorted(range(len(found)), key=lambda at: -hits[at]) if hits[at]]
    return [replace(found[at], settings=settings(found[at].tree, names)) for at in order]


def _is_definition(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    plain = isinstance(statement, (ast.Assign, ast.AnnAssign))
    return plain and not any(isinstance(node, ast.Call) for node in ast.walk(statement))


def _attempt(action: Callable[[], Any]) -> None:
    try:
        action()
    except (Exception, SystemExit):  # noqa: BLE001 - a caller may end in any way; what it showed before that counts
        return


def _lookup(module: types.ModuleType, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _package_of(file: str) -> str:
    parts = []
    folder = os.path.dirname(file)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        parts.append(os.path.basename(folder))
        folder = os.path.dirname(folder)
    return ".".join(reversed(parts))


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno or 0} does not parse: {error.msg}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, FileNotFoundError):
        return "the file is gone"
    return str(error).splitlines()[0][:160]
