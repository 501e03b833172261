"""Folders that shell scripts put on Python's import path: `export PYTHONPATH=$SRC/utils:$PYTHONPATH`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from metalens.workspace.documents import Unreadable, Workspace

_GIVEN = re.compile(r"""\bPYTHONPATH=["']?([^\s"';&#]+)""")
_VARIABLE = re.compile(r"^.*(?:\$\{?\w+\}?|`[^`]*`|\$\([^)]*\))/?")

_Stamps = tuple[tuple[str, "str | None"], ...]
_KNOWN: WeakKeyDictionary[Workspace, tuple[_Stamps, tuple[str, ...]]] = WeakKeyDictionary()


def exported(workspace: Workspace) -> tuple[str, ...]:
    """The folders of the workspace, in the order of the scripts; of a variable's value only what follows is known."""
    stamps = tuple((file, workspace.stamp(file)) for file in workspace.scripts())
    known = _KNOWN.get(workspace)
    if known is None or known[0] != stamps:
        found = (folder for file, _ in stamps for folder in _folders(str(workspace.root), file, _text(workspace, file)))
        known = _KNOWN[workspace] = stamps, tuple(dict.fromkeys(found))
    return known[1]


def _text(workspace: Workspace, file: str) -> str:
    try:
        return workspace.text(file)
    except Unreadable:
        return ""


def _folders(root: str, script: str, text: str) -> Iterator[str]:
    for given in _GIVEN.finditer(text):
        for part in given[1].split(":"):
            after = _VARIABLE.sub("", part).strip("/")
            starts = (root, os.path.join(root, "src"), os.path.dirname(script)) if after != part else (root,)
            places = (os.path.normpath(os.path.join(start, after)) for start in starts if after.strip("./"))
            yield from (place for place in places if place.startswith(root + os.sep) and os.path.isdir(place))
