"""A hook on Python's audit events that refuses what a model may not do.

It gives clear words where the kernel gives a number, and on systems without Landlock and seccomp it is the only guard
besides the limits: enough against accidents, not against malice.
"""

from __future__ import annotations

import os
import socket
import sys
import sysconfig
from collections.abc import Callable
from typing import Any, Optional

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_DEEDS = {
    "change files": (
        "os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.chmod os.chown os.chflags os.lchflags os.truncate "
        "os.utime os.setxattr os.removexattr shutil.rmtree shutil.move winreg.CreateKey winreg.DeleteKey "
        "winreg.DeleteValue winreg.SetValue winreg.SaveKey winreg.LoadKey"
    ),
    "start programs": (
        "subprocess.Popen os.system os.exec os.fork os.forkpty os.spawn os.posix_spawn os.startfile os.startfile/2 "
        "pty.spawn webbrowser.open _winapi.CreateProcess"
    ),
    "use the network": (
        "socket.connect socket.bind socket.sendto socket.getaddrinfo socket.gethostbyname socket.gethostbyaddr "
        "socket.getnameinfo socket.sethostname urllib.Request syslog.openlog syslog.syslog"
    ),
    "touch other processes": (
        "os.killpg signal.pthread_kill _winapi.OpenProcess _winapi.TerminateProcess sys.remote_exec"
    ),
    "change its own limits": "resource.setrlimit resource.prlimit",
}


def install(kernel: bool) -> None:
    """Refuse from now on, in this process, for good. `kernel` says that Landlock and seccomp stand behind the hook."""
    rules = _rules(kernel)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        rule = rules.get(event)
        deed = rule(arguments) if rule is not None else None
        if deed is not None:
            shown = ", ".join(repr(item) for item in arguments if isinstance(item, (str, int)))
            raise PermissionError(f"Metalens does not let a model {deed}: {event}({shown})")

    sys.addaudithook(hook)


_Rule = Callable[[tuple[Any, ...]], Optional[str]]


def _rules(kernel: bool) -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {event: _always(deed) for deed, events in _DEEDS.items() for event in events.split()}
    rules["open"] = _opening
    rules["os.kill"] = _killing
    rules["socket.__new__"] = _new_socket
    if not kernel:
        rules["sqlite3.connect"] = _database
        rules["ctypes.dlopen"] = _library
    return rules


def _always(deed: str) -> _Rule:
    return lambda _arguments: deed


def _opening(arguments: tuple[Any, ...]) -> Optional[str]:
    path, _mode, flags = arguments
    if isinstance(path, int) or not flags & _WRITING or path == os.devnull:
        return None
    return "write files"


def _killing(arguments: tuple[Any, ...]) -> Optional[str]:
    return None if arguments[0] == os.getpid() else "touch other processes"


def _new_socket(arguments: tuple[Any, ...]) -> Optional[str]:
    # A socketpair reaches nobody, and every event loop of asyncio has one.
    return None if arguments[1] == getattr(socket, "AF_UNIX", None) else "use the network"


def _database(arguments: tuple[Any, ...]) -> Optional[str]:
    return None if arguments[0] == ":memory:" else "write files"


def _library(arguments: tuple[Any, ...]) -> Optional[str]:
    name = arguments[0]
    installed = tuple(sysconfig.get_paths().values())
    return None if name is None or str(name).startswith(installed) else "load libraries"
