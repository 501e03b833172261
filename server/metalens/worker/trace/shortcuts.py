"""Shapes of the commonest operators by rule, where torch's own meta implementations are slow Python.

A rule answers only where the operands plainly fit; whatever is unusual or wrong goes to torch, which then says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Optional

import torch
from torch import Tensor

Function = Callable[..., Any]
Rule = Callable[["tuple[Any, ...]", "dict[str, Any]"], Optional[torch.Tensor]]

_NUMBERS = (int, float, bool)
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_meta and value.dtype in _FLOATS


def _is_tidy(value: Any) -> bool:
    """Where the layout of memory needs no rule either: what follows may be a `view`, which depends on it."""
    return _is_plain(value) and bool(value.is_contiguous())


def _empty(shape: Any, like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _linear(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    if len(args) < 2 or kwargs:
        return None
    given, weight, bias = args[0], args[1], args[2] if len(args) > 2 else None
    if not (_is_plain(given) and _is_plain(weight)) or weight.dim() != 2 or given.dim() == 0:
        return None
    if given.shape[-1] != weight.shape[1] or given.dtype != weight.dtype:
        return None
    if bias is not None and (bias.dtype != weight.dtype or bias.shape != weight.shape[:1]):
        return None
    return _empty((*given.shape[:-1], weight.shape[0]), given)


def _layer_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    if len(args) < 2 or not _is_tidy(args[0]) or not isinstance(args[1], (tuple, list)):
        return None
    given, shape = args[0], tuple(args[1])
    weight = args[2] if len(args) > 2 else kwargs.get("weight")
    bias = args[3] if len(args) > 3 else kwargs.get("bias")
    fits = shape and tuple(given.shape[-len(shape) :]) == shape
    for part in (weight, bias):
        if part is not None and (tuple(part.shape) != shape or part.dtype != given.dtype):
            return None
    return torch.empty_like(given) if fits else None


def _batch_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    bound = {**dict(zip(names, args)), **kwargs}
    given, training = bound["input"], bound.get("training", False)
    if not _is_tidy(given) or given.dim() < 2:
        return None
    for name in names[1:5]:
        part = bound.get(name)
        if part is not None and (tuple(part.shape) != (given.shape[1],) or part.dtype != given.dtype):
            return None
    if training and given.numel() // max(1, int(given.shape[1])) < 2:
        return None
    return torch.empty_like(given)


def _same_shape(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Elementwise functions of one tensor whose other arguments change no shape."""
    if not args or not _is_plain(args[0]) or kwargs.get("out") is not None or kwargs.get("dtype"):
        return None
    if any(isinstance(part, Tensor) for part in (*args[1:], *kwargs.values())):
        return None
    in_place = kwargs.get("inplace") or (len(args) > 1 and args[-1] is True)
    return args[0] if in_place else torch.empty_like(args[0])


