"""Limits of the kernel on one process: memory, processor time, sizes of files, descriptors."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Optional

from metalens.worker.host.descriptors import first_hidden

if sys.platform != "win32":
    import resource

_MEBIBYTE = 1024 * 1024


def available() -> bool:
    """Whether this system has such limits."""
    return sys.platform != "win32"


def enter(memory: int, seconds: Optional[int], processes: bool) -> None:
    """Limit this process: `memory` MiB on top of what it has mapped, `seconds` of processor time if given.

    `processes` also forbids new processes and threads, for systems where nothing else refuses to fork.
    """
    if sys.platform == "win32":
        return
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: first_hidden(),
    }
    mapped = _mapped()
    if mapped:
        wanted[resource.RLIMIT_AS] = mapped + memory * _MEBIBYTE
    if seconds is not None:
        wanted[resource.RLIMIT_CPU] = seconds
    if processes:
        wanted[resource.RLIMIT_NPROC] = 0
    for what, amount in wanted.items():
        # A system may know a limit by name only, or have a lower one already.
        with suppress(ValueError, OSError):
            # At the soft limit of processor time comes a signal that says so; at the hard one a mere kill.
            resource.setrlimit(what, (amount, amount + (what == resource.RLIMIT_CPU)))


def _mapped() -> int:
    """Bytes of address space in use; 0 where that is not told (and where a limit on it would not be obeyed)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 0
