"""What a layer of torch.nn gives: the output that it declares, where its call failed."""

from __future__ import annotations

import re
from typing import Any

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
    same_width,
    shape_of,
    turned,
    unflattened,
)
from metalens.worker.trace.space_guess import adapted, padded, pooled, shuffled, unshuffled

nn = torch.nn


def guess_of_layer(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    """What a layer would have given for these arguments; None for a layer that no rule knows."""
    tensors = [part for part in (*args, *kwargs.values()) if isinstance(part, Tensor)]
    if not tensors:
        return None
    x = tensors[0]
    if isinstance(layer, nn.Linear):
        return linear_like(x, layer.in_features, layer.out_features, layer.weight.dtype)
    if isinstance(layer, nn.Bilinear):
        return Guess((*shape_of(x)[:-1], layer.out_features), frozenset(range(x.dim() - 1)))
    if isinstance(layer, nn.modules.conv._ConvNd):
        return _convolution(x, layer)
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        lead = shape_of(x) if isinstance(layer, nn.Embedding) else shape_of(x)[:1]
        return Guess((*lead, layer.embedding_dim), frozenset(), layer.weight.dtype)
    if isinstance(layer, nn.RNNBase):
        return _recurrent(layer, x)
    if isinstance(layer, nn.RNNCellBase):
        state = Guess((*shape_of(x)[:-1], layer.hidden_size), turned(x, layer.input_size, x.dim() - 1))
        return (state, state) if isinstance(layer, nn.LSTMCell) else state
    if isinstance(layer, nn.MultiheadAttention):
        return _attention(layer, tensors, kwargs)
    return _of_plain_layer(layer, x, tensors)


def _of_plain_layer(layer: Any, x: Tensor, tensors: list[Tensor]) -> Guesses:
    if isinstance(layer, nn.modules.loss._Loss):
        return Guess((), frozenset()) if layer.reduction != "none" else same(x, all_of(x))
    if isinstance(layer, (nn.modules.batchnorm._NormBase, nn.PReLU)):
        expected = layer.num_features if hasattr(layer, "num_features") else layer.num_parameters
        ranks = _RANKS.get(type(layer).__name__[-2:], (x.dim(),))
        return same_width(x, 1, expected) if x.dim() in ranks else same(x, all_of(x))
    if isinstance(layer, nn.GroupNorm):
        return same_width(x, 1, layer.num_channels)
    if isinstance(layer, nn.LayerNorm) or type(layer).__name__ == "RMSNorm":
        shape = tuple(layer.normalized_shape)
        return same_width(x, x.dim() - 1, int(shape[-1])) if len(shape) == 1 else same(x, all_of(x))
    if isinstance(layer, _TRANSFORMERS):
        return same(tensors[1] if isinstance(layer, nn.Transformer) and len(tensors) > 1 else x, all_of(x))
    if isinstance(layer, nn.PixelShuffle):
        return shuffled(x, layer.upscale_factor)
    if isinstance(layer, nn.PixelUnshuffle):
        return unshuffled(x, layer.downscale_factor)
    if type(layer).__module__ == "torch.nn.modules.padding" and isinstance(layer.padding, tuple):
        return padded(x, layer.padding)
    if isinstance(layer, nn.Unflatten):
        return reshaped(x, unflattened(shape_of(x), int(layer.dim), tuple(layer.unflattened_size)))
    kind = re.fullmatch(r"(Adaptive)?(?:Max|Avg|LP|FractionalMax)Pool([123])d", type(layer).__name__)
    if kind:
        return _pooled(x, int(kind.group(2)), layer, bool(kind.group(1)))
    if type(layer).__module__.startswith(("torch.nn.modules.activation", "torch.nn.modules.dropout")):
        return same(x, frozenset())
    return None


# With a batch; what comes without one may lack it by mistake.
_RANKS = {"1d": (2, 3), "2d": (4,), "3d": (5,)}

_TRANSFORMERS = (
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.TransformerEncoder,
    nn.TransformerDecoder,
    nn.Transformer,
)


def _convolution(x: Tensor, layer: Any) -> Guess:
    transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    padding = layer.padding if isinstance(layer.padding, tuple) else None
    window = Window(layer.kernel_size, layer.stride, padding, layer.dilation)
    return convolved(x, layer.in_channels, layer.out_channels, window, layer.weight.dtype, transposed)


def _recurrent(layer: Any, x: Tensor) -> Guesses:
    shape, both = shape_of(x), 2 if layer.bidirectional else 1
    width = layer.proj_size or layer.hidden_size
    lead = shape[:-1] if x.dim() in (2, 3) else (*shape, 1, 1)[:2]
    doubtful = turned(x, layer.input_size, x.dim() - 1) if x.dim() in (2, 3) else frozenset(range(len(lead)))
    batch = () if len(lead) < 2 else (lead[0 if layer.batch_first else 1],)
    rows = frozenset((1,)) if batch and doubtful else frozenset()
    stacked = layer.num_layers * both
    state = Guess((stacked, *batch, width), rows)
    cell = Guess((stacked, *batch, layer.hidden_size), rows)
    output = Guess((*lead, width * both), doubtful)
    return (output, (state, cell)) if isinstance(layer, nn.LSTM) else (output, state)


def _attention(layer: Any, tensors: list[Tensor], kwargs: dict[str, Any]) -> Guesses:
    query, key = tensors[0], tensors[1] if len(tensors) > 1 else tensors[0]
    output, last = same(query, all_of(query)), query.dim() - 1
    if tuple(key.shape[:-1]) == tuple(query.shape[:-1]) or key.dim() == query.dim() == 3:
        output = same_width(query, last, layer.embed_dim)
    if kwargs.get("need_weights") is False:
        return (output, None)
    place = 1 if layer.batch_first else 0
    batch = () if query.dim() < 3 else (shape_of(query)[1 - place],)
    weights = (*batch, shape_of(query)[min(place, query.dim() - 2)], shape_of(key)[min(place, key.dim() - 2)])
    return (output, Guess(weights, frozenset(range(len(weights)))))


def _pooled(x: Tensor, space: int, layer: Any, adaptive: bool) -> Guess:
    if adaptive:
        return adapted(x, space, layer.output_size)
    kernel = each(layer.kernel_size, space)
    stride = each(layer.stride, space) if layer.stride is not None else kernel
    padding, dilation = each(getattr(layer, "padding", 0), space), each(getattr(layer, "dilation", 1), space)
    return pooled(x, space, Window(kernel, stride, padding, dilation))
