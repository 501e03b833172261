"""Text to syntax tree, also while the text is half-typed; and places in the tree as ranges in code points."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Any

from parso.grammar import load_grammar

from metalens.protocol.values import Position, Range

# What a text can do to a parser: not be Python, hold a null byte, nest too deeply.
_REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError)
_ATTEMPTS = 6

_PLACEHOLDER = "0"
_TOP_LEVEL = re.compile(r"@|(?!(?:elif|else|except|finally)\b)[^\W\d]")
_EMPTY_BLOCK = re.compile(r"expected an indented block after .* on line (\d+)$")
_GRAMMAR = load_grammar()


class Source:
    """A text with its tree. `broken` says that the tree was made of what is left of a text that does not parse."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.broken = False
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._ascii = text.isascii()
        try:
            self.tree = _parse(text)
        except _REFUSALS:
            self.broken = True
            self.tree = _mended_tree(text)

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._starts)

    def segment(self, first: int, last: int) -> str:
        """The text from line `first` to line `last`, both one-based and included."""
        end = self._starts[last] if last < len(self._starts) else len(self.text)
        return self.text[self._starts[first - 1] : end]

    def line(self, number: int) -> str:
        """The text of a one-based line."""
        return self.segment(number, number)

    def position(self, line: int, column: int) -> Position:
        """From a one-based line and a column in UTF-8 bytes, as `ast` counts."""
        if not self._ascii:
            column = len(self.line(line).encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))
        return Position(line - 1, column)

    def range(self, node: ast.expr | ast.stmt) -> Range:
        """The range of a node."""
        return Range(
            self.position(node.lineno, node.col_offset),
            self.position(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )

    def name_range(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Range:
        """The range of the name that a `class` or `def` statement defines."""
        start = self.position(node.lineno, node.col_offset)
        last = node.body[0].lineno if node.body else node.lineno
        for number in range(node.lineno, last + 1):
            found = re.compile(rf"\b{re.escape(node.name)}\b").search(
                self.line(number), start.column + len("class") if number == node.lineno else 0
            )
            if found:
                return Range(Position(number - 1, found.start()), Position(number - 1, found.end()))
        return Range(start, start)


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in the user's text is not our message
        return ast.parse(text)


def _mended_tree(text: str) -> ast.Module:
    """The tree of what is left when everything that does not parse is blanked, at unchanged positions.

    The block around an error is mended by itself: parsing a whole long file again and again is slow. If it is sound by
    itself, something above is not. Where all that does not lead to an end, what follows is given up.
    """
    lines = text.replace("\0", " ").split("\n")
    for attempt in range(2 * _ATTEMPTS):
        found = _attempt("\n".join(lines))
        if isinstance(found, ast.Module):
            return found
        number = min(max(found, 1), len(lines))
        if attempt >= _ATTEMPTS:
            lines = lines[: number - 1] or [""]
        elif not _mend_block(lines, *_block(lines, number)) and not _mend_block(lines, *_first_broken(lines)):
            _blank_line(lines, number)
    return ast.Module([], [])


def _mend_block(lines: list[str], first: int, last: int) -> bool:
    """Makes these lines parse by themselves, if need be by blanking them all; whether anything was changed."""
    if isinstance(_attempt("\n".join(lines[first - 1 : last])), ast.Module):
        return False
    for start, end in list(_error_ranges("\n".join(lines[first - 1 : last]))):
        _blank(lines, (start[0] + first - 1, start[1]), (end[0] + first - 1, end[1]))
    for _ in range(_ATTEMPTS):
        found = _attempt("\n".join(lines[first - 1 : last]))
        if isinstance(found, ast.Module):
            return True
        _blank_line(lines, min(max(found, 1), last - first + 1) + first - 1)
    lines[first - 1 : last] = [""] * (last - first + 1)
    return True


def _attempt(text: str) -> ast.Module | int:
    """The tree, or the one-based line on which the parser gave up."""
    try:
        return _parse(text)
    except SyntaxError as problem:
        header = _EMPTY_BLOCK.search(problem.msg)
        return int(header[1]) if header else problem.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _block(lines: list[str], number: int) -> tuple[int, int]:
    """The first and last line of the top-level statement around a line."""
    first = next((at for at in range(number, 0, -1) if _TOP_LEVEL.match(lines[at - 1])), 1)
    last = next((at for at in range(number + 1, len(lines) + 1) if _TOP_LEVEL.match(lines[at - 1])), len(lines) + 1)
    return first, last - 1


def _first_broken(lines: list[str]) -> tuple[int, int]:
    """The first top-level statement with which the text does not parse any more: where a quote was left open."""
    starts = [1, *(at for at in range(2, len(lines) + 1) if _TOP_LEVEL.match(lines[at - 1]))]
    good, bad = 0, len(starts)
    while bad - good > 1:
        middle = (good + bad) // 2
        parses = isinstance(_attempt("\n".join(lines[: starts[middle] - 1])), ast.Module)
        good, bad = (middle, bad) if parses else (good, middle)
    return _block(lines, starts[good])


def _error_ranges(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where parso had to give up, as one-based lines and columns in code points."""
    try:
        waiting: list[Any] = [_GRAMMAR.parse(text, cache=False)]
    except RecursionError:
        return
    while waiting:
        node = waiting.pop()
        if node.type in ("error_node", "error_leaf"):
            yield node.start_pos, node.end_pos
        else:
            waiting.extend(getattr(node, "children", ()))


def _blank(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Replaces the range by a placeholder and spaces, so that a block that held nothing else stays a block."""
    first, last = start[0] - 1, min(end[0] - 1, len(lines) - 1)
    for number in range(first, last + 1):
        line = lines[number]
        left = start[1] if number == first else 0
        right = end[1] if number == last else len(line)
        filling = " " * (right - left)
        alone = number == first and not line[:left].strip()
        if alone and right > left:
            filling = _PLACEHOLDER + filling[1:]
        lines[number] = line[:left] + filling + line[right:]


def _blank_line(lines: list[str], number: int) -> None:
    line = lines[number - 1]
    indent = len(line) - len(line.lstrip())
    placeholder = _PLACEHOLDER if line.strip() not in ("", _PLACEHOLDER) else ""
    lines[number - 1] = line[:indent] + placeholder
