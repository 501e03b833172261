"""Masks of bytes, as code of older PyTorch has them: real devices still take them where meta tensors do not."""

from __future__ import annotations

from typing import Any

import torch

from metalens.worker.trace.operands import is_mixed, mapped, to_meta


def _where(mode: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.where(mask, a, b)`, `a.where(mask, b)`."""
    place = 0 if func is torch.where else 1
    if len(args) > place and isinstance(args[place], torch.Tensor) and args[place].dtype == torch.uint8:
        args = (*args[:place], args[place].bool(), *args[place + 1 :])
        args = mapped(to_meta, args) if is_mixed(args, kwargs) else args
    return mode.checked(func, args, kwargs)


RULES = {torch.where: _where, torch.Tensor.where: _where}
