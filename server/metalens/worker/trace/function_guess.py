"""What a function, a method or an operator gives: the best guess, where its call failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Optional

import torch
from torch import Tensor

from metalens.worker.trace.guess import (
    Guess,
    Guesses,
    Window,
    all_of,
    convolved,
    each,
    linear_like,
    reshaped,
    same,
    shape_of,
    turned,
    unflattened,
)
from metalens.worker.trace.space_guess import OF_SPACE


def guess_of_function(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    """What a function of this name would have given, for a method its tensor first; None where no rule knows it."""
    rule = _FUNCTIONS.get(name) or OF_SPACE.get(name)
    if rule is not None:
        return rule(args, kwargs)
    if name == "where":
        args = args[1:]
    if name in _BINARY or name == "where":
        return _broadcast(args[0], args[1] if len(args) > 1 else next(iter(kwargs.values())))
    if name in _LOSSES:
        return Guess((), frozenset()) if kwargs.get("reduction", "mean") != "none" else same(args[0], all_of(args[0]))
    matched = re.fullmatch(r"conv(_transpose)?([123])d", name)
    if matched:
        return _functional_convolution(args, kwargs, int(matched.group(2)), bool(matched.group(1)))
    return None


def guess_of_values(values: Any, count: int) -> Guesses:
    """So many of the values that were to be unpacked: sizes or tensors, made up where there are too few."""
    parts: list[Any] = [same(part, all_of(part)) if isinstance(part, Tensor) else part for part in values[:count]]
    if not all(isinstance(part, (Guess, int)) for part in parts):
        return None
    return tuple(parts + [parts[-1] if isinstance(parts[-1], Guess) else 1] * (count - len(parts))) if parts else None


def _functional_linear(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "weight", "bias"), args, kwargs)
    weight = bound["weight"]
    return linear_like(bound["input"], int(weight.shape[1]), int(weight.shape[0]), weight.dtype)


def _functional_convolution(args: tuple[Any, ...], kwargs: dict[str, Any], space: int, transposed: bool) -> Guess:
    names: tuple[str, ...] = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    names = (*names[:5], "output_padding", "groups", "dilation") if transposed else names
    bound = _bound(names, args, kwargs)
    weight, groups = bound["weight"], bound.get("groups", 1)
    padding = bound.get("padding", 0)
    window = Window(
        shape_of(weight)[2:],
        each(bound.get("stride", 1), space),
        None if padding == "same" else each(0 if padding == "valid" else padding, space),
        each(bound.get("dilation", 1), space),
    )
    expected, channels = int(weight.shape[1]) * groups, int(weight.shape[0])
    if transposed:
        expected, channels = int(weight.shape[0]), int(weight.shape[1]) * groups
    return convolved(bound["input"], expected, channels, window, weight.dtype, transposed)


def _normalised(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return same(args[0], all_of(args[0]) - {0})


def _matmul(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    left, right = [part for part in (*args, *kwargs.values()) if isinstance(part, Tensor)][:2]
    a, b = shape_of(left), shape_of(right)
    if not a or not b:
        return None
    lead = max(a[:-2], b[:-2], key=len)
    sizes = (*lead, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    # If the operands would fit turned or in the other order, nothing is sure; else they only disagree on the inside.
    turned = len(a) < 2 or len(b) < 2 or a[-1] == b[-1] or a[-2] == b[-2] or b[-1] == a[-2]
    doubtful = range(len(sizes)) if turned else range(len(lead)) if a[:-2] != b[:-2] else ()
    return Guess(sizes, frozenset(doubtful), left.dtype if left.dtype.is_floating_point else right.dtype)


def _einsum(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    equation, operands = args[0], args[1:]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if "->" not in equation or "." in equation:
        return None
    left, right = equation.replace(" ", "").split("->")
    sizes: dict[str, int] = {}
    for term, tensor in zip(left.split(","), operands):
        for letter, size in zip(term, shape_of(tensor)):
            sizes.setdefault(letter, size)
    return Guess(tuple(sizes[letter] for letter in right), frozenset(range(len(right))), operands[0].dtype)


def _broadcast(left: Any, right: Any) -> Optional[Guess]:
    """The larger of two sizes that differ; only those are in doubt, unless the operands are turned or ranks differ."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return None
    a, b = shape_of(left), shape_of(right)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    sizes = tuple(y if x == 1 else x if y == 1 else max(x, y) for x, y in zip(a, b))
    differing = frozenset(i for i, (x, y) in enumerate(zip(a, b)) if x != y and 1 not in (x, y))
    whole = left.dim() != right.dim() or sorted(a) == sorted(b) or not differing
    doubtful = frozenset(range(rank)) if whole else differing
    otherwise = {i: min(a[i], b[i]) for i in differing} if not whole and len(differing) == 1 else {}
    return Guess(sizes, doubtful, torch.promote_types(left.dtype, right.dtype), otherwise)


