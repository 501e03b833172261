"""OmegaConf where it is not installed: configurations that know their root, so that `${model.dim}` finds its value."""

from __future__ import annotations

import contextlib
import dataclasses
import dis
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from metalens.worker.load import yamls
from metalens.worker.load.settings import Settings
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

MISSING = "???"

_INNER = re.compile(r"\$\{([^${}]*)\}")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")
RESOLVERS: dict[str, Callable[..., Any]] = {}


class DictConfig(Settings):
    """A mapping of settings. What is marked as missing is Unknown; what refers to something is that."""

    def __init__(self, content: Any = None, up: Any = None, **items: Any) -> None:
        object.__setattr__(self, "_up", up)
        object.__setattr__(self, "_kind", None)  # the data class that it is of
        super().__init__(content, **items)

    def _converted(self, value: Any) -> Any:
        return node(value, self)

    def __getattr__(self, name: str) -> Any:
        # As in OmegaConf 2.0, so that `config.logger or ...` goes on; whoever asks with `hasattr` hears of newer ones.
        if name not in self and not name.startswith("__") and _is_plain(sys._getframe(1)):
            return None
        return super().__getattr__(name)

    def __getitem__(self, key: Any) -> Any:
        return _told(super().__getitem__(key), self, str(key))

    def __iter__(self) -> Iterator[Any]:
        # Makes `**config` and `dict(config)` ask for each item.
        return iter(list(self.keys()))

    def get(self, key: Any, default: Any = None) -> Any:
        """As of a dictionary; nothing counts as absent."""
        if key not in self:
            return default
        value = self[key]
        return default if value is None else value

    def items(self) -> Any:
        """Pairs, references followed."""
        return [(key, self[key]) for key in self.keys()]

    items_ex = items

    def values(self) -> Any:
        """Values, references followed."""
        return [self[key] for key in self.keys()]

    def pop(self, key: Any, *default: Any) -> Any:
        """As of a dictionary."""
        value = self[key] if key in self else (default[0] if default else super().__getitem__(key))
        if key in self:
            del self[key]
        return value

    def copy(self) -> Any:
        """A copy that knows the same root."""
        return node(plain(self), self._up)  # type: ignore[attr-defined]

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __eq__(self, other: Any) -> bool:
        return bool(plain(self) == (plain(other) if isinstance(other, (DictConfig, ListConfig)) else other))

    __hash__ = object.__hash__  # type: ignore[assignment]


def _is_plain(frame: Any) -> bool:
    """Whether code reads an attribute, rather than calls something that reads it."""
    return bool(dis.opname[frame.f_code.co_code[frame.f_lasti]] == "LOAD_ATTR")


class ListConfig(list):  # type: ignore[type-arg]
    """A list of settings."""

    def __init__(self, content: Any = (), up: Any = None) -> None:
        self._up = up
        super().__init__()
        self.extend(node(part, self) for part in content or ())

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return list(map(self._told, found)) if isinstance(key, slice) else self._told(found)

    def __iter__(self) -> Iterator[Any]:
        return map(self._told, super().__iter__())

    def _told(self, value: Any) -> Any:
        return _told(value, self, "an item")


def node(value: Any, up: Any = None) -> Any:
    """Containers and data classes as configurations below `up`; other values as they are."""
    if isinstance(value, DictConfig):
        return _of_kind(DictConfig(dict(dict.items(value)), up), value._kind)  # type: ignore[attr-defined]
    if isinstance(value, ListConfig):
        return ListConfig(list(list.__iter__(value)), up)
    if isinstance(value, Mapping):
        return DictConfig(value, up)
    if type(value) in (list, tuple):
        return ListConfig(value, up)
    if dataclasses.is_dataclass(value):
        return _of_kind(DictConfig(_fields(value), up), value if isinstance(value, type) else type(value))
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        return float(value)  # readers of YAML want a point in it
    return value


def _of_kind(config: DictConfig, kind: Any) -> DictConfig:
    """The configuration, as one of a data class, unless there is none."""
    if kind is not None:
        object.__setattr__(config, "_kind", kind)
    return config


