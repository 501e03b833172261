"""PyYAML where it is not installed: files are read by the library that the server lends."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import warnings
from collections.abc import Iterator
from typing import Any, Optional

from metalens.worker.load import lent
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True


class Loader:
    """What is passed on as `Loader=`. What it is taught of tags is left out; floats without a point are read anyway."""

    @classmethod
    def add_constructor(cls, *args: Any, **options: Any) -> None:
        """Tags stay unknown."""

    add_multi_constructor = add_implicit_resolver = add_path_resolver = add_representer = add_constructor


class SafeLoader(Loader):
    """The usual one."""


class YAMLError(Exception):
    """What is no YAML."""


def load(stream: Any, *args: Any, **options: Any) -> Any:
    """The content of the only document of a text or an open file."""
    return _read(stream, "load")


def load_all(stream: Any, *args: Any, **options: Any) -> Iterator[Any]:
    """The contents of all documents."""
    yield from _read(stream, "load_all")


def dump(data: Any, stream: Any = None, *args: Any, **options: Any) -> Any:
    """The text, where no stream takes it."""
    held = io.StringIO() if stream is None else stream
    writer = _yaml()
    writer.default_flow_style = options.get("default_flow_style", False)
    with contextlib.suppress(importlib.import_module("ruamel.yaml").error.YAMLError):  # of objects that nobody reads
        writer.dump(data, held)
    return held.getvalue() if stream is None else None


def _read(stream: Any, how: str) -> Any:
    reader = _yaml()
    reader.version = (1, 1)
    reader.allow_duplicate_keys = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(reader, how)(stream.read() if hasattr(stream, "read") else stream)


def _yaml() -> Any:
    kind = importlib.import_module("ruamel.yaml").YAML
    if isinstance(kind, Unknown):
        raise UnknownError("a configuration that nothing here can read")
    # Plug-ins would be looked for in folders, and folders are made up during a run.
    return type("Plain", (kind,), {"official_plug_ins": lambda self: []})(typ="safe", pure=True)


_HELD: dict[str, Any] = {
    "load": load,
    "load_all": load_all,
    "dump": dump,
    "YAMLError": YAMLError,
    **dict.fromkeys(("safe_load", "full_load", "unsafe_load"), load),
    **dict.fromkeys(("safe_load_all", "full_load_all"), load_all),
    "safe_dump": dump,
    **dict.fromkeys(("SafeLoader", "CSafeLoader"), SafeLoader),
    **dict.fromkeys(("Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader"), Loader),
    **dict.fromkeys(("Dumper", "SafeDumper", "CDumper", "CSafeDumper"), Loader),
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package, or where nothing can be read."""
    return _HELD if name == "yaml" and lent.lends(os.path.join("ruamel", "yaml")) else None
