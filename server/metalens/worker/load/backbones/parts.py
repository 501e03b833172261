"""What several architectures share: small blocks, builders that take weights, and cuts through a model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Optional

import torch
from torch import nn

STAND_IN = True
OPERATORS = (
    "FrozenBatchNorm2d",
    "Conv2dNormActivation",
    "ConvNormActivation",
    "SqueezeExcitation",
    "StochasticDepth",
    "MLP",
    "Permute",
)


def builder(make: Callable[..., Any], **sizes: Any) -> Callable[..., Any]:
    """A function as torchvision has it for each model: weights change nothing, options go to the model."""

    def build(*args: Any, **options: Any) -> Any:
        for name in ("weights", "pretrained", "progress", "weights_backbone", "pretrained_backbone"):
            options.pop(name, None)
        return make(**{**sizes, **options})

    build.takes_unknown = True  # type: ignore[attr-defined]
    return build


def divisible(value: float, divisor: int = 8) -> int:
    """The multiple of the divisor that is nearest, and not below nine tenths of the value."""
    found = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * value else found


class Conv2dNormActivation(nn.Sequential):
    """A convolution, its normalisation, its activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Optional[int] = None,
        groups: int = 1,
        norm_layer: Optional[Callable[..., Any]] = nn.BatchNorm2d,
        activation_layer: Optional[Callable[..., Any]] = nn.ReLU,
        dilation: int = 1,
        inplace: Optional[bool] = True,
        bias: Optional[bool] = None,
    ) -> None:
        if padding is None:
            padding = (kernel_size - 1) // 2 * dilation
        biased = norm_layer is None if bias is None else bias
        layers: list[Any] = [
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias=biased)
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


ConvNormActivation = Conv2dNormActivation


class SqueezeExcitation(nn.Module):
    """Channels weighed by their means."""

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Callable[..., Any] = nn.ReLU,
        scale_activation: Callable[..., Any] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x))))) * x


class StochasticDepth(nn.Module):
    """Drops whole samples while training."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return x


class MLP(nn.Sequential):
    """Linear layers with activations between them."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: list[int],
        norm_layer: Optional[Callable[..., Any]] = None,
        activation_layer: Optional[Callable[..., Any]] = nn.ReLU,
        inplace: Optional[bool] = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        layers: list[Any] = []
        options = {} if inplace is None else {"inplace": inplace}
        for width in hidden_channels[:-1]:
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(width))
            if activation_layer is not None:
                layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            in_channels = width
        layers += [nn.Linear(in_channels, hidden_channels[-1], bias=bias), nn.Dropout(dropout, **options)]
        super().__init__(*layers)


class Permute(nn.Module):
    """Dimensions in another order."""

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        """The permuted tensor."""
        return torch.permute(x, self.dims)


class FrozenBatchNorm2d(nn.Module):
    """BatchNorm2d whose statistics and parameters are fixed buffers."""

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features, device="meta"))
        self.register_buffer("bias", torch.zeros(num_features, device="meta"))
        self.register_buffer("running_mean", torch.zeros(num_features, device="meta"))
        self.register_buffer("running_var", torch.ones(num_features, device="meta"))

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return x * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


class IntermediateLayerGetter(nn.ModuleDict):
    """The first layers of a model, and what some of them give, by new names."""

    def __init__(self, model: Any, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        if not set(return_layers).issubset(children):
            raise ValueError("return_layers are not present in model")
        wanted, layers = set(return_layers), OrderedDict()
        for name, part in children.items():
            layers[name] = part
            wanted.discard(name)
            if not wanted:
                break
        super().__init__(layers)
        self.return_layers = dict(return_layers)

    def forward(self, x: Any) -> Any:
        """The wanted outputs."""
        found: OrderedDict[str, Any] = OrderedDict()
        for name, part in self.items():
            x = part(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found
