"""Frames on plain descriptors: blocking writes, and a parser that takes bytes as they come.

Between a process that runs user code and its host, each frame is preceded by a secret. Bytes that user code sprays over
all descriptors therefore never pass for an answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Optional

from metalens.protocol.codec import HEADER, ProtocolError, length

CHUNK = 1 << 18
SECRET = 16  # bytes


class Frames:
    """The bodies in a stream of bytes. After a ProtocolError the stream cannot be trusted any more."""

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes; give the bodies that are complete now. Raises ProtocolError."""
        self._buffer += data
        start = len(self._secret) + HEADER.size
        while self._buffer:
            secret = bytes(self._buffer[: len(self._secret)])
            if secret != self._secret[: len(secret)]:
                raise ProtocolError("bytes without the secret")
            if len(self._buffer) < start:
                return
            end = start + length(bytes(self._buffer[len(self._secret) : start]))
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[start:end])
            del self._buffer[:end]
            yield body


class Tail:
    """The end of what a process printed."""

    LIMIT = 16 * 1024

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """Take more bytes and forget the oldest."""
        self._bytes += data
        if len(self._bytes) > 4 * self.LIMIT:
            del self._bytes[: -self.LIMIT]

    def split(self, mark: bytes) -> Optional[str]:
        """What comes before the first mark, which is then forgotten together with the mark; None without a mark."""
        end = self._bytes.find(mark)
        if end < 0:
            return None
        before = self._bytes[:end][-self.LIMIT :].decode(errors="replace")
        del self._bytes[: end + len(mark)]
        return before

    def text(self) -> str:
        """What is remembered."""
        return self._bytes[-self.LIMIT :].decode(errors="replace")


def write(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_body(descriptor: int) -> Optional[bytes]:
    """Wait for one frame without a secret; None at the end of the stream. Raises ProtocolError."""
    header = read(descriptor, HEADER.size)
    return None if header is None else read(descriptor, length(header))


def read(descriptor: int, size: int) -> Optional[bytes]:
    """Wait for exactly that many bytes; None when the stream ends before."""
    data = bytearray()
    while len(data) < size:
        part = os.read(descriptor, min(CHUNK, size - len(data)))
        if not part:
            return None
        data += part
    return bytes(data)


def answers(body: bytes, run: int) -> bool:
    """Whether this body claims to answer that run. What it holds is the server's to check."""
    return body.endswith(b"}") and body.startswith(
        (b'{"type":"Report","id":%d,' % run, b'{"type":"Crash","id":%d,' % run)
    )


def framed(body: bytes) -> bytes:
    """The frame with this body."""
    return HEADER.pack(len(body)) + body


def with_output(body: bytes, output: str) -> bytes:
    """The frame of an answer, with what the run printed.

    The text goes in as a second `output`, of which JSON keeps the last: a report may be megabytes, and building it anew
    to set one field would cost more than many a run.
    """
    if output:
        body = body[:-1] + b',"output":' + json.dumps(output).encode() + b"}"
    return framed(body)
