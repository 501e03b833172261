"""Classes of settings by pydantic and attrs, and yacs, where these are not installed."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Optional

from metalens.worker.load import omega, yamls
from metalens.worker.load.commandlines import literal
from metalens.worker.load.settings import Settings
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

_NONE: Any = object()


@dataclasses.dataclass
class _Field:
    """A field's default, or what makes it."""

    default: Any = _NONE
    factory: Any = None


def _field(default: Any = _NONE, *args: Any, default_factory: Any = None, factory: Any = None, **options: Any) -> Any:
    return _Field(_NONE if default is ... else default, default_factory or factory)


class BaseModel:
    """pydantic's: annotated fields, given by name; nothing is checked."""

    def __init__(self, **given: Any) -> None:
        for cls in reversed(type(self).__mro__):
            for name in getattr(cls, "__annotations__", {}):
                if name.startswith("_") or name == "model_config":
                    continue
                value = given.get(name, _default(getattr(type(self), name, _NONE)))
                self.__dict__[name] = Unknown(f"the required setting {name}") if value is _NONE else value

    @classmethod
    def parse_obj(cls, given: Any) -> Any:
        """Of a dictionary."""
        return cls(**given)

    model_validate = parse_obj

    def dict(self, **options: Any) -> Any:
        """All fields."""
        return vars(self).copy()

    model_dump = dict

    def copy(self, update: Any = None, **options: Any) -> Any:
        """A copy, some fields changed."""
        return type(self)(**{**vars(self), **(update or {})})

    model_copy = copy


def _default(value: Any) -> Any:
    if isinstance(value, _Field):
        return value.factory() if value.factory is not None else value.default
    return copy.deepcopy(value) if isinstance(value, (list, dict, set)) else value


def _attrs(cls: Any = None, **options: Any) -> Any:
    """attrs: a data class, its fields told in attrs' words."""

    def make(kind: type) -> type:
        notes = dict(getattr(kind, "__annotations__", {}))
        for name, value in list(vars(kind).items()):
            if isinstance(value, _Field):
                notes.setdefault(name, Any)
                setattr(kind, name, _dataclass_field(value))
        kind.__annotations__ = notes
        return dataclasses.dataclass(kind)

    return make if cls is None else make(cls)


def _dataclass_field(value: _Field) -> Any:
    if value.factory is not None:
        return dataclasses.field(default_factory=value.factory)
    if value.default is _NONE:
        return dataclasses.field()
    if isinstance(value.default, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(value.default))
    return dataclasses.field(default=value.default)


class CfgNode(Settings):
    """yacs: settings that files and command lines change."""

    def __init__(self, init_dict: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(init_dict)

    def merge_from_file(self, cfg_filename: Any) -> None:
        """Of a YAML file."""
        self.merge_from_other_cfg(omega.read(cfg_filename) or {})

    def merge_from_other_cfg(self, cfg_other: Any) -> None:
        """Of another one."""
        for key, value in cfg_other.items():
            if isinstance(value, dict) and isinstance(self.get(key), CfgNode):
                self[key].merge_from_other_cfg(value)
            else:
                self._take(key, value)

    def merge_from_list(self, cfg_list: Any) -> None:
        """Of names and values in turn."""
        if isinstance(cfg_list, Unknown):
            raise UnknownError("what the command line sets is not known")
        for path, value in zip(cfg_list[::2] if cfg_list else (), cfg_list[1::2] if cfg_list else ()):
            *outer, last = path.split(".")
            holder: Any = self
            for part in outer:
                holder = holder[part]
            holder._take(last, value)

    def _take(self, key: str, value: Any) -> None:
        """Texts may be Python's literals; lists and tuples take the place of each other."""
        value = literal(value) if isinstance(value, str) else value
        kind = type(self.get(key))
        self[key] = kind(value) if kind in (list, tuple) and isinstance(value, (list, tuple)) else value

    @classmethod
    def load_cfg(cls, source: Any) -> Any:
        """Of an open file or a text."""
        return cls(yamls.load(source))

    def clone(self) -> Any:
        """A copy, all the way down."""
        return type(self)(self.to_dict())

    def nothing(self, *args: Any, **options: Any) -> None:
        """What concerns flags."""

    freeze = defrost = set_new_allowed = register_deprecated_key = register_renamed_key = nothing

    def is_frozen(self) -> bool:
        """Never."""
        return False

    def dump(self, *args: Any, **options: Any) -> str:
        """Something to print."""
        return ""


_ATTRS: dict[str, Any] = {
    **dict.fromkeys(("define", "frozen", "mutable", "s", "attrs", "dataclass"), _attrs),
    **dict.fromkeys(("field", "ib", "attrib"), _field),
    "Factory": lambda make: _Field(factory=make),
    "asdict": lambda item, **options: dataclasses.asdict(item),
}
_PYDANTIC = {"BaseModel": BaseModel, "BaseSettings": BaseModel, "Field": _field}
_MODULES: dict[str, dict[str, Any]] = {
    "attr": _ATTRS,
    "attrs": _ATTRS,
    "pydantic": _PYDANTIC,
    "pydantic.v1": _PYDANTIC,
    "pydantic_settings": {"BaseSettings": BaseModel},
    "yacs": {},
    "yacs.config": {"CfgNode": CfgNode},
    "fvcore.common": {},
    "fvcore.common.config": {"CfgNode": CfgNode},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another kind."""
    return _MODULES.get(name)
