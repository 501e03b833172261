"""Which command lines of the workspace run a given file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, ref

from metalens.resolve.index import View
from metalens.resolve.recipes import commands_in
from metalens.resolve.shell import UNTOLD, Command
from metalens.workspace.documents import Unreadable, Workspace

_LAUNCHERS = ("python", "pypy", "torchrun", "accelerate", "deepspeed", "ipython", "composer", "uv", "run", "horovodrun")
_SHELLS = ("sh", "bash", "zsh", "/bin/sh", "/bin/bash", "source", ".", "sbatch", "srun")
_MOST_CALLED = 60  # ways in which scripts are called


@dataclass(frozen=True)
class Invocation:
    """A command line as somebody wrote it down: what follows the script's name, and the folder in which it is run."""

    arguments: tuple[str, ...]
    folder: str


@dataclass
class _Index:
    """Commands by the last part of the name of what they run, with the file that they stand in."""

    stamps: tuple[tuple[str, str | None], ...] = ()
    found: dict[str, list[tuple[str, Command]]] | None = None
    files: dict[str, tuple[str | None, tuple[Command, ...]]] | None = None
    modules: tuple[str, ...] = ()
    known: dict[str, tuple[Invocation, ...]] = field(default_factory=dict)
    view: ref[View] | None = None


_INDEXES: WeakKeyDictionary[Workspace, _Index] = WeakKeyDictionary()


def invocations_of(view: View, script: str) -> tuple[Invocation, ...]:
    """How scripts, pages and notebooks of the workspace run this file, each way once; scripts come first."""
    index = _index(view)
    if script not in index.known:
        index.known[script] = tuple(_search(view, script, index.found or {}))
    return index.known[script]


def _search(view: View, script: str, index: Mapping[str, Sequence[tuple[str, Command]]]) -> Iterable[Invocation]:
    stem = os.path.basename(script).removesuffix(".py")
    keys = [stem, os.path.basename(os.path.dirname(script))] if stem == "__main__" else [stem]
    found: dict[Invocation, None] = {}
    for key in keys:
        for file, command in index.get(key, ()):
            invocation = _invocation(view, script, file, command)
            if invocation is not None:
                found[invocation] = None
    return found


def _index(view: View) -> _Index:
    workspace = view.workspace
    index = _INDEXES.setdefault(workspace, _Index())
    if index.view is not None and index.view() is view:
        return index
    stamps = tuple((file, view.stamp(file)) for file in (*workspace.scripts(), *workspace.pages()))
    modules = workspace.python_files()
    if index.modules != modules:
        index.modules = modules
        index.known.clear()
    if index.found is None or index.stamps != stamps:
        before = index.files or {}
        index.files = {file: _commands(workspace, file, stamp, before) for file, stamp in stamps}
        index.found = {}
        written = {file: found for file, (_, found) in index.files.items()}
        for file, commands in _with_called(workspace, written).items():
            for command in commands:
                for stem in {_stem(word) for word in _runnable(command.words)}:
                    index.found.setdefault(stem, []).append((file, command))
        index.stamps = stamps
        index.known.clear()
    index.view = ref(view)
    return index


def _commands(
    workspace: Workspace, file: str, stamp: str | None, before: dict[str, tuple[str | None, tuple[Command, ...]]]
) -> tuple[str | None, tuple[Command, ...]]:
    known = before.get(file)
    if known is not None and known[0] == stamp:
        return known
    try:
        return stamp, commands_in(file, workspace.text(file))
    except Unreadable:
        return stamp, ()


def _with_called(workspace: Workspace, written: dict[str, tuple[Command, ...]]) -> dict[str, tuple[Command, ...]]:
    """All commands, with those of scripts as they are with the arguments that others call them with."""
    called: dict[tuple[str, tuple[str, ...]], None] = {}
    waiting = [command for commands in written.values() for command in commands]
    told: dict[str, list[Command]] = {}
    while waiting and len(called) < _MOST_CALLED:
        script, arguments = _call_of(workspace, waiting.pop(0))
        if not script or (script, arguments) in called:
            continue
        called[script, arguments] = None
        try:
            found = commands_in(script, workspace.text(script), arguments)
        except Unreadable:
            continue
        told.setdefault(script, []).extend(found)
        waiting += found
    return {file: (*told.get(file, ()), *commands) for file, commands in written.items()}


