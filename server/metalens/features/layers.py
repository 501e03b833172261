"""What the parameters of torch's own layers mean: the words for each dimension, and the sizes a layer was given."""

from __future__ import annotations

import ast
import re
from typing import Any

from metalens.protocol.messages import Layer, Parameter
from metalens.protocol.values import Value

_BATCH = "changes the activations, never the parameters."
_KERNEL = {1: "kernel", 2: "kernel height × kernel width", 3: "kernel depth × kernel height × kernel width"}
_AXES = {1: "L", 2: "HW", 3: "DHW"}
_SIMPLE = {
    "Linear": {"weight": "out_features × in_features", "bias": "out_features"},
    "Bilinear": {"weight": "out_features × in1_features × in2_features", "bias": "out_features"},
    "Embedding": {"weight": "num_embeddings × embedding_dim"},
    "EmbeddingBag": {"weight": "num_embeddings × embedding_dim"},
    "LayerNorm": {"weight": "normalized_shape (scale)", "bias": "normalized_shape (shift)"},
    "RMSNorm": {"weight": "normalized_shape (scale)"},
    "GroupNorm": {"weight": "num_channels (scale)", "bias": "num_channels (shift)"},
    "PReLU": {"weight": "num_parameters (slope)"},
    "MultiheadAttention": {
        "in_proj_weight": "3·embed_dim × embed_dim (query, key and value stacked)",
        "q_proj_weight": "embed_dim × embed_dim",
        "k_proj_weight": "embed_dim × kdim",
        "v_proj_weight": "embed_dim × vdim",
        "in_proj_bias": "3·embed_dim",
        "out_proj.weight": "embed_dim × embed_dim",
        "out_proj.bias": "embed_dim",
        "bias_k": "1 × 1 × embed_dim",
        "bias_v": "1 × 1 × embed_dim",
    },
}
_NORM = re.compile(r"^(?:Sync)?(?:Batch|Instance)Norm(?:[123]d)?$")
_CONV = re.compile(r"^Conv(Transpose)?([123])d$")
_POOL = re.compile(r"^(Max|Avg)Pool([123])d$")
_RECURRENT = re.compile(r"^(LSTM|GRU|RNN)(Cell)?$")
_RECURRENT_PARAMETER = re.compile(r"^(weight|bias)_(ih|hh|hr)(?:_l(\d+))?(?:_reverse)?$")
_GATES = {"LSTM": "4·", "GRU": "3·", "RNN": ""}
_WHY_GATES = {
    "LSTM": "4·hidden_size: the input, forget, cell and output gates are stacked.",
    "GRU": "3·hidden_size: the reset, update and new gates are stacked.",
}


