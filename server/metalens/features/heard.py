"""The user's word on findings: comments that silence them, levels that make them louder or quieter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from metalens.engine.result import Model, Result
from metalens.features.source import read_source
from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.resolve.directives import ARGS, IGNORE, IGNORE_FILE, WORDS, Directive, directives, line_of
from metalens.resolve.pins import loose_pins
from metalens.resolve.statements import Statement, first_code_line, statement_at
from metalens.workspace.rules import near, no_such_rule, pages
from metalens.workspace.settings import OFF

UNUSED = "unused-ignore"
UNREADABLE = "invalid-directive"

_ALIKE = 0.75
_UNCHECKED = "no_type_check"


def heard(result: Result, levels: Mapping[str, str], text_of: Callable[[str], str] = lambda file: "") -> Result:
    """The result with the findings that the user wants to hear of, each as loud as they want it.

    Comments of the file silence findings; comments that silence nothing, or that are no directive, become findings.
    `levels` gives some rules another severity, or `off`. `text_of` gives the other files that errors stand in.
    """
    file = _File(result)
    kept = [finding for finding in result.findings if not file.silences(finding)]
    found = sorted([*kept, *file.complaints()], key=lambda item: _key(item.location.range.start))
    others = {finding.location.file for finding in result.elsewhere}
    spoken = {other: _File(Result(other, None, text_of(other), (), (), None)) for other in others}
    elsewhere = [finding for finding in result.elsewhere if not spoken[finding.location.file].silences(finding)]
    return replace(result, findings=at_levels(found, levels), elsewhere=at_levels(elsewhere, levels))


def at_levels(findings: Iterable[Finding], levels: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings, each with the severity of its rule; without those that are `off`."""
    return tuple(
        replace(finding, severity=levels.get(finding.code, finding.severity))
        for finding in findings
        if levels.get(finding.code) != OFF
    )


def spoken_lines(place: Range, statement: Statement) -> set[int]:
    """The lines on which a comment speaks of a finding: its own, the ends of its statement, and its classes."""
    headers = (line for first, last in statement.classes for line in range(first, last + 1))
    return {*range(place.start.line, place.end.line + 1), statement.first, statement.last, *headers}


@dataclass
class _Ignore:
    """A directive that silences; `used` are the rules of findings that it silenced."""

    directive: Directive
    whole_file: bool
    used: set[str] = field(default_factory=set)

    def means(self, rule: str) -> bool:
        return not self.directive.rules or rule in self.directive.rules


class _File:
    def __init__(self, result: Result) -> None:
        self._result = result
        self._all = directives(result.text)
        self._loose = loose_pins(result.text, [model.cls for model in result.models])
        self._first = first_code_line(result.text) if self._all else 0
        self._ignores = [
            _Ignore(item, item.word == IGNORE_FILE)
            for item in self._all
            if item.word in (IGNORE, IGNORE_FILE) and not item.malformed and not self._misplaced(item)
        ]
        self._lines = {id(ignore): line_of(ignore.directive, result.text) for ignore in self._ignores}

    def silences(self, finding: Finding) -> bool:
        """Whether a comment asks for this finding not to be shown."""
        if not self._ignores and _UNCHECKED not in self._result.text:
            return False
        statement = statement_at(self._result.text, finding.location.range.start.line)
        lines = spoken_lines(finding.location.range, statement)
        meant = [
            ignore
            for ignore in self._ignores
            if ignore.means(finding.code) and (ignore.whole_file or self._lines[id(ignore)] in lines)
        ]
        for ignore in meant:
            ignore.used.add(finding.code)
        return bool(meant) or statement.unchecked

    def complaints(self) -> Iterator[Finding]:
        """What is wrong with the comments themselves, once all findings were asked for."""
        for item in self._all:
            yield from self._unreadable(item)
        for ignore in self._ignores:
            yield from self._unused(ignore)

    def _misplaced(self, item: Directive) -> bool:
        return item.word == IGNORE_FILE and item.line >= self._first

    def _unreadable(self, item: Directive) -> Iterator[Finding]:
        if item.malformed:
            yield self._complaint(UNREADABLE, item, f"the brackets of {item.word} are not closed")
        elif self._misplaced(item):
            yield self._complaint(UNREADABLE, item, "ignore-file must stand above all code; here it ignores nothing")
        elif item in self._loose:
            beside = "a class" if item.word == ARGS else "a class or its forward"
            yield self._complaint(UNREADABLE, item, f"{item.word} must stand beside or above {beside}")
        elif item.word not in WORDS:
            meant = difflib.get_close_matches(item.word, WORDS, 1, _ALIKE)
            if meant:  # anything else is prose
                yield self._complaint(UNREADABLE, item, f"there is no directive {item.word}; did you mean {meant[0]}?")

    def _unused(self, ignore: _Ignore) -> Iterator[Finding]:
        item = ignore.directive
        for rule in item.rules:
            without = self._fix(item, [name for name in item.listed if _bare(name) != rule], f"Remove {rule}")
            if rule not in pages():
                named = [
                    self._fix(item, _renamed(item, rule, meant), f"Change {rule} to {meant}") for meant in near(rule)
                ]
                yield self._complaint(UNUSED, item, no_such_rule(rule), [*named[:1], without])
            elif rule not in ignore.used and self._was_looked_at(ignore):
                yield self._complaint(UNUSED, item, f"nothing here needs ignore[{rule}]", [without])
        if not item.rules and not ignore.used and self._was_looked_at(ignore):
            yield self._complaint(UNUSED, item, f"nothing here needs this {item.word}", [self._fix(item, [], "")])

    def _was_looked_at(self, ignore: _Ignore) -> bool:
        """Whether all that the comment speaks of ran on evidence that may find mistakes."""
        if not self._result.complete or self._result.problem:
            return False
        if ignore.whole_file:
            return all(map(_judged, self._result.models))
        classes = statement_at(self._result.text, self._lines[id(ignore)]).classes
        around = [model for model in self._result.models if any(a <= model.cls.line <= b for a, b in classes)]
        return all(map(_judged, around)) if around else all(map(_judged, self._result.models))

    def _complaint(self, code: str, item: Directive, message: str, fixes: Sequence[Fix] = ()) -> Finding:
        place = Location(self._result.file, item.place)
        offered = [replace(fix, preferred=index == 0) for index, fix in enumerate(fixes)]
        return Finding(code, "warning", message, place, "", fixes=tuple(offered))

    def _fix(self, item: Directive, names: Sequence[str], title: str) -> Fix:
        """Leave these names in the brackets; without any the comment goes."""
        if names:
            place, text = item.place, item.listing(tuple(names))
        else:
            place, text, title = self._whole(item), "", "Remove this comment"
        return Fix(title, (Edit(Location(self._result.file, place), text),))

    def _whole(self, item: Directive) -> Range:
        """The comment with the space before it; with its whole line, where nothing else stands there."""
        line = read_source(self._result.text).lines[item.line]
        if item.alone and not line[item.end :].strip():
            return Range(Position(item.line, 0), Position(item.line + 1, 0))
        before = len(line[: item.place.start.column].rstrip())
        return Range(Position(item.line, before), Position(item.line, item.end))


def _judged(model: Model) -> bool:
    return bool(model.contexts) and (model.contexts[0].status, model.contexts[0].grade) == ("traced", "clean")


def _renamed(item: Directive, rule: str, meant: str) -> list[str]:
    return [name.replace(rule, meant) if _bare(name) == rule else name for name in item.listed]


def _bare(name: str) -> str:
    return name.rpartition(":")[2].strip()


def _key(place: Position) -> tuple[int, int]:
    return place.line, place.column
