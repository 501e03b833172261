"""The command lines with which a script is meant to run: written down somewhere, or left open by its own parser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from metalens.resolve.configs import config_files
from metalens.resolve.index import View
from metalens.resolve.invocations import Invocation, invocations_of
from metalens.resolve.options import Option, facts_of, options_of
from metalens.resolve.shell import UNTOLD
from metalens.resolve.sweep import Sweep, plain
from metalens.workspace.launch import command_lines
from metalens.workspace.walk import CONFIGS

MAX_LINES = 12
_MOST_WRITTEN = 8
_MOST_NEEDED = 4
_MOST_SAME = 3  # command lines that choose the same wanted thing

_HELP = frozenset({"-h", "--help", "--version"})
_TRAINING = frozenset({"train", "training", "--train", "--do_train", "--training"})
_ASSIGNED = re.compile(r"\+?[\w./]+=.+")
_PLACE = re.compile(
    r"path|dir|folder|file|root|data|image|img|video|audio|checkpoint|ckpt|weights|save|log|input|output|^out|^in$|dest|src"
)
_FLAG = re.compile(r"-{1,2}[A-Za-z][\w.-]*")


@dataclass(frozen=True)
class CommandLine:
    """What `sys.argv[1:]` would be.

    `assumed`: nobody wrote it down, it is a choice that the script leaves open. `alike`: nobody did, but it chooses a
    config file like one that is used, or makes a choice that the script makes everybody make. `needed`: somebody did,
    and it takes another branch of the wanted file than the lines before it.
    """

    arguments: tuple[str, ...] = ()
    assumed: bool = False
    needed: bool = False
    alike: bool = False


@dataclass(frozen=True)
class CommandLines:
    """At most `MAX_LINES`, the best first, then the needed ones, never none. `files` were read beside the code."""

    lines: tuple[CommandLine, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What is to be reached: names of a file and its classes, all names that lead there, the classes, the file."""

    own: tuple[str, ...]
    leading: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    file: str = ""


def lines_of(view: View, script: str, reached: Sequence[str], wanted: Wanted) -> CommandLines:
    """`reached` are the workspace files that the script imports, itself included, nearest first."""
    if not script.endswith(".py"):
        return CommandLines((CommandLine(),))
    return _Search(view, script, reached, wanted).lines()


