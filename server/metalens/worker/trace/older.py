"""What older versions of torch allowed and scripts still rely on: mended, and told, so that nothing is proved by it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from metalens.worker.load.inventions import invented

_RETURN_COMPLEX = 9  # where `return_complex` stands among stft's arguments, the input first


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for functions that have become stricter: owner, name, value."""
    return [(torch, "stft", _stft(torch.stft)), (torch.Tensor, "stft", _stft(torch.Tensor.stft))]


def _stft(real: Callable[..., Any]) -> Callable[..., Any]:
    """Without a word about complex numbers it gave pairs of floats."""

    @functools.wraps(real)
    def stft(*args: Any, **kwargs: Any) -> Any:
        told = kwargs.get("return_complex") is not None or len(args) > _RETURN_COMPLEX
        value = args[0] if args else kwargs.get("input")
        if told or not isinstance(value, torch.Tensor) or value.is_complex():
            return real(*args, **kwargs)
        invented("the pairs of numbers of an stft of older torch")
        return torch.view_as_real(real(*args, **{**kwargs, "return_complex": True}))

    return stft
