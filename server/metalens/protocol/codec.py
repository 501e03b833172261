"""Dataclasses to bytes and back: a four-byte big-endian length, then JSON with the class name under `type`."""

from __future__ import annotations

import dataclasses
import json
import struct
import typing
from typing import Any, Union

from metalens.protocol import messages, values

HEADER = struct.Struct(">I")
LIMIT = 256 * 1024 * 1024

# Comes before the worker's first frame. What an interpreter's start-up files print goes before it, and is skipped.
GREETING = b"metalens\n"

_CLASSES = {
    name: item
    for module in (values, messages)
    for name, item in vars(module).items()
    if isinstance(item, type) and dataclasses.is_dataclass(item)
}

# Resolved once: user code may empty `sys.modules` before the worker encodes what it saw.
_HINTS = {cls: typing.get_type_hints(cls) for cls in _CLASSES.values()}


class ProtocolError(ValueError):
    """The peer sent bytes that are no message. The stream cannot be trusted any more."""


def encode(message: messages.Request | messages.Answer) -> bytes:
    """One frame, header included."""
    body = json.dumps({"type": type(message).__name__, **_plain_fields(message)}, separators=(",", ":")).encode()
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> Any:
    """The message in a frame's body. Raises ProtocolError."""
    try:
        data = json.loads(body)
        cls = _CLASSES[data.pop("type")]
        return _build(cls, data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ProtocolError(f"not a message: {problem!r}") from problem


def length(header: bytes) -> int:
    """The length of the body that follows this header. Raises ProtocolError when it is out of bounds."""
    (size,) = HEADER.unpack(header)
    if size > LIMIT:
        raise ProtocolError(f"frame of {size} bytes")
    return int(size)


def _plain_fields(item: Any) -> dict[str, Any]:
    return {name: _plain(getattr(item, name)) for name in _HINTS[type(item)]}


def _plain(item: Any) -> Any:
    if item is None or isinstance(item, (str, int, float, bool)):
        return item
    if isinstance(item, (tuple, list)):
        return [_plain(part) for part in item]
    if isinstance(item, dict):
        return {str(key): _plain(part) for key, part in item.items()}
    return _plain_fields(item)


def _build(cls: type, data: dict[str, Any]) -> Any:
    hints = _HINTS[cls]
    unknown = data.keys() - hints.keys()
    if unknown:
        raise KeyError(f"{cls.__name__} has no {sorted(unknown)}")
    return cls(**{name: _typed(hints[name], part) for name, part in data.items()})


def _typed(hint: Any, data: Any) -> Any:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _build(hint, data)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return tuple(_typed(inner[0], part) for part in data)
    if origin is dict:
        return {key: _typed(inner[1], part) for key, part in data.items()}
    if origin is Union:
        return None if data is None else _typed(next(part for part in inner if part is not type(None)), data)
    if hint is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, hint):
        raise TypeError(f"expected {hint.__name__}, got {type(data).__name__}")
    return data
