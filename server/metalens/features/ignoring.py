"""Comments that silence a finding, as edits: beside it, or at the head of its file."""

from __future__ import annotations

import re

from metalens.features.heard import UNREADABLE, UNUSED, spoken_lines
from metalens.features.source import read_source
from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.resolve.directives import IGNORE, IGNORE_FILE, Directive, directives
from metalens.resolve.statements import first_code_line, statement_at

_HEAD = re.compile(r"#!|#.*coding[:=]")


def ignoring(text: str, finding: Finding) -> tuple[Fix, ...]:
    """The edits of this text that silence the finding; none for one that is about such comments itself."""
    if finding.code in (UNUSED, UNREADABLE):
        return ()
    file = finding.location.file
    here = Fix(f"Ignore {finding.code} on this line", (_edit(file, *_beside(text, finding)),))
    everywhere = Fix(f"Ignore {finding.code} in this file", (_edit(file, *_at_head(text, finding.code)),))
    return here, everywhere


def _beside(text: str, finding: Finding) -> tuple[Range, str]:
    place = finding.location.range
    statement = statement_at(text, place.start.line)
    lines = spoken_lines(place, statement)
    for item in directives(text):
        if item.word == IGNORE and item.listed and not item.alone and not item.shared and item.line in lines:
            return _extended(item, finding.code)
    source = read_source(text).lines
    for line in dict.fromkeys((place.end.line, statement.last, statement.first)):
        if _takes_comment(text, source, line):
            end = Position(line, len(source[line].rstrip()))
            return Range(end, Position(line, len(source[line]))), f"  # metalens: {IGNORE}[{finding.code}]"
    indent = source[statement.first][: len(source[statement.first]) - len(source[statement.first].lstrip())]
    above = Position(statement.first, 0)
    return Range(above, above), f"{indent}# metalens: {IGNORE}[{finding.code}]\n"


def _at_head(text: str, code: str) -> tuple[Range, str]:
    first = first_code_line(text)
    for item in directives(text):
        if item.word == IGNORE_FILE and item.listed and item.line < first:
            return _extended(item, code)
    lines = read_source(text).lines
    line = next((number for number, content in enumerate(lines[:3]) if not _HEAD.match(content)), 0)
    return Range(Position(line, 0), Position(line, 0)), f"# metalens: {IGNORE_FILE}[{code}]\n"


def _takes_comment(text: str, lines: tuple[str, ...], line: int) -> bool:
    """Whether a comment can stand at the end of a line: a string that goes on there, or a backslash, forbids it."""
    if lines[line].rstrip().endswith("\\"):
        return False
    tried = "\n".join([*lines[:line], f"{lines[line]}  # metalens: {IGNORE}", *lines[line + 1 :]])
    return any(item.line == line and item.word == IGNORE for item in directives(tried))


def _extended(item: Directive, code: str) -> tuple[Range, str]:
    return item.place, item.listing((*item.listed, code))


def _edit(file: str, place: Range, text: str) -> Edit:
    return Edit(Location(file, place), text)
