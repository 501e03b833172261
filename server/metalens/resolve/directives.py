"""What comments say to us: `# metalens: ignore[rule]` and its kin. Works on half-typed text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metalens.protocol.values import Position, Range

IGNORE, IGNORE_FILE, ARGS, INPUT = "ignore", "ignore-file", "args", "input"
WORDS = (IGNORE, IGNORE_FILE, ARGS, INPUT)

_TEXT = re.compile(
    r"""("{3}|'{3})(?:\\.|(?!\1)[\s\S])*(?:\1|\Z)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|(?P<comment>\#[^\n]*)"""
)
_OURS = re.compile(r"#\s*metalens:\s*(?P<word>[\w-]+)\s*(?P<rest>[^#]*)")
_SHARED = re.compile(r"#\s*type:\s*ignore\[(?P<rest>[^\]#]*)\]")
_RULES = re.compile(r"\[([^\]]*)\]")
_PREFIX = "metalens:"


@dataclass(frozen=True)
class Directive:
    """A comment for us. `word` is one of `WORDS`, or what stands in its place; `rest` is what follows it.

    `listed` are the names in brackets behind an ignore as they are written; `malformed` if the brackets do not close.
    `place` begins at the `#`; that of an ignore ends with its word or the closing bracket, and `end` is the column
    where the remark behind that ends.
    `alone`: nothing else stands on its line. `shared`: it is a `type: ignore`, which may speak to others too.
    """

    word: str
    rest: str
    listed: tuple[str, ...]
    place: Range
    end: int
    alone: bool
    malformed: bool = False
    shared: bool = False

    @property
    def line(self) -> int:
        """The line that it stands on."""
        return self.place.start.line

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that it names; an ignore without any means all."""
        if not self.shared:
            return self.listed
        return tuple(name[len(_PREFIX) :].strip() for name in self.listed if name.startswith(_PREFIX))

    def listing(self, names: tuple[str, ...]) -> str:
        """Its text up to the closing bracket, with other rules in it."""
        return f"# {'type' if self.shared else 'metalens'}: {self.word}[{', '.join(names)}]"


def directives(text: str) -> tuple[Directive, ...]:
    """All directives of a text in their order."""
    if _PREFIX not in text:
        return ()
    found: list[Directive] = []
    line, line_start, counted = 0, 0, 0
    for token in _TEXT.finditer(text):
        comment = token["comment"]
        if comment is None or _PREFIX not in comment:
            continue
        line += text.count("\n", counted, token.start())
        counted = token.start()
        line_start = text.rfind("\n", 0, token.start()) + 1
        found += _in_comment(comment, line, token.start() - line_start, text[line_start : token.start()])
    return tuple(found)


def line_of(item: Directive, text: str) -> int:
    """The line that a comment speaks of: its own, or the next one with code if it stands alone."""
    if not item.alone:
        return item.line
    lines = text.split("\n")
    code = (line for line in range(item.line + 1, len(lines)) if lines[line].strip() and lines[line].lstrip()[0] != "#")
    return next(code, item.line)


def _in_comment(comment: str, line: int, column: int, before: str) -> list[Directive]:
    found = []
    alone = not before.strip()
    for match in _OURS.finditer(comment):
        rest = match["rest"].rstrip()
        brackets = _RULES.match(rest) if match["word"].startswith(IGNORE) else None
        closes = match.start("rest") + (brackets.end() if brackets else len(rest))
        if match["word"].startswith(IGNORE) and not brackets:
            closes = match.end("word")
        found.append(
            Directive(
                word=match["word"],
                rest=rest,
                listed=_names(brackets[1]) if brackets else (),
                place=_range(line, column + match.start(), column + closes),
                end=column + match.start() + len(match[0].rstrip()),
                alone=alone and not match.start(),
                malformed=match["word"].startswith(IGNORE) and rest.startswith("[") and not brackets,
            )
        )
    for match in _SHARED.finditer(comment):
        place = _range(line, column + match.start(), column + match.end())
        shared = Directive(IGNORE, "", _names(match["rest"]), place, column + match.end(), alone, shared=True)
        found += [shared] if shared.rules else []
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _range(line: int, start: int, end: int) -> Range:
    return Range(Position(line, start), Position(line, end))