def _fields(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    none = dataclasses.MISSING
    for part in dataclasses.fields(given):
        if not isinstance(given, type):
            found[part.name] = getattr(given, part.name)
        elif part.default is not none:
            found[part.name] = part.default
        elif part.default_factory is not none:
            found[part.name] = part.default_factory()
        else:
            kind = sys.modules[given.__module__].__dict__.get(part.type) if isinstance(part.type, str) else part.type
            found[part.name] = kind if dataclasses.is_dataclass(kind) else MISSING
    return found


def plain(value: Any, resolve: bool = False) -> Any:
    """Dictionaries and lists alone; references followed if `resolve`."""
    if isinstance(value, DictConfig):
        pairs = value.items() if resolve else dict.items(value)
        return {key: plain(part, resolve) for key, part in pairs}
    if isinstance(value, ListConfig):
        return [plain(part, resolve) for part in (value if resolve else list.__iter__(value))]
    return value


# ---------------------------------------------------------------- references


def _told(value: Any, holder: Any, name: str) -> Any:
    if value == MISSING and isinstance(value, str):
        return Unknown(f"the required setting {name}")
    return _resolved(value, holder) if isinstance(value, str) and "${" in value else value


def _resolved(text: str, holder: Any) -> Any:
    """A text with its references replaced; the value itself where the text is nothing but one."""
    for _ in range(32):
        found = _INNER.search(text)
        if found is None:
            return text
        value = _referred(found[1], holder)
        if found[0] == text:
            return value
        if isinstance(value, Unknown):
            return value
        text = text[: found.start()] + str(value) + text[found.end() :]
    raise UnknownError("a reference in the configuration")


def _referred(path: str, holder: Any) -> Any:
    name, colon, rest = path.partition(":")
    if colon:
        arguments = [part.strip() for part in rest.split(",")] if rest else []
        if name in ("oc.env", "env"):
            return os.environ.get(*arguments[:2]) or Unknown(f"the environment's {rest}")
        if name in RESOLVERS:
            return RESOLVERS[name](*map(_literal, arguments))
        return Unknown(f"the setting {path}")
    if path.startswith("."):
        start = holder
        path = path[1:]
        while path.startswith("."):
            start, path = getattr(start, "_up", None), path[1:]
    else:
        start = holder
        while getattr(start, "_up", None) is not None:
            start = start._up
    return select(start, path)


def _literal(text: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False, "null": None}.get(text.lower(), text.strip("'\""))


def select(config: Any, path: str, default: Any = None, **options: Any) -> Any:
    """The value at a dotted path."""
    for part in re.split(r"[.\[\]]+", path.strip("[]")):
        if isinstance(config, ListConfig):
            config = config[int(part)]
        elif isinstance(config, Unknown):
            return config
        elif not isinstance(config, Mapping) or part not in config:
            return default
        else:
            config = config[part]
    return config


def assign(config: Any, path: str, value: Any, *args: Any, **options: Any) -> None:
    """Set the value at a dotted path, and what is not there on the way."""
    *outer, last = path.split(".")
    for part in outer:
        if not isinstance(config.get(part), Mapping):
            config[part] = {}
        config = config[part]
    if isinstance(value, Mapping) and isinstance(config.get(last), DictConfig):
        merge_into(config[last], value)
    else:
        config[last] = value


def merge_into(config: DictConfig, other: Any) -> None:
    """Merge another configuration into one, in place."""
    given = node(other)
    _of_kind(config, getattr(given, "_kind", None))
    for key, value in dict.items(given):
        known = dict.get(config, key)
        if isinstance(known, DictConfig) and isinstance(value, DictConfig):
            merge_into(known, value)
        elif not (value == MISSING and isinstance(value, str) and key in config):
            config[key] = value if isinstance(value, DictConfig) else plain(value)


# ---------------------------------------------------------------- the package


def read(file: Any) -> Any:
    """The plain content of a YAML file."""
    if hasattr(file, "read"):
        return yamls.load(file)
    with open(os.fspath(file), encoding="utf-8") as stream:
        return yamls.load(stream)


def value_of(text: str) -> Any:
    """A value as it is written on a command line."""
    if text[:1] in "[{":
        with contextlib.suppress(Exception):  # what is no list or dictionary is a text
            return yamls.load(text)
    return _literal(text)
