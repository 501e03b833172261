"""The configuration files of a workspace: which a command line names, what stands beside them, and what they say."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from metalens.resolve.index import View
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.walk import CONFIGS

MAX_SIBLINGS = 60
_MOST_TEXT = 256 * 1024
_WORD = re.compile(r"[^\W\d]\w*")
_VALUE = re.compile(r"""(?:[:=]|^\s*-)[ \t]*["']?(?:[\w.]+\.)?([^\W\d]\w*)["']?[ \t]*(?:[,}\]#].*)?$""", re.MULTILINE)
_KEY = re.compile(r"""(?:^|[{,])[ \t\n-]*["']?([^\W\d][\w.-]*)["']?[ \t]*[:=]""", re.MULTILINE)

_WORDS: WeakKeyDictionary[Workspace, dict[str, tuple[str, frozenset[str]]]] = WeakKeyDictionary()


def config_files(view: View, script: str, line: Iterable[str]) -> dict[str, frozenset[str]]:
    """The config files of the workspace that a command line names, with their words."""
    found: dict[str, frozenset[str]] = {}
    for word in line:
        value = word.partition("=")[2] or word
        if value.endswith((*CONFIGS, ".py")):
            path = existing(view, script, value)
            if path is not None:
                found[path] = words_of(view, path)
    return found


def words_of(view: View, file: str) -> frozenset[str]:
    """The words of a text file that is not large."""
    stamp = view.stamp(file)
    known = _WORDS.setdefault(view.workspace, {})
    if stamp is None:
        return frozenset()
    if file not in known or known[file][0] != stamp:
        known[file] = stamp, frozenset(_WORD.findall(_text(view, file)))
    return known[file][1]


def values_of(view: View, file: str) -> frozenset[str]:
    """The names that entries of a configuration have as their whole value; of a dotted one the last."""
    return frozenset(_VALUE.findall(_text(view, file)))


def keys_of(view: View, file: str) -> frozenset[str]:
    """The names of the entries of a configuration."""
    return frozenset(_KEY.findall(_text(view, file)))


def _text(view: View, file: str) -> str:
    """The beginning of a text file; nothing of one that cannot be read."""
    if view.stamp(file) is None:
        return ""
    try:
        return view.workspace.text(file)[:_MOST_TEXT]
    except Unreadable:
        return ""


def existing(view: View, script: str, value: str) -> str | None:
    """The file that a value names; of a name that the program completes, the only configuration that it may be."""
    for folder in (view.root, os.path.dirname(script)):
        path = os.path.normpath(os.path.join(folder, value))
        if view.stamp(path) is not None and os.path.isfile(path):
            return path
    if "/" in value or not value.endswith(CONFIGS):
        return None
    fitting = [file for file in view.workspace.configurations() if os.path.basename(file) == value]
    return fitting[0] if len(fitting) == 1 else None


def siblings(folder: str, suffix: str) -> list[str]:
    """The files of a folder with this ending, or those that are configurations."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    fitting = [name for name in names if (name.endswith(suffix) if suffix else name.endswith(CONFIGS))]
    return [os.path.join(folder, name) for name in fitting[:MAX_SIBLINGS]]


def beside(path: str, *, is_folder: bool) -> Iterator[str]:
    """The config files like one that is named; where its folder is, those of the folders beside it."""
    if not is_folder:
        yield from siblings(os.path.dirname(path), os.path.splitext(path)[1])
        return
    folder, name = os.path.split(path)
    beside = os.path.dirname(folder)
    with contextlib.suppress(OSError):
        for other in sorted(os.listdir(beside))[:MAX_SIBLINGS]:
            if os.path.isfile(os.path.join(beside, other, name)):
                yield os.path.join(beside, other, name)
