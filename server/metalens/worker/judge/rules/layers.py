"""Layers with a fixed width: Linear, convolutions, normalisations, embeddings and their functional forms."""

from __future__ import annotations

import re
from typing import Any, Optional

from torch import nn

from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.source import source_of

_SPACE = {1: "L", 2: "H, W", 3: "D, H, W"}


def linear(case: Case) -> Optional[Mistake]:
    """nn.Linear and F.linear: the last dimension of the input is not in_features."""
    if case.name != "linear" and not isinstance(case.layer, nn.Linear):
        return None
    x, weight = case.input, _weight(case)
    if x is None or weight is None or weight.dim() != 2 or not x.dim():
        return None
    expected, given = int(weight.shape[1]), int(x.shape[-1])
    if expected == given:
        return None
    head = f"{_word(case, 'linear')} expects {expected} input features, got {given}"
    message = words.within(head, *_unflattened(x, expected), *case.why(x, -1))
    return Mistake(
        "linear-in-features", message, _own(case, nn.Linear), "in_features", expected, given, tensor=x, dim=x.dim() - 1
    )


def convolution(case: Case) -> Optional[Mistake]:
    """ConvNd, ConvTransposeNd and their functions: rank of the weight, rank or channels of the input."""
    match = re.fullmatch(r"conv(_transpose)?([123])d", case.name)
    layer = case.layer if torchkind.is_conv(case.layer) else None
    x, weight = case.input, _weight(case)
    if (match is None and layer is None) or x is None or weight is None:
        return None
    space = int(match.group(2)) if match else weight.dim() - 2
    if weight.dim() != space + 2:
        message = words.fit(f"{case.name} expects a {space + 2}-D weight, got {words.shape(weight.shape)}")
        return Mistake("input-rank", message, tensor=weight, expected=space + 2, given=int(weight.dim()))
    transposed = bool(match.group(1)) if match else torchkind.is_transposed(layer)
    word = _word(case, case.name)
    if x.dim() not in (space + 1, space + 2):
        return rank(case, word, f"[B, C, {_SPACE[space]}]", x, layer)
    expected = int(weight.shape[0]) if transposed else int(weight.shape[1]) * _groups(case)
    dim = x.dim() - space - 1
    given = int(x.shape[dim])
    if expected == given:
        return None
    message = words.within(f"{word} expects {expected} input channels, got {given}", *case.why(x, dim))
    return Mistake("conv-in-channels", message, layer, "in_channels", expected, given, tensor=x, dim=dim)


def batch_norm(case: Case) -> Optional[Mistake]:
    """BatchNormNd, InstanceNormNd and their functions: rank, channels, or a batch too small to train on."""
    if case.name not in ("batch_norm", "instance_norm") and not torchkind.is_batch_norm(case.layer):
        return None
    layer = case.layer if torchkind.is_batch_norm(case.layer) else None
    x, word = case.input, _word(case, case.name)
    if x is None:
        return None
    if "more than 1" in case.torch:
        what = "value per channel" if "per channel" in case.torch else "spatial element"
        message = words.fit(f"{word} needs more than 1 {what} in training, got {words.shape(x.shape)}")
        return Mistake("norm-features", message, layer, tensor=x)
    form = _norm_form(layer)
    if layer is not None and "D input" in case.torch:
        return rank(case, word, form, x, layer)
    features = layer.num_features if layer is not None else _first_size(case)
    dim = 0 if isinstance(layer, nn.modules.instancenorm._InstanceNorm) and x.dim() == len(_axes(layer)) - 1 else 1
    if features is None or x.dim() <= dim or int(x.shape[dim]) == features:
        return None
    given = int(x.shape[dim])
    message = words.within(f"{word} normalises {features} channels, got {given}", *case.why(x, dim))
    return Mistake("norm-features", message, layer, "num_features", int(features), given, tensor=x, dim=dim)


def layer_norm(case: Case) -> Optional[Mistake]:
    """LayerNorm, RMSNorm: the last dimensions of the input are not normalized_shape."""
    layer = case.layer if torchkind.is_layer_norm(case.layer) else None
    if layer is None and case.name not in ("layer_norm", "rms_norm"):
        return None
    x = case.input
    shape = layer.normalized_shape if layer is not None else _argument(case, 1, "normalized_shape")
    if x is None or not isinstance(shape, (tuple, list)) or tuple(x.shape[-len(shape) :]) == tuple(shape):
        return None
    word = _word(case, case.name)
    if len(shape) > 1 or not x.dim():
        got = words.shape(x.shape[-len(shape) :])
        message = words.within(f"{word} normalises {words.shape(shape)}, got {got}", f" ({words.shape(x.shape)})")
        return _of_several(message, layer, x, tuple(shape))
    expected, given = int(shape[0]), int(x.shape[-1])
    message = words.within(f"{word} normalises {expected} features, got {given}", *case.why(x, -1))
    return Mistake("norm-features", message, layer, "normalized_shape", expected, given, tensor=x, dim=x.dim() - 1)


