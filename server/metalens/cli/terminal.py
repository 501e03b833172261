"""What the terminal can show: colours, and a line of progress that disappears again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Palette:
    """Wraps a text in the colour of its role; plain text when colours are off."""

    colours: bool

    def severity(self, severity: str, text: str) -> str:
        """Red for an error, yellow for a warning, blue for the rest."""
        return self._wrap({"error": "1;31", "warning": "1;33"}.get(severity, "1;34"), text)

    def strong(self, text: str) -> str:
        """A headline."""
        return self._wrap("1", text)

    def frame(self, text: str) -> str:
        """Line numbers, arrows and bars."""
        return self._wrap("34", text)

    def faint(self, text: str) -> str:
        """What may be skipped."""
        return self._wrap("2", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and text else text


def palette_for(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Palette:
    """Colours on a terminal; NO_COLOR and FORCE_COLOR decide otherwise, the former first."""
    if environment.get("NO_COLOR"):
        return Palette(False)
    if environment.get("FORCE_COLOR", "0") not in ("", "0", "false"):
        return Palette(True)
    return Palette(stream.isatty() and environment.get("TERM") != "dumb")


class Progress:
    """One line that is rewritten in place; silent unless the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def show(self, text: str) -> None:
        """Replace the line by this text."""
        if self._shown:
            self._stream.write(f"\r\x1b[K{text[:79]}")
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
