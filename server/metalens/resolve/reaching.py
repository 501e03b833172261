"""Scripts that may build a file's classes without naming them: by a registry, or by a name that is put together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache, partial

from metalens.resolve.imports import closure, imports_of
from metalens.resolve.index import View, is_below

MAX_SCRIPTS = 3
_MAX_ASKED = 60
_MAX_LOOKED_AT = 300  # files, the nearest, for what an edit waits for
_MOST_FOLDERS = 2  # below the one from which modules are loaded by name
_DYNAMIC = ("import_module", "__import__", "iter_modules", "walk_packages")
_BY_NAME = re.compile(r"^(import_module|__import__|getattr|globals|vars|eval|__dict__|\w*regist\w*)$", re.IGNORECASE)


def reaching(view: View, home: str) -> tuple[str, ...]:
    """At most `MAX_SCRIPTS` scripts that import the file, or what loads the modules of its folder by name."""
    files = sorted(view.workspace.python_files(), key=lambda file: (_away(file, home), file))[:_MAX_LOOKED_AT]
    scripts = [file for file in files if file != home and _is_script(view, file)]
    modules = lru_cache(None)(partial(_modules, view))
    found = (script for script in scripts[:_MAX_ASKED] if home in _reached(view, script, modules))
    return tuple(script for script, _ in zip(found, range(MAX_SCRIPTS), strict=False))


def _is_script(view: View, file: str) -> bool:
    outline = view.outline(file)
    if outline is None:
        return False
    return outline.main_guard or (outline.calls and not view.is_package(os.path.dirname(file)))


def _away(file: str, home: str) -> int:
    return os.path.relpath(file, os.path.dirname(home)).count(os.sep)


def _reached(view: View, script: str, modules: Callable[[str], tuple[str, ...]]) -> set[str]:
    files = set(imports_of(view, script).files)
    folders = {os.path.dirname(file) for file in files if _is_dynamic(view, file)}
    beside = {file for folder in folders for file in modules(folder)} - files
    if not any(_asks_by_name(view, file) for file in files):
        return set()
    return files | closure(view, beside)


def _is_dynamic(view: View, file: str) -> bool:
    outline = view.outline(file)
    return outline is not None and any(name in outline.mentions for name in _DYNAMIC)


def _asks_by_name(view: View, file: str) -> bool:
    """Whether the file may get a class by its name, or keeps it in a table of its own."""
    outline = view.outline(file)
    return outline is not None and any(map(_BY_NAME.match, outline.mentions))


def _modules(view: View, folder: str) -> tuple[str, ...]:
    """The modules of a folder, and of those in it: what is loaded by name may be named by its place."""
    inside = (file for file in view.workspace.python_files() if is_below(file, folder))
    return tuple(file for file in inside if os.path.relpath(file, folder).count(os.sep) <= _MOST_FOLDERS)
