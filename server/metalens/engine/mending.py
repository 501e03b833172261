"""Mending all that can be: preferred fixes are applied, and everything is checked again, until nothing changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from metalens.engine.edits import apply_edits
from metalens.engine.result import Result
from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Position

Check = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Sequence[Result]]]
Texts = Callable[[str], str]

MOST_ROUNDS = 20


@dataclass(frozen=True)
class Repair:
    """A fix that was applied, and the finding that it mended, where it stood at that time."""

    finding: Finding
    fix: Fix


@dataclass(frozen=True)
class Mended:
    """`results` are of the files as they are now, `texts` holds those that changed, `repairs` tells why."""

    results: tuple[Result, ...]
    repairs: tuple[Repair, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


async def mend(files: Sequence[str], check: Check, text_of: Texts) -> Mended:
    """Mend what is found in these files, without writing any.

    `check(files, texts)` gives the results of files while `texts` take the place of theirs, and no other text does.
    `text_of` gives the text of a file as it is now, with its own line ends, which are kept. Fixes that do not touch
    each other are applied together. Those after which their finding is still there are left out; if there are not fewer
    findings than before for another reason, the first is tried alone.
    """
    results = {result.file: result for result in await check(files, {})}
    wrong = [file for file in files if results[file].findings]
    texts: dict[str, str] = {}
    repairs: list[Repair] = []
    useless: set[tuple[str, str]] = set()
    for _ in range(MOST_ROUNDS):
        chosen = together((results[file] for file in wrong), useless)
        if not chosen:
            break
        attempt = chosen
        while attempt:
            tried = {**texts, **_applied(attempt, texts, text_of)}
            after = {**results, **{result.file: result for result in await check(wrong, tried)}}
            stubborn = _still_there(attempt, results.values(), after.values())
            if not stubborn and _count(after.values()) < _count(results.values()):
                results, texts, repairs = after, tried, [*repairs, *attempt]
                break
            if len(attempt) == 1:
                useless.add(_name(attempt[0].finding, attempt[0].fix))
            others = [repair for repair in attempt if repair not in stubborn]
            attempt = others if stubborn and others else attempt[:1] if len(attempt) > 1 else []
    if repairs and len(wrong) < len(files):
        results.update((result.file, result) for result in await check(files, texts))
    return Mended(tuple(results[file] for file in files), tuple(repairs), texts)


def together(results: Iterable[Result], useless: Collection[tuple[str, str]] = ()) -> list[Repair]:
    """The preferred fix of each finding, as far as they do not touch each other; the first ones win.

    `useless` are the messages and titles of fixes that were tried in vain.
    """
    chosen: list[Repair] = []
    taken: list[Edit] = []
    for result in results:
        for finding in result.findings:
            fix = next((fix for fix in finding.fixes if fix.preferred), None)
            if fix is None or _name(finding, fix) in useless:
                continue
            if not any(_touch(edit, other) for edit in fix.edits for other in taken):
                chosen.append(Repair(finding, fix))
                taken += fix.edits
    return chosen


def _applied(repairs: Iterable[Repair], texts: Mapping[str, str], text_of: Texts) -> dict[str, str]:
    edits: dict[str, list[Edit]] = defaultdict(list)
    for repair in repairs:
        for edit in repair.fix.edits:
            edits[edit.location.file].append(edit)
    changed = {}
    for file, wanted in edits.items():
        text = texts[file] if file in texts else text_of(file)
        newline = "\r\n" if "\r\n" in text else "\n"
        changed[file] = apply_edits(text, [replace(edit, text=edit.text.replace("\n", newline)) for edit in wanted])
    return changed


def _touch(one: Edit, other: Edit) -> bool:
    """Two edits at one place are in each other's way also where they only meet."""
    if one.location.file != other.location.file:
        return False
    first, second = one.location.range, other.location.range
    return _key(first.start) <= _key(second.end) and _key(second.start) <= _key(first.end)


def _key(place: Position) -> tuple[int, int]:
    return place.line, place.column


def _count(results: Iterable[Result]) -> int:
    return sum(len(result.findings) for result in results)


def _still_there(attempt: Sequence[Repair], before: Iterable[Result], after: Iterable[Result]) -> list[Repair]:
    """Those repairs after which there are as many findings of their kind as before."""
    gone = _kinds(before)
    gone.subtract(_kinds(after))
    return [repair for repair in attempt if gone[_kind(repair.finding)] <= 0]


def _kinds(results: Iterable[Result]) -> Counter[tuple[str, str, str]]:
    return Counter(_kind(finding) for result in results for finding in result.findings)


def _kind(finding: Finding) -> tuple[str, str, str]:
    return finding.location.file, finding.code, finding.message


def _name(finding: Finding, fix: Fix) -> tuple[str, str]:
    return finding.message, fix.title
