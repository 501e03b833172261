"""Helpers of the ultralytics package, on which the older detectors of its makers rest, where it is not installed."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterable
from typing import Any, Optional

import torch

STAND_IN = True


class _Quietly(contextlib.ContextDecorator):
    """A context, or a decorator, that changes nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.t = self.dt = 0.0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


def _make_divisible(x: Any, divisor: Any) -> int:
    """The next multiple of the divisor, of which a tensor may hold several."""
    step = int(divisor.max()) if isinstance(divisor, torch.Tensor) else divisor
    return int(math.ceil(x / step) * step)


def _intersect_dicts(da: Any, db: Any, exclude: Iterable[str] = ()) -> dict[str, Any]:
    """The entries of `da` that `db` has in the same shape."""
    kept = {key for key in da if key in db and not any(part in key for part in exclude)}
    return {key: da[key] for key in kept if da[key].shape == db[key].shape}


def _copy_attr(a: Any, b: Any, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
    """The attributes of `b` that are wanted, for `a`."""
    for key, value in vars(b).items():
        if not (include and key not in include) and not key.startswith("_") and key not in exclude:
            setattr(a, key, value)


def _xywh2xyxy(x: Any) -> Any:
    """Boxes by their corners, of as many numbers."""
    return x.clone() if isinstance(x, torch.Tensor) else x


def _same(value: Any, *args: Any, **kwargs: Any) -> Any:
    return value


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


_MODULES: dict[str, dict[str, Any]] = {
    "ultralytics.utils": {
        "LOGGER": logging.getLogger("ultralytics"),
        "TryExcept": _Quietly,
        "TQDM": _same,
        "emojis": _same,
        "threaded": _same,
        "colorstr": lambda *parts: str(parts[-1]),
    },
    "ultralytics.utils.checks": {"check_requirements": _nothing, "is_ascii": lambda text: str(text).isascii()},
    "ultralytics.utils.files": {
        "WorkingDirectory": _Quietly,
        "file_date": lambda *args: "",
        "file_size": lambda *args: 0.0,
    },
    "ultralytics.utils.ops": {
        "Profile": _Quietly,
        "make_divisible": _make_divisible,
        **dict.fromkeys(("clip_boxes", "xywh2xyxy", "xyxy2xywh", "xywhn2xyxy", "xyxy2xywhn"), _xywh2xyxy),
    },
    "ultralytics.utils.torch_utils": {
        "autocast": lambda *args, **kwargs: _Quietly(),
        "copy_attr": _copy_attr,
        "intersect_dicts": _intersect_dicts,
        **dict.fromkeys(("initialize_weights", "model_info"), _nothing),
        "is_parallel": lambda model: False,
        "time_sync": time.time,
    },
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another kind."""
    return _MODULES.get(name)
