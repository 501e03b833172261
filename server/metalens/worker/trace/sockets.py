"""Sockets during a run: programs that look for a free port find one, and reach nobody."""

from __future__ import annotations

import socket
from typing import Any, Optional

_HOST, _PORT = "127.0.0.1", 29500
_REAL = socket.socket


class _Unconnected:
    """A socket to which nobody is connected."""

    def __enter__(self) -> _Unconnected:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def getsockname(self) -> tuple[str, int]:
        """Where others would find it."""
        return _HOST, _PORT

    def connect(self, address: Any) -> None:
        """In vain."""
        raise ConnectionRefusedError("a run reaches nobody")

    def connect_ex(self, address: Any) -> int:
        """In vain."""
        return 111

    def nothing(self, *args: Any) -> None:
        """What prepares or ends it."""

    bind = listen = setsockopt = settimeout = setblocking = close = shutdown = nothing


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for what the locked room refuses."""
    return [
        (socket, "socket", _opened),
        (socket, "gethostbyname", lambda name: _HOST),
        (socket, "getfqdn", lambda name="": name or "localhost"),
    ]


def _opened(family: int = -1, type: int = -1, proto: int = -1, fileno: Optional[int] = None) -> Any:
    # A pair of them is made of two that are open, and connected within the process.
    return _Unconnected() if fileno is None else _REAL(family, type, proto, fileno)