def _of_several(message: str, layer: Any, x: Any, shape: tuple[int, ...]) -> Mistake:
    lead = x.dim() - len(shape)
    pairs = [(int(x.shape[lead + dim]), int(size)) for dim, size in enumerate(shape)] if lead >= 0 else []
    differing = [dim for dim, (given, size) in enumerate(pairs) if given != size]
    if len({pairs[dim] for dim in differing}) != 1:
        return Mistake("norm-features", message, layer, tensor=x)
    dim = differing[0]
    given = pairs[dim][0]
    return Mistake(
        "norm-features", message, layer, expected=int(shape[dim]), given=given, tensor=x, dim=lead + dim, exact=True
    )


def group_norm(case: Case) -> Optional[Mistake]:
    """GroupNorm: channels of the input, or channels that the groups do not divide."""
    groups = re.match(r"num_channels(?: \((\d+)\))? must be divisible by num_groups(?: \((\d+)\))?", case.torch)
    if groups and groups.group(1):
        message = f"num_channels {groups.group(1)} is not divisible by num_groups {groups.group(2)}"
        count, channels = int(groups.group(2)), int(groups.group(1))
        return Mistake("norm-features", message, argument="num_channels", expected=count, given=channels)
    layer = case.layer if isinstance(case.layer, nn.GroupNorm) else None
    x = case.input
    if (layer is None and case.name != "group_norm") or x is None or x.dim() < 2:
        return None
    given, word = int(x.shape[1]), _word(case, "group_norm")
    if layer is not None and layer.num_channels != given:
        message = words.within(f"{word} normalises {layer.num_channels} channels, got {given}", *case.why(x, 1))
        return Mistake("norm-features", message, layer, "num_channels", layer.num_channels, given, tensor=x, dim=1)
    count = layer.num_groups if layer is not None else _argument(case, 1, "num_groups")
    if not isinstance(count, int) or given % count == 0:
        return None
    message = words.within(f"{word}: {given} channels are not divisible by {count} groups", *case.why(x, 1))
    return Mistake("norm-features", message, layer, expected=count, given=given, tensor=x, dim=1)


def embedding(case: Case) -> Optional[Mistake]:
    """Embedding: indices that are no integers, or out of range."""
    layer = case.layer if isinstance(case.layer, (nn.Embedding, nn.EmbeddingBag)) else None
    if layer is None and case.name not in ("embedding", "embedding_bag"):
        return None
    x = case.input if layer is not None else (case.tensors[0] if case.tensors else None)
    word, weight = _word(case, "embedding"), _weight(case)
    if x is None or weight is None:
        return None
    if not torchkind.is_integral(x.dtype) or words.dtype(x.dtype) == "bool":
        message = words.within(
            f"{word} needs integer indices, got {words.dtype(x.dtype)}", f" ({words.shape(x.shape)})"
        )
        return Mistake("index-dtype", message, layer, tensor=x)
    if not re.search("out of range|out of bounds|out of DATA", case.torch) or x.device.type == "meta" or not x.numel():
        return None
    rows, low, high = int(weight.shape[0]), int(x.min()), int(x.max())
    message = f"{word} has {rows} rows (0 to {rows - 1}), got index {high if high >= rows else low}"
    argument = "num_embeddings" if high >= rows else ""
    return Mistake("index-range", words.fit(message), layer, argument, rows, high + 1 if argument else None, tensor=x)


def groups(case: Case) -> Optional[Mistake]:
    """Convolutions whose channels cannot be dealt out to their groups."""
    match = re.match(r"(in_channels|out_channels) must be divisible by groups", case.torch)
    if match is None:
        return None
    argument, values = match.group(1), case.constructor_values("groups")
    channels, count = values.get(argument), values.get("groups")
    if not isinstance(channels, int) or not isinstance(count, int):
        return None
    message = f"{argument} {channels} is not divisible by groups {count}"
    return Mistake("forward-error", message, None, argument, expected=count, given=channels)


