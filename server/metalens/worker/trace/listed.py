"""Names of files that were listed in the place of data that is not on this machine: to whoever asks, they exist."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_made: set[str] = set()


def made(paths: Iterable[str]) -> list[str]:
    """Remember paths that were made up."""
    found = list(paths)
    _made.update(map(_plain, found))
    return found


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for the questions whether a file exists: owner, name, value."""
    functions = [(os.path, name, _either(getattr(os.path, name))) for name in ("isfile", "exists", "lexists")]
    methods = [(Path, name, _either(getattr(Path, name))) for name in ("is_file", "exists")]
    return [*functions, *methods]


def _either(real: Callable[..., bool]) -> Callable[..., bool]:
    def exists(path: Any, *args: Any, **kwargs: Any) -> bool:
        return real(path, *args, **kwargs) or (bool(_made) and isinstance(path, (str, Path)) and _plain(path) in _made)

    return exists


def _plain(path: Any) -> str:
    return os.path.normpath(str(path))
