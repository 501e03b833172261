"""Landlock: a Linux process gives up writing to files, starting programs and reaching others, for good.

Reading stays possible everywhere; `/dev/null` may be written.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_FIRST_RIGHTS = (1 << 13) - 1  # what the first version knows
_RIGHTS_BY_VERSION = {2: 1 << 13, 3: _TRUNCATE, 5: _IOCTL_DEVICE}
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract Unix sockets and signals


def version() -> int:
    """The version of Landlock that this kernel offers; 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))))


def create() -> int:
    """The descriptor of a ruleset, or -1 where the kernel offers none. One ruleset serves many processes."""
    offered = version()
    if not offered:
        return -1
    libc = ctypes.CDLL(None)
    rights = _rights(offered)
    fields = [rights & ~(_READ_FILE | _READ_DIR)]
    if offered >= 4:
        fields.append(_TCP)
    if offered >= 6:
        fields.append(_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = int(libc.syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    if ruleset < 0:
        return -1
    with suppress(OSError):
        null = os.open(os.devnull, os.O_PATH)
        rule = struct.pack("=Qi", rights & (_WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE), null)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, ctypes.c_uint32(0))
        os.close(null)
    return ruleset


def enter(libc: ctypes.CDLL, ruleset: int) -> bool:
    """Restrict this thread, and all that it starts, from now on; whether that worked. `no_new_privs` must be set."""
    return not libc.syscall(_RESTRICT, ruleset, ctypes.c_uint32(0))


def _rights(offered: int) -> int:
    rights = _FIRST_RIGHTS
    for since, right in _RIGHTS_BY_VERSION.items():
        if offered >= since:
            rights |= right
    return rights
