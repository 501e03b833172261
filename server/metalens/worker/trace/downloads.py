"""Downloads during a run: nothing is fetched, and the file is there as far as whoever asks can tell."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any

import torch

from metalens.worker.trace.listed import made


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for functions that fetch a file: owner, name, value."""
    return [(urllib.request, "urlretrieve", _retrieve), (torch.hub, "download_url_to_file", _download)]


def _retrieve(url: Any, filename: Any = None, *args: Any, **kwargs: Any) -> tuple[Any, Message]:
    name = filename or os.path.basename(urllib.parse.urlparse(str(url)).path)
    made([str(name)])
    return name, Message()


def _download(url: Any, dst: Any, *args: Any, **kwargs: Any) -> None:
    made([str(dst)])
