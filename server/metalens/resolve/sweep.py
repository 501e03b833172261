"""Command lines that nobody wrote down: the choices that a script's parser and the code behind it leave open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from metalens.resolve.configs import beside, config_files, existing, keys_of, siblings, values_of, words_of
from metalens.resolve.index import View, is_below
from metalens.resolve.options import Facts, Option, Use, facts_of, joined
from metalens.resolve.placed import Place
from metalens.workspace.walk import CONFIGS

_Item = TypeVar("_Item")
_MOST_FUNCTIONS, _SHORT = 4, 2
_MOST_CONFIGS = 300

_CONFIG_FOLDERS = ("configs", "config", "conf", "cfgs", "cfg", "experiments")
_MAX_REACHED = 80
# What people call a run, of which nothing is chosen by it.
_LABEL = re.compile(
    r"(run|exp|experiment|job|project|version)?_?(name|id|tag|title)|exp|experiment|comment|note|user|doc|prefix|suffix"
    r"|(work|out|output|save|log|result)s?_?(dir|path|folder)"
)
_ENVIRONMENT = re.compile(r"[A-Za-z]\w*-v\d+")
_CHOOSING_ACTIONS = re.compile(r"CartPole|Acrobot|MountainCar-|LunarLander-|NoFrameskip|Taxi|FrozenLake")
# Environments whose actions are one of several, and those whose actions are numbers.
_CHOSEN, _MOVING = ("CartPole-v1", "Acrobot-v1", "LunarLander-v2"), ("Pendulum-v1", "MountainCarContinuous-v0")
_CHOOSING = re.compile(r"model|arch|net|backbone|name|class|type|module|encoder|decoder|block|head|loss")
_TELLING = re.compile(
    r"model|arch|net|backbone|config|cfg|type|mode|task|dataset|variant|encoder|decoder|cell|rnn|block|head|loss|version"
)


@dataclass
class Sweep:
    """The open choices of one script. `files` were read.

    `names` are what the wanted things are called, the likeliest first; `leading` are names that lead to them. `classes`
    are names of wanted classes, `written` the command lines that stand somewhere. `told` gathers the lines whose config
    file gives a wanted class as a value: whoever wrote the file wanted the class with the file's sizes. `alike` are
    those whose config file has the entries of one that a command line names, or that the script takes by default, and
    those that choose one of the values between which the script makes everybody choose.
    """

    view: View
    script: str
    reached: Sequence[str]
    options: Sequence[Option]
    names: Sequence[str]
    leading: frozenset[str]
    classes: frozenset[str] = frozenset()
    written: Sequence[tuple[str, ...]] = ()
    files: dict[str, None] = field(default_factory=dict)
    told: set[tuple[str, ...]] = field(default_factory=set)
    alike: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def needs_more(self) -> bool:
        """Whether the script does not run without arguments."""
        return any(option.required for option in self.options)

    @property
    def needs_choices_alone(self) -> bool:
        """Whether the script runs once a choice is made that everybody has to make."""
        required = [option for option in self.options if option.required and option.default is None]
        return all(
            any(self._must_choose(option, use) for use in self._values(option)) or _is_label(option)
            for option in required
        )

    def completed(self) -> tuple[str, ...]:
        """The shortest command line: a value for what is required, as far as one can be told."""
        words: list[str] = []
        for option in self.options:
            if not option.required or option.default is not None:
                continue
            value = next((use.value for use in self._values(option)), option.name if _is_label(option) else None)
            if value is None and not option.flags:
                break  # what comes after a positional argument that is not known cannot be given
            if value is not None:
                words += option.spelled(value)
        return tuple(words)

    def is_told(self, line: tuple[str, ...]) -> bool:
        """Whether a configuration that a command line names gives a wanted class as a value."""
        files = config_files(self.view, self.script, line)
        return any(not self.classes.isdisjoint(values_of(self.view, file)) for file in files)

    def with_required(self, line: tuple[str, ...]) -> tuple[str, ...]:
        """The command line with what everybody has to give and it does not: a choice, or a name for the run."""
        words = list(line)
        chose = False
        for option in self.options:
            given = any(word.partition("=")[0] in option.flags for word in line)
            if not option.flags or not option.required or option.default is not None or given:
                continue
            choices = [use.value for use in self._values(option) if self._must_choose(option, use)]
            if choices or _is_label(option):
                words += option.spelled(choices[0] if choices else option.name)
                chose = chose or len(choices) > 1
        told = tuple(words)
        if chose and not self.is_told(told):
            self.alike.add(told)
        return told

    def variants(
        self, base: tuple[str, ...], beside: Sequence[tuple[str, ...]] = ()
    ) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """The base with one choice made otherwise: those that lead to what is wanted, and the others.

        Those that choose it by its name are made in the command lines `beside` the base, which do something else with
        what they choose, and in the shortest one as well. Options take turns.
        """
        ranked: list[list[list[tuple[str, ...]]]] = [[], [], [], []]
        shortest = self.completed()
        named = {plain(name) for name in self.leading.union(self.names)}
        for option in self.options:
            by_rank: list[list[tuple[str, ...]]] = [[], [], [], []]
            for use in self._values(option):
                rank = self._rank(option, use)
                starts = (base, *(beside if plain(use.value) in named else ()), *((shortest,) if rank == 0 else ()))
                for start in dict.fromkeys(starts):
                    line = _with(start, option, use.value)
                    if use.value != option.default and line is not None:
                        by_rank[rank].append(line)
                        path = (
                            option.files.get(use.value) or self._config(option, use.value) or self._program(option, use)
                        )
                        if path is not None and not self.classes.isdisjoint(values_of(self.view, path)):
                            self.told.add(line)
                        if self._must_choose(option, use) or (path is not None and self._is_alike(option, path)):
                            self.alike.add(line)
            for rank, lines in enumerate(by_rank):
                ranked[rank].append(lines)
        in_turn = [list(_in_turn(groups)) for groups in ranked]
        return [*in_turn[0], *in_turn[1]], [*in_turn[2], *in_turn[3]]

    def _rank(self, option: Option, use: Use) -> int:
        for rank, names in enumerate((frozenset(self.names), self.leading)):
            said = use.names | {use.value}
            if not names.isdisjoint(said) or plain(use.value) in {plain(name) for name in names}:
                return rank
        return 2 if _TELLING.search(option.name.lower()) else 3

    def _must_choose(self, option: Option, use: Use) -> bool:
        """Whether an option has to be given, and the value is one of those that the code knows."""
        if not option.required or option.default is not None:
            return False
        known = option.choices or [known.value for known in self._facts.uses.get(option.name, ())]
        return (
            option.makes_config
            or use.value in known
            or (not self._given(option) and use.value in self._configs(option))
        )

    def _is_alike(self, option: Option, path: str) -> bool:
        keys = keys_of(self.view, path)
        given = (self._config(option, value) for value in self._given(option))
        return bool(keys) and any(keys == keys_of(self.view, other) for other in given if other is not None)

    def _values(self, option: Option) -> Iterator[Use]:
        """What the option may be given, with the names that the choice speaks of."""
        compared = {use.value: use for use in self._facts.uses.get(option.name, ())}
        if option.flag:
            names = self._facts.tested.get(option.name, frozenset())
            if not names.isdisjoint(self.leading.union(self.names)):
                yield Use("", names)
        elif option.files:
            self.files.update(dict.fromkeys(option.files.values()))
            yield from (Use(value, words_of(self.view, file)) for value, file in option.files.items())
        elif option.choices:
            yield from (compared.get(value, Use(value)) for value in option.choices)
        elif configs := self._configs(option):
            yield from (Use(file, frozenset(words)) for file, words in configs.items())
        elif option.default and _ENVIRONMENT.fullmatch(option.default):
            # Which policy is built hangs on the kind of actions.
            yield from map(Use, _MOVING if _CHOOSING_ACTIONS.search(option.default) else _CHOSEN)
        elif not option.number:
            yield from compared.values()
            if option.name in self._facts.keys and _CHOOSING.search(option.name.lower()):
                yield from (Use(name) for name in self._guessed(option) if name not in compared)

    def _guessed(self, option: Option) -> Iterator[str]:
        """Names by which an option may choose what is wanted: where it chooses files, those of files beside them."""
        script = os.path.basename(self.script).removesuffix(".py")
        known = set(self._given(option))
        beside = {path.removesuffix(".py") for path in self.view.workspace.python_files()}
        folders = {os.path.dirname(path) for path in beside if os.path.basename(path) in known - {script}}
        if not folders:
            functions = list(self._functions(option)) if option.computed else []
            yield from functions
            if not functions or self.leading.isdisjoint(known):
                yield from (name for name in self.names if name != script)
            return
        for name in (*self.names, *sorted(self.leading.difference(self.names))):
            if name != script and any(os.path.join(folder, name) in beside for folder in folders):
                yield name

    def _functions(self, option: Option) -> Iterator[str]:
        """Functions that lead to what is wanted and are called like it: lists of choices are made of their names."""
        own = {plain(name) for name in self.names if len(name) > _SHORT}
        alike = [
            name
            for name in self.leading.difference(self.names)
            if not name.startswith("_") and any(part in plain(name) for part in own)
        ]
        start = option.default or ""
        alike.sort(key=lambda name: (-_agreeing(name, start), name))
        yield from alike[:_MOST_FUNCTIONS]

    @cached_property
    def _facts(self) -> Facts:
        names = {option.name for option in self.options if option.name}
        files = [file for file in self.reached[:_MAX_REACHED] if not names.isdisjoint(words_of(self.view, file))]
        return joined(facts_of(self.view, file) for file in files)

    def _given(self, option: Option) -> tuple[str, ...]:
        """The default of an option, and what command lines give it."""
        default = [option.default] if option.default else []
        return tuple(dict.fromkeys([*default, *(value for line in self.written for value in _given(line, option))]))

    def _config(self, option: Option, value: str) -> str | None:
        """The config file that a value names, or that stands in the folder that it names."""
        if self._names_file(option, value):
            folder, ending = self._place(option)
            placed = existing(self.view, self.script, f"{folder}/{value}{ending}") if folder else None
            return placed or existing(self.view, self.script, value)
        for start in (self.view.root, os.path.dirname(self.script)) if "/" in value else ():
            found = siblings(os.path.normpath(os.path.join(start, value)), "")
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _place(self, option: Option) -> Place:
        return self._facts.placed.get(option.name, ("", ""))

    def _names_file(self, option: Option, value: str) -> bool:
        return f"{value}{self._place(option)[1]}".endswith(CONFIGS)

    def _program(self, option: Option, use: Use) -> str | None:
        """The program that makes a configuration."""
        return existing(self.view, self.script, use.value) if option.makes_config else None

    def _configs(self, option: Option) -> Mapping[str, frozenset[str]]:
        """The config files that an option may name, or the folders of such files.

        They stand beside those that it is given somewhere, or name a wanted class in a folder near them; if it is given
        none, they are those that name a wanted class, or those in a folder for them.
        """
        found: dict[str, frozenset[str]] = {}
        given = self._given(option)
        around: set[str] = set()
        for value in given:
            path = self._config(option, value)
            if path is not None:
                around.add(os.path.dirname(os.path.dirname(path)))
                is_file = self._names_file(option, value)
                for file in beside(path, is_folder=not is_file):
                    self._take(option, file, found, is_file=is_file)
        if option.makes_config:
            programs = [
                file for file in self.view.workspace.python_files() if "get_config" in words_of(self.view, file)
            ]
            choosing: dict[frozenset[str], list[str]] = {}
            for file in programs:
                choosing.setdefault(self.classes & values_of(self.view, file), []).append(file)
            choosing.pop(frozenset(), None)
            # One for each class before any second one.
            return {self._shown(file): words_of(self.view, file) for file in _in_turn([*choosing.values()])}
        if not option.configures:
            return found
        for file in self.view.workspace.configurations()[:_MOST_CONFIGS]:
            near = not given or any(is_below(file, folder) for folder in around)
            if near and not self.classes.isdisjoint(values_of(self.view, file)):
                self._take(option, file, found)
        if found or given:
            return found
        for start in (os.path.dirname(self.script), self.view.root):
            folder, ending = self._place(option)
            for name in (*filter(None, (folder,)), "", *_CONFIG_FOLDERS):
                for file in siblings(os.path.join(start, name), ending if name == folder else ""):
                    self._take(option, file, found)
                if found:
                    return found
        return found

    def _take(self, option: Option, file: str, found: dict[str, frozenset[str]], *, is_file: bool = True) -> None:
        """The file or, where the option names a folder, its folder is one of those `found`."""
        if os.path.basename(file).startswith(("package", "tsconfig", ".")):
            return
        self.files[file] = None
        shown = self._shown(file if is_file else os.path.dirname(file))
        folder, ending = self._place(option)
        if is_file and folder and shown.startswith(f"{folder}/") and shown.endswith(ending):
            shown = shown[len(folder) + 1 : len(shown) - len(ending)]
        found.setdefault(shown if is_file or "/" in shown else f"./{shown}", words_of(self.view, file))

    def _shown(self, file: str) -> str:
        inside = file.startswith(self.view.root + os.sep)
        return os.path.relpath(file, self.view.root) if inside else file


def _agreeing(name: str, other: str) -> int:
    """How many letters two names have in common at their start."""
    pairs = enumerate(zip(name, other, strict=False))
    return next((at for at, (one, two) in pairs if one != two), min(len(name), len(other)))


def _is_label(option: Option) -> bool:
    return bool(option.flags) and _LABEL.fullmatch(option.name.lower()) is not None


def plain(name: str) -> str:
    """A name as it is compared: `ResNet_18`, `resnet-18` and `resnet18` are the same."""
    return name.lower().replace("_", "").replace("-", "")


def _given(line: tuple[str, ...], option: Option) -> Iterator[str]:
    """What a command line gives an option."""
    if not option.flags:
        yield from (word for word in line[:1] if not word.startswith("-"))
    for word, after in zip(line, (*line[1:], ""), strict=False):
        flag, _, value = word.partition("=")
        if flag in option.flags and (value or after):
            yield value or after


def _with(base: tuple[str, ...], option: Option, value: str) -> tuple[str, ...] | None:
    """The base with another value for an option; None if it has that value, or if its place cannot be told."""
    words = option.spelled(value)
    if option.flags:
        given = [at for at, word in enumerate(base) if word.partition("=")[0] in option.flags]
        if not given:
            return (*base, *words)
        if option.flag or option.open_ended:
            return None
        if os.path.normpath(value) in map(os.path.normpath, _given(base, option)):
            return None
        at = given[-1]
        length = 1 if "=" in base[at] else 2
        return (*base[:at], *words, *base[at + length :])
    if not base:
        return words
    alike = base[0] in option.choices or (base[0].endswith(CONFIGS) and value.endswith(CONFIGS))
    return (*words, *base[1:]) if alike and base[0] != value else None


def _in_turn(groups: Sequence[Sequence[_Item]]) -> Iterator[_Item]:
    for at in range(max(map(len, groups), default=0)):
        yield from (group[at] for group in groups if at < len(group))
