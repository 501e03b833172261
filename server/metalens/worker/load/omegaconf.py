"""The functions of OmegaConf that user code calls, where the package is not installed."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Callable, Iterator
from typing import Any, Optional

from metalens.worker.load import yamls
from metalens.worker.load.omega import (
    MISSING,
    RESOLVERS,
    DictConfig,
    ListConfig,
    assign,
    merge_into,
    node,
    plain,
    read,
    select,
    value_of,
)
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True


class OmegaConf:
    """The functions of the package that user code calls."""

    @staticmethod
    def create(content: Any = None, *args: Any, **options: Any) -> Any:
        """A configuration of a dictionary, a list, a data class or a text."""
        if isinstance(content, str):
            content = yamls.load(content)
        return node({} if content is None else content)

    structured = create

    @staticmethod
    def load(file: Any) -> Any:
        """A configuration of a file."""
        return node(read(file) or {})

    @staticmethod
    def merge(*configs: Any) -> Any:
        """Later ones win."""
        if any(isinstance(config, Unknown) for config in configs):
            raise UnknownError("a configuration is not known")
        if configs and isinstance(node(configs[0]), ListConfig):
            return node(configs[-1])
        merged = DictConfig()
        for config in configs:
            merge_into(merged, config or {})
        return merged

    unsafe_merge = merge

    @staticmethod
    def to_container(config: Any, resolve: bool = False, **options: Any) -> Any:
        """Plain dictionaries and lists."""
        return plain(config, resolve)

    to_object = to_container

    @staticmethod
    def from_dotlist(items: Any) -> Any:
        """A configuration of `a.b=1`."""
        made = DictConfig()
        for item in items:
            path, _, value = str(item).partition("=")
            assign(made, path.lstrip("-"), value_of(value))
        return made

    @staticmethod
    def from_cli(items: Any = None) -> Any:
        """What the command line sets."""
        return OmegaConf.from_dotlist(item for item in (sys.argv[1:] if items is None else items) if "=" in item)

    @staticmethod
    def register_new_resolver(name: str, resolver: Callable[..., Any], **options: Any) -> None:
        """Remember what `${name:...}` gives."""
        RESOLVERS[name] = resolver

    register_resolver = register_new_resolver

    @staticmethod
    def has_resolver(name: str) -> bool:
        """Whether `${name:...}` is known."""
        return name in RESOLVERS

    @staticmethod
    def is_config(item: Any) -> bool:
        """Whether it is a configuration."""
        return isinstance(item, (DictConfig, ListConfig))

    @staticmethod
    def get_type(config: Any, key: Any = None) -> Any:
        """The data class that a configuration is of, or the type of the value."""
        value = config if key is None else config[key]
        kind = getattr(value, "_kind", None) if isinstance(value, DictConfig) else None
        if kind is not None:
            return kind
        return dict if isinstance(value, DictConfig) else list if isinstance(value, ListConfig) else type(value)

    @staticmethod
    def is_missing(config: Any, key: Any) -> bool:
        """Whether a value has still to be given."""
        return bool(dict.get(config, key) == MISSING)

    @staticmethod
    def is_dict(item: Any) -> bool:
        """Whether it is a mapping of settings."""
        return isinstance(item, DictConfig)

    @staticmethod
    def is_list(item: Any) -> bool:
        """Whether it is a list of settings."""
        return isinstance(item, ListConfig)

    @staticmethod
    def masked_copy(config: Any, keys: Any) -> Any:
        """Only some items."""
        return node({key: value for key, value in plain(config).items() if key in keys})

    @staticmethod
    def to_yaml(*args: Any, **options: Any) -> str:
        """Something to print."""
        return ""

    @staticmethod
    def nothing(*args: Any, **options: Any) -> None:
        """What concerns flags and files."""

    set_struct = set_readonly = save = resolve = clear_resolvers = nothing
    select = staticmethod(select)
    update = staticmethod(assign)


@contextlib.contextmanager
def _opened(config: Any) -> Iterator[Any]:
    yield config


class _Mode(enum.Enum):
    DICT = 1
    INSTANTIATE = 2


_HELD: dict[str, Any] = {
    "OmegaConf": OmegaConf,
    "DictConfig": DictConfig,
    "ListConfig": ListConfig,
    "MISSING": MISSING,
    "open_dict": _opened,
    "read_write": _opened,
    "flag_override": lambda config, *args: _opened(config),
    "II": lambda path: f"${{{path}}}",
    "SI": lambda path: path,
    "SCMode": _Mode,
}
_MODULES = ("omegaconf", "omegaconf.omegaconf", "omegaconf.dictconfig", "omegaconf.listconfig")


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    return _HELD if name in _MODULES else None
