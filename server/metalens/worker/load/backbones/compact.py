"""Models for small machines: MobileNet, EfficientNet, ShuffleNet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from metalens.worker.load.backbones.parts import (
    Conv2dNormActivation,
    SqueezeExcitation,
    StochasticDepth,
    builder,
    divisible,
)

STAND_IN = True


# ---------------------------------------------------------------- MobileNet v2


class InvertedResidual(nn.Module):
    """Wide inside, narrow outside."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: Any = nn.BatchNorm2d) -> None:
        super().__init__()
        self.stride = stride
        hidden = round(inp * expand_ratio)
        self.use_res_connect = stride == 1 and inp == oup
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        layers = [conv(inp, hidden, kernel_size=1)] if expand_ratio != 1 else []
        layers += [conv(hidden, hidden, stride=stride, groups=hidden)]
        self.conv = nn.Sequential(*layers, nn.Conv2d(hidden, oup, 1, bias=False), norm_layer(oup))
        self.out_channels = oup

    def forward(self, x: Any) -> Any:
        """The features."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


_V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


class MobileNetV2(nn.Module):
    """Inverted residuals."""

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Any = None,
        round_nearest: int = 8,
        block: Any = None,
        norm_layer: Any = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block, norm = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        width = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        layers: list[Any] = [conv(3, width, stride=2)]
        for ratio, channels, count, first in inverted_residual_setting or _V2:
            wanted = divisible(channels * width_mult, round_nearest)
            for index in range(count):
                layers.append(block(width, wanted, first if index == 0 else 1, expand_ratio=ratio, norm_layer=norm))
                width = wanted
        self.features = nn.Sequential(*layers, conv(width, self.last_channel, kernel_size=1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))

    def forward(self, x: Any) -> Any:
        """The classes."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


# ---------------------------------------------------------------- MobileNet v3

_NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
# kernel, expanded, out, squeezes, activation, stride
_Setting = tuple[int, int, int, bool, str, int]
_LARGE: list[_Setting] = [
    (3, 16, 16, False, "RE", 1),
    (3, 64, 24, False, "RE", 2),
    (3, 72, 24, False, "RE", 1),
    (5, 72, 40, True, "RE", 2),
    (5, 120, 40, True, "RE", 1),
    (5, 120, 40, True, "RE", 1),
    (3, 240, 80, False, "HS", 2),
    (3, 200, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 184, 80, False, "HS", 1),
    (3, 480, 112, True, "HS", 1),
    (3, 672, 112, True, "HS", 1),
    (5, 672, 160, True, "HS", 2),
    (5, 960, 160, True, "HS", 1),
    (5, 960, 160, True, "HS", 1),
]
_SMALL: list[_Setting] = [
    (3, 16, 16, True, "RE", 2),
    (3, 72, 24, False, "RE", 2),
    (3, 88, 24, False, "RE", 1),
    (5, 96, 40, True, "HS", 2),
    (5, 240, 40, True, "HS", 1),
    (5, 240, 40, True, "HS", 1),
    (5, 120, 48, True, "HS", 1),
    (5, 144, 48, True, "HS", 1),
    (5, 288, 96, True, "HS", 2),
    (5, 576, 96, True, "HS", 1),
    (5, 576, 96, True, "HS", 1),
]


