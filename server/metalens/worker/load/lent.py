"""Packages of pure Python that come with the server and stand in for the user's own, where there are none."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import types

# As the server sets it.
VARIABLE = "METALENS_LENT"

_LENT = ("einops", "ruamel")


def folders() -> list[str]:
    """Where the lent packages lie, among others that are not lent."""
    return [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]


def lends(package: str) -> bool:
    """Whether a package, named by its folder, is there to be lent."""
    return any(os.path.isdir(os.path.join(folder, package)) for folder in folders())


class LentFinder(MetaPathFinder):
    """Behind all finders that know the user's packages. Those of torch's own optional imports get nothing."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """The spec of a lent package."""
        if name not in _LENT or _asked_by_torch():
            return None
        return importlib.machinery.PathFinder.find_spec(name, folders())


def _asked_by_torch() -> bool:
    frame: Optional[types.FrameType] = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__", "")).split(".", 1)[0] == "torch"
