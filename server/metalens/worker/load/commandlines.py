"""Packages that make a command line of a function or a class (tyro, fire, absl, ...), where they are not installed."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Optional, Union

from metalens.worker.load import yamls
from metalens.worker.load.config_files import Parser
from metalens.worker.load.settings import Settings
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

NOTHING: Any = inspect.Parameter.empty

_TRUE, _FALSE = ("true", "1", "yes", "on", "y", "t"), ("false", "0", "no", "off", "n", "f")
_UNIONS = (Union, getattr(types, "UnionType", Union))


@dataclasses.dataclass
class Wanted:
    """One value that a command line may give. `kind` is a type or None, `default` is `NOTHING` if it must be given."""

    name: str
    kind: Any = None
    default: Any = NOTHING
    flags: tuple[str, ...] = ()
    positional: bool = False
    several: bool = False
    flag: bool = False


def literal(text: str) -> Any:
    """A text as Python would read it, if it can."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError):
        return text


def converted(text: Any, kind: Any) -> Any:
    """A word of a command line as a value of a kind; of no kind as Python would read it."""
    if not isinstance(text, str):
        return text
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return next((part for part in parts if str(part) == text), text)
    if origin in _UNIONS:
        return (
            None if text == "None" else converted(text, next((part for part in parts if part is not type(None)), None))
        )
    if origin in (list, tuple, set) or kind in (list, tuple):
        inner = parts[0] if parts else None
        items = [converted(part.strip(), inner) for part in text.strip("[]()").split(",") if part.strip()]
        return (origin or kind)(items)
    if kind is bool:
        return text.lower() in _TRUE
    if kind in (int, float, str):
        return kind(text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[text] if text in kind.__members__ else kind(text)
    return literal(text)


def read(wanted: Sequence[Wanted], words: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """What the words give, by name, and the words left. What must be given and is not is Unknown."""
    by_flag = {flag: item for item in wanted for flag in item.flags or _flags(item.name)}
    places = [item for item in wanted if item.positional]
    found: dict[str, Any] = {}
    left: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        flag = flag.replace("_", "-") if flag.replace("_", "-") in by_flag else flag
        item = by_flag.get(flag)
        no = by_flag.get(flag.replace("--no-", "--", 1)) if flag.startswith("--no-") else None
        if item is None and no is not None and no.kind is bool:
            found[no.name] = False
        elif (
            item is not None
            and (item.flag or item.kind is bool)
            and not equals
            and _next(rest) not in (*_TRUE, *_FALSE)
        ):
            found[item.name] = True
        elif item is not None:
            given = [value] if equals else [rest.pop(0)] if rest else []
            while item.several and rest and not rest[0].startswith("-"):
                given.append(rest.pop(0))
            kind = typing.get_args(item.kind)[:1] if item.several else (item.kind,)
            made = [converted(part, kind[0] if kind else None) for part in given]
            found[item.name] = made if item.several else made[0] if made else Unknown(item.name)
        elif not word.startswith("-") and (place := next((part for part in places if part.name not in found), None)):
            found[place.name] = converted(word, place.kind)
        else:
            left.append(word)
    for item in wanted:
        if item.name not in found:
            missing = item.default is NOTHING
            found[item.name] = Unknown(f"the required argument {item.name}") if missing else item.default
    return found, left


def _next(rest: Sequence[str]) -> str:
    return rest[0].lower() if rest else ""


def _flags(name: str) -> tuple[str, ...]:
    return f"--{name}", f"--{name.replace('_', '-')}", f"-{name}" if len(name) == 1 else f"--{name}"


def parameters_of(function: Any) -> list[Wanted]:
    """What a function or a class wants."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    hints = _hints(vars(function).get("__init__") if isinstance(function, type) else function)
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        Wanted(part.name, hints.get(part.name), part.default, positional=part.kind in plain)
        for part in signature.parameters.values()
        if part.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - annotations may be of packages that are not here
        return {}


# ---------------------------------------------------------------- data classes


def filled(kind: Any, words: Sequence[str], prefix: str = "") -> tuple[Any, list[str]]:
    """An object of a data class, or the result of a function, with what the words give, and the words left."""
    if isinstance(kind, Unknown):
        return Unknown("settings"), list(words)
    if not dataclasses.is_dataclass(kind):
        given, left = read(parameters_of(kind), words)
        return kind(**given), left
    hints, fields, build = _hints(kind), dataclasses.fields(kind), typing.cast(Any, kind)
    made: dict[str, Any] = {}
    wanted: list[Wanted] = []
    left = list(words)
    for part in fields:
        if not part.init:
            continue
        inner = hints.get(part.name)
        default = part.default
        if default is dataclasses.MISSING and part.default_factory is not dataclasses.MISSING:
            default = part.default_factory()
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            mine = f"{prefix}{part.name}."
            if default is dataclasses.MISSING or any(word.startswith(f"--{mine}") for word in left):
                made[part.name], left = filled(inner, left, mine)
            else:
                made[part.name] = default
            continue
        name = prefix + part.name
        several = typing.get_origin(inner) in (list, tuple)
        flags = tuple(dict.fromkeys((*_flags(name), *_flags(name.replace("_", "-")))))
        wanted.append(
            Wanted(part.name, inner, NOTHING if default is dataclasses.MISSING else default, flags, False, several)
        )
    given, left = read(wanted, left)
    return build(**made, **given), left


def _settings(kind: Any = None, *args: Any, **kwargs: Any) -> Any:
    """tyro, simple_parsing and their like."""
    words = kwargs.get("args")
    return filled(kind, sys.argv[1:] if words is None else list(words))[0]


class HfArgumentParser:
    """transformers: data classes by command line, dictionary or file."""

    def __init__(self, kinds: Any = (), **options: Any) -> None:
        self.kinds = tuple(kinds) if isinstance(kinds, (list, tuple)) else (kinds,)

    def parse_args_into_dataclasses(self, args: Any = None, *rest: Any, **options: Any) -> tuple[Any, ...]:
        """One object of each."""
        left = sys.argv[1:] if args is None else list(args)
        made = []
        for kind in self.kinds:
            known, left = filled(kind, left)
            made.append(known)
        return (*made, left) if options.get("return_remaining_strings") else tuple(made)

    def parse_dict(self, args: Any, *rest: Any, **options: Any) -> tuple[Any, ...]:
        """One object of each, of the items that it has."""
        made = []
        for kind in self.kinds:
            names = [part.name for part in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
            given = {key: value for key, value in args.items() if key in names}
            made.append(kind(**given) if names else Unknown("settings"))
        return tuple(made)

    def parse_json_file(self, json_file: Any, *rest: Any, **options: Any) -> tuple[Any, ...]:
        """Of a file."""
        with open(json_file, encoding="utf-8") as stream:
            return self.parse_dict(importlib.import_module("json").load(stream))

    def parse_yaml_file(self, yaml_file: Any, *rest: Any, **options: Any) -> tuple[Any, ...]:
        """Of a file."""
        with open(yaml_file, encoding="utf-8") as stream:
            return self.parse_dict(yamls.load(stream))


# ---------------------------------------------------------------- fire


def _fire(component: Any = None, command: Any = None, name: Any = None, **options: Any) -> Any:
    """Call a function, or a method of what a class makes, with what the command line says."""
    words = command.split() if isinstance(command, str) else list(sys.argv[1:] if command is None else command)
    if component is None:
        component = vars(sys.modules["__main__"])
    while True:
        if isinstance(component, dict):
            if not words or words[0] not in component:
                raise UnknownError("the command line names no command")
            component = component[words.pop(0)]
        elif isinstance(component, type):
            at = next((index for index, word in enumerate(words) if hasattr(component, word.replace("-", "_"))), None)
            given, _ = read(parameters_of(component), words[:at])
            component = component(**given)
            if at is None:
                return component
            component, words = getattr(component, words[at].replace("-", "_")), words[at + 1 :]
        elif callable(component):
            return component(**read(parameters_of(component), words)[0])
        elif words and hasattr(component, words[0]):
            component, words = getattr(component, words[0]), words[1:]
        else:
            return component


# ---------------------------------------------------------------- absl


class _Flags(Settings):
    """The flags that were defined, with their defaults or what the command line gives."""

    def __call__(self, argv: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Read the command line."""
        words = list(sys.argv if argv is None else argv)
        given, left = read(list(_defined.values()), words[1:])
        for key, value in given.items():
            kind = _defined[key].kind
            self[key] = _config_of(value) if kind is _config_of and isinstance(value, str) else value
        return [*words[:1], *left]

    def is_parsed(self) -> bool:
        """Always."""
        return True


FLAGS = _Flags()
_defined: dict[str, Wanted] = {}


@dataclasses.dataclass
class _Holder:
    """What a definition gives."""

    name: str

    @property
    def value(self) -> Any:
        """The flag's value."""
        return FLAGS[self.name]

    @property
    def default(self) -> Any:
        """The flag's default."""
        return _defined[self.name].default


def _define(kind: Any, several: bool = False) -> Callable[..., _Holder]:
    def define(name: str, default: Any = None, *args: Any, **options: Any) -> _Holder:
        if several and isinstance(default, str):
            default = default.split(",")
        _defined[name] = Wanted(name, kind, default)
        FLAGS[name] = _config_of(default) if kind is _config_of and isinstance(default, str) else default
        return _Holder(name)

    define.takes_unknown = True  # type: ignore[attr-defined]
    return define


def _config_of(path: str) -> Any:
    """What `get_config` of a configuration written in Python gives; `file.py:argument` hands it an argument."""
    file, colon, argument = path.partition(":")
    name = os.path.relpath(file).removesuffix(".py").replace(os.sep, ".")
    make = importlib.import_module(name).get_config
    return make(argument) if colon else make()


def _run(main: Any = None, argv: Any = None, **options: Any) -> Any:
    return main(FLAGS(argv))


_FLAGS: dict[str, Any] = {
    "FLAGS": FLAGS,
    "DEFINE_string": _define(str),
    "DEFINE_enum": _define(str),
    "DEFINE_integer": _define(int),
    "DEFINE_float": _define(float),
    "DEFINE_bool": _define(bool),
    "DEFINE_boolean": _define(bool),
    "DEFINE_list": _define(list, several=True),
    "DEFINE_multi_string": _define(list[str]),
    "DEFINE_multi_integer": _define(list[int]),
    "DEFINE_enum_class": _define(None),
    "mark_flag_as_required": lambda *args, **kwargs: None,
    "mark_flags_as_required": lambda *args, **kwargs: None,
}


_MODULES: dict[str, dict[str, Any]] = {
    "tyro": {"cli": _settings},
    "simple_parsing": {"parse": _settings},
    "draccus": {"parse": _settings},
    "pyrallis": {"parse": _settings},
    "fire": {"Fire": _fire},
    "fire.core": {"Fire": _fire},
    "absl": {},
    "absl.app": {"run": _run},
    "absl.flags": _FLAGS,
    "ml_collections.config_flags": {"DEFINE_config_file": _define(_config_of), "DEFINE_config_dict": _define(None)},
    "ml_collections.config_flags.config_flags": {"DEFINE_config_file": _define(_config_of)},
    "jsonargparse": {"ArgumentParser": Parser},
    "transformers": {"HfArgumentParser": HfArgumentParser},
    "transformers.hf_argparser": {"HfArgumentParser": HfArgumentParser},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another kind."""
    return _MODULES.get(name)
