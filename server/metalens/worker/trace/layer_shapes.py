"""Shapes that layers give, by rule: linear maps, convolutions, norms, attention, resizing, sampling, and a loss."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor

from metalens.worker.trace.plain import alike, each, empty, is_plain, is_tidy

_MIXING = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}  # in so many dimensions of space


def linear(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `linear`."""
    if len(args) < 2 or kwargs:
        return None
    given, weight, bias = args[0], args[1], args[2] if len(args) > 2 else None
    if not (is_plain(given) and is_plain(weight)) or weight.dim() != 2 or given.dim() == 0:
        return None
    if given.shape[-1] != weight.shape[1] or given.dtype != weight.dtype:
        return None
    if bias is not None and (bias.dtype != weight.dtype or bias.shape != weight.shape[:1]):
        return None
    return empty((*given.shape[:-1], weight.shape[0]), given)


def layer_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `layer_norm`."""
    if len(args) < 2 or not is_plain(args[0]) or not isinstance(args[1], (tuple, list)):
        return None
    given, shape = args[0], tuple(args[1])
    weight = args[2] if len(args) > 2 else kwargs.get("weight")
    bias = args[3] if len(args) > 3 else kwargs.get("bias")
    fits = shape and tuple(given.shape[-len(shape) :]) == shape
    for part in (weight, bias):
        if part is not None and (tuple(part.shape) != shape or part.dtype != given.dtype):
            return None
    return empty(given.shape, given) if fits else None  # which is contiguous whatever was given


def group_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `group_norm`."""
    bound: dict[str, Any] = {**dict(zip(("input", "num_groups", "weight", "bias"), args)), **kwargs}
    given, groups = bound["input"], bound.get("num_groups")
    if not is_tidy(given) or given.dim() < 2 or type(groups) is not int or groups < 1 or given.shape[1] % groups:
        return None
    for part in (bound.get("weight"), bound.get("bias")):
        if part is not None and (tuple(part.shape) != (given.shape[1],) or part.dtype != given.dtype):
            return None
    return alike(given) if given.numel() > groups else None  # one value of each group has no spread


def instance_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `instance_norm`."""
    names = ("input", "running_mean", "running_var", "weight", "bias")
    bound: dict[str, Any] = {**dict(zip(names, args)), **kwargs}
    given = bound["input"]
    if not is_tidy(given) or given.dim() < 3 or given.numel() <= given.shape[0] * given.shape[1]:
        return None
    for name in names[1:]:
        part = bound.get(name)
        if part is not None and (tuple(part.shape) != (given.shape[1],) or part.dtype != given.dtype):
            return None
    return alike(given)


def batch_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `batch_norm`."""
    names = ("input", "running_mean", "running_var", "weight", "bias", "training")
    bound: dict[str, Any] = {**dict(zip(names, args)), **kwargs}
    given, training = bound["input"], bound.get("training", False)
    if not is_tidy(given) or given.dim() < 2:
        return None
    for name in names[1:5]:
        part = bound.get(name)
        if part is not None and (tuple(part.shape) != (given.shape[1],) or part.dtype != given.dtype):
            return None
    if training and given.numel() // max(1, int(given.shape[1])) < 2:
        return None
    return alike(given)


