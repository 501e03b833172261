"""Folders of data that are not on this machine, as pathlib lists them: by names as they would be there."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STAND_IN = True


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for what lists files by a pattern: owner, name, value."""
    return [
        (Path, "glob", _lister(Path.glob, "")),
        (Path, "rglob", _lister(Path.rglob, "**")),
        (Path, "iterdir", lambda path: (path / name for name in os.listdir(path))),
    ]


def _lister(real: Callable[..., Any], before: str) -> Callable[..., Iterator[Path]]:
    def listed(path: Path, pattern: Any, *args: Any, **kwargs: Any) -> Iterator[Path]:
        if os.path.isdir(path):
            return iter(real(path, pattern, *args, **kwargs))
        # The stand-in for `glob.glob` makes the names.
        return iter([type(path)(name) for name in glob.glob(os.path.join(path, before, str(pattern)), recursive=True)])

    return listed