def other(case: Case) -> Optional[Mistake]:
    """PReLU, Bilinear and the pixel shuffles."""
    layer, x = case.layer, case.input
    if isinstance(layer, nn.PReLU) and x is not None and x.dim() > 1 and x.shape[1] != layer.num_parameters:
        head = f"{case.word()} has {layer.num_parameters} slopes, got {int(x.shape[1])} channels"
        message = words.within(head, *case.why(x, 1))
        expected, given = layer.num_parameters, int(x.shape[1])
        return Mistake("norm-features", message, layer, "num_parameters", expected, given, tensor=x, dim=1)
    if isinstance(layer, nn.Bilinear) and len(case.tensors) > 1:
        for which, (tensor, size) in enumerate(zip(case.tensors, (layer.in1_features, layer.in2_features)), 1):
            if int(tensor.shape[-1]) != size:
                head = f"{case.word()} expects {size} features in input {which}, got {int(tensor.shape[-1])}"
                message, dim = words.within(head, *case.why(tensor, -1)), tensor.dim() - 1
                argument, given = f"in{which}_features", int(tensor.shape[-1])
                return Mistake("linear-in-features", message, layer, argument, size, given, tensor=tensor, dim=dim)
    if case.name == "pixel_shuffle" and x is not None and x.dim() > 2:
        factor = layer.upscale_factor if isinstance(layer, nn.PixelShuffle) else _argument(case, 1, "upscale_factor")
        if isinstance(factor, int) and int(x.shape[-3]) % (factor * factor):
            head = (
                f"{_word(case, 'pixel_shuffle')} needs channels divisible by {factor * factor}, got {int(x.shape[-3])}"
            )
            message = words.within(head, *case.why(x, -3))
            return Mistake("conv-in-channels", message, layer, tensor=x, dim=x.dim() - 3, given=int(x.shape[-3]))
    return None


def rank(case: Case, word: str, form: str, x: Any, layer: Any) -> Mistake:
    """An input with the wrong number of dimensions: `conv1 expects [B, C, H, W], got 2-D [64, 784]`."""
    message = words.fit(f"{word} expects {form}, got {x.dim()}-D {words.shape(x.shape)}")
    return Mistake("input-rank", message, layer, tensor=x, expected=form.count(",") + 1, given=int(x.dim()))


def _own(case: Case, kind: type) -> Any:
    return case.layer if isinstance(case.layer, kind) else None


def _weight(case: Case) -> Any:
    weight = getattr(case.layer, "weight", None)
    if weight is not None and hasattr(weight, "dim"):
        return weight
    value = _argument(case, 1, "weight")
    return value if hasattr(value, "dim") else None


def _argument(case: Case, position: int, name: str) -> Any:
    if name in case.failure.kwargs:
        return case.failure.kwargs[name]
    return case.failure.args[position] if len(case.failure.args) > position else None


def _first_size(case: Case) -> Optional[int]:
    vectors = [t for t in case.tensors[1:] if t.dim() == 1]
    return int(vectors[0].shape[0]) if vectors else None


def _groups(case: Case) -> int:
    groups = getattr(case.layer, "groups", None)
    if not isinstance(groups, int):
        groups = _argument(case, 8 if "transpose" in case.name else 6, "groups")
    return groups if isinstance(groups, int) else 1


def _axes(layer: Any) -> str:
    return {"1d": "BCL", "2d": "BCHW", "3d": "BCDHW"}.get(type(layer).__name__[-2:], "BCHW")


def _norm_form(layer: Any) -> str:
    name = type(layer).__name__
    if name.endswith("1d"):
        return "[B, C] or [B, C, L]" if "Batch" in name else "[B, C, L]"
    return "[" + ", ".join(_axes(layer)) + "]"


def _unflattened(x: Any, expected: int) -> tuple[str, ...]:
    """An input that only wants flattening says so."""
    total = 1
    for size in reversed(tuple(x.shape)[1:]):
        total *= int(size)
        if total == expected and x.dim() > 2:
            return (f" ({words.shape(x.shape)} is not flattened)",)
    return ()


def _word(case: Case, name: str) -> str:
    if case.layer is not None:
        return case.word()
    weight = case.node()
    source = source_of(case.facts, case.location.file)
    # F.linear(x, self.weight): the weight is the nearest thing to a layer's name.
    args = getattr(weight, "args", [])
    if len(args) > 1 and len(source.text_of(args[1])) <= 24:
        return f"{name} with {source.text_of(args[1])}"
    return name
