"""Readers of data in installed packages: where a file is not on this machine, they give what stands in for it."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Optional

from metalens.worker.load import sounds
from metalens.worker.load.inventions import PICTURE_SIZES, invented, picture_channels, picture_extent
from metalens.worker.load.unknown import Unknown, contains_unknown

STAND_IN = True


class ReadersFinder(importlib.abc.MetaPathFinder):
    """Finds packages with readers where they are installed, and mends the readers once they are loaded."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """The spec of such a package; None for any other."""
        stand_ins = _READERS.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path) if stand_ins else None
        if spec is None or spec.loader is None or stand_ins is None:
            return None
        spec.loader = _Mending(spec.loader, stand_ins)
        return spec


class _Mending(importlib.abc.Loader):
    def __init__(self, real: Any, stand_ins: dict[str, Callable[..., Any]]) -> None:
        self._real = real
        self._stand_ins = stand_ins

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        return self._real.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        self._real.exec_module(module)
        for name, stand_in in self._stand_ins.items():
            real = getattr(module, name, None)
            if real is not None:
                setattr(module, name, _either(real, stand_in))


def _either(real: Callable[..., Any], stand_in: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def read(*args: Any, **kwargs: Any) -> Any:
        if not contains_unknown((args, kwargs), 1):
            try:
                found = real(*args, **kwargs)
            except Exception:  # noqa: BLE001 - each package has errors of its own for files that are not there
                found = None
            if found is not None:
                return found
        return stand_in(*args, **kwargs)

    read.takes_unknown = True  # type: ignore[attr-defined]
    return read


def _picture(*args: Any, **kwargs: Any) -> Any:
    """A picture of Pillow's own, as its other functions want it."""
    invented(PICTURE_SIZES)
    return sys.modules["PIL.Image"].new("RGB" if picture_channels() == 3 else "L", picture_extent(500, 375))


def _settings(stream: Any, *args: Any, **options: Any) -> Any:
    """As older versions read YAML that nobody named a loader for."""
    if contains_unknown((stream, args, options), 1):
        return Unknown("settings")
    loader = (*args, *options.values(), sys.modules["yaml"].FullLoader)[0](stream)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


_READERS: dict[str, dict[str, Callable[..., Any]]] = {
    **sounds.READERS,
    "PIL.Image": {"open": _picture},
    "yaml": {"load": _settings},
}
