"""Dictionaries whose items are attributes, as many packages for configurations have them, where those are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from metalens.worker.load.unknown import Unknown

STAND_IN = True


class Settings(dict):  # type: ignore[type-arg]
    """Items as attributes, also of the dictionaries inside, at any depth and in lists."""

    _absent: Any = None  # what an item gives that is not there, made by calling this with its name; None: nothing

    def __init__(self, *args: Any, **items: Any) -> None:
        super().__init__()
        self.update(*args, **items)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._converted(value))

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name.startswith("__") or self._absent is None:
            raise AttributeError(name)
        return self._absent(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(name)
        del self[name]

    def _converted(self, value: Any) -> Any:
        if isinstance(value, dict) and not isinstance(value, Settings):
            return type(self)(value)
        if type(value) in (list, tuple):
            return type(value)(self._converted(part) for part in value)
        return value

    def update(self, *args: Any, **items: Any) -> None:
        """As of a dictionary; an object's attributes count as items."""
        for given in (*args, items):
            if given is None or isinstance(given, Unknown):
                continue
            pairs = given.items() if isinstance(given, Mapping) else _pairs(given)
            for key, value in pairs:
                self[key] = value

    def setdefault(self, key: Any, value: Any = None) -> Any:
        """As of a dictionary."""
        if key not in self:
            self[key] = value
        return self[key]

    def copy(self) -> Any:
        """A copy whose own items can be changed."""
        return type(self)(self)

    def to_dict(self) -> dict[Any, Any]:
        """Plain dictionaries."""
        return {key: _plain(value) for key, value in self.items()}

    to_container = as_dict = toDict = to_dict  # noqa: N815 - the names that the packages give it


def _pairs(given: Any) -> Any:
    attributes = getattr(given, "__dict__", None)
    return attributes.items() if attributes is not None and not isinstance(given, type) else given


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(part) for part in value)
    return value


class ConfigDict(Settings):
    """ml_collections: placeholders wait for a value, and updates reach down."""

    def __init__(self, initial: Any = None, **options: Any) -> None:
        super().__init__(initial)

    def update(self, *args: Any, **items: Any) -> None:
        """Dictionaries are merged."""
        for given in (*args, items):
            for key, value in dict(given or {}).items():
                if isinstance(value, Mapping) and isinstance(self.get(key), Settings):
                    self[key].update(value)
                else:
                    self[key] = value

    def copy_and_resolve_references(self) -> Any:
        """A copy; references were resolved when they were read."""
        return self.copy()

    def get_ref(self, key: str) -> Any:
        """The value itself: what it refers to is not changed any more."""
        return self[key]

    def get_oneway_ref(self, key: str) -> Any:
        """The value itself."""
        return self[key]

    def unlocked(self) -> Any:
        """Nothing is ever locked."""
        return _Open()

    ignore_type = unlocked

    def lock(self) -> Any:
        """Nothing is ever locked."""
        return self

    unlock = lock


class _Open:
    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None


class Deep(Settings):
    """addict, python-box: an item that is asked for and not there is a new dictionary."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __missing__(self, key: Any) -> Any:
        made = type(self)()
        self[key] = made
        return made


def placeholder(kind: Any = None, *args: Any, **kwargs: Any) -> Any:
    """A value that somebody has to give."""
    return Unknown("a placeholder of the configuration")


def _frozen(*args: Any, **kwargs: Any) -> Any:
    return ConfigDict(*args, **kwargs)


# ---------------------------------------------------------------- experiment trackers


class Told(Settings):
    """Of a package that is not known: what it was given it has, the rest is not known."""

    _absent = staticmethod(lambda name: Unknown(f"the setting {name}"))


class Tracker:
    """wandb and its like: nothing is logged, and the configuration is what was given."""

    def __init__(self) -> None:
        self.config = Told()
        self.run: Any = None

    def init(self, *args: Any, config: Any = None, **options: Any) -> Any:
        """Begin a run with a configuration."""
        self.config.update(config)
        self.run = self
        return self

    init.takes_unknown = True  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"wandb.{name}")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None


def _wandb() -> dict[str, Any]:
    tracker = Tracker()
    return {"init": tracker.init, "config": tracker.config, "run": tracker}


_ML_COLLECTIONS: dict[str, Any] = {
    "ConfigDict": ConfigDict,
    "FrozenConfigDict": _frozen,
    "FieldReference": lambda value: value,
    "placeholder": placeholder,
}
_MODULES: dict[str, dict[str, Any]] = {
    "easydict": {"EasyDict": Settings},
    "attrdict": {"AttrDict": Settings},
    "dotmap": {"DotMap": Deep},
    "addict": {"Dict": Deep},
    "box": {"Box": Settings, "ConfigBox": Settings},
    "munch": {"Munch": Settings, "DefaultMunch": Settings, "munchify": Settings, "unmunchify": _plain},
    "ml_collections": _ML_COLLECTIONS,
    "ml_collections.config_dict": _ML_COLLECTIONS,
    "ml_collections.config_dict.config_dict": _ML_COLLECTIONS,
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another kind."""
    return _wandb() if name == "wandb" else _MODULES.get(name)