def arguments(layer: Layer) -> dict[str, Any]:
    """The sizes that the layer's repr tells, by name; for a convolution its two leading numbers are named too."""
    try:
        call = ast.parse(layer.repr, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return {}
    if not isinstance(call, ast.Call):
        return {}
    given = {keyword.arg: _literal(keyword.value) for keyword in call.keywords if keyword.arg}
    positional = [_literal(item) for item in call.args]
    names = ("in_channels", "out_channels") if _CONV.match(layer.type) else ("size", "second")
    if layer.type.startswith("Embedding"):
        names = ("num_embeddings", "embedding_dim")
    if _RECURRENT.match(layer.type):
        names = ("input_size", "hidden_size")
    return {**dict(zip(names, positional, strict=False)), **given}


def parameter_words(layer: Layer, parameter: Parameter) -> str:
    """The words for each dimension of a parameter (`out_features × in_features`), or "" for an unknown layer."""
    name = own_name(layer, parameter)
    if simple := _SIMPLE.get(layer.type):
        return simple.get(name, "")
    if _NORM.match(layer.type):
        return {"weight": "num_features (scale)", "bias": "num_features (shift)"}.get(name, "")
    if conv := _CONV.match(layer.type):
        return _conv_words(name, transposed=bool(conv[1]), axes=int(conv[2]))
    if _RECURRENT.match(layer.type):
        return _recurrent_words(layer, name)
    return ""


def own_name(layer: Layer, parameter: Parameter) -> str:
    """A parameter's name inside its layer."""
    prefix = f"{layer.name}."
    return parameter.name[len(prefix) :] if layer.name and parameter.name.startswith(prefix) else parameter.name


def explanation(layer: Layer) -> tuple[str, ...]:
    """Sentences that say why the parameters look as they do."""
    if not layer.parameters:
        return ()
    if layer.type == "Linear":
        bias = " + b" if len(layer.parameters) > 1 else ""
        return (f"`y = x Wᵀ{bias}`, so the weight is stored out × in. {_batch(layer)}",)
    if conv := _CONV.match(layer.type):
        stored = "in × out" if conv[1] else "out × in"
        return (f"One kernel for each pair of channels, stored {stored}. {_batch(layer)}",)
    if recurrent := _RECURRENT.match(layer.type):
        why = _WHY_GATES.get(recurrent[1], "")
        return (f"{why} The batch size {_BATCH}".strip(),)
    return (_batch(layer),) if layer.type in _SIMPLE or _NORM.match(layer.type) else ()


def summary(layer: Layer) -> str:
    """A layer in a few characters for a table: `Conv2d 3→64, k3 p1`, `Linear 8192→256`, `MaxPool2d 2`."""
    given = arguments(layer)
    if conv := _CONV.match(layer.type):
        rest = [
            f"{letter}{_one(given[name], int(conv[2]))}"
            for letter, name, usual in (("k", "kernel_size", None), ("s", "stride", 1), ("p", "padding", 0))
            if name in given and _one(given[name], int(conv[2])) != str(usual)
        ]
        return f"{layer.type} {given.get('in_channels', '?')}→{given.get('out_channels', '?')}, {' '.join(rest)}"
    for source, target in (
        ("in_features", "out_features"),
        ("num_embeddings", "embedding_dim"),
        ("input_size", "hidden_size"),
    ):
        if source in given and target in given:
            return f"{layer.type} {given[source]}→{given[target]}"
    if pool := _POOL.match(layer.type):
        return f"{layer.type} {_one(given.get('kernel_size', '?'), int(pool[2]))}"
    if _NORM.match(layer.type) and "size" in given:
        return f"{layer.type} {given['size']}"
    if layer.type == "Dropout" and "p" in given:
        return f"Dropout {given['p']}"
    return layer.type


def output_formulas(layer: Layer) -> tuple[str, ...]:
    """For a convolution or pooling: its output size per axis with the numbers put in (`H: ⌊(16 + …) / 1⌋ + 1 = 16`)."""
    kind = _CONV.match(layer.type) or _POOL.match(layer.type)
    if kind is None or not layer.inputs or layer.output is None:
        return ()
    axes = int(kind[2])
    before, after = _spatial(layer.inputs[0], axes), _spatial(layer.output, axes)
    given = arguments(layer)
    if not before or not after or "kernel_size" not in given or isinstance(given.get("padding", 0), str):
        return ()
    lines: list[tuple[str, str]] = []
    for index, axis in enumerate(_AXES[axes]):
        kernel, stride, padding, dilation, extra = (
            _at(given.get(name, usual), index)
            for name, usual in (
                ("kernel_size", 1),
                ("stride", given["kernel_size"] if _POOL.match(layer.type) else 1),
                ("padding", 0),
                ("dilation", 1),
                ("output_padding", 0),
            )
        )
        if kind[1] == "Transpose":
            text = f"({before[index]} − 1)·{stride} − 2·{padding} + {dilation}·({kernel} − 1) + {extra} + 1"
            result = (before[index] - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
        else:
            reach = f"{dilation}·({kernel} − 1)" if dilation != 1 else f"({kernel} − 1)"
            text = f"⌊({before[index]} + 2·{padding} − {reach} − 1) / {stride}⌋ + 1"
            result = (before[index] + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        if result != after[index]:
            return ()
        lines.append((axis, f"{text} = {result}"))
    if len({text for _, text in lines}) == 1:
        return (f"{', '.join(axis for axis, _ in lines)}: {lines[0][1]}",)
    return tuple(f"{axis}: {text}" for axis, text in lines)


def _batch(layer: Layer) -> str:
    shapes = [value.shape for value in layer.inputs[:1] if value.kind == "tensor" and len(value.shape) > 1]
    return f"A batch of {shapes[0][0]} {_BATCH}" if shapes and shapes[0][0] > 1 else f"The batch size {_BATCH}"


def _conv_words(name: str, *, transposed: bool, axes: int) -> str:
    if name == "bias":
        return "out_channels"
    if name != "weight":
        return ""
    channels = "in_channels × out_channels / groups" if transposed else "out_channels × in_channels / groups"
    return f"{channels} × {_KERNEL[axes]}"


def _recurrent_words(layer: Layer, name: str) -> str:
    kind, part = _RECURRENT.match(layer.type), _RECURRENT_PARAMETER.match(name)
    if kind is None or part is None:
        return ""
    given = arguments(layer)
    hidden = f"{_GATES[kind[1]]}hidden_size"
    projected = "proj_size" if given.get("proj_size") else "hidden_size"
    if part[1] == "bias":
        return hidden
    if part[2] == "hr":
        return "proj_size × hidden_size"
    if part[2] == "hh":
        return f"{hidden} × {projected}"
    if part[3] in (None, "0"):
        return f"{hidden} × input_size"
    return f"{hidden} × {'2·' if given.get('bidirectional') else ''}{projected}"


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return ast.unparse(node)


def _spatial(value: Value, axes: int) -> tuple[int, ...]:
    if value.kind != "tensor" or len(value.shape) <= axes or min(value.shape[-axes:]) < 0:
        return ()
    return value.shape[-axes:]


def _at(given: Any, index: int) -> int:
    picked = given[index] if isinstance(given, tuple) and index < len(given) else given
    return picked if isinstance(picked, int) else 0


def _one(given: Any, axes: int) -> str:
    if isinstance(given, tuple) and len(given) == axes and len(set(given)) == 1:
        return str(given[0])
    return "×".join(str(part) for part in given) if isinstance(given, tuple) else str(given)
