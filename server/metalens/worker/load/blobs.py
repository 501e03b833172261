"""blobfile where it is not installed: files by the functions of `os`, which are here or made up."""

from __future__ import annotations

import os
from typing import Any, Optional

from metalens.worker.load.unknown import Unknown

STAND_IN = True


def _opened(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
    try:
        return open(path, mode)
    except FileNotFoundError:
        return Unknown("a file that is not here")


def _held() -> dict[str, Any]:
    """The functions as they are now, stand-ins among them."""
    paths = {name: getattr(os.path, name) for name in ("exists", "isdir", "isfile", "join", "basename", "dirname")}
    return {**paths, "listdir": os.listdir, "makedirs": os.makedirs, "walk": os.walk, "BlobFile": _opened}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other module."""
    return _held() if name == "blobfile" else None
