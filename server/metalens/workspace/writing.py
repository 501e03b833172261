"""Files that are changed on the disk: whole or not at all, in their own encoding and with their own line ends."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import tokenize
from contextlib import suppress
from dataclasses import dataclass


class Unwritable(Exception):
    """A file could not be written; its text is a sentence for the user."""


@dataclass(frozen=True)
class Original:
    """A file as it was read: its bytes, its text with its own line ends, and what it takes to write it again."""

    file: str
    content: bytes
    encoding: str
    text: str


def read_original(file: str) -> Original:
    """Raises OSError, SyntaxError, LookupError or UnicodeError."""
    with open(file, "rb") as stream:
        content = stream.read()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return Original(file, content, encoding, content.decode(encoding))


def rewrite(original: Original, text: str) -> None:
    """Put a new text into the place of a file, unless the file has changed since it was read. Raises Unwritable."""
    name = os.path.basename(original.file)
    # A link stays a link: what it leads to is replaced.
    target = os.path.realpath(original.file)
    try:
        content = text.encode(original.encoding)
        with open(target, "rb") as stream:
            if stream.read() != original.content:
                raise Unwritable(f"{name} was changed meanwhile, and is left as it is")
        _replace(target, content)
    except UnicodeError as problem:
        raise Unwritable(f"{name} cannot hold the new text in {original.encoding}") from problem
    except OSError as problem:
        raise Unwritable(f"{name} cannot be written: {problem.strerror or problem}") from problem


def _replace(target: str, content: bytes) -> None:
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "it is write-protected")
    descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".metalens-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
