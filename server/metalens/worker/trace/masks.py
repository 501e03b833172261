"""Masks: those of bytes, which real devices still take where meta tensors do not, and how much computed ones leave."""

from __future__ import annotations

from typing import Any

import torch

from metalens.worker.load import inventions
from metalens.worker.trace.operands import is_mixed, mapped, to_meta


def _where(mode: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.where(mask, a, b)`, `a.where(mask, b)`; of a mask alone the places that it leaves."""
    if func is torch.where and len(args) == 1 and not kwargs:
        return _nonzero(mode, torch.nonzero, args, {"as_tuple": True})
    place = 0 if func is torch.where else 1
    if len(args) > place and isinstance(args[place], torch.Tensor) and args[place].dtype == torch.uint8:
        args = (*args[:place], args[place].bool(), *args[place + 1 :])
        args = mapped(to_meta, args) if is_mixed(args, kwargs) else args
    return mode.checked(func, args, kwargs)


def _nonzero(mode: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Of what was computed: all places, or fewer where that is supposed."""
    if not args[0].is_meta or not args[0].dim():
        return mode.checked(func, args, kwargs)
    left = _left(mode, args[0])
    if kwargs.get("as_tuple"):
        return tuple(torch.empty(left, dtype=torch.int64, device="meta") for _ in args[0].shape)
    return torch.empty((left, args[0].dim()), dtype=torch.int64, device="meta")


def _selected(mode: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`masked_select`: as many elements as the mask leaves."""
    given, mask = args[0], args[1] if len(args) > 1 else kwargs.get("mask")
    if not isinstance(mask, torch.Tensor) or not mask.is_meta:
        return mode.checked(func, args, kwargs)
    whole = torch.empty(torch.broadcast_shapes(given.shape, mask.shape), device="meta")
    return torch.empty(_left(mode, whole), dtype=given.dtype, device="meta")


def _left(mode: Any, mask: torch.Tensor) -> int:
    count = int(mask.numel())
    return max(count - inventions.left_out(mode.invented), min(count, 1))


RULES = {
    torch.where: _where,
    torch.Tensor.where: _where,
    torch.nonzero: _nonzero,
    torch.Tensor.nonzero: _nonzero,
    torch.masked_select: _selected,
    torch.Tensor.masked_select: _selected,
}
