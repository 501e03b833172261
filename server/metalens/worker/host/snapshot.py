"""What a run may change in a process that goes on after it, put back; and what cannot be put back, found."""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from metalens.worker.host.threads import count_threads

_NAMESPACES = (
    "builtins",
    "torch",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.Tensor",
    "torch.nn.Module",
)


class Snapshot:
    """The state of this process. Take one before a run, `restore` after it."""

    def __init__(self) -> None:
        self._modules = dict(sys.modules)
        self._lists = [
            (values, list(values))
            for values in (sys.path, sys.argv, sys.meta_path, sys.path_hooks, warnings.filters)
            if isinstance(values, list)
        ]
        self._attributes = [
            (module, name, getattr(module, name))
            for module, names in (
                (sys, "path argv meta_path path_hooks stdin stdout stderr excepthook displayhook unraisablehook"),
                (warnings, "filters showwarning"),
            )
            for name in names.split()
        ]
        self._environment = dict(os.environ)
        self._folder = _folder()
        self._recursion = sys.getrecursionlimit()
        self._namespaces = _namespaces()
        self._torch = _torch_state()
        self._threads = count_threads()

    def restore(self) -> str:
        """Put back what can be; a sentence about what cannot, or an empty text."""
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        for module, name, value in self._attributes:
            setattr(module, name, value)
        for values, content in self._lists:
            values[:] = content
        sys.setrecursionlimit(self._recursion)
        os.environ.clear()
        os.environ.update(self._environment)
        if self._folder is not None:
            with suppress(OSError):
                os.chdir(self._folder)
        self._restore_modules()
        gc.collect()
        return self._dirt()

    def _restore_modules(self) -> None:
        """Forget the modules that the run brought, save those that are installed and hence the same for every run."""
        installed = tuple(sysconfig.get_paths().values())
        for name, module in list(sys.modules.items()):
            if name not in self._modules and not _is_installed(module, installed):
                del sys.modules[name]
        sys.modules.update(self._modules)

    def _dirt(self) -> str:
        if count_threads() > self._threads:
            return "The run left a thread behind."
        if _torch_state() != self._torch:
            return "The run changed a global setting of torch."
        now = _namespaces()
        for owner, before in self._namespaces.items():
            # Additions are submodules and lazily made attributes; what was there must be the same object.
            changed = [name for name, value in before.items() if now[owner].get(name) is not value]
            if changed:
                return f"The run changed {owner}.{changed[0]}."
        return ""


def _is_installed(module: object, installed: tuple[str, ...]) -> bool:
    if not isinstance(module, ModuleType):
        return False
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    file: Optional[str] = getattr(module, "__file__", None)
    if file is None and spec is not None:
        file = next(iter(spec.submodule_search_locations or ()), None)
    return isinstance(file, str) and file.startswith(installed)


def _folder() -> Optional[str]:
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _namespaces() -> dict[str, dict[str, Any]]:
    found = {}
    for dotted in _NAMESPACES:
        module = sys.modules.get(dotted)
        if module is None:
            parent, _, name = dotted.rpartition(".")
            module = getattr(sys.modules.get(parent), name, None)
        if module is not None:
            found[dotted] = dict(vars(module))
    return found


def _torch_state() -> tuple[Any, ...]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return ()
    questions: tuple[Callable[[], Any], ...] = (
        torch.get_default_dtype,
        torch.is_grad_enabled,
        torch.is_inference_mode_enabled,
        torch.are_deterministic_algorithms_enabled,
        torch.get_num_threads,
        # A default device is one of these modes, too.
        torch._C._len_torch_function_stack,
        torch._C._len_torch_dispatch_stack,
    )
    return tuple(question() for question in questions)
