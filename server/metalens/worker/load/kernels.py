"""Attention in kernels of its own (flash_attn, xformers), where it is not installed: the shapes that come out."""

from __future__ import annotations

from typing import Any, Optional

import torch

STAND_IN = True


def _attended(q: Any, k: Any, v: Any, *args: Any, **options: Any) -> Any:
    """A row for each query, as wide as a value."""
    return q.new_empty((*q.shape[:-1], v.shape[-1]))


def _packed(qkv: Any, *args: Any, **options: Any) -> Any:
    """Of queries, keys and values in the third dimension from behind."""
    return qkv.select(-3, 0).clone()


def _of_queries(q: Any, kv: Any, *args: Any, **options: Any) -> Any:
    """Of keys and values in the third dimension from behind."""
    return q.clone()


class FlashAttention(torch.nn.Module):  # type: ignore[misc]
    """The module of the first version: [batch, length, 3, heads, width] to [batch, length, heads, width]."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def forward(self, qkv: Any, *args: Any, **options: Any) -> Any:
        """And no weights."""
        return _packed(qkv), None


class FlashSelfAttention(FlashAttention):
    """That of later versions."""

    def forward(self, qkv: Any, *args: Any, **options: Any) -> Any:
        """Without weights."""
        return _packed(qkv)


_FLASH: dict[str, Any] = {
    **{"flash_attn_func": _attended, "flash_attn_varlen_func": _attended, "flash_attn_kvpacked_func": _of_queries},
    **dict.fromkeys(
        (
            "flash_attn_qkvpacked_func flash_attn_varlen_qkvpacked_func flash_attn_unpadded_qkvpacked_func "
            "flash_attn_triton_qkvpacked_func"
        ).split(),
        _packed,
    ),
    **{"FlashAttention": FlashAttention, "FlashSelfAttention": FlashSelfAttention, "__version__": "2.6.0"},
}
_XFORMERS: dict[str, Any] = {
    "memory_efficient_attention": _attended,
    "LowerTriangularMask": type("LowerTriangularMask", (), {}),
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for any other module."""
    top = name.partition(".")[0]
    if top == "flash_attn":
        return _FLASH
    return _XFORMERS if name == "xformers.ops" else {} if name == "xformers" else None
