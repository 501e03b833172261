"""Hydra: configurations are composed of the files beside a script, and objects made of what they say."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from metalens.worker.load import omega, omegaconf
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

_MOST_FILES = 200
_PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
_OURS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


class Store:
    """Configurations that code declares, by group and name."""

    _one: Optional[Store] = None

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, str], tuple[Any, Optional[str]]] = {}

    @classmethod
    def instance(cls) -> Store:
        """The only one."""
        cls._one = cls._one or cls()
        return cls._one

    def store(self, name: str, node: Any, group: Optional[str] = None, package: Any = None, **options: Any) -> None:
        """Remember a configuration."""
        self.nodes[group or "", name.removesuffix(".yaml")] = node, package


@dataclass
class _Composition:
    """One configuration in the making. `choices` are options of groups that the command line gives.

    `flat`: what the files of groups hold goes to the top, as it did before Hydra 1.1.
    """

    folder: str
    choices: dict[str, str]
    flat: bool = False
    config: omega.DictConfig = field(default_factory=omega.DictConfig)
    files: int = 0

    def add(self, group: str, name: str, package: Optional[str], optional: bool = False) -> None:
        """Merge a file or a stored configuration, with all that its defaults name."""
        self.files += 1
        content, told = self._content(group, name)
        if content is None or self.files > _MOST_FILES:
            if optional:
                return
            raise UnknownError(f"the configuration {group + '/' if group else ''}{name} is not there")
        package = _package(package or told or ("_global_" if self.flat else None), group)
        defaults = content.pop("defaults", None) or []
        for item in defaults:
            if isinstance(item, dict):
                for key, value in item.items():
                    words = str(key).split()
                    if words[0] == "override" and isinstance(value, str):
                        self.choices.setdefault(_inside(group, words[-1].partition("@")[0]), value)
        own = False
        for item in defaults:
            if item == "_self_":
                own = True
                self._merge(package, content)
            else:
                self._default(group, item, package)
        if not own:
            # Older versions let such a file come first; it was written to be changed by nothing that it names.
            self._merge(package, content)

    def _default(self, group: str, item: Any, package: str) -> None:
        if isinstance(item, str):
            name, _, where = item.partition("@")
            inner, _, name = name.rpartition("/")
            self.add(_inside(group, inner) if inner else group, name, _below(package, where or None) if where else None)
            return
        for key, value in item.items():
            words = str(key).split()
            if words[0] == "override" or words[-1].startswith("hydra/"):
                continue
            inner, _, where = words[-1].partition("@")
            inner = _inside(group, inner)
            chosen = self.choices.get(inner, value)
            for name in chosen if isinstance(chosen, (list, tuple)) else [chosen]:
                if name is not None and name != "null":
                    outer = _below(package, where) if where else None
                    self.add(inner, str(name).removesuffix(".yaml"), outer, "optional" in words)

    def _content(self, group: str, name: str) -> tuple[Any, Optional[str]]:
        for ending in ("", ".yaml", ".yml"):
            path = os.path.join(self.folder, group, name + ending)
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as stream:
                    header = _PACKAGE.search(stream.read(400))
                return dict(omega.read(path) or {}), header[1] if header else None
        if (group, name) in Store.instance().nodes:
            node, package = Store.instance().nodes[group, name]
            return omega.node(node), package
        return None, None

    def _merge(self, package: str, content: dict[str, Any]) -> None:
        if not package:
            omega.merge_into(self.config, content)
            return
        holder: dict[str, Any] = content
        for part in reversed(package.split(".")):
            holder = {part: holder}
        omega.merge_into(self.config, holder)


def _inside(group: str, inner: str) -> str:
    """The group that a default of a file in `group` means; one that begins with a slash is told from the top."""
    return inner[1:] if inner.startswith("/") else f"{group}/{inner}".strip("/")


def _package(told: Optional[str], group: str) -> str:
    """Where in the configuration a file's content goes."""
    if told is None or told == "_group_":
        return group.replace("/", ".")
    return "" if told == "_global_" else told.replace("_group_", group.replace("/", ".")).replace("_global_.", "")


def _below(package: str, where: Optional[str]) -> str:
    """A package that a list of defaults names: below that of its file, or `_global_`."""
    if where is None or where.startswith("_global_"):
        return where or package
    return f"{package}.{where}".strip(".") if where != "_here_" else package or "_global_"


def compose(
    config_name: Any = None, overrides: Sequence[str] = (), folder: str = "", flat: bool = False, **options: Any
) -> Any:
    """The configuration of a primary file, with what the command line changes."""
    folder = folder or _folders[-1]
    choices: dict[str, str] = {}
    added: list[tuple[str, str]] = []
    values: list[tuple[str, str]] = []
    for word in overrides:
        key, equals, value = word.lstrip("+~").partition("=")
        value = value.partition(",")[0] if value[:1] not in "[{'\"" else value  # of a sweep the first
        group = key.partition("@")[0]
        if not equals or word.startswith("~"):
            continue
        if not _is_group(folder, group):
            values.append((key, value))
        elif word.startswith("+"):
            added.append((group, value))
        else:
            choices[group] = value
    # What a later file overrides in the lists of earlier ones is known only after one round.
    for _ in range(2):
        made = _Composition(folder, choices, flat)
        if config_name is not None:
            made.add("", str(config_name).removesuffix(".yaml"), "_global_")
        for group, value in added:
            made.add(group, value, None)
    for key, value in values:
        omega.assign(made.config, key, omega.value_of(value))
    return _native(made.config)


