"""timm's registry: models that the workspace's own files register, made by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

_entries: dict[str, Callable[..., Any]] = {}
# What timm keeps to itself.
_OWN = ("checkpoint_path", "scriptable", "exportable", "no_jit", "bn_tf", "bn_momentum", "bn_eps", "cache_dir")


def register_model(function: Any) -> Any:
    """Used as a decorator."""
    _entries[getattr(function, "__name__", "")] = function
    return function


def create_model(model_name: Any, pretrained: Any = False, **kwargs: Any) -> Any:
    """The model that a function of this name makes; of those that timm itself has nothing is known."""
    name = model_name.rpartition("/")[2] if isinstance(model_name, str) else ""
    entry = _entries.get(name) or _entries.get(name.partition(".")[0])
    if entry is None:
        return Unknown("a model of timm's")
    told = {key: value for key, value in kwargs.items() if value is not None and key not in _OWN}
    if any(isinstance(value, Unknown) for value in told.values()):
        raise UnknownError("an argument of create_model is not known")
    return entry(pretrained=False, **told)


create_model.takes_unknown = True  # type: ignore[attr-defined]


def is_model(name: Any) -> bool:
    """Whether a model of this name was registered."""
    return name in _entries


def list_models(*args: Any, **kwargs: Any) -> list[str]:
    """The registered names."""
    return sorted(_entries)


HELD: dict[str, Any] = {
    **{"register_model": register_model, "create_model": create_model},
    **{"is_model": is_model, "list_models": list_models, "model_entrypoint": _entries.get},
}
