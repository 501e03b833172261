"""From a file to the runs that explain it: the file itself, then the files that build or call its classes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metalens.protocol.messages import Caller, Finding, Run, Target
from metalens.resolve.callers import CallerFile, Kind, callers_in, users_in
from metalens.resolve.classes import ModuleClass, classes_in
from metalens.resolve.commands import CommandLines, Wanted, lines_of
from metalens.resolve.imports import Imports, imports_of
from metalens.resolve.index import View
from metalens.resolve.pins import pins_of
from metalens.resolve.registered import registered
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.project import project_file, read_project
from metalens.workspace.settings import Settings

_TELLING = (Kind.HOME, Kind.SCRIPT, Kind.TEST)

# So many command lines are rehearsed in the time that a run has; all sweeps together take so many times as long.
_LINES_IN_TIME, _MORE_TIME = 3, 4.0


@dataclass(frozen=True)
class Plan:
    """What to run for a file.

    `runs[0]` rehearses the file itself with all its classes as targets, each following run one other caller, so that
    one that crashes does not take the others along. Without anything of torch there are no runs. `key` changes with
    whatever the runs are known to depend on. `problem` is a calm sentence about a file that cannot be read. The first
    `telling` runs may find mistakes of their own; the others are of use only while a class is unexplained. The last
    `sweeps` of them rehearse the same callers with further command lines. `complaints` are about the settings.
    """

    classes: tuple[ModuleClass, ...]
    runs: tuple[Run, ...]
    key: str
    problem: str = ""
    telling: int = 1
    sweeps: int = 0
    complaints: tuple[Finding, ...] = ()


def plan_file(workspace: Workspace, settings: Settings, file: str) -> Plan:
    """Never raises; the ids of the runs are 0 until someone stamps them."""
    try:
        workspace.text(file)
    except Unreadable as unreadable:
        return Plan((), (), _digest([file, unreadable.reason]), unreadable.reason)
    view = View(workspace)
    classes = classes_in(view, file)
    imports = imports_of(view, file)
    if not classes and not imports.torch:
        return Plan((), (), _key(view, settings, [imports]))
    found = callers_in(view, classes) if classes else users_in(view, file)
    others = [caller for caller in found if caller.file != file]
    # Of functions the models are wanted that are made of them, until those are explained.
    wanted = _targets(classes or (item for other in others for item in other.containing(view)))
    reached = [imports, *(imports_of(view, caller.file) for caller in others)]
    lines = _command_lines(view, classes, others, [file, *(other.file for other in others)], reached)
    named = [(), *(tuple(sorted({*other.names, Path(file).stem})) for other in others)]
    targets = [_targets(classes), *(_containing(view, other) for other in others)]
    overlay = workspace.overlay()
    pinned = pins_of(view.root, file, workspace.text(file), classes, read_project(workspace))

    def run(imports: Imports, callers: Iterable[Caller], alone: tuple[Target, ...]) -> Run:
        return Run(
            id=0,
            root=view.root,
            import_paths=imports.folders,
            callers=tuple(callers),
            targets=alone,
            wanted=wanted,
            overlay=overlay,
            traces=(file,),
            timeout=settings.timeout,
            memory=settings.memory,
        )

    rehearsed = [
        [Caller(found.files[0], line.arguments, names, line.assumed, line.needed, line.alike) for line in each.lines]
        for found, each, names in zip(reached, lines, named, strict=True)
    ]
    first = [1 + sum(caller.needed for caller in callers) for callers in rehearsed]
    begun = [callers[:count] for callers, count in zip(rehearsed, first, strict=True)]
    runs = [run(*parts) for parts in zip(reached, begun, targets, strict=True)]
    further = [callers[count:] for callers, count in zip(rehearsed, first, strict=True)]
    sweeps = [run(found, callers, ()) for found, callers in zip(reached, further, strict=True) if callers]
    most = max(1.0, _MORE_TIME / max(1, len(sweeps)))
    sweeps = [replace(each, timeout=each.timeout * min(most, _time_for(each.callers))) for each in sweeps]
    # Inputs alone are for whatever model a caller builds.
    inputs = tuple(pin for pin in pinned.pins if pin.arguments_at is None)
    runs = [replace(runs[0], pins=pinned.pins), *(replace(each, pins=inputs) for each in runs[1:])]
    telling = 1 + sum(other.kind in _TELLING for other in others)
    key = _key(view, settings, reached, lines)
    return Plan(classes, (*runs, *sweeps), key, telling=telling, sweeps=len(sweeps), complaints=pinned.complaints)


def _time_for(callers: Sequence[Caller]) -> float:
    return max(1.0, len(callers) / _LINES_IN_TIME)


def _command_lines(
    view: View,
    classes: Sequence[ModuleClass],
    others: Sequence[CallerFile],
    files: Sequence[str],
    reached: Sequence[Imports],
) -> list[CommandLines]:
    """Of each caller: those that choose the wanted classes come first."""
    named = dict.fromkeys([*(item.qualname.partition(".")[0] for item in classes), *sorted(registered(view, classes))])
    own = dict.fromkeys((Path(files[0]).stem, *named))
    kept = frozenset(name for other in others for name in other.registered(view))
    leading = kept.union(*(other.choices for other in others))
    wanted = Wanted(tuple(own), leading, kept.union(named), files[0])
    return [lines_of(view, file, found.files, wanted) for file, found in zip(files, reached, strict=True)]


def _containing(view: View, caller: CallerFile) -> tuple[Target, ...]:
    """Where nothing runs by itself, the classes that contain the wanted ones are built: a parent shows its child."""
    if caller.kind != Kind.CONTAINS:
        return ()
    return _targets(caller.containing(view))


def _targets(classes: Iterable[ModuleClass]) -> tuple[Target, ...]:
    return tuple(Target(item.file, item.qualname, item.line) for item in classes)


def _key(view: View, settings: Settings, reached: Iterable[Imports], lines: Iterable[CommandLines] = ()) -> str:
    files = dict.fromkeys(file for imports in reached for file in imports.files)
    files.update((file, None) for each in lines for file in each.files)
    parts = [f"{file}={view.stamp(file)}" for file in files]
    files[project_file(view.workspace)] = None
    return _digest([repr((settings.timeout, settings.memory)), repr([each.lines for each in lines]), *parts])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