class _MobileBlock(nn.Module):
    def __init__(self, width: int, setting: _Setting) -> None:
        super().__init__()
        kernel, hidden, wanted, squeezes, letters, stride = setting
        activation = nn.Hardswish if letters == "HS" else nn.ReLU
        conv = partial(Conv2dNormActivation, norm_layer=_NORM)
        self.use_res_connect = stride == 1 and width == wanted
        layers: list[Any] = []
        if hidden != width:
            layers.append(conv(width, hidden, kernel_size=1, activation_layer=activation))
        layers.append(conv(hidden, hidden, kernel, stride, groups=hidden, activation_layer=activation))
        if squeezes:
            layers.append(SqueezeExcitation(hidden, divisible(hidden // 4), scale_activation=nn.Hardsigmoid))
        self.block = nn.Sequential(*layers, conv(hidden, wanted, kernel_size=1, activation_layer=None))
        self.out_channels = wanted

    def forward(self, x: Any) -> Any:
        return x + self.block(x) if self.use_res_connect else self.block(x)


class MobileNetV3(nn.Module):
    """Inverted residuals with weighed channels."""

    def __init__(
        self, settings: list[_Setting], last_channel: int, num_classes: int = 1000, dropout: float = 0.2
    ) -> None:
        super().__init__()
        conv = partial(Conv2dNormActivation, norm_layer=_NORM, activation_layer=nn.Hardswish)
        layers: list[Any] = [conv(3, 16, stride=2)]
        width = 16
        for setting in settings:
            layers.append(_MobileBlock(width, setting))
            width = setting[2]
        self.features = nn.Sequential(*layers, conv(width, 6 * width, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * width, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """The classes."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


# ---------------------------------------------------------------- EfficientNet

# expansion, kernel, stride, in, out, layers
_STAGES = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]


class MBConv(nn.Module):
    """An inverted residual with weighed channels."""

    def __init__(self, ratio: int, kernel: int, stride: int, width: int, wanted: int, norm_layer: Any) -> None:
        super().__init__()
        hidden = divisible(width * ratio)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers: list[Any] = [conv(width, hidden, kernel_size=1)] if hidden != width else []
        layers.append(conv(hidden, hidden, kernel, stride, groups=hidden))
        layers.append(SqueezeExcitation(hidden, max(1, width // 4), activation=partial(nn.SiLU, inplace=True)))
        self.use_res_connect = stride == 1 and width == wanted
        self.block = nn.Sequential(*layers, conv(hidden, wanted, kernel_size=1, activation_layer=None))
        self.stochastic_depth = StochasticDepth(0.2)
        self.out_channels = wanted

    def forward(self, x: Any) -> Any:
        """The features."""
        found = self.block(x)
        return self.stochastic_depth(found) + x if self.use_res_connect else found


class EfficientNet(nn.Module):
    """Width and depth grow together."""

    def __init__(
        self, width: float, depth: float, dropout: float, num_classes: int = 1000, norm_layer: Any = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers: list[Any] = [conv(3, divisible(32 * width), stride=2)]
        last = 0
        for ratio, kernel, stride, before, after, count in _STAGES:
            first, last = divisible(before * width), divisible(after * width)
            blocks = [MBConv(ratio, kernel, stride, first, last, norm_layer)]
            more = range(1, math.ceil(count * depth))
            blocks += [MBConv(ratio, kernel, 1, last, last, norm_layer) for _ in more]
            layers.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*layers, conv(last, 4 * last, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(4 * last, num_classes))

    def forward(self, x: Any) -> Any:
        """The classes."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


_SCALES = {
    "b0": (1.0, 1.0, 0.2),
    "b1": (1.0, 1.1, 0.2),
    "b2": (1.1, 1.2, 0.3),
    "b3": (1.2, 1.4, 0.3),
    "b4": (1.4, 1.8, 0.4),
    "b5": (1.6, 2.2, 0.4),
    "b6": (1.8, 2.6, 0.5),
    "b7": (2.0, 3.1, 0.5),
}


# ---------------------------------------------------------------- ShuffleNet v2


class _ShuffleBlock(nn.Module):
    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        width = oup // 2
        before = inp if stride > 1 else width
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(*self._deep(inp, stride), *self._flat(inp, width))
        self.branch2 = nn.Sequential(*self._flat(before, width), *self._deep(width, stride), *self._flat(width, width))

    @staticmethod
    def _deep(width: int, stride: int) -> list[Any]:
        conv = nn.Conv2d(width, width, 3, stride, padding=1, bias=False, groups=width)
        return [conv, nn.BatchNorm2d(width)]

    @staticmethod
    def _flat(width: int, wanted: int) -> list[Any]:
        return [nn.Conv2d(width, wanted, 1, bias=False), nn.BatchNorm2d(wanted), nn.ReLU(inplace=True)]

    def forward(self, x: Any) -> Any:
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
            x = torch.cat((kept, self.branch2(changed)), dim=1)
        else:
            x = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        batch, channels, height, width = x.shape
        return x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, -1, height, width)


class ShuffleNetV2(nn.Module):
    """Halves that change places."""

    def __init__(
        self, stages_repeats: Sequence[int], stages_out_channels: Sequence[int], num_classes: int = 1000
    ) -> None:
        super().__init__()
        width = stages_out_channels[0]
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages = []
        for count, wanted in zip(stages_repeats, stages_out_channels[1:]):
            blocks = [_ShuffleBlock(width, wanted, 2), *(_ShuffleBlock(wanted, wanted, 1) for _ in range(count - 1))]
            stages.append(nn.Sequential(*blocks))
            width = wanted
        self.stage2, self.stage3, self.stage4 = stages
        last = stages_out_channels[-1]
        self.conv5 = nn.Sequential(nn.Conv2d(width, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU(inplace=True))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Any) -> Any:
        """The classes."""
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


_SHUFFLED = {
    "x0_5": (24, 48, 96, 192, 1024),
    "x1_0": (24, 116, 232, 464, 1024),
    "x1_5": (24, 176, 352, 704, 1024),
    "x2_0": (24, 244, 488, 976, 2048),
}
BUILDERS: dict[str, Any] = {
    "mobilenet_v2": builder(MobileNetV2),
    "mobilenet_v3_large": builder(MobileNetV3, settings=_LARGE, last_channel=1280),
    "mobilenet_v3_small": builder(MobileNetV3, settings=_SMALL, last_channel=1024),
}
for _name, (_width, _depth, _dropout) in _SCALES.items():
    _more = {"norm_layer": partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)} if _name in ("b5", "b6", "b7") else {}
    BUILDERS[f"efficientnet_{_name}"] = builder(EfficientNet, width=_width, depth=_depth, dropout=_dropout, **_more)
for _name, _widths in _SHUFFLED.items():
    BUILDERS[f"shufflenet_v2_{_name}"] = builder(ShuffleNetV2, stages_repeats=(4, 8, 4), stages_out_channels=_widths)
CLASSES: dict[str, Any] = {
    part.__name__: part
    for part in (InvertedResidual, MobileNetV2, MobileNetV3, MBConv, EfficientNet, ShuffleNetV2, Conv2dNormActivation)
}
CLASSES["ConvBNReLU"] = Conv2dNormActivation
FILES = ("mobilenet", "mobilenetv2", "mobilenetv3", "efficientnet", "shufflenetv2")
