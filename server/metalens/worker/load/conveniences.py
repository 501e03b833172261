"""Small packages that call a model for the user, or clean a text: what matters of them when they are not installed."""

from __future__ import annotations

import collections.abc
import math
import types
import unicodedata
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import Unknown

STAND_IN = True


class Bar:
    """Progress that nobody watches: the items as they are; what shows something does nothing."""

    def __init__(self, iterable: Any = None, *args: Any, **options: Any) -> None:
        self.iterable = iterable
        self.total = options.get("total")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable) if self.iterable is not None else int(self.total or 0)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing

    @classmethod
    def write(cls, *args: Any, **options: Any) -> None:
        """Something to print."""


def _nothing(*args: Any, **options: Any) -> None:
    return None


def _count(*args: Any, **options: Any) -> Bar:
    return Bar(range(*args))


def _sizes(input_size: Any) -> list[tuple[int, ...]]:
    if input_size and isinstance(input_size[0], (tuple, list, torch.Size)):
        return [tuple(size) for size in input_size]
    return [tuple(input_size)]


def _summary_without_batch(model: Any, input_size: Any = None, *args: Any, **kwargs: Any) -> Any:
    """torchsummary: sizes of single items, run as a batch of two."""
    model(*(torch.rand(2, *size) for size in _sizes(input_size)))
    return Unknown("a summary")


def _summary_with_batch(model: Any, input_size: Any = None, input_data: Any = None, *args: Any, **kwargs: Any) -> Any:
    """torchinfo: sizes of whole batches, or the data itself."""
    if input_data is not None:
        data = input_data if isinstance(input_data, (list, tuple)) else [input_data]
        model(**input_data) if isinstance(input_data, dict) else model(*data)
    elif input_size is not None:
        model(*(torch.rand(*size) for size in _sizes(input_size)))
    return Unknown("a summary")


def _complexity(model: Any, input_res: Any = None, *args: Any, **kwargs: Any) -> Any:
    """ptflops: the size of a single item, run as a batch of one."""
    if kwargs.get("input_constructor") is None:
        model(torch.rand(1, *input_res))
    return Unknown("flops"), Unknown("params")


def _profile(model: Any, inputs: Any = (), *args: Any, **kwargs: Any) -> Any:
    """thop, fvcore: the inputs themselves."""
    model(*(inputs if isinstance(inputs, (tuple, list)) else (inputs,)))
    return Unknown("flops"), Unknown("params")


def _memory() -> Any:
    return types.SimpleNamespace(total=1 << 40, available=1 << 40, free=1 << 40, used=0, percent=0.0)


def _ascii(text: Any, *args: Any, **kwargs: Any) -> Any:
    """A text without what is not ASCII: letters lose their accents."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


# Modules that torch once had.
GONE = ("torch._six",)

_KNOWN: dict[str, dict[str, Any]] = {
    "torch._six": {
        "container_abcs": collections.abc,
        **{"string_classes": (str, bytes), "int_classes": int, "inf": math.inf, "nan": math.nan},
    },
    "tqdm": {"tqdm": Bar, "trange": _count},
    "tqdm.auto": {"tqdm": Bar, "trange": _count},
    "tqdm.notebook": {"tqdm": Bar, "trange": _count},
    "unidecode": {"unidecode": _ascii},
    "psutil": {"virtual_memory": _memory},
    "torchsummary": {"summary": _summary_without_batch},
    "torchsummary.torchsummary": {"summary": _summary_without_batch},
    "torchinfo": {"summary": _summary_with_batch},
    "thop": {"profile": _profile},
    "fvcore.nn": {"FlopCountAnalysis": _profile, "flop_count": _profile},
    "ptflops": {"get_model_complexity_info": _complexity},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without conveniences."""
    return _KNOWN.get(name)