def _dropout(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    rate = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
    if not _is_plain(args[0]) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        return None
    in_place = kwargs.get("inplace") or (len(args) > 3 and args[3] is True)
    return args[0] if in_place else torch.empty_like(args[0])


def _softmax(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    known = set(kwargs) <= {"dim", "_stacklevel", "dtype"} and kwargs.get("dtype") is None and len(args) <= 2
    if not known or not _is_tidy(args[0]) or not isinstance(dim, int) or not -args[0].dim() <= dim < args[0].dim():
        return None
    return torch.empty_like(args[0])


def _arithmetic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    if len(args) != 2 or kwargs:
        return None
    left, right = args
    if not _is_plain(left):
        left, right = right, left
    if not _is_plain(left):
        return None
    if type(right) in (int, float):
        return torch.empty_like(left)
    if not (_is_tidy(left) and _is_tidy(right)) or left.dtype != right.dtype:
        return None
    if left.shape == right.shape:
        return torch.empty_like(left)
    sizes = []
    short, long = sorted((tuple(left.shape), tuple(right.shape)), key=len)
    for one, other in zip((1,) * (len(long) - len(short)) + short, long):
        if one != other and one != 1 and other != 1:
            return None
        sizes.append(other if one == 1 else one)
    return _empty(sizes, left)


def _attention(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    if len(args) < 3 or len(args) > 4 or kwargs.get("enable_gqa"):
        return None
    query, key, value = args[:3]
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    if not all(_is_plain(part) and part.dtype == query.dtype and part.dim() >= 2 for part in (query, key, value)):
        return None
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        return None
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        return None
    if (mask is not None and tuple(mask.shape[-2:]) != (query.shape[-2], key.shape[-2])) or getattr(
        mask, "ndim", 2
    ) != 2:
        return None
    if query.dim() != 4:
        return _empty((*query.shape[:-1], value.shape[-1]), query)
    batch, heads, length, _ = query.shape  # the kernels lay the heads of one position side by side
    return _empty((batch, length, heads, value.shape[-1]), query).transpose(1, 2)


def _convolution(space: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    bound = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **dict(zip(names, args)), **kwargs}
    given, weight, bias, groups = bound["input"], bound["weight"], bound.get("bias"), bound["groups"]
    if not (_is_tidy(given) and _is_plain(weight)) or given.dtype != weight.dtype:
        return None
    if not given.dim() == weight.dim() == space + 2:
        return None
    if bias is not None and (tuple(bias.shape) != (weight.shape[0],) or bias.dtype != weight.dtype):
        return None
    if type(groups) is not int or groups < 1 or weight.shape[0] % groups or given.shape[1] != weight.shape[1] * groups:
        return None
    sizes = [int(given.shape[0]), int(weight.shape[0])]
    windows = [_each(bound[name], space) for name in ("stride", "padding", "dilation")]
    if not all(windows) or 0 in given.shape:
        return None
    for size, kernel, stride, padding, dilation in zip(given.shape[2:], weight.shape[2:], *windows):
        left = int(size) + 2 * padding - dilation * (int(kernel) - 1) - 1
        if left < 0 or stride < 1 or padding < 0 or dilation < 1:
            return None
        sizes.append(left // stride + 1)
    return _empty(sizes, given)


def _joined(new: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `cat`, or, in a `new` dimension, of `stack`: torch looks at each of many parts several times."""
    parts = args[0] if args else kwargs.get("tensors")
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    if type(parts) not in (list, tuple) or not parts or len(args) > 2 or not set(kwargs) <= {"dim", "tensors"}:
        return None
    first = parts[0]
    if not all(isinstance(part, Tensor) and part.is_meta for part in parts) or type(dim) is not int:
        return None
    sizes = list(first.shape)
    if not -len(sizes) - new <= dim < len(sizes) + new or not (new or sizes):
        return None
    at = dim % (len(sizes) + new)
    if any(part.dtype != first.dtype or not part.is_contiguous() or part.dim() != len(sizes) for part in parts):
        return None
    if new:
        fits = all(part.shape == first.shape for part in parts)
        sizes.insert(at, len(parts))
    else:
        fits = all(
            part.shape[:at] == first.shape[:at] and part.shape[at + 1 :] == first.shape[at + 1 :] for part in parts
        )
        sizes[at] = sum(part.shape[at] for part in parts)
    return _empty(sizes, first) if fits else None


def _each(value: Any, space: int) -> tuple[int, ...]:
    """One number for each dimension of space; nothing for words such as "same"."""
    values = (value,) * space if type(value) is int else tuple(value) if isinstance(value, (tuple, list)) else ()
    values = values * space if len(values) == 1 else values
    return values if len(values) == space and all(type(item) is int for item in values) else ()


def _weight_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    plain = len(args) >= 2 and _is_tidy(args[0]) and _is_plain(args[1]) and args[0].dim() == args[1].dim()
    return torch.empty_like(args[0]) if plain else None


def _identity(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    return args[0] if _is_plain(args[0]) else None


def _in_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """What changes values alone, as the beginnings of weights are made."""
    if not _is_plain(args[0]) or not all(
        part is None or type(part) in _NUMBERS for part in (*args[1:], *kwargs.values())
    ):
        return None
    return args[0]  # type: ignore[no-any-return]


def _rules() -> dict[Any, Rule]:
    functional = torch.nn.functional
    table: dict[Any, Rule] = {
        functional.linear: _linear,
        functional.layer_norm: _layer_norm,
        functional.batch_norm: _batch_norm,
        functional.dropout: _dropout,
        functional.scaled_dot_product_attention: _attention,
        Tensor.detach: _identity,
        torch.cat: partial(_joined, False),
        torch.stack: partial(_joined, True),
        torch._weight_norm: _weight_norm,
        torch.conv1d: partial(_convolution, 1),
        torch.conv2d: partial(_convolution, 2),
        torch.conv3d: partial(_convolution, 3),
    }
    for holder, names in (
        (functional, "relu gelu silu leaky_relu elu selu mish hardswish hardsigmoid relu6 softplus tanhshrink"),
        (torch, "relu sigmoid tanh exp sqrt rsqrt abs sin cos erf log neg relu_ selu"),
        (Tensor, "relu sigmoid tanh exp sqrt rsqrt abs sin cos erf log neg clone square"),
    ):
        table.update({getattr(holder, name): _same_shape for name in names.split() if hasattr(holder, name)})
    for name in (
        "add sub mul div pow clamp clip clamp_min clamp_max fill zero uniform normal exponential bernoulli erfinv erf"
        " exp log sqrt rsqrt abs neg sigmoid tanh trunc round floor ceil"
    ).split():
        table[getattr(Tensor, f"{name}_")] = _in_place
    for holder in (functional, torch, Tensor):
        for name in ("softmax", "log_softmax"):
            table[getattr(holder, name)] = _softmax
    for holder in (torch, Tensor):
        for name in ("add", "sub", "mul", "div", "true_divide", "__radd__", "__rsub__", "__rmul__", "__rtruediv__"):
            if hasattr(holder, name):
                table[getattr(holder, name)] = _arithmetic
    return table


RULES: dict[Any, Rule] = _rules()
