"""The environment variables of the worker process: the user's own, without what only concerns the server.

One is added: where the packages lie that the server lends to runs whose interpreter lacks them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

# Of pure Python, and read by every Python that a worker runs on.
_LENT = ("einops", "ruamel.yaml")

# They belong to the interpreter that the server runs in, or would make the worker wait for a terminal.
_DROPPED = {"PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a worker gets when the server has this environment."""
    kept = {name: value for name, value in environment.items() if name not in _DROPPED}
    kept["PYTHONDONTWRITEBYTECODE"] = "1"
    folders = [folder for folder in kept.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    users = [folder for folder in folders if not _is_servers(Path(folder))]
    if users:
        kept["PYTHONPATH"] = os.pathsep.join(users)
    kept["METALENS_LENT"] = os.pathsep.join(_lent())
    return kept


@functools.cache
def _lent() -> list[str]:
    """The folders from which those packages are imported."""
    found = [(spec.origin, name.count(".")) for name in _LENT if (spec := find_spec(name)) is not None]
    folders = [Path(origin).parents[1 + dots] for origin, dots in found if origin is not None]
    return [str(folder) for folder in dict.fromkeys(folders)]


def _is_servers(folder: Path) -> bool:
    """Whether the server's code or the libraries that come with it lie here."""
    return (folder / "metalens" / "protocol").is_dir() or (folder / "pygls").is_dir()
