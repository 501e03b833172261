"""Shapes of the commonest operators by rule, where torch's own meta implementations are slow Python.

A rule answers only where the operands plainly fit; whatever is unusual or wrong goes to torch, which then says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Optional

import torch
from torch import Tensor

from metalens.worker.trace import layer_shapes
from metalens.worker.trace.plain import alike, empty, is_plain, is_tidy

Function = Callable[..., Any]
Rule = Callable[["tuple[Any, ...]", "dict[str, Any]"], Any]

_NUMBERS = (int, float, bool)


def _same_shape(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """Elementwise functions of one tensor whose other arguments change no shape."""
    if not args or not is_plain(args[0]) or kwargs.get("out") is not None or kwargs.get("dtype"):
        return None
    if any(isinstance(part, Tensor) for part in (*args[1:], *kwargs.values())):
        return None
    in_place = kwargs.get("inplace") or (len(args) > 1 and args[-1] is True)
    return args[0] if in_place else alike(args[0])


def _dropout(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    rate = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
    if not is_plain(args[0]) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        return None
    in_place = kwargs.get("inplace") or (len(args) > 3 and args[3] is True)
    return args[0] if in_place else alike(args[0])


def _softmax(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    known = set(kwargs) <= {"dim", "_stacklevel", "dtype"} and kwargs.get("dtype") is None and len(args) <= 2
    if not known or not is_tidy(args[0]) or not isinstance(dim, int) or not -args[0].dim() <= dim < args[0].dim():
        return None
    return alike(args[0])


def _normalized(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    dim = args[2] if len(args) > 2 else kwargs.get("dim", 1)
    plain = is_tidy(args[0]) if args else False
    if not plain or kwargs.get("out") is not None or type(dim) is not int or not -args[0].dim() <= dim < args[0].dim():
        return None
    return alike(args[0])


def _power(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    number = len(args) == 2 and not kwargs and type(args[1]) in (int, float)
    return alike(args[0]) if number and is_plain(args[0]) else None


def _arithmetic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    if len(args) != 2 or kwargs:
        return None
    left, right = args
    if not is_plain(left):
        left, right = right, left
    if not is_plain(left):
        return None
    if type(right) in (int, float):
        return alike(left)
    if not (is_tidy(left) and is_tidy(right)) or left.dtype != right.dtype:
        return None
    if left.shape == right.shape:
        return alike(left)
    sizes = []
    short, long = sorted((tuple(left.shape), tuple(right.shape)), key=len)
    for one, other in zip((1,) * (len(long) - len(short)) + short, long):
        if one != other and one != 1 and other != 1:
            return None
        sizes.append(other if one == 1 else one)
    return empty(sizes, left)


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
    return empty(sizes, first) if fits else None


def _reduced(count: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Of what leaves one value of each row: in so many tensors, a pair or one."""
    if not args or len(args) > 3 or not is_tidy(args[0]) or not set(kwargs) <= {"dim", "keepdim", "unbiased"}:
        return None
    given, rest = args[0], {**dict(zip(("dim", "keepdim"), args[1:])), **kwargs}
    dims, kept = rest.get("dim"), rest.get("keepdim", False)
    dims = (dims,) if type(dims) is int else dims
    if type(dims) not in (tuple, list) or not dims or type(kept) is not bool or 0 in given.shape:
        return None
    if not all(type(dim) is int and -given.dim() <= dim < given.dim() for dim in dims):
        return None
    gone = {dim % given.dim() for dim in dims}
    sizes = [1 if at in gone else size for at, size in enumerate(given.shape) if kept or at not in gone]
    if len(gone) != len(dims):
        return None
    return empty(sizes, given) if count == 1 else tuple(empty(sizes, given) for _ in range(count))


def _identity(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    return args[0] if is_plain(args[0]) else None


def _in_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Tensor]:
    """What changes values alone, as the beginnings of weights are made."""
    if not is_plain(args[0]) or not all(
        part is None or type(part) in _NUMBERS for part in (*args[1:], *kwargs.values())
    ):
        return None
    return args[0]  # type: ignore[no-any-return]


def _rules() -> dict[Any, Rule]:
    functional = torch.nn.functional
    table: dict[Any, Rule] = {
        functional.linear: layer_shapes.linear,
        functional.layer_norm: layer_shapes.layer_norm,
        functional.batch_norm: layer_shapes.batch_norm,
        functional.group_norm: layer_shapes.group_norm,
        functional.instance_norm: layer_shapes.instance_norm,
        functional.normalize: _normalized,
        functional.interpolate: layer_shapes.resized,
        functional.grid_sample: layer_shapes.sampled,
        functional.cross_entropy: layer_shapes.cross_entropy,
        functional.prelu: layer_shapes.prelu,
        functional.dropout: _dropout,
        functional.scaled_dot_product_attention: layer_shapes.attention,
        Tensor.detach: _identity,
        torch.cat: partial(_joined, False),
        torch.stack: partial(_joined, True),
        torch._weight_norm: layer_shapes.weight_norm,
        torch.adaptive_avg_pool1d: partial(layer_shapes.averaged, 1),
        functional.adaptive_avg_pool2d: partial(layer_shapes.averaged, 2),
        functional.adaptive_avg_pool3d: partial(layer_shapes.averaged, 3),
        torch.conv1d: partial(layer_shapes.convolution, 1),
        torch.conv2d: partial(layer_shapes.convolution, 2),
        torch.conv3d: partial(layer_shapes.convolution, 3),
    }
    for holder, names in (
        (functional, "relu gelu silu leaky_relu elu selu mish hardswish hardsigmoid hardtanh relu6 softplus"),
        (torch, "relu sigmoid tanh exp sqrt rsqrt abs sin cos erf log neg relu_ selu"),
        (Tensor, "relu sigmoid tanh exp sqrt rsqrt abs sin cos erf log neg clone square"),
    ):
        table.update({getattr(holder, name): _same_shape for name in names.split() if hasattr(holder, name)})
    for name in (
        "add sub mul div pow clamp clip clamp_min clamp_max fill zero uniform normal exponential bernoulli erfinv erf"
        " exp log sqrt rsqrt abs neg sigmoid tanh trunc round floor ceil"
    ).split():
        table[getattr(Tensor, f"{name}_")] = _in_place
    for holder in (torch, Tensor):
        table.update({getattr(holder, name): partial(_reduced, 1) for name in ("mean", "sum", "var", "std", "amax")})
    table[torch.var_mean] = partial(_reduced, 2)
    for holder in (functional, torch, Tensor):
        for name in ("softmax", "log_softmax"):
            table[getattr(holder, name)] = _softmax
    for name in ("matmul", "bmm", "__matmul__"):
        table.update(
            {getattr(holder, name): layer_shapes.matmul for holder in (torch, Tensor) if hasattr(holder, name)}
        )
    table.update({torch.pow: _power, Tensor.pow: _power, Tensor.__pow__: _power})
    for holder in (torch, Tensor):
        for name in ("add", "sub", "mul", "div", "true_divide", "__radd__", "__rsub__", "__rmul__", "__rtruediv__"):
            if hasattr(holder, name):
                table[getattr(holder, name)] = _arithmetic
    return table


RULES: dict[Any, Rule] = _rules()
