"""The paths a user gives and the paths a user reads: both relative to the folder that the command runs in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from metalens.workspace.documents import Unreadable, Workspace


class BadPath(Exception):
    """A path that cannot be checked; its text is a sentence for the user."""


def relative(file: str) -> str:
    """As a person in the current folder would write it, with forward slashes; absolute if on another drive."""
    try:
        return Path(os.path.relpath(file)).as_posix()
    except ValueError:
        return Path(file).as_posix()


def files_of(workspace: Workspace, paths: Sequence[str]) -> tuple[str, ...]:
    """The Python files under these paths, each once, in their order. Raises BadPath for what cannot be checked."""
    files: dict[str, None] = {}
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 (resolve() would follow links: names must stay as given)
        if not path.exists():
            raise BadPath(f"{given}: no such file or folder")
        if path.is_file():
            _demand_python(workspace, given, path)
            files[str(path)] = None
            continue
        files.update(dict.fromkeys(workspace.walk(path)))
    return tuple(files)


def _demand_python(workspace: Workspace, given: str, path: Path) -> None:
    if path.suffix not in (".py", ".pyw"):
        raise BadPath(f"{given}: not a Python file")
    try:
        workspace.text(str(path))
    except Unreadable as problem:
        raise BadPath(f"{given}: {problem.args[0] if problem.args else 'cannot be read'}") from problem
