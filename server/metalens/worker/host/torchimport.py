"""Importing torch fast and alone, and saying before why it cannot be imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

OLDEST_TORCH = (2, 1)

# One thread, since a process with threads must not be forked; no GPU; no compiler of TorchScript.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "PYTORCH_JIT": "0",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


def why_unusable() -> str:
    """A sentence that says why this interpreter cannot serve, or an empty text. Nothing is imported to find out."""
    python = f"{sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]})"
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return f"There is no torch in {python}."
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""  # built from source: the import will tell
    if _release(version) < OLDEST_TORCH:
        return f"Metalens needs torch 2.1 or newer; {python} has torch {version}."
    return ""


def import_torch() -> str:
    """Import torch with settings that suit a process to be forked; its version. Raises whatever the import raises."""
    os.environ.update(ENVIRONMENT)
    _stub_dynamo_decorator()
    return str(importlib.import_module("torch").__version__)


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else OLDEST_TORCH


def _stub_dynamo_decorator() -> None:
    """Stand in for `torch._compile`, whose decorator imports the whole compiler on the first call of many functions.

    It only keeps those functions from being compiled, and nothing is compiled here.
    """
    spec = importlib.util.find_spec("torch")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders or not (Path(folders[0]) / "_compile.py").is_file():
        return
    stub = ModuleType("torch._compile")
    stub.__file__ = str(Path(folders[0]) / "_compile.py")
    stub._disable_dynamo = _same  # type: ignore[attr-defined]
    sys.modules["torch._compile"] = stub


def _same(function: Any = None, recursive: bool = True) -> Any:
    return function if function is not None else _same
