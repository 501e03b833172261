"""A filter of system calls for Linux on x86_64 and aarch64.

Refused calls fail with EPERM, which user code sees as a PermissionError. Threads, memory and reading stay possible.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# Numbers of system calls: x86_64, aarch64 (0 where the call does not exist).
_REFUSED = {
    # programs and processes; clone is looked at more closely below
    "fork": (57, 0),
    "vfork": (58, 0),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "unshare": (272, 97),
    "setns": (308, 268),
    # the network; a socketpair reaches nobody and asyncio needs one
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140),
    # times, modes and owners of files
    "utime": (132, 0),
    "utimes": (235, 0),
    "futimesat": (261, 0),
    "utimensat": (280, 88),
    "chmod": (90, 0),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, 0),
    "fchown": (93, 55),
    "lchown": (94, 0),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    # names and contents of files
    "creat": (85, 0),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "unlink": (87, 0),
    "unlinkat": (263, 35),
    "rename": (82, 0),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, 0),
    "mkdirat": (258, 34),
    "rmdir": (84, 0),
    "link": (86, 0),
    "linkat": (265, 37),
    "symlink": (88, 0),
    "symlinkat": (266, 36),
    "mknod": (133, 0),
    "mknodat": (259, 33),
    "open_by_handle_at": (304, 265),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "setrlimit": (160, 164),
}

# Calls whose arguments a filter cannot read, or that would go round it; libc falls back to the older ones.
_UNKNOWN = {"clone3": (435, 435), "openat2": (437, 437), "io_uring_setup": (425, 425)}

_CLONE, _KILL, _TGKILL, _PRLIMIT = (56, 220), (62, 129), (234, 131), (302, 261)
_OPEN, _OPENAT = (2, 0), (257, 56)

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _REFUSE, _ABSENT, _DIE = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x80000000

_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _FILTER = 21, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def available() -> bool:
    """Whether this machine has filters, as far as can be said without applying one."""
    if not sys.platform.startswith("linux") or platform.machine() not in _ARCHITECTURES or sys.maxsize < 2**32:
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)


def enter(libc: ctypes.CDLL, refuse_writing: bool) -> bool:
    """Filter this thread, and all that it starts, from now on; whether that worked. `no_new_privs` must be set.

    `refuse_writing` also refuses to open files for writing, `/dev/null` among them: for kernels that have no Landlock.
    """
    code = program(platform.machine(), os.getpid(), refuse_writing)
    return not libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(code) // 8, code)), 0, 0)


def program(machine: str, pid: int, refuse_writing: bool) -> bytes:
    """The filter as the kernel wants it."""
    column, architecture = _ARCHITECTURES[machine]
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_EQUAL, architecture, 1, 0),
        _line(_RETURN, _DIE),
        _line(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [_line(_AT_LEAST, _X32, 0, 1), _line(_RETURN, _ABSENT)]
    for table, verdict in ((_REFUSED, _REFUSE), (_UNKNOWN, _ABSENT)):
        for numbers in table.values():
            if numbers[column]:
                lines += [_line(_EQUAL, numbers[column], 0, 1), _line(_RETURN, verdict)]
    lines += _case(_CLONE[column], _load(0) + _line(_ANY_BIT, _CLONE_THREAD, 1, 0) + _refuse())
    for numbers in (_KILL, _TGKILL):
        lines += _case(numbers[column], _load(0) + _line(_EQUAL, pid, 1, 0) + _refuse())
    # A new limit is a pointer, of which the filter sees two halves; reading the present limits passes none.
    halves = (_load(2, half) + _line(_EQUAL, 0, 1, 0) + _refuse() for half in (0, 4))
    lines += _case(_PRLIMIT[column], b"".join(halves))
    if refuse_writing:
        for numbers, argument in ((_OPEN, 1), (_OPENAT, 2)):
            if numbers[column]:
                lines += _case(numbers[column], _load(argument) + _line(_ANY_BIT, _WRITING, 0, 1) + _refuse())
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _case(number: int, body: bytes) -> list[bytes]:
    """What is done for one call; when the body comes to its end, the call is allowed."""
    body += _line(_RETURN, _ALLOW)
    return [_line(_EQUAL, number, 0, len(body) // 8), body]


def _load(argument: int, half: int = 0) -> bytes:
    return _line(_LOAD, _ARGUMENTS + 8 * argument + half)


def _refuse() -> bytes:
    return _line(_RETURN, _REFUSE)


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
