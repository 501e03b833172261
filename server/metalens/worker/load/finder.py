"""Imports during a run: workspace files are instrumented, missing packages become stand-ins, the rest is as ever."""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Optional

from metalens.worker.load import (
    accelerate,
    albums,
    apex,
    backbones,
    blobs,
    boxes,
    clicks,
    commandlines,
    config_files,
    consoles,
    conveniences,
    data_files,
    detectors,
    distributed,
    fairscale,
    gym,
    hub,
    hydra,
    kernels,
    known_datasets,
    lightning,
    matrices,
    mpi,
    offline,
    omegaconf,
    opencv,
    pictures,
    pretrained,
    pytests,
    records,
    scenes,
    settings,
    sounds,
    texts,
    timm,
    vec_envs,
    vendored,
    vision,
    yamls,
)
from metalens.worker.load.sources import Sources
from metalens.worker.load.substitutes import has_substitute
from metalens.worker.load.unknown import Unknown

STAND_IN = True

# `run_text(text, file, namespace)` executes a workspace file's text; the rehearsal supplies it.
Execute = Callable[[str, str, "dict[str, Any]"], None]


class WorkspaceFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules whose file is in the workspace, unsaved text included."""

    def __init__(self, sources: Sources, execute: Execute) -> None:
        self.sources = sources
        self.execute = execute

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """The spec of a workspace module or (namespace) package; None for anything else."""
        last = name.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            base = os.path.join(folder or os.getcwd(), last)
            if not self.sources.holds(base):
                continue
            init = os.path.join(base, "__init__.py")
            if self.sources.exists(init):
                return self._spec(name, init, [base])
            if self.sources.exists(base + ".py"):
                return self._spec(name, base + ".py", None)
            # Of the folders that we add to the path the first is the script's own: what it holds comes before modules
            # in others, though it is no package to Python.
            if os.path.isdir(base) and any(entry.endswith(".py") for entry in os.listdir(base)):
                spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [base]
                return spec
        return None

    def _spec(self, name: str, file: str, folders: Optional[list[str]]) -> importlib.machinery.ModuleSpec:
        spec = importlib.machinery.ModuleSpec(name, self, origin=file, is_package=folders is not None)
        spec.has_location = True
        spec.cached = None
        if folders is not None:
            spec.submodule_search_locations = folders
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave the making of the module to Python."""
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's instrumented text."""
        file = str(module.__spec__.origin)  # type: ignore[union-attr]
        self.execute(self.sources.text(file), file, module.__dict__)


class StandIn(types.ModuleType):
    """A package that is not installed: everything in it is Unknown."""

    __path__: list[str] = []  # noqa: RUF012 - as packages have it

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return _NEWEST
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        return importlib.import_module(full) if _known(full) is not None else Unknown(full)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A module that is called, as some packages allow."""
        return Unknown(f"{self.__name__}(...)")


# Modules that are written when a package is installed.
_WRITTEN = frozenset(("version", "_version", "__version__"))

# Code that asks for a package's version wants to get along with old ones.
_NEWEST = "99.0.0"


def _known(name: str) -> Optional[dict[str, Any]]:
    """What stand-ins know of a module, all together; of two that know the same the first counts."""
    found = [part for part in (source(name) for source in _SOURCES) if part is not None]
    return {key: value for part in reversed(found) for key, value in part.items()} if found else None


_SOURCES = (
    conveniences.module,
    pictures.module,
    opencv.module,
    vision.module,
    known_datasets.module,
    backbones.module,
    gym.module,
    hub.module,
    apex.module,
    fairscale.module,
    timm.module,
    vec_envs.module,
    vendored.module,
    data_files.module,
    detectors.module,
    distributed.module,
    matrices.module,
    mpi.module,
    lightning.module,
    accelerate.module,
    settings.module,
    sounds.module,
    texts.module,
    pretrained.module,
    blobs.module,
    boxes.module,
    kernels.module,
    scenes.module,
    albums.module,
    commandlines.module,
    config_files.module,
    consoles.module,
    clicks.module,
    offline.module,
    omegaconf.module,
    hydra.module,
    records.module,
    pytests.module,
    yamls.module,
)

_REPLACING = (distributed, lightning, hydra, pytests)


def _importing() -> Optional[types.FrameType]:
    """The code that imports the module that is looked for."""
    frame: Optional[types.FrameType] = sys._getframe(3)
    while frame is not None:
        ours = str(frame.f_globals.get("__name__")).startswith("metalens.")  # who hands on `import_module(name)`
        if "importlib" not in frame.f_code.co_filename and not ours:
            return frame
        frame = frame.f_back
    return None


class MissingFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last on the meta path: a package that nobody finds becomes a stand-in, if workspace code asks for it.

    `missing` collects the top-level names. Packages of the standard library and torch are never stood in for.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.missing: set[str] = set()

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """A stand-in's spec, or None to let the import fail."""
        top = name.split(".", maxsplit=1)[0]
        if self._has_substitute() and _known(top) is None and _known(name) is None:
            return None
        if top in self.missing or name in conveniences.GONE:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        made_elsewhere = name.rpartition(".")[2] in _WRITTEN or vendored.module(name) is not None
        if made_elsewhere and self._asked_by_workspace():
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        if "." in name or top in _NEVER or not self._asked_by_workspace():
            return None
        self.missing.add(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def _has_substitute(self) -> bool:
        """Whether the workspace code that imports has something else to go on with."""
        frame = _importing()
        if frame is None or not self.sources.holds(frame.f_code.co_filename):
            return False
        file = frame.f_code.co_filename
        return has_substitute(self.sources.text(file), file, frame.f_lineno)

    def _asked_by_workspace(self) -> bool:
        frame = _importing()
        return frame is not None and self.sources.holds(frame.f_code.co_filename)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """An empty stand-in."""
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run; what is known of it is put in."""
        module.__dict__.update(_known(module.__name__) or {})


class ReplacingFinder(MissingFinder):
    """First on the meta path: what runs models over many processes or as tests is stood in for, installed or not."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """A stand-in's spec for such a part, if workspace code asks for it."""
        if not any(part.replaces(name) for part in _REPLACING) or not self._asked_by_workspace():
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)


_NEVER = frozenset(getattr(sys, "stdlib_module_names", sys.builtin_module_names)) | {"torch", "metalens"}


def is_script_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
    )