def _cat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    bound = _bound(("tensors", "dim"), args, {("dim" if k == "axis" else k): v for k, v in kwargs.items()})
    tensors = [part for part in bound["tensors"] if isinstance(part, Tensor)]
    first = tensors[0]
    dim, rank = bound.get("dim", 0), first.dim()
    if not -rank <= dim < rank or any(part.dim() != rank for part in tensors):
        return same(first, all_of(first))
    dim %= rank
    sizes = list(shape_of(first))
    sizes[dim] = sum(int(part.shape[dim]) for part in tensors)
    differing = {i for i in range(rank) if i != dim and len({int(part.shape[i]) for part in tensors}) > 1}
    # If joining along the one dimension that differs would have worked, the dimension itself may be the mistake.
    along = {dim} if len(differing) == 1 else set()
    return Guess(tuple(sizes), frozenset(differing | along), first.dtype)


def _stack(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("tensors", "dim"), args, kwargs)
    tensors = list(bound["tensors"])
    sizes = list(shape_of(tensors[0]))
    sizes.insert(bound.get("dim", 0) % (len(sizes) + 1), len(tensors))
    return Guess(tuple(sizes), frozenset(range(len(sizes))), tensors[0].dtype)


def _view(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    wanted = _sizes(args[1:], kwargs)
    return reshaped(args[0], wanted) if wanted else None


def _view_as(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    return reshaped(args[0], shape_of(args[1]))


def _unflatten(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "dim", "sizes"), args, kwargs)
    return reshaped(args[0], unflattened(shape_of(args[0]), bound["dim"], tuple(bound["sizes"])))


def _expand(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    wanted, shape = _sizes(args[1:], kwargs), shape_of(args[0])
    shape = (1,) * (len(wanted) - len(shape)) + shape
    sizes = tuple(old if new == -1 else new for old, new in zip(shape, wanted))
    return Guess(sizes, frozenset(range(len(sizes))), args[0].dtype)


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[tuple[Guess, ...]]:
    bound = _bound(("input", "sizes", "dim"), args, {("sizes" if "split" in k else k): v for k, v in kwargs.items()})
    x, sizes, dim = bound["input"], bound["sizes"], bound.get("dim", 0)
    if not isinstance(sizes, (list, tuple)) or not -x.dim() <= dim < x.dim():
        return None
    dim, shape = dim % x.dim(), shape_of(x)
    pieces = [(*shape[:dim], max(0, int(size)), *shape[dim + 1 :]) for size in sizes]
    # If another dimension would have fit, it may be the one that was meant.
    doubtful = frozenset((dim,)) | turned(x, sum(int(size) for size in sizes), dim)
    doubtful = all_of(x) if len(doubtful) > 1 else doubtful
    return tuple(Guess(piece, doubtful, x.dtype) for piece in pieces)


def _item(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    """Keys too big for a tensor point to its first items; those for which it lacks a dimension are gone.

    A shape gives 1 in place of a size that it does not have, another tuple its first tensor.
    """
    x, keys = args[0], args[1] if isinstance(args[1], tuple) else (args[1],)
    if isinstance(x, tuple):
        tensors = (same(part, all_of(part)) for part in x if isinstance(part, Tensor))
        return 1 if isinstance(x, torch.Size) else next(tensors, None)
    if not all(isinstance(key, (int, slice, type(None), type(...))) for key in keys):
        return None
    counted = [key for key in keys if key is not None and key is not ...]
    lost = len(counted) - x.dim()
    kept: list[Any] = list(keys)
    while lost > 0 and kept:
        lost -= kept.pop() not in (None, ...)
    kept = [0 if isinstance(key, int) and not isinstance(key, bool) else key for key in kept]
    return same(x[tuple(kept)], all_of(x) if len(counted) > x.dim() else frozenset())


def _kept(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return same(args[0], frozenset())


def _doubted(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return same(args[0], all_of(args[0]))


def _dot_product(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("query", "key", "value"), args, kwargs)
    query = bound["query"]
    return Guess((*shape_of(query)[:-1], *shape_of(bound["value"])[-1:]), all_of(query), query.dtype)


def _embedded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "weight"), args, kwargs)
    return Guess((*shape_of(bound["input"]), int(bound["weight"].shape[1])), frozenset(), bound["weight"].dtype)


def _picked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "dim", "index"), args, kwargs)
    x, dim = bound["input"], bound["dim"] % bound["input"].dim()
    return Guess((*shape_of(x)[:dim], int(bound["index"].numel()), *shape_of(x)[dim + 1 :]), frozenset((dim,)), x.dtype)


def _gathered(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "dim", "index"), args, kwargs)
    return Guess(shape_of(bound["index"]), all_of(bound["index"]), bound["input"].dtype)


