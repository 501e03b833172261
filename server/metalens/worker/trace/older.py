"""What older versions of torch, numpy and Python had and scripts still rely on.

Names that were removed mean what they meant; behaviour that has changed is mended, and told, so that nothing is proved
by it.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import functools
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch

from metalens.worker.load import conveniences
from metalens.worker.load.inventions import OLDER_STFT, invented

_RETURN_COMPLEX = 9  # where `return_complex` stands among stft's arguments, the input first

_RENAMED = {
    **{"float_": "float64", "complex_": "complex128", "unicode_": "str_"},
    **dict.fromkeys(("Inf", "Infinity", "PINF", "infty"), "inf"),
    "NaN": "nan",
    **{"product": "prod", "cumproduct": "cumprod", "alltrue": "all", "sometrue": "any"},
}


def patches() -> list[tuple[Any, str, Any]]:
    """Names that are gone, and functions that have become stricter: owner, name, value."""
    changed = [(torch, "stft", _stft(torch.stft)), (torch.Tensor, "stft", _stft(torch.Tensor.stft))]
    changed.append((dataclasses, "_process_class", _shared_defaults(dataclasses._process_class)))  # type: ignore[attr-defined]
    return [*changed, *(patch for patch in _gone() if patch[1] not in vars(patch[0]))]


def _gone() -> Iterator[tuple[Any, str, Any]]:
    for name in collections.abc.__all__:
        yield collections, name, getattr(collections.abc, name)
    yield time, "clock", time.perf_counter
    yield torch, "_six", types.SimpleNamespace(**(conveniences.module("torch._six") or {}))
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return
    for kind in (bool, int, float, complex, object, str):
        yield numpy, kind.__name__, kind
    for name, new in _RENAMED.items():
        yield numpy, name, getattr(numpy, new)


def _shared_defaults(real: Callable[..., Any]) -> Callable[..., Any]:
    """Until Python 3.11 the default of a field could be an object of another data class, which all then had."""

    @functools.wraps(real)
    def process(cls: type, *args: Any, **kwargs: Any) -> Any:
        for name, default in list(vars(cls).items()):
            if dataclasses.is_dataclass(default) and not isinstance(default, type) and type(default).__hash__ is None:
                setattr(cls, name, dataclasses.field(default_factory=functools.partial(_itself, default)))
        return real(cls, *args, **kwargs)

    return process


def _itself(value: Any) -> Any:
    return value


def _stft(real: Callable[..., Any]) -> Callable[..., Any]:
    """Without a word about complex numbers it gave pairs of floats."""

    @functools.wraps(real)
    def stft(*args: Any, **kwargs: Any) -> Any:
        told = kwargs.get("return_complex") is not None or len(args) > _RETURN_COMPLEX
        value = args[0] if args else kwargs.get("input")
        if told or not isinstance(value, torch.Tensor) or value.is_complex():
            return real(*args, **kwargs)
        invented(OLDER_STFT)
        return torch.view_as_real(real(*args, **{**kwargs, "return_complex": True}))

    return stft
