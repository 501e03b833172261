"""Downloads during a run: nothing is fetched, and the file is there as far as whoever asks can tell."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import Unknown, UnknownError, contains_unknown
from metalens.worker.trace.listed import made

_FETCHING = frozenset("download urlretrieve urlopen wget gdown requests hf_hub_download download_url_to_file".split())
_IN_VAIN = (OSError, UnknownError, AssertionError, ImportError)


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for functions that fetch a file: owner, name, value."""
    return [(urllib.request, "urlretrieve", _retrieve), (torch.hub, "download_url_to_file", _download)]


def lacking(function: Any, error: BaseException, given: Any) -> Optional[Unknown]:
    """What a call gives that failed for want of a file: one that fetches it, or looks after what it fetched.

    Raises UnknownError if something in what was given is not known, which is why the call failed.
    """
    if isinstance(error, TypeError) and contains_unknown(given):
        raise UnknownError("a part of what it was given is not known") from error
    code = getattr(function, "__code__", None)
    if not isinstance(error, _IN_VAIN) or code is None or _FETCHING.isdisjoint((code.co_name, *code.co_names)):
        return None
    return Unknown("what is downloaded")


def _retrieve(url: Any, filename: Any = None, *args: Any, **kwargs: Any) -> tuple[Any, Message]:
    name = filename or os.path.basename(urllib.parse.urlparse(str(url)).path)
    made([str(name)])
    return name, Message()


def _download(url: Any, dst: Any, *args: Any, **kwargs: Any) -> None:
    made([str(dst)])
