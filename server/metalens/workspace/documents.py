"""The texts of the workspace: what is open in the editor, laid over what lies on the disk."""

from __future__ import annotations

import hashlib
import os
import tokenize
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path

from metalens.workspace.walk import CONFIGS, PAGES, SCRIPTS, Walker

MAX_BYTES = 2 * 1024 * 1024

# Texts are remembered up to this many characters in all; beyond it the longest unused are read again when needed.
_REMEMBERED = 24 * 1024 * 1024


class Unreadable(Exception):
    """A file has no text for us. `reason` is a calm sentence for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _Open:
    text: str
    version: int
    stamp: str


class Workspace:
    """A folder, and the editor's unsaved texts. Paths are absolute; every line ends with a newline alone."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._open: dict[str, _Open] = {}
        self._texts: OrderedDict[str, tuple[str, str | Unreadable]] = OrderedDict()
        self._characters = 0
        self._walker = Walker()

    def open(self, file: str, text: str, version: int) -> None:
        """The editor has this text now; call it for every change."""
        text = _plain_newlines(text)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        self._open[file] = _Open(text, version, f"text:{digest}")

    def copy(self) -> Workspace:
        """The same folder with the same unsaved texts, which from now on are its own."""
        other = Workspace(self.root)
        other._open = dict(self._open)
        return other

    def close(self, file: str) -> None:
        """The disk has the word again."""
        self._open.pop(file, None)

    def version(self, file: str) -> int | None:
        """The editor's version of an open file."""
        known = self._open.get(file)
        return known.version if known else None

    def text(self, file: str) -> str:
        """The newest text of a file. Raises Unreadable."""
        known = self._open.get(file)
        return known.text if known else self._disk(file)

    def stamp(self, file: str) -> str | None:
        """Something that changes whenever the text of the file does; None where there is no file."""
        known = self._open.get(file)
        return known.stamp if known else _disk_stamp(file)

    def overlay(self) -> dict[str, str]:
        """The open files whose text differs from the disk, with their text."""
        return {file: known.text for file, known in list(self._open.items()) if known.text != self._disk_or_none(file)}

    def python_files(self) -> tuple[str, ...]:
        """The Python files of the workspace as git would list them, without environments and generated folders."""
        return self._walker.files(self.root)

    def pages(self) -> tuple[str, ...]:
        """The Markdown files and notebooks of the workspace, likewise: their examples call models too."""
        return self._walker.files(self.root, PAGES)

    def scripts(self) -> tuple[str, ...]:
        """The shell scripts, Makefiles and Dockerfiles of the workspace, likewise: they say how programs are called."""
        return self._walker.files(self.root, SCRIPTS)

    def configurations(self) -> tuple[str, ...]:
        """The files of settings of the workspace, likewise: they may name the classes that a program builds."""
        return self._walker.files(self.root, CONFIGS)

    def walk(self, path: Path) -> tuple[str, ...]:
        """The file that the user names, or the Python files of the folder. Raises Unreadable if there is neither."""
        absolute = Path(os.path.abspath(path))
        if absolute.is_dir():
            return self._walker.files(absolute)
        if not absolute.exists():
            raise Unreadable(f"{path} does not exist.")
        return (str(absolute),)

    def _disk_or_none(self, file: str) -> str | None:
        try:
            return self._disk(file)
        except Unreadable:
            return None

    def _disk(self, file: str) -> str:
        stamp = _disk_stamp(file) or ""
        known = self._texts.get(file)
        if known is not None and known[0] == stamp:
            content = known[1]
        else:
            content = _read(file)
            self._remember(file, stamp, content)
        if isinstance(content, Unreadable):
            raise Unreadable(content.reason)
        return content

    def _remember(self, file: str, stamp: str, content: str | Unreadable) -> None:
        before = self._texts.pop(file, None)
        self._texts[file] = (stamp, content)
        self._characters += len(str(content)) - (len(str(before[1])) if before else 0)
        while self._characters > _REMEMBERED and len(self._texts) > 1:
            _, (_, oldest) = self._texts.popitem(last=False)
            self._characters -= len(str(oldest))


def _disk_stamp(file: str) -> str | None:
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return f"disk:{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"


def _read(file: str) -> str | Unreadable:
    name = os.path.basename(file)
    try:
        with open(file, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Unreadable(f"{name} does not exist any more.")
    except (OSError, ValueError) as problem:
        return Unreadable(f"{name} cannot be read: {getattr(problem, 'strerror', None) or problem}.")
    if len(content) > MAX_BYTES:
        return Unreadable(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MiB and is left alone.")
    try:
        return _plain_newlines(decode(content))
    except (SyntaxError, LookupError, UnicodeError):
        return Unreadable(f"{name} is not UTF-8 text and names no other encoding in its first two lines.")


def decode(content: bytes) -> str:
    """The text of a Python file: UTF-8, or the encoding that its byte order mark or its first two lines name (PEP 263).

    Raises SyntaxError, LookupError or UnicodeError.
    """
    encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
    return TextIOWrapper(BytesIO(content), encoding).read()


def _plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
