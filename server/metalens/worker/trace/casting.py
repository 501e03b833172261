"""Autocast: what it makes of dtypes on the accelerator that is not here.

torch's own autocast works by kind of device, and for meta tensors it does nothing. Here products and convolutions give
the lower precision, and what must be precise gives single precision, as PyTorch's documentation lists them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Optional

import torch

from metalens.worker.trace.operands import mapped, tensors_in

_LOWER = frozenset(
    "linear matmul __matmul__ __rmatmul__ mm bmm mv addmm addmv addbmm baddbmm addr chain_matmul multi_dot einsum"
    " conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d prelu scaled_dot_product_attention"
    " lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell multi_head_attention_forward".split()
)
_SINGLE = frozenset(
    "softmax log_softmax softmin layer_norm group_norm norm cdist cosine_similarity cross_entropy nll_loss mse_loss"
    " l1_loss smooth_l1_loss kl_div binary_cross_entropy_with_logits cosine_embedding_loss hinge_embedding_loss exp log"
    " log10 log2 log1p expm1 pow __pow__ rsqrt reciprocal sum prod cumsum cumprod dist erfinv renorm acos asin"
    " cosh sinh tan".split()
)
_HALVES = (torch.float16, torch.bfloat16)
_CAST = (torch.float32, *_HALVES)

# The dtypes of the regions under way, the innermost last; None in a region that is switched off.
_regions: list[Optional[torch.dtype]] = []


def is_active() -> bool:
    """Whether code is in a region of autocast."""
    return bool(_regions) and _regions[-1] is not None


def cast(run: Callable[..., Any], func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of `run(func, args, kwargs)` with the dtypes that the region gives it."""
    name, low = getattr(func, "__name__", ""), _regions[-1]
    wanted = low if name in _LOWER else torch.float32 if name in _SINGLE else None
    if wanted is None or low is None:
        return run(func, args, kwargs)
    kinds = {tensor.dtype for tensor in tensors_in((args, kwargs))} & set(_CAST)
    if len(kinds) > 1:  # else the tensors stay the very same objects
        with torch._C.DisableTorchFunction():
            args, kwargs = mapped(_to(wanted), args), mapped(_to(wanted), kwargs)
    result = run(func, args, kwargs)
    if not kinds:
        return result
    with torch._C.DisableTorchFunction():
        return mapped(_to(wanted), result)


def _to(wanted: torch.dtype) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        is_other = isinstance(value, torch.Tensor) and value.dtype in _CAST and value.dtype != wanted
        return value.to(wanted) if is_other else value

    return change


def patches() -> list[tuple[Any, str, Any]]:
    """Regions are noted where they begin and end: owner, name, value."""
    _regions.clear()
    build, enter, leave = torch.autocast.__init__, torch.autocast.__enter__, torch.autocast.__exit__

    @functools.wraps(build)
    def built(
        self: Any, device_type: Any = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: Any = None
    ) -> None:
        build(self, device_type, dtype=dtype, enabled=False, cache_enabled=cache_enabled)
        low = self.fast_dtype if self.fast_dtype in _HALVES else torch.float16
        self.region = low if enabled else None

    @functools.wraps(enter)
    def entered(self: Any) -> Any:
        _regions.append(self.region)
        return enter(self)

    @functools.wraps(leave)
    def left(self: Any, *error: Any) -> Any:
        if _regions:
            _regions.pop()
        return leave(self, *error)

    def active(*device: Any) -> bool:
        return is_active()

    return [
        (torch.autocast, "__init__", built),
        (torch.autocast, "__enter__", entered),
        (torch.autocast, "__exit__", left),
        (torch, "is_autocast_enabled", active),
        (torch._C, "_is_any_autocast_enabled", active),  # torch's recurrent layers ask, before they look at dtypes
    ]
