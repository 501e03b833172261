"""The locked room: what a process gives up before it runs user code.

Layers are added as far as the system has them: limits, an audit hook, and on Linux Landlock and a filter of system
calls.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Optional

from metalens.worker.host import audit, landlock, limits, seccomp

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9


def layers() -> tuple[str, ...]:
    """The layers that this system has: of `limits`, `landlock`, `seccomp`, `audit`."""
    room = prepare()
    if room.ruleset >= 0:
        os.close(room.ruleset)
    return room.layers


@dataclass(frozen=True)
class Room:
    """What is made ready once, so that entering is quick. `ruleset` is a descriptor that must stay open, or -1."""

    ruleset: int
    filtered: bool

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that entering puts on."""
        present = {"limits": limits.available(), "landlock": self.ruleset >= 0, "seccomp": self.filtered, "audit": True}
        return tuple(name for name, there in present.items() if there)

    def enter(self, memory: int, seconds: Optional[int] = None) -> None:
        """Lock this process in, for good: `memory` in MiB, `seconds` of processor time. What fails is left out."""
        limits.enter(memory, seconds, processes=not self.filtered and sys.platform.startswith("linux"))
        audit.install(kernel=self._enter_kernel_layers())

    def _enter_kernel_layers(self) -> bool:
        """Whether both Landlock and the filter hold."""
        if self.ruleset < 0 and not self.filtered:
            return False
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        landlocked = self.ruleset >= 0 and landlock.enter(libc, self.ruleset)
        return self.filtered and seccomp.enter(libc, refuse_writing=not landlocked) and landlocked


def prepare() -> Room:
    """Find out what this system has."""
    return Room(landlock.create(), seccomp.available())


def die_with_parent(parent: int) -> None:
    """On Linux, be killed when the parent process with this id ends."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
