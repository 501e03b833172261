"""The text of workspace files as this run sees it: unsaved text over the disk."""

from __future__ import annotations

import io
import os
import tokenize
from typing import Optional


class Sources:
    """Reads files below `root`; remembers each text that it gave (`texts`, by absolute path)."""

    def __init__(self, root: str, overlay: dict[str, str]) -> None:
        self.root = os.path.realpath(root)
        self.overlay = {os.path.realpath(file): text for file, text in overlay.items()}
        self.texts: dict[str, str] = {}
        self._held: dict[str, bool] = {}

    def holds(self, file: str) -> bool:
        """Whether the file belongs to the workspace (and not to an environment inside it)."""
        held = self._held.get(file)
        if held is None:
            path = os.path.realpath(file)
            inside = path.startswith(self.root + os.sep)
            held = self._held[file] = inside and "site-packages" not in path and "dist-packages" not in path
        return held

    def exists(self, file: str) -> bool:
        """Whether there is such a file, on disk or unsaved."""
        return os.path.realpath(file) in self.overlay or os.path.isfile(file)

    def text(self, file: str) -> str:
        """The file's text. Raises OSError, or SyntaxError or UnicodeDecodeError when it is not Python text."""
        path = os.path.realpath(file)
        known: Optional[str] = self.overlay.get(path, self.texts.get(path))
        if known is None:
            known = read_text(path)
        self.texts[path] = known
        return known


def read_text(file: str) -> str:
    """A file's text on disk. Raises OSError, or SyntaxError or UnicodeDecodeError when it is not Python text."""
    with open(file, "rb") as stream:
        data = stream.read()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
