"""The environment variables of the worker process: the user's own, without what only concerns the server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

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
    return kept


def _is_servers(folder: Path) -> bool:
    """Whether the server's code or the libraries that come with it lie here."""
    return (folder / "metalens" / "protocol").is_dir() or (folder / "pygls").is_dir()