def _native(config: omega.DictConfig) -> Any:
    """As OmegaConf itself has it, where that is installed."""
    try:
        package = importlib.import_module("omegaconf")
    except ImportError:
        return config
    return config if package.OmegaConf is omegaconf.OmegaConf else package.OmegaConf.create(omega.plain(config))


def _is_group(folder: str, group: str) -> bool:
    return os.path.isdir(os.path.join(folder, group)) or any(known == group for known, _ in Store.instance().nodes)


_folders: list[str] = [""]


def main(config_path: Any = None, config_name: Any = None, version_base: Any = None, **options: Any) -> Any:
    """The decorator of a main function: called without arguments it gets the configuration."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(config: Any = None) -> Any:
            if config is not None:
                return function(config)
            path, name, overrides = config_path, config_name, []
            words = iter(sys.argv[1:])
            for word in words:
                flag, equals, value = word.partition("=")
                if flag in ("--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd"):
                    value = value if equals else next(words, "")
                    name, path = (value, path) if flag in ("--config-name", "-cn") else (name, value)
                elif "=" in word and not word.startswith("-"):
                    overrides.append(word)
            beside = os.path.dirname(os.path.abspath(inspect.unwrap(function).__code__.co_filename))
            # The oldest versions had the path of the file.
            flat = name is None and str(path).endswith((".yaml", ".yml"))
            path, name = os.path.split(path) if flat else (path, name)
            folder = os.path.normpath(os.path.join(beside, path)) if path is not None else beside
            return function(compose(name, overrides, folder, flat))

        run.takes_unknown = True  # type: ignore[attr-defined]
        return run

    return decorate


@contextlib.contextmanager
def initialize(config_path: Any = None, **options: Any) -> Iterator[None]:
    """The folder of configurations, told from the file that calls this."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("contextlib", "metalens.")):
        frame = frame.f_back
    beside = os.path.dirname(frame.f_code.co_filename) if frame is not None else ""
    _folders.append(os.path.normpath(os.path.join(beside, config_path or ".")))
    yield


@contextlib.contextmanager
def initialize_config_dir(config_dir: Any = None, **options: Any) -> Iterator[None]:
    """The folder of configurations."""
    _folders.append(str(config_dir))
    yield


# ---------------------------------------------------------------- objects


def instantiate(config: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The object that a configuration describes."""
    if config is None:
        return None
    if isinstance(config, Unknown):
        raise UnknownError("what is to be built is not known")
    return _made(omega.node(config, getattr(config, "_up", None)), args, kwargs, True)


call = instantiate


def _made(config: Any, args: Sequence[Any], kwargs: dict[str, Any], recursive: bool) -> Any:
    if isinstance(config, omega.ListConfig):
        return [_made(part, (), {}, True) for part in config]
    if not isinstance(config, omega.DictConfig):
        return config
    items = dict(config.items())
    recursive = kwargs.pop("_recursive_", items.get("_recursive_", recursive))
    if "_target_" not in items:
        return {key: _made(part, (), {}, True) for key, part in items.items()} if _targets(config) else config
    given = {key: value for key, value in items.items() if key not in _OURS} | kwargs
    if recursive:
        given = {key: _made(value, (), {}, True) for key, value in given.items()}
    if items.get("_convert_") in ("all", "partial", "object"):
        given = {key: omega.plain(value, resolve=True) for key, value in given.items()}
    args = args or [_made(part, (), {}, True) if recursive else part for part in items.get("_args_", ())]
    target = located(items["_target_"])
    if items.get("_partial_") or kwargs.pop("_partial_", False):
        return functools.partial(target, *args, **given)
    return target(*args, **given)


def _targets(config: Any) -> bool:
    if isinstance(config, omega.DictConfig):
        return "_target_" in config or any(_targets(part) for part in dict.values(config))
    return isinstance(config, omega.ListConfig) and any(_targets(part) for part in config)


def located(path: Any) -> Any:
    """What a dotted path names; Unknown where that is not there."""
    if callable(path) and not isinstance(path, Unknown):
        return path
    if not isinstance(path, str):
        raise UnknownError("what is to be built is not known")
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise UnknownError(f"{path} is not there")


instantiate.takes_unknown = True  # type: ignore[attr-defined]


_UTILS: dict[str, Any] = {
    "instantiate": instantiate,
    "call": instantiate,
    "get_class": located,
    "get_method": located,
    "get_object": located,
    "to_absolute_path": lambda path: os.path.join(os.getcwd(), path),
    "get_original_cwd": os.getcwd,
}
_HELD: dict[str, dict[str, Any]] = {
    "hydra": {
        "main": main,
        "compose": compose,
        "initialize": initialize,
        "initialize_config_dir": initialize_config_dir,
    },
    "hydra.utils": _UTILS,
    "hydra.experimental": {"compose": compose, "initialize": initialize},
    "hydra.core": {},
    "hydra.core.global_hydra": {},
    "hydra.core.config_store": {"ConfigStore": Store},
}


def replaces(name: str) -> bool:
    """Whether this module is stood in for even where it is installed: Hydra writes files and changes folders."""
    return name.partition(".")[0] == "hydra"


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    return _HELD.get(name)