def _call_of(workspace: Workspace, command: Command) -> tuple[str, tuple[str, ...]]:
    """The shell script of the workspace that a command calls with arguments, and these; "" if it does not."""
    for at, word in enumerate(command.words):
        name = word.replace("\\", "/").removeprefix("./")
        is_run = all(part.startswith("-") or part in _SHELLS for part in command.words[:at])
        if is_run and name.endswith(".sh") and UNTOLD not in name.rpartition("/")[2]:
            arguments = command.words[at + 1 :]
            ending = "/" + name.rpartition(UNTOLD)[2].lstrip("/.")
            fitting = [file for file in workspace.scripts() if file.replace(os.sep, "/").endswith(ending)]
            is_told = any(UNTOLD not in argument for argument in arguments)
            return (fitting[0], arguments) if len(fitting) == 1 and is_told else ("", ())
    return "", ()


def _runnable(words: Sequence[str]) -> Iterator[str]:
    """The words that may name what is run: files, and what follows `-m`."""
    for before, word in zip(("", *words), words, strict=False):
        if word.endswith(".py") or before == "-m":
            yield word


def _stem(word: str) -> str:
    name = word.replace("\\", "/").rpartition("/")[2]
    return name.removesuffix(".py") if name.endswith(".py") else name.rpartition(".")[2]


def _invocation(view: View, script: str, file: str, command: Command) -> Invocation | None:
    words = command.words
    for at, word in enumerate(words):
        is_module = at > 0 and words[at - 1] == "-m"
        if not (word.endswith(".py") or is_module):
            continue
        if not is_module and at and not any(_launches(item) for item in words[:at]):
            return None
        folder = _folder_of(view, script, file, command, word, is_module=is_module)
        if folder is not None:
            return Invocation(words[at + 1 :], folder)
        if not is_module:
            return None
    return None


def _launches(word: str) -> bool:
    name = word.rpartition("/")[2]
    return word == UNTOLD or name.startswith(_LAUNCHERS)


def _folder_of(view: View, script: str, file: str, command: Command, word: str, *, is_module: bool) -> str | None:
    """The folder in which the command runs the script; None if it runs something else."""
    path = word.replace(".", "/") if is_module else word.replace("\\", "/")
    foreign = UNTOLD in path or os.path.isabs(path)
    path = path.rpartition(UNTOLD)[2].lstrip("/")
    endings = (".py", "/__main__.py") if is_module else ("",)
    for folder in _folders(view, file, command):
        for ending in endings:
            found = os.path.normpath(os.path.join(folder, path + ending))
            if found == script:
                return folder
            if view.stamp(found) is not None:
                return None
    for ending in endings:
        last = os.path.normpath(path + ending).replace(os.sep, "/").lstrip("./")
        while last:
            fitting = [item for item in view.workspace.python_files() if item.replace(os.sep, "/").endswith("/" + last)]
            if fitting == [script]:
                return script[: -len(last) - 1] or view.root
            # Of a path on somebody's machine only the end means something here.
            last = last.partition("/")[2] if foreign and not fitting else ""
    return None


def _folders(view: View, file: str, command: Command) -> Iterator[str]:
    """Where a command of a file may run: where it changed to, a folder named as its function, its own folder, above."""
    own = os.path.dirname(file)
    above = [own]
    while above[-1] != view.root and len(above) < 8 and os.path.dirname(above[-1]) != above[-1]:
        above.append(os.path.dirname(above[-1]))
    starts = list(dict.fromkeys((own, view.root, *above)))
    for inner in (command.folder, command.function):
        if inner and UNTOLD not in inner:
            for start in starts:
                folder = os.path.normpath(os.path.join(start, inner))
                if os.path.isdir(folder):
                    yield folder
    yield from starts
