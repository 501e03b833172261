"""What a text says around a place: names, and the class and function that hold it. Works on half-typed code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from metalens.protocol.values import Position, Range

_OPAQUE = re.compile(
    r"""#[^\n]*|("{3}|'{3})(?:\\.|(?!\1)[\s\S])*(?:\1|\Z)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""",
)
_NEW_LINE = re.compile(r"\r\n|\r|\n")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\[\d+\])*(?:\.[^\W\d]\w*(?:\[\d+\])*)*")
_NAME = re.compile(r"[^\W\d]\w*|\[\d+\]")
_TARGET_BEFORE = re.compile(r"\s*(?:[(\[*]*[^\W\d][\w.]*[)\]]*\s*,\s*)*[(\[*]*$")
_TARGET_AFTER = re.compile(
    r"(?:[)\]]*\s*,\s*[(\[*]*[^\W\d][\w.]*)*[)\]]*\s*(?::[^=]+)?(?:[-+*/@%&|^]|//|\*\*|<<|>>)?=(?!=)"
)
_HEADER = re.compile(r"\s*(?:async\s+)?(class|def)\s+([^\W\d]\w*)")


@dataclass(frozen=True)
class Dotted:
    """A dotted name up to the part under the cursor: `self.blocks[0].attn` gives ("self", "blocks", "0", "attn")."""

    parts: tuple[str, ...]
    range: Range
    called: bool


@dataclass(frozen=True)
class Source:
    """A text in lines; in `code` strings and comments are blank, so that words in them count for nothing."""

    lines: tuple[str, ...]
    code: tuple[str, ...]

    def dotted_at(self, position: Position) -> Dotted | None:
        """The dotted name under the cursor, cut after the part that the cursor is on."""
        line = self._code_line(position.line)
        for found in _DOTTED.finditer(line):
            if found.start() <= position.column < found.end():
                return self._cut(found, position, line)
        return None

    def header_above(self, line: int, keyword: str) -> int | None:
        """The line of the innermost `class` or `def` whose body holds this line (or whose header it is)."""
        if not 0 <= line < len(self.code):
            return None
        header = _HEADER.match(self.code[line])
        if header and header[1] == keyword:
            return line
        indent = self._indent(line)
        for above in range(line - 1, -1, -1):
            text = self.code[above]
            if not text.strip() or len(text) - len(text.lstrip()) >= indent or text.lstrip()[0] in ")]}":
                continue
            indent = len(text) - len(text.lstrip())
            header = _HEADER.match(text)
            if header and header[1] == keyword:
                return above
        return None

    def block_end(self, header: int) -> int:
        """The first line after the block that this header opens."""
        indent = self._indent(header)
        for line in range(header + 1, len(self.code)):
            text = self.code[line].strip()
            if text and text[0] not in ")]}" and self._indent(line) <= indent:
                return line
        return len(self.code)

    def is_assigned(self, place: Range) -> bool:
        """Whether the name at this place is the target of an assignment."""
        line = self._code_line(place.start.line)
        before, after = line[: place.start.column], line[place.end.column :]
        return bool(_TARGET_BEFORE.match(before) and _TARGET_AFTER.match(after))

    def slice(self, wanted: Range) -> str:
        """The text of a range; of several lines only the first."""
        line = self.lines[wanted.start.line] if wanted.start.line < len(self.lines) else ""
        end = wanted.end.column if wanted.end.line == wanted.start.line else len(line)
        return line[wanted.start.column : end]

    def _code_line(self, line: int) -> str:
        return self.code[line] if 0 <= line < len(self.code) else ""

    def _indent(self, line: int) -> int:
        for text in self.code[line:]:
            if text.strip():
                return len(text) - len(text.lstrip())
        return 0

    def _cut(self, found: re.Match[str], position: Position, line: str) -> Dotted | None:
        parts: list[str] = []
        for part in _NAME.finditer(found[0]):
            parts.append(part[0].strip("[]"))
            if position.column < found.start() + part.end():
                start, end = found.start() + part.start(), found.start() + part.end()
                if position.column < start:  # on a dot
                    return None
                place = Range(Position(position.line, start), Position(position.line, end))
                return Dotted(tuple(parts), place, line[end:].lstrip().startswith("("))
        return None


@lru_cache(maxsize=16)
def read_source(text: str) -> Source:
    """The lines of a text, as the editor counts them."""
    code = _OPAQUE.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]), text)
    return Source(tuple(_NEW_LINE.split(text)), tuple(_NEW_LINE.split(code)))


def contains(outer: Range, position: Position) -> bool:
    """Whether a place lies in a range; its end counts, since a cursor stands between characters."""
    start, end = (outer.start.line, outer.start.column), (outer.end.line, outer.end.column)
    return start <= (position.line, position.column) <= end
