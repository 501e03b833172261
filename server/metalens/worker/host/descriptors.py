"""Where the worker keeps the descriptors that user code must not meet."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress

if sys.platform != "win32":
    import fcntl
    import resource

SPAN = 64
HIGHEST = 1024


def private_streams() -> tuple[int, int]:
    """Take descriptors 0 and 1 away from everyone else: a descriptor to read requests, one to write answers.

    Afterwards 0 reads nothing and 1 is where 2 goes, so that a stray `print` cannot reach the peer.
    """
    requests, answers = hide(os.dup(0)), hide(os.dup(1))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        for descriptor in (requests, answers):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return requests, answers


def hide(descriptor: int) -> int:
    """Move a descriptor to the highest numbers, out of the way of code that writes to, or closes, the low ones."""
    if sys.platform == "win32":
        return descriptor
    hidden = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, first_hidden())
    os.close(descriptor)
    return hidden


def first_hidden() -> int:
    """Hidden descriptors start here. A process that lowers its limit to this number keeps them and makes no others."""
    if sys.platform == "win32":
        return HIGHEST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (HIGHEST if soft == resource.RLIM_INFINITY else min(soft, HIGHEST)) - SPAN


def close_all_but(keep: Collection[int]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, HIGHEST))
    for number in numbers:
        if number > 2 and number not in keep:
            with suppress(OSError):
                os.close(number)
