"""Archives that are not on this machine: what they hold is asked for later, by its name."""

from __future__ import annotations

import tarfile
import zipfile
from typing import Any

from metalens.worker.load.unknown import Unknown

STAND_IN = True
_REAL_TAR, _REAL_ZIP = tarfile.open, zipfile.ZipFile
_LISTS = frozenset(("getmembers", "getnames", "namelist", "infolist"))
_SILENT = frozenset(("extract", "extractall", "close", "setpassword", "printdir", "testzip"))


class _Missing:
    """Whatever is taken out of it is said to be there afterwards, as all data is that is not here."""

    def __getattr__(self, name: str) -> Any:
        if name in _LISTS:
            return list
        return (lambda *args, **kwargs: None) if name in _SILENT else Unknown(f"{name} of an archive")

    def __enter__(self) -> _Missing:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def __iter__(self) -> Any:
        return iter(())


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for what opens archives: owner, name, value."""
    return [(tarfile, "open", _tar), (zipfile, "ZipFile", _Zip)]


def _tar(*args: Any, **kwargs: Any) -> Any:
    try:
        return _REAL_TAR(*args, **kwargs)
    except FileNotFoundError:
        return _Missing()


class _Zip(zipfile.ZipFile):
    """As `zipfile.ZipFile`, which classes may be derived from."""

    def __new__(cls, file: Any = None, *args: Any, **kwargs: Any) -> Any:
        if cls is not _Zip:
            return super().__new__(cls)
        try:
            return _REAL_ZIP(file, *args, **kwargs)
        except FileNotFoundError:
            return _Missing()