def _pieces(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[tuple[Guess, ...]]:
    """So many equal pieces along the last dimension, where the one that was named does not exist."""
    bound = _bound(("input", "chunks", "dim"), args, kwargs)
    x, count = bound["input"], bound["chunks"]
    piece = (*shape_of(x)[:-1], max(1, -(-int(x.shape[-1]) // count)))
    return tuple(Guess(piece, all_of(x), x.dtype) for _ in range(count))


def _added_product(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    return _matmul(args[1:3], {})


def _compared(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    found = _broadcast(args[0], args[1] if len(args) > 1 else next(iter(kwargs.values())))
    return found._replace(dtype=torch.bool) if found is not None else None


def _bilinear(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    x, weight = args[0], args[2]
    return Guess((*shape_of(x)[:-1], int(weight.shape[0])), frozenset(range(x.dim() - 1)), weight.dtype)


def _similarity(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    found, dim = _broadcast(args[0], args[1]), kwargs.get("dim", args[2] if len(args) > 2 else 1)
    if found is None:
        return None
    dim %= len(found.shape)
    sizes = (*found.shape[:dim], *found.shape[dim + 1 :])
    return Guess(sizes, frozenset(range(len(sizes))), found.dtype)


def _distances(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    left, right = shape_of(args[0]), shape_of(args[1])
    return Guess((*left[:-1], right[-2]), frozenset(range(len(left) - 2)), args[0].dtype)


_Rule = Callable[["tuple[Any, ...]", "dict[str, Any]"], Guesses]
_FUNCTIONS: dict[str, _Rule] = {
    "linear": _functional_linear,
    "einsum": _einsum,
    "getitem": _item,
    "stack": _stack,
    "view_as": _view_as,
    "reshape_as": _view_as,
    "unflatten": _unflatten,
    "scaled_dot_product_attention": _dot_product,
    "embedding": _embedded,
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu"), _normalised),
    "index_select": _picked,
    "chunk": _pieces,
    "bilinear": _bilinear,
    "cosine_similarity": _similarity,
    "cdist": _distances,
    **dict.fromkeys(("gather", "take_along_dim"), _gathered),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm"), _added_product),
    **dict.fromkeys(("eq", "ne", "lt", "gt", "le", "ge", "logical_and", "logical_or"), _compared),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), _matmul),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "dropout", "relu", "gelu", "normalize"), _kept),
    **dict.fromkeys(
        (
            "permute transpose flatten squeeze unsqueeze repeat swapaxes movedim roll flip tile scatter scatter_add"
            " index_add index_copy masked_fill masked_scatter cumsum expand_as mean sum amax amin"
        ).split(),
        _doubted,
    ),
}
_BINARY = frozenset(
    "add sub mul div true_divide truediv floordiv pow mod iadd isub imul itruediv maximum minimum lerp".split()
)
_LOSSES = frozenset(
    (
        "mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss kl_div binary_cross_entropy "
        "binary_cross_entropy_with_logits cosine_embedding_loss margin_ranking_loss triplet_margin_loss"
    ).split()
)


def plain_name(function: Any) -> str:
    """The name of a torch function or operator without underscores: `add` for `__radd__`."""
    name = str(getattr(function, "__name__", "") or "").strip("_")
    return name[1:] if name in ("radd", "rsub", "rmul", "rtruediv", "rmatmul") else name


def _bound(names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args)), **kwargs}


def _sizes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    values: Any = kwargs.get("shape", kwargs.get("size", args))
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    return tuple(int(value) for value in values) if all(isinstance(value, int) for value in values) else ()
