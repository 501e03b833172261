"""What a failed operation would have given: a layer's declared output, or the best guess.

A substitute is made of fresh meta tensors. With each goes the set of its dimensions that are in doubt: those that may
come out otherwise once the mistake is mended, whichever side of it is changed.
"""

from __future__ import annotations

import math
import re
from typing import Any, Callable, NamedTuple, Optional, Sequence

import torch

nn = torch.nn
Tensor = torch.Tensor


class Guess(NamedTuple):
    """The shape of one tensor; `doubtful` are the dimensions that the mistake leaves open, `dtype` is None for f32."""

    shape: tuple[int, ...]
    doubtful: frozenset[int]
    dtype: Optional[torch.dtype] = None


# A guess, or a (nested) tuple or list of guesses where the operation gives several tensors; None: there is no guess.
Guesses = Any


def guesses_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    """What a call of a torch layer, a torch function, a tensor method or an operator would have given."""
    try:
        if isinstance(function, nn.Module):
            return _of_layer(function, args, kwargs)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, Tensor):
            args = (owner, *args)
        return _of_function(_plain_name(function), args, kwargs)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, ZeroDivisionError, RuntimeError):
        return None  # called in a way that no rule expects


# ---------------------------------------------------------------- layers


def _of_layer(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    tensors = [part for part in (*args, *kwargs.values()) if isinstance(part, Tensor)]
    if not tensors:
        return None
    x = tensors[0]
    if isinstance(layer, nn.Linear):
        return _linear(x, layer.in_features, layer.out_features, layer.weight.dtype)
    if isinstance(layer, nn.Bilinear):
        return Guess((*_shape(x)[:-1], layer.out_features), frozenset(range(x.dim() - 1)))
    if isinstance(layer, nn.modules.conv._ConvNd):
        return _convolution(x, layer)
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        lead = _shape(x) if isinstance(layer, nn.Embedding) else _shape(x)[:1]
        return Guess((*lead, layer.embedding_dim), frozenset(), layer.weight.dtype)
    if isinstance(layer, nn.RNNBase):
        return _recurrent(layer, x)
    if isinstance(layer, nn.RNNCellBase):
        state = Guess((*_shape(x)[:-1], layer.hidden_size), _turned(x, layer.input_size, x.dim() - 1))
        return (state, state) if isinstance(layer, nn.LSTMCell) else state
    if isinstance(layer, nn.MultiheadAttention):
        return _attention(layer, tensors, kwargs)
    return _of_plain_layer(layer, x, tensors)


def _of_plain_layer(layer: Any, x: Tensor, tensors: list[Tensor]) -> Guesses:
    if isinstance(layer, nn.modules.loss._Loss):
        return Guess((), frozenset()) if layer.reduction != "none" else _same(x, _all(x))
    if isinstance(layer, (nn.modules.batchnorm._NormBase, nn.PReLU)):
        expected = layer.num_features if hasattr(layer, "num_features") else layer.num_parameters
        return _same(x, _width_doubt(x, 1, expected))
    if isinstance(layer, nn.GroupNorm):
        return _same(x, _width_doubt(x, 1, layer.num_channels))
    if isinstance(layer, nn.LayerNorm) or type(layer).__name__ == "RMSNorm":
        shape = tuple(layer.normalized_shape)
        return _same(x, _width_doubt(x, x.dim() - 1, int(shape[-1])) if len(shape) == 1 else _all(x))
    if isinstance(layer, _TRANSFORMERS):
        return _same(tensors[1] if isinstance(layer, nn.Transformer) and len(tensors) > 1 else x, _all(x))
    if isinstance(layer, nn.PixelShuffle):
        factor, shape = layer.upscale_factor, _shape(x)
        sizes = (*shape[:-3], max(1, shape[-3] // factor**2), shape[-2] * factor, shape[-1] * factor)
        return Guess(sizes, frozenset((x.dim() - 3,)), x.dtype)
    if isinstance(layer, nn.Unflatten):
        return _reshaped(x, _unflattened(_shape(x), int(layer.dim), tuple(layer.unflattened_size)))
    kind = re.fullmatch(r"(Adaptive)?(?:Max|Avg|LP|FractionalMax)Pool([123])d", type(layer).__name__)
    if kind:
        return _pooled(x, int(kind.group(2)), layer, bool(kind.group(1)))
    if type(layer).__module__.startswith(("torch.nn.modules.activation", "torch.nn.modules.dropout")):
        return _same(x, frozenset())
    return None


_TRANSFORMERS = (
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.TransformerEncoder,
    nn.TransformerDecoder,
    nn.Transformer,
)


def _linear(x: Tensor, expected: int, width: int, dtype: torch.dtype) -> Guess:
    """Only the last dimension differs, unless flattening or turning the input would have made it fit."""
    shape = _shape(x)
    for start in range(x.dim() - 1):
        if math.prod(shape[start:]) == expected:
            return Guess((*shape[:start], width), frozenset(range(start)), dtype)
    doubtful = frozenset(range(x.dim() - 1)) if x.dim() > 3 else _turned(x, expected, x.dim() - 1)
    return Guess((*shape[:-1], width), doubtful, dtype)


def _convolution(x: Tensor, layer: Any) -> Guess:
    transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    padding = layer.padding if isinstance(layer.padding, tuple) else None
    window = _Window(layer.kernel_size, layer.stride, padding, layer.dilation)
    return _convolved(x, layer.in_channels, layer.out_channels, window, layer.weight.dtype, transposed)


class _Window(NamedTuple):
    """How a kernel moves; `padding` is None where it keeps the size ("same")."""

    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Optional[Sequence[int]]
    dilation: Sequence[int]

    def over(self, sizes: Sequence[int], transposed: bool = False) -> tuple[int, ...]:
        """The sizes of the output, at least 1 each."""
        found = []
        for i, size in enumerate(sizes):
            reach = self.dilation[i] * (self.kernel[i] - 1)
            if self.padding is None:
                found.append(size)
            elif transposed:
                found.append((size - 1) * self.stride[i] - 2 * self.padding[i] + reach + 1)
            else:
                found.append((size + 2 * self.padding[i] - reach - 1) // self.stride[i] + 1)
        return tuple(max(1, int(size)) for size in found)


def _convolved(
    x: Tensor, expected: int, channels: int, window: _Window, dtype: torch.dtype, transposed: bool
) -> Guess:
    space, shape = len(window.kernel), _shape(x)
    if x.dim() not in (space + 1, space + 2):
        sizes = (*shape[:1], channels, *((*shape[2:], *(1,) * space)[:space]))
        return Guess(sizes, frozenset({0, *range(2, space + 2)}), dtype)
    place = x.dim() - space - 1
    sizes = window.over(shape[place + 1 :], transposed)
    doubtful = _turned(x, expected, place)
    if shape[place] == expected:  # it is the space that does not fit
        doubtful = frozenset(range(place + 1, x.dim()))
    return Guess((*shape[:place], channels, *sizes), doubtful, dtype)


def _recurrent(layer: Any, x: Tensor) -> Guesses:
    shape, both = _shape(x), 2 if layer.bidirectional else 1
    width = layer.proj_size or layer.hidden_size
    lead = shape[:-1] if x.dim() in (2, 3) else (*shape, 1, 1)[:2]
    doubtful = _turned(x, layer.input_size, x.dim() - 1) if x.dim() in (2, 3) else frozenset(range(len(lead)))
    batch = () if len(lead) < 2 else (lead[0 if layer.batch_first else 1],)
    rows = frozenset((1,)) if batch and doubtful else frozenset()
    stacked = layer.num_layers * both
    state = Guess((stacked, *batch, width), rows)
    cell = Guess((stacked, *batch, layer.hidden_size), rows)
    output = Guess((*lead, width * both), doubtful)
    return (output, (state, cell)) if isinstance(layer, nn.LSTM) else (output, state)


def _attention(layer: Any, tensors: list[Tensor], kwargs: dict[str, Any]) -> Guesses:
    query, key = tensors[0], tensors[1] if len(tensors) > 1 else tensors[0]
    output = Guess((*_shape(query)[:-1], layer.embed_dim), _all(query))
    if kwargs.get("need_weights") is False:
        return (output, None)
    place = 1 if layer.batch_first else 0
    batch = () if query.dim() < 3 else (_shape(query)[1 - place],)
    weights = (*batch, _shape(query)[min(place, query.dim() - 2)], _shape(key)[min(place, key.dim() - 2)])
    return (output, Guess(weights, frozenset(range(len(weights)))))


def _pooled(x: Tensor, space: int, layer: Any, adaptive: bool) -> Guess:
    shape = _shape(x)
    if x.dim() not in (space + 1, space + 2):
        return _same(x, _all(x))
    lead = shape[:-space]
    doubtful = frozenset(range(len(lead), x.dim()))
    if adaptive:
        wanted = _each(layer.output_size, space)
        return Guess((*lead, *(w if w is not None else s for w, s in zip(wanted, shape[-space:]))), frozenset(), x.dtype)
    kernel = _each(layer.kernel_size, space)
    stride = _each(layer.stride, space) if layer.stride is not None else kernel
    padding, dilation = _each(getattr(layer, "padding", 0), space), _each(getattr(layer, "dilation", 1), space)
    return Guess((*lead, *_Window(kernel, stride, padding, dilation).over(shape[-space:])), doubtful, x.dtype)


# ---------------------------------------------------------------- functions


def _of_function(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    rule = _FUNCTIONS.get(name)
    if rule is not None:
        return rule(args, kwargs)
    if name in _BINARY:
        return _broadcast(args[0], args[1] if len(args) > 1 else next(iter(kwargs.values())))
    if name in _LOSSES:
        return Guess((), frozenset()) if kwargs.get("reduction", "mean") != "none" else _same(args[0], _all(args[0]))
    matched = re.fullmatch(r"conv(_transpose)?([123])d", name)
    if matched:
        return _functional_convolution(args, kwargs, int(matched.group(2)), bool(matched.group(1)))
    return None


def _functional_linear(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "weight", "bias"), args, kwargs)
    weight = bound["weight"]
    return _linear(bound["input"], int(weight.shape[1]), int(weight.shape[0]), weight.dtype)


def _functional_convolution(args: tuple[Any, ...], kwargs: dict[str, Any], space: int, transposed: bool) -> Guess:
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    names = (*names[:5], "output_padding", "groups", "dilation") if transposed else names
    bound = _bound(names, args, kwargs)
    weight, groups = bound["weight"], bound.get("groups", 1)
    padding = bound.get("padding", 0)
    window = _Window(
        _shape(weight)[2:],
        _each(bound.get("stride", 1), space),
        None if padding == "same" else _each(0 if padding == "valid" else padding, space),
        _each(bound.get("dilation", 1), space),
    )
    expected, channels = int(weight.shape[1]) * groups, int(weight.shape[0])
    if transposed:
        expected, channels = int(weight.shape[0]), int(weight.shape[1]) * groups
    return _convolved(bound["input"], expected, channels, window, weight.dtype, transposed)


def _normalised(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return _same(args[0], _all(args[0]) - {0})


def _matmul(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    left, right = [part for part in (*args, *kwargs.values()) if isinstance(part, Tensor)][:2]
    a, b = _shape(left), _shape(right)
    if not a or not b:
        return None
    lead = max(a[:-2], b[:-2], key=len)
    sizes = (*lead, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    return Guess(sizes, frozenset(range(len(sizes))), left.dtype if left.dtype.is_floating_point else right.dtype)


def _einsum(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    equation, operands = args[0], args[1:]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if "->" not in equation or "." in equation:
        return None
    left, right = equation.replace(" ", "").split("->")
    sizes: dict[str, int] = {}
    for term, tensor in zip(left.split(","), operands):
        for letter, size in zip(term, _shape(tensor)):
            sizes.setdefault(letter, size)
    return Guess(tuple(sizes[letter] for letter in right), frozenset(range(len(right))), operands[0].dtype)


def _broadcast(left: Any, right: Any) -> Optional[Guess]:
    """The larger of two sizes that differ; only those are in doubt, unless the operands are turned or ranks differ."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return None
    a, b = _shape(left), _shape(right)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    sizes = tuple(y if x == 1 else x if y == 1 else max(x, y) for x, y in zip(a, b))
    differing = frozenset(i for i, (x, y) in enumerate(zip(a, b)) if x != y and 1 not in (x, y))
    whole = left.dim() != right.dim() or sorted(a) == sorted(b) or not differing
    return Guess(sizes, frozenset(range(rank)) if whole else differing, torch.promote_types(left.dtype, right.dtype))


def _cat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    bound = _bound(("tensors", "dim"), args, {("dim" if k == "axis" else k): v for k, v in kwargs.items()})
    tensors = [part for part in bound["tensors"] if isinstance(part, Tensor)]
    first = tensors[0]
    dim, rank = bound.get("dim", 0), first.dim()
    if not -rank <= dim < rank or any(part.dim() != rank for part in tensors):
        return _same(first, _all(first))
    dim %= rank
    sizes = list(_shape(first))
    sizes[dim] = sum(int(part.shape[dim]) for part in tensors)
    differing = {i for i in range(rank) if i != dim and len({int(part.shape[i]) for part in tensors}) > 1}
    # If joining along the one dimension that differs would have worked, the dimension itself may be the mistake.
    along = {dim} if len(differing) == 1 else set()
    return Guess(tuple(sizes), frozenset(differing | along), first.dtype)


def _stack(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("tensors", "dim"), args, kwargs)
    tensors = list(bound["tensors"])
    sizes = list(_shape(tensors[0]))
    sizes.insert(bound.get("dim", 0) % (len(sizes) + 1), len(tensors))
    return Guess(tuple(sizes), frozenset(range(len(sizes))), tensors[0].dtype)


def _view(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    wanted = _sizes(args[1:], kwargs)
    return _reshaped(args[0], wanted) if wanted else None


def _view_as(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    return _reshaped(args[0], _shape(args[1]))


def _reshaped(x: Tensor, wanted: Sequence[int]) -> Guess:
    """The sizes asked for; one that is left open is what remains. The first is sure if it stays what it was."""
    known = max(1, math.prod(size for size in wanted if size != -1))
    sizes = tuple(max(1, x.numel() // known) if size == -1 else int(size) for size in wanted)
    sure = {0} if x.dim() and wanted[0] == x.shape[0] else set()
    return Guess(sizes, frozenset(range(len(sizes))) - sure, x.dtype)


def _unflatten(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "dim", "sizes"), args, kwargs)
    return _reshaped(args[0], _unflattened(_shape(args[0]), bound["dim"], tuple(bound["sizes"])))


def _unflattened(shape: tuple[int, ...], dim: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    dim %= len(shape)
    return (*shape[:dim], *sizes, *shape[dim + 1 :])


def _expand(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    wanted, shape = _sizes(args[1:], kwargs), _shape(args[0])
    shape = (1,) * (len(wanted) - len(shape)) + shape
    sizes = tuple(old if new == -1 else new for old, new in zip(shape, wanted))
    return Guess(sizes, frozenset(range(len(sizes))), args[0].dtype)


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[tuple[Guess, ...]]:
    bound = _bound(("input", "sizes", "dim"), args, {("sizes" if "split" in k else k): v for k, v in kwargs.items()})
    x, sizes, dim = bound["input"], bound["sizes"], bound.get("dim", 0)
    if not isinstance(sizes, (list, tuple)) or not -x.dim() <= dim < x.dim():
        return None
    dim, shape = dim % x.dim(), _shape(x)
    pieces = [(*shape[:dim], max(0, int(size)), *shape[dim + 1 :]) for size in sizes]
    return tuple(Guess(piece, frozenset((dim,)), x.dtype) for piece in pieces)


def _kept(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return _same(args[0], frozenset())


def _doubted(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    return _same(args[0], _all(args[0]))


def _dot_product(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("query", "key", "value"), args, kwargs)
    query = bound["query"]
    return Guess((*_shape(query)[:-1], *_shape(bound["value"])[-1:]), _all(query), query.dtype)


def _embedded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guess:
    bound = _bound(("input", "weight"), args, kwargs)
    return Guess((*_shape(bound["input"]), int(bound["weight"].shape[1])), frozenset(), bound["weight"].dtype)


_Rule = Callable[["tuple[Any, ...]", "dict[str, Any]"], Guesses]
_FUNCTIONS: dict[str, _Rule] = {
    "linear": _functional_linear,
    "einsum": _einsum,
    "stack": _stack,
    "view_as": _view_as,
    "reshape_as": _view_as,
    "unflatten": _unflatten,
    "scaled_dot_product_attention": _dot_product,
    "embedding": _embedded,
    **dict.fromkeys(("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu"), _normalised),
    **dict.fromkeys(("matmul", "mm", "bmm"), _matmul),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "dropout", "relu", "gelu", "normalize"), _kept),
    **dict.fromkeys(("permute", "transpose", "flatten", "squeeze", "unsqueeze", "repeat", "swapaxes", "movedim"), _doubted),
}
_BINARY = frozenset("add sub mul div truediv floordiv pow mod iadd isub imul itruediv maximum minimum where".split())
_LOSSES = frozenset(
    (
        "mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss kl_div binary_cross_entropy "
        "binary_cross_entropy_with_logits cosine_embedding_loss margin_ranking_loss triplet_margin_loss"
    ).split()
)

# ---------------------------------------------------------------- helpers


def _plain_name(function: Any) -> str:
    name = str(getattr(function, "__name__", "") or "").strip("_")
    return name[1:] if name in ("radd", "rsub", "rmul", "rtruediv", "rmatmul") else name


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape)


def _all(tensor: Tensor) -> frozenset[int]:
    return frozenset(range(tensor.dim()))


def _same(tensor: Tensor, doubtful: frozenset[int]) -> Guess:
    return Guess(_shape(tensor), doubtful, tensor.dtype if tensor.dtype.is_floating_point else None)


def _turned(x: Tensor, expected: int, dim: int) -> frozenset[int]:
    """The other dimensions, if one of them has the size that was expected here: the input may be turned."""
    others = frozenset(range(x.dim())) - {dim}
    return others if any(int(x.shape[i]) == expected for i in others) else frozenset()


def _width_doubt(x: Tensor, dim: int, expected: int) -> frozenset[int]:
    """A layer that gives what it takes: its width is in doubt, and all else if the input may be turned or lacks it."""
    if x.dim() <= dim or dim < 0:
        return _all(x)
    if int(x.shape[dim]) == expected:  # something else does not fit
        return _all(x) - {0, dim}
    return _turned(x, expected, dim) | {dim}


def _each(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) and len(value) == count else (_only(value),) * count


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) else value


def _bound(names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args)), **kwargs}


def _sizes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    values: Any = kwargs.get("shape", kwargs.get("size", args))
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    return tuple(int(value) for value in values) if all(isinstance(value, int) for value in values) else ()


__all__ = ["Guess", "Guesses", "guesses_of"]
