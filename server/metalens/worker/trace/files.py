"""Files during a run: what is written goes nowhere, and data that is not on this machine still has names."""

from __future__ import annotations

import builtins
import functools
import glob
import gzip
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from metalens.worker.load.cameras import cameras, lists_cameras
from metalens.worker.load.inventions import LISTS, WORDS, invented, more
from metalens.worker.load.scenes import annotation
from metalens.worker.trace import listed
from metalens.worker.trace.listed import made

_REAL_OPEN, _REAL_GLOB, _REAL_LISTDIR, _REAL_WALK = builtins.open, glob.glob, os.listdir, os.walk
_REAL_SCANDIR, _REAL_GZIP, _IS_HERE = os.scandir, gzip.open, os.path.isfile
_REAL_SIZE, _BYTES = os.path.getsize, 150_000  # as a sound of a few seconds has
_WRITING = frozenset("wax+")
_TEXTS = (
    *(".txt", ".tokens", ".text", ".words", ".raw", ".names", ".list", ".lst", ".flist", ".scp"),
    # Sides of translations and of judgements, and what texts become on their way.
    *(".src", ".tgt", ".en", ".de", ".fr", ".vi", ".zh", ".cs", ".ro", ".pos", ".neg", ".train", ".valid", ".test"),
    *(".dev", ".tok", ".bpe", ".sent", ".label", ".labels", ".vocab", ".dict", ".corpus", ".small", ".lines"),
)
_COPIED = (".txt", ".json", ".csv", ".names", ".yaml", ".yml")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp", ".tif")
_MOST_FOLDERS = 500
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for the functions that make, remove and list files. The locked room refuses the real ones."""
    changing = "mkdir makedirs remove unlink rmdir removedirs rename replace chmod symlink link utime"
    found: list[tuple[Any, str, Any]] = [(os, name, _nothing) for name in changing.split() if hasattr(os, name)]
    found += listed.patches()
    found += [(builtins, "open", _open), (io, "open", _open), (os, "listdir", _listdir), (glob, "glob", _glob)]
    found += [(os.path, "getsize", _size), (os, "walk", _walk), (os, "scandir", _scandir), (gzip, "open", _unpacked)]
    return found


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    """As `open`; a file to be written is kept in memory and forgotten."""
    if isinstance(mode, str) and not _WRITING.isdisjoint(mode):
        return io.BytesIO() if "b" in mode else io.StringIO()
    try:
        return _REAL_OPEN(file, mode, *args, **kwargs)
    except FileNotFoundError:
        beside = os.path.join(os.path.dirname(sys.argv[0]), file) if isinstance(file, str) else ""
        if beside and _IS_HERE(beside):
            return _REAL_OPEN(beside, mode, *args, **kwargs)  # a script that is meant to run in its own folder
        copies = _named(os.getcwd()).get(os.path.basename(str(file)), [])
        if len(copies) == 1:
            return _REAL_OPEN(copies[0], mode, *args, **kwargs)  # it is to be copied to where the data is
        if "b" in mode and str(file).lower().endswith(_PICTURES):
            return io.BytesIO()  # whoever opens it as a picture does not look into it
        if lists_cameras(str(file)):
            return io.BytesIO(cameras().encode()) if "b" in mode else io.StringIO(cameras())
        if str(file).endswith(".xml"):
            return io.BytesIO(annotation().encode()) if "b" in mode else io.StringIO(annotation())
        if not _is_text(str(file)):
            raise
        like = _source(str(file)) or (_source(beside) if beside else "")
        if like:
            invented(LISTS)
            opened = _REAL_OPEN(like, mode, *args, **kwargs)
            for _ in range(more()):
                opened.readline()
            return opened
        invented(WORDS)
        return io.BytesIO(_text(more()).encode()) if "b" in mode else io.StringIO(_text(more()))


@functools.cache
def _named(root: str) -> dict[str, list[str]]:
    """The texts of a folder and the folders below it, by their names."""
    found: dict[str, list[str]] = {}
    for count, (folder, inner, names) in enumerate(_REAL_WALK(root)):
        inner[:] = [name for name in inner if name[0] != "."]
        for name in names:
            if name.endswith(_COPIED):
                found.setdefault(name, []).append(os.path.join(folder, name))
        if count > _MOST_FOLDERS:
            break
    return found


def _is_text(file: str) -> bool:
    """Whether a file is a text, or what a text was turned into: `train.txt.cleaned`."""
    return file.endswith(_TEXTS) or os.path.splitext(file)[0].endswith(_TEXTS)


def _source(file: str) -> str:
    """The text that a missing one was made of, or looks like; "" if there is none."""
    made_of = file if file.endswith(_TEXTS) else os.path.splitext(file)[0]
    return made_of if made_of != file and _IS_HERE(made_of) else _like(made_of)


def _like(file: str) -> str:
    """The text beside a missing one whose name has most in common with its name: lists of one data set look alike."""
    folder, name = os.path.split(file)
    end = os.path.splitext(name)[1]
    try:
        names = [other for other in sorted(_REAL_LISTDIR(folder or ".")) if other.endswith(end)]
    except OSError:
        return ""
    wanted = set(_WORD.findall(name.removesuffix(end)))
    shared = {other: len(wanted.intersection(_WORD.findall(other.removesuffix(end)))) for other in names}
    best = max(names, key=lambda other: shared[other], default="")
    return os.path.join(folder, best) if best and 2 * shared[best] > len(wanted) else ""


@functools.cache
def _text(more: int) -> str:
    """Lines of words: enough for batches of a language model, with a vocabulary of its own."""
    letters, count = _LETTERS[more:], 997 - 10 * more
    words = [f"{letters[index % len(letters) :]}{letters[: index // 7 % 9]}"[: 2 + index % 7] for index in range(count)]
    lines = [" ".join(words[(line * 37 + index * 11) % count] for index in range(12)) for line in range(3000)]
    return "\n".join(lines) + "\n"


def _glob(pattern: Any, *args: Any, **kwargs: Any) -> list[str]:
    """The files that match, or, where the data is not on this machine, names as they would be there."""
    found: list[str] = _REAL_GLOB(pattern, *args, **kwargs)
    if found or not isinstance(pattern, str) or "*" not in pattern:
        return found
    if "**" in pattern and "*" not in os.path.basename(pattern):
        return found  # where one file is, of which the name is known
    plain = pattern.replace("**/", "")
    if plain.endswith(".*") and plain.count("*") == 1:
        return made([f"{plain[:-1]}jpg"])  # one file, whose format is left open
    return made(plain.replace("*.*", name).replace("*", name.partition(".")[0]) for name in _names())


def _listdir(path: Any = ".") -> list[str]:
    try:
        return _REAL_LISTDIR(path)
    except FileNotFoundError:
        made(os.path.join(str(path), name) for name in _names())
        return _names()


class _Entry:
    """What `os.scandir` tells of a file."""

    def __init__(self, folder: str, name: str) -> None:
        self.name, self.path = name, os.path.join(folder, name)

    def is_file(self, **options: Any) -> bool:
        """It is one."""
        return True

    def is_dir(self, **options: Any) -> bool:
        """It is none."""
        return False

    is_symlink = is_dir


def _scandir(path: Any = ".") -> Any:
    try:
        return _REAL_SCANDIR(path)
    except FileNotFoundError:
        return _Scanned(str(path))


class _Scanned(Iterator[_Entry]):
    """The entries of a folder."""

    def __init__(self, folder: str) -> None:
        self._left = [_Entry(folder, name) for name in _listdir(folder)]

    def __next__(self) -> _Entry:
        if not self._left:
            raise StopIteration
        return self._left.pop(0)

    def __enter__(self) -> _Scanned:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def _unpacked(file: Any, mode: str = "rb", *args: Any, **kwargs: Any) -> Any:
    """As `gzip.open`; of a text that is not here, one that is made up."""
    if "r" not in mode or _IS_HERE(file) or not str(file).endswith((".txt.gz", ".text.gz")):
        return _REAL_GZIP(file, mode, *args, **kwargs)
    return _open(str(file).removesuffix(".gz"), "r" if "t" in mode else "rb")


def _size(path: Any) -> int:
    try:
        return _REAL_SIZE(path)
    except FileNotFoundError:
        return _BYTES


def _walk(top: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
    if os.path.isdir(top):
        return _REAL_WALK(top, *args, **kwargs)
    return iter([(top, [], _listdir(top))])


def _names() -> list[str]:
    return [f"{index:04}.jpg" for index in range(16)]
