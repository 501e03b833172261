"""What the layers of torch.nn are called with: which constructor arguments hold the sizes that they take and give."""

from __future__ import annotations

import inspect
from typing import Any, Optional

import torch
from torch import nn

# The constructors of recurrent layers take anything and sort it out themselves.
_RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def is_layer(module: Any) -> bool:
    """Whether a module is a layer of torch itself or of a class derived from one (not a mere container)."""
    if isinstance(module, CONTAINERS):
        return False
    return any(base.__module__.startswith("torch.nn.") and base is not nn.Module for base in type(module).__mro__)


def is_own(module: Any) -> bool:
    """Whether the class of this module belongs to torch, containers included."""
    return type(module).__module__.startswith("torch.")


def is_conv(module: Any) -> bool:
    """ConvNd and ConvTransposeNd."""
    return isinstance(module, nn.modules.conv._ConvNd)


def is_transposed(module: Any) -> bool:
    """ConvTransposeNd."""
    return isinstance(module, nn.modules.conv._ConvTransposeNd)


def is_batch_norm(module: Any) -> bool:
    """BatchNormNd, SyncBatchNorm and InstanceNormNd."""
    return isinstance(module, nn.modules.batchnorm._NormBase)


def is_layer_norm(module: Any) -> bool:
    """LayerNorm and, in a torch that has it, RMSNorm."""
    return isinstance(module, (nn.LayerNorm, getattr(nn, "RMSNorm", nn.LayerNorm)))


def is_recurrent(module: Any) -> bool:
    """RNN, LSTM and GRU."""
    return isinstance(module, nn.RNNBase)


def is_cell(module: Any) -> bool:
    """RNNCell, LSTMCell and GRUCell."""
    return isinstance(module, nn.RNNCellBase)


def is_transformer(module: Any) -> bool:
    """The ready-made transformer layers, whose width is `d_model`."""
    return isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.Transformer))


def input_argument(module: Any) -> str:
    """The constructor argument that says which width a layer takes, or ""."""
    if isinstance(module, nn.Linear):
        return "in_features"
    if is_conv(module):
        return "in_channels"
    if is_recurrent(module) or is_cell(module):
        return "input_size"
    return _width_argument(module)


def output_argument(module: Any) -> str:
    """The constructor argument that says which width a layer gives, or "" for a layer that sets none."""
    if isinstance(module, (nn.Linear, nn.Bilinear)):
        return "out_features"
    if is_conv(module):
        return "out_channels"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding_dim"
    if is_recurrent(module) or is_cell(module):
        return "hidden_size"
    if isinstance(module, nn.MultiheadAttention):
        return "embed_dim"
    return ""


def width_dim(module: Any, dims: int) -> Optional[int]:
    """Which dimension of a `dims`-dimensional output holds the width that the layer gives; None if it sets none."""
    if is_conv(module):
        return dims - 1 - len(module.kernel_size)
    return dims - 1 if output_argument(module) else None


def width(module: Any, argument: str) -> Optional[int]:
    """The size that a constructor argument got, as the layer remembers it."""
    if argument == "d_model":
        return _of_transformer(module)
    value = getattr(module, argument, None)
    if argument == "normalized_shape" and isinstance(value, tuple):
        return int(value[-1])
    return int(value) if isinstance(value, int) else None


def parameters_of(cls: type) -> tuple[str, ...]:
    """The names of a constructor's positional parameters, `self` left out; () where it takes anything."""
    try:
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    except (TypeError, ValueError):
        return ()
    if issubclass(cls, nn.RNNBase) and cls.__module__.startswith("torch."):
        return _RECURRENT if cls is not nn.RNN else (*_RECURRENT[:3], "nonlinearity", *_RECURRENT[3:])
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in signature.parameters.items() if parameter.kind in kinds]
    return tuple(names[1:])


def is_integral(value: torch.dtype) -> bool:
    """Whether a dtype counts whole numbers."""
    return not value.is_floating_point and not value.is_complex


def _width_argument(module: Any) -> str:
    if is_batch_norm(module):
        return "num_features"
    if is_layer_norm(module):
        return "normalized_shape"
    if isinstance(module, nn.GroupNorm):
        return "num_channels"
    if isinstance(module, nn.MultiheadAttention):
        return "embed_dim"
    if isinstance(module, nn.PReLU):
        return "num_parameters"
    return "d_model" if is_transformer(module) else ""


def _of_transformer(module: Any) -> Optional[int]:
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            return int(part.embed_dim)
    return None
