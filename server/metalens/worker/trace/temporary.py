"""Temporary files and folders during a run: they have names, and nothing is made, as the locked room has no place."""

from __future__ import annotations

import io
import os
import tempfile
from typing import Any, Optional, Union

_FOLDER = next((os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), "/tmp")


class _TemporaryDirectory:
    """A folder that goes when its `with` ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.name = _path()

    def __enter__(self) -> str:
        return self.name

    def __exit__(self, *exc: Any) -> None:
        return None

    def cleanup(self) -> None:
        """Nothing is there."""


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for what finds or makes them."""
    return [
        (tempfile, "gettempdir", lambda: _FOLDER),
        (tempfile, "mkdtemp", _path),
        (tempfile, "TemporaryDirectory", _TemporaryDirectory),
        (tempfile, "TemporaryFile", _file),
        (tempfile, "NamedTemporaryFile", _file),
    ]


def _path(suffix: Optional[str] = None, prefix: Optional[str] = None, dir: Any = None) -> str:
    return os.path.join(dir or _FOLDER, f"{prefix or tempfile.template}metalens{suffix or ''}")


def _file(mode: str = "w+b", *args: Any, suffix: Optional[str] = None, **kwargs: Any) -> Union[io.BytesIO, io.StringIO]:
    made: Any = io.BytesIO() if "b" in mode else io.StringIO()
    made.name = _path(suffix)
    return made  # type: ignore[no-any-return]