def attention(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `scaled_dot_product_attention`."""
    if len(args) < 3 or len(args) > 4 or kwargs.get("enable_gqa"):
        return None
    query, key, value = args[:3]
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    if not all(is_plain(part) and part.dtype == query.dtype and part.dim() >= 2 for part in (query, key, value)):
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
        return empty((*query.shape[:-1], value.shape[-1]), query)
    batch, heads, length, _ = query.shape  # the kernels lay the heads of one position side by side
    return empty((batch, length, heads, value.shape[-1]), query).transpose(1, 2)


def convolution(space: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of a convolution in so many dimensions of space."""
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    bound: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **dict(zip(names, args)), **kwargs}
    given, weight, bias, groups = bound["input"], bound["weight"], bound.get("bias"), bound["groups"]
    if not (is_tidy(given) and is_plain(weight)) or given.dtype != weight.dtype:
        return None
    if not given.dim() == weight.dim() == space + 2:
        return None
    if bias is not None and (tuple(bias.shape) != (weight.shape[0],) or bias.dtype != weight.dtype):
        return None
    if type(groups) is not int or groups < 1 or weight.shape[0] % groups or given.shape[1] != weight.shape[1] * groups:
        return None
    sizes = [int(given.shape[0]), int(weight.shape[0])]
    windows = [each(bound[name], space) for name in ("stride", "padding", "dilation")]
    if not all(windows) or 0 in given.shape:
        return None
    for size, kernel, stride, padding, dilation in zip(given.shape[2:], weight.shape[2:], *windows):
        left = int(size) + 2 * padding - dilation * (int(kernel) - 1) - 1
        if left < 0 or stride < 1 or padding < 0 or dilation < 1:
            return None
        sizes.append(left // stride + 1)
    return empty(sizes, given)


def resized(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `interpolate`, where pixels are mixed."""
    names = ("input", "size", "scale_factor", "mode", "align_corners")
    bound: dict[str, Any] = {**dict(zip(names, args)), **kwargs}
    given, space = bound["input"], _MIXING.get(str(bound.get("mode")), 0)
    if not is_tidy(given) or not space or given.dim() != space + 2 or bound.get("antialias") or 0 in given.shape:
        return None
    size, scale = bound.get("size"), bound.get("scale_factor")
    if (size is None) == (scale is None):
        return None
    if scale is None:
        sizes = each(size, space)
    else:
        scales = (scale,) * space if type(scale) in (int, float) else scale
        if type(scales) not in (tuple, list) or len(scales) != space:
            return None
        if not all(type(part) in (int, float) for part in scales):
            return None
        sizes = tuple(int(int(one) * float(part)) for one, part in zip(given.shape[2:], scales))
    return empty((*given.shape[:2], *sizes), given) if sizes and min(sizes) > 0 else None


def sampled(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `grid_sample`."""
    bound: dict[str, Any] = {**dict(zip(("input", "grid", "mode", "padding_mode", "align_corners"), args)), **kwargs}
    given, grid, mode = bound["input"], bound["grid"], bound.get("mode", "bilinear")
    if not (is_tidy(given) and is_plain(grid)) or given.dtype != grid.dtype or 0 in given.shape:
        return None
    if given.dim() not in (4, 5) or grid.dim() != given.dim() or mode not in ("bilinear", "nearest"):
        return None
    if grid.shape[0] != given.shape[0] or grid.shape[-1] != given.dim() - 2:
        return None
    if bound.get("padding_mode", "zeros") not in ("zeros", "border", "reflection"):
        return None
    return empty((*given.shape[:2], *grid.shape[1:-1]), given)


def cross_entropy(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `cross_entropy`."""
    bound: dict[str, Any] = {**dict(zip(("input", "target"), args)), **kwargs}
    given, target, weight = bound["input"], bound["target"], bound.get("weight")
    if len(args) > 2 or not is_plain(given) or not isinstance(target, Tensor) or bound.get("reduction") == "none":
        return None
    if not target.is_meta or target.dtype != torch.int64 or given.dim() < 2 or 0 in given.shape:
        return None
    if target.shape != given.shape[:1] + given.shape[2:]:
        return None
    if weight is not None and (tuple(weight.shape) != (given.shape[1],) or weight.dtype != given.dtype):
        return None
    return empty((), given)


def prelu(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `prelu`."""
    if len(args) != 2 or kwargs or not (is_tidy(args[0]) and is_plain(args[1])) or args[1].dim() != 1:
        return None
    given, slopes = args[0], int(args[1].shape[0])
    fits = given.dtype == args[1].dtype and (slopes == 1 or (given.dim() > 1 and given.shape[1] == slopes))
    return alike(given) if fits else None


def weight_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of the weight that a norm and a direction make."""
    plain = len(args) >= 2 and is_tidy(args[0]) and is_plain(args[1]) and args[0].dim() == args[1].dim()
    return alike(args[0]) if plain else None


def matmul(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of products of equally many matrices, or of rows with one matrix; what torch turns in between it turns itself."""
    if len(args) != 2 or kwargs or not (is_plain(args[0]) and is_plain(args[1])):
        return None
    left, right = args
    if left.dim() < 3 or right.dim() not in (2, left.dim()) or left.dtype != right.dtype:
        return None
    if left.shape[-1] != right.shape[-2] or (right.dim() > 2 and left.shape[:-2] != right.shape[:-2]):
        return None
    return empty((*left.shape[:-1], right.shape[-1]), left) if 0 not in (*left.shape, *right.shape) else None


def averaged(space: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Of `adaptive_avg_pool` in so many dimensions of space."""
    bound: dict[str, Any] = {**dict(zip(("input", "output_size"), args)), **kwargs}
    given, sizes = bound["input"], each(bound.get("output_size"), space)
    if not is_tidy(given) or given.dim() not in (space + 1, space + 2) or not sizes or min(sizes) < 1:
        return None
    return empty((*given.shape[:-space], *sizes), given) if 0 not in given.shape else None