@dataclass
class _Search:
    view: View
    script: str
    reached: Sequence[str]
    wanted: Wanted
    options: tuple[Option, ...] = ()
    files: dict[str, None] = field(default_factory=dict)

    def lines(self) -> CommandLines:
        self.options = options_of(self.view, self.script, self.reached)
        launch = command_lines(self.view.workspace).get(self.script)
        # Who trains calls all models that there are.
        written = sorted(dict.fromkeys(self._written()), key=lambda line: _TRAINING.isdisjoint(line))
        chosen, fitting = self._chosen(written)
        own = sorted(self.wanted.own, key=lambda name: name not in fitting)
        sweep = Sweep(
            *(self.view, self.script, self.reached, self.options, own),
            *(self.wanted.leading, self.wanted.classes, written),
        )
        chosen = list(dict.fromkeys(map(sweep.with_required, chosen)))
        found: dict[tuple[str, ...], CommandLine] = {}
        if launch is not None:
            found[launch] = CommandLine(launch)
        some = chosen if fitting else chosen[:1]
        found.update({line: CommandLine(line, alike=line in sweep.alike) for line in some})
        if not sweep.needs_more:
            found.setdefault((), CommandLine())
        base = next(iter(found), None)
        if base is None:
            base = sweep.completed()
            is_told = sweep.is_told(base)
            is_known = not base or sweep.needs_choices_alone
            found[base] = CommandLine(base, assumed=not is_known, alike=bool(base) and is_known and not is_told)
        is_assumed = found[base].assumed
        # Lines that differ in numbers alone choose nothing else, but one more of them tells what hangs on a number.
        beside = chosen[1:] or [line for line in written if line not in chosen][:1]
        direct, others = sweep.variants(base, () if fitting else beside)
        for line in direct:
            if line not in chosen:
                is_told, is_alike = (not is_assumed and line in lines for lines in (sweep.told, sweep.alike))
                found.setdefault(line, CommandLine(line, not (is_told or is_alike), alike=is_alike and not is_told))
        left = (line for line in chosen if line not in found)
        found.update({line: CommandLine(line, alike=line in sweep.alike) for line in left})
        for line in () if fitting else others:
            is_alike = not is_assumed and line in sweep.alike
            found.setdefault(line, CommandLine(line, not is_alike, alike=is_alike))
        if fitting.isdisjoint(self.wanted.own):
            # What a configuration was written for says more than a line that stands somewhere and does something else.
            found = dict(sorted(found.items(), key=lambda item: item[0] not in sweep.told))
        lines = tuple(self._by_need(list(found.values())[:MAX_LINES]))
        self.files.update(
            (file, None) for line in lines for file in config_files(self.view, self.script, line.arguments)
        )
        return CommandLines(lines, tuple(dict.fromkeys((*self.files, *sweep.files))))

    @cached_property
    def branches(self) -> Mapping[str, frozenset[str]]:
        """The options whose values the wanted file compares, with those values."""
        uses = facts_of(self.view, self.wanted.file).uses if self.wanted.file else {}
        names = {option.name for option in self.options if not option.number}
        return {name: frozenset(use.value for use in uses[name]) for name in names & uses.keys()}

    def _taken(self, line: tuple[str, ...]) -> set[tuple[str, str]]:
        """The branches of the wanted file that a command line takes."""
        told = dict(_pairs(line))
        chosen = {
            (option.name, next((told[flag] for flag in option.flags if flag in told), option.default or ""))
            for option in self.options
            if option.name in self.branches
        }
        return {(name, value) for name, value in chosen if value in self.branches[name]}

    def _by_need(self, lines: Sequence[CommandLine]) -> list[CommandLine]:
        seen = self._taken(lines[0].arguments)
        needed: list[CommandLine] = []
        for line in lines[1:]:
            fresh = set() if line.assumed or len(needed) == _MOST_NEEDED else self._taken(line.arguments) - seen
            if fresh:
                seen |= fresh
                needed.append(line)
        rest = [line for line in lines[1:] if line not in needed]
        return [lines[0], *(replace(line, needed=True) for line in needed), *rest]

    def _written(self) -> Iterator[tuple[str, ...]]:
        for invocation in invocations_of(self.view, self.script):
            if not _HELP.isdisjoint(invocation.arguments):
                continue
            untold = any(UNTOLD in word for word in invocation.arguments)
            yield self._told(invocation) if untold or invocation.folder != self.view.root else invocation.arguments

    def _told(self, invocation: Invocation) -> tuple[str, ...]:
        """Without what is not known, unless the parser insists; files by absolute path if named from a folder below."""
        known = {flag: option for option in self.options for flag in option.flags}
        first = next((option for option in self.options if not option.flags), None)
        words: list[str] = []
        for word in invocation.arguments:
            if UNTOLD not in word:
                words.append(self._path(word, invocation.folder))
                continue
            flag = words[-1] if words else ""
            valued = bool(_FLAG.fullmatch(flag)) and not (flag in known and known[flag].flag)
            option = known.get(flag) if valued else first
            if option is not None and option.required and _PLACE.search(option.name):
                words.append(option.name)  # any text: what it names is not here
            elif valued:
                words.pop()
        return tuple(words)

    def _path(self, word: str, folder: str) -> str:
        if folder == self.view.root:
            return word
        flag, equals, value = word.partition("=")
        if not (equals and flag.startswith("-")):
            flag, equals, value = "", "", word
        path = os.path.normpath(os.path.join(folder, value))
        return f"{flag}{equals}{path}" if value and os.path.isfile(path) else word

    def _chosen(self, written: Sequence[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], frozenset[str]]:
        """The lines that choose what is wanted, and the names by which they do; or those that differ most."""
        for wanted in (self.wanted.own, self.wanted.leading):
            names = {plain(name): name for name in wanted}
            fitting = [(self._chooses(line, names), line) for line in written]
            groups: dict[frozenset[str], list[tuple[str, ...]]] = {}
            for key, line in fitting:
                if key:
                    groups.setdefault(key, []).append(line)
            if groups:
                # Much of what is wanted is best, but of what only leads there the least.
                sign = -1 if wanted is self.wanted.own else 1
                most = sorted(groups.items(), key=lambda item: (sign * len(item[0]), sorted(item[0])))[:_MOST_WRITTEN]
                seen: set[tuple[str, str]] = set()
                count = max(_MOST_SAME, 1 + _MOST_NEEDED * bool(self.branches))
                each = [self._different(lines, count, seen) for _, lines in most]
                return list(_in_turn(each))[:_MOST_WRITTEN], frozenset(name for key in groups for name in key)
        return self._different(written, _MOST_WRITTEN // 2), frozenset()

    def _chooses(self, line: tuple[str, ...], names: Mapping[str, str]) -> frozenset[str]:
        """The wanted names that a command line names, itself or in a file that it names."""
        values, configs = _said(line)
        told = dict(_pairs(line))
        for option in self.options:
            file = next((option.files.get(told[flag]) for flag in option.flags if flag in told), None)
            if file is not None:
                self.files[file] = None
                configs = (*configs, file)
        found = {names[value] for value in values & names.keys()}
        if configs:
            for file, words in config_files(self.view, self.script, configs).items():
                self.files[file] = None
                found.update(words.intersection(names.values()))
        return frozenset(found)

    def _different(
        self, lines: Sequence[tuple[str, ...]], most: int, before: set[tuple[str, str]] | None = None
    ) -> list[tuple[str, ...]]:
        """Of many lines the first, then always the one that says most that was not said yet.

        Of what the first lines of other groups said, in `before`, the first one of this group says little.
        """
        told = {flag for option in self.options for flag in option.flags if not option.number}
        left = [
            (line, {pair for pair in _pairs(line) if pair[0] in told or not told}, self._taken(line)) for line in lines
        ]
        branches: set[tuple[str, str]] = set()
        taken: list[tuple[str, ...]] = []
        seen = set(before or ())
        while left and len(taken) < most:
            fresh = taken or before
            best = max(left, key=lambda item: (len(item[2] - branches), len(item[1] - seen))) if fresh else left[0]
            if taken and best[1] <= seen:
                break
            left.remove(best)
            taken.append(best[0])
            seen |= best[1]
            branches |= best[2]
            if before is not None and len(taken) == 1:
                before |= best[1]
        return taken


def _in_turn(groups: Sequence[Sequence[tuple[str, ...]]]) -> Iterator[tuple[str, ...]]:
    """The first of each group, then the second of each."""
    for at in range(max(map(len, groups), default=0)):
        for group in groups:
            if at < len(group):
                yield group[at]


@lru_cache(maxsize=8192)
def _said(line: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The values of a command line as they are compared, and those of them that may be files with a configuration."""
    values = [word.partition("=")[2] or ("" if word.startswith("-") else word) for word in line]
    return frozenset(map(plain, values)), tuple(value for value in values if value.endswith((*CONFIGS, ".py")))


@lru_cache(maxsize=8192)
def _pairs(line: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """Options with values that are no numbers."""
    found = set()
    for word, after in zip(line, (*line[1:], ""), strict=False):
        flag, _, value = word.partition("=")
        if flag.startswith("-") or _ASSIGNED.fullmatch(word):
            value = value or ("" if after.startswith("-") else after)
            if not value.replace(".", "").isdigit():
                found.add((flag, value))
    return frozenset(found)
