"""AlexNet, VGG, SqueezeNet and DenseNet."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from metalens.worker.load.backbones.parts import builder

STAND_IN = True


class AlexNet(nn.Module):
    """Five convolutions, three linear layers."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """The classes."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


# ---------------------------------------------------------------- VGG


class VGG(nn.Module):
    """Convolutions of 3, and three linear layers."""

    def __init__(self, features: Any, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """The classes."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def make_layers(cfg: list[Any], batch_norm: bool = False) -> Any:
    """Convolutions of these widths; "M" halves the picture."""
    layers: list[Any] = []
    width = 3
    for part in cfg:
        if part == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers.append(nn.Conv2d(width, part, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(part))
        layers.append(nn.ReLU(inplace=True))
        width = part
    return nn.Sequential(*layers)


_DEPTHS = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
cfgs = {
    letter: [part for width, count in zip((64, 128, 256, 512, 512), depths) for part in (*[width] * count, "M")]
    for letter, depths in zip("ABDE", _DEPTHS.values())
}


def _vgg(cfg: list[Any], batch_norm: bool, **options: Any) -> Any:
    return VGG(make_layers(cfg, batch_norm), **options)


# ---------------------------------------------------------------- SqueezeNet


class Fire(nn.Module):
    """A narrow convolution, then two side by side."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        """The features."""
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))], 1
        )


class SqueezeNet(nn.Module):
    """Fire modules and pools."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes

        def pool() -> Any:
            return nn.MaxPool2d(3, stride=2, ceil_mode=True)

        fires = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
        first, kernel, pools = (96, 7, (2, 6)) if version == "1_0" else (64, 3, (1, 3))
        layers: list[Any] = [nn.Conv2d(3, first, kernel, stride=2), nn.ReLU(inplace=True), pool()]
        width = first
        for index, (narrow, wide) in enumerate(fires):
            layers.append(Fire(width, narrow, wide, wide))
            width = 2 * wide
            if index in pools:
                layers.append(pool())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Conv2d(512, num_classes, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )

    def forward(self, x: Any) -> Any:
        """The classes."""
        return torch.flatten(self.classifier(self.features(x)), 1)


# ---------------------------------------------------------------- DenseNet


class _DenseLayer(nn.Module):
    def __init__(self, width: int, growth_rate: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(width, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.drop_rate = float(drop_rate)

    def forward(self, features: Any) -> Any:
        """The new features."""
        x = torch.cat(features if isinstance(features, list) else [features], 1)
        return self.conv2(self.relu2(self.norm2(self.conv1(self.relu1(self.norm1(x))))))


class _DenseBlock(nn.ModuleDict):
    def __init__(self, count: int, width: int, bn_size: int, growth_rate: int, drop_rate: float) -> None:
        super().__init__()
        for index in range(count):
            layer = _DenseLayer(width + index * growth_rate, growth_rate, bn_size, drop_rate)
            self.add_module(f"denselayer{index + 1}", layer)

    def forward(self, x: Any) -> Any:
        """All features so far."""
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


def _transition(width: int) -> Any:
    parts: list[tuple[str, Any]] = [("norm", nn.BatchNorm2d(width)), ("relu", nn.ReLU(inplace=True))]
    parts += [("conv", nn.Conv2d(width, width // 2, 1, bias=False)), ("pool", nn.AvgPool2d(2, stride=2))]
    return nn.Sequential(OrderedDict(parts))


class DenseNet(nn.Module):
    """Blocks in which each layer sees all before it."""

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, ...] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        first = [("conv0", nn.Conv2d(3, num_init_features, 7, stride=2, padding=3, bias=False))]
        first += [("norm0", nn.BatchNorm2d(num_init_features)), ("relu0", nn.ReLU(inplace=True))]
        self.features = nn.Sequential(OrderedDict([*first, ("pool0", nn.MaxPool2d(3, stride=2, padding=1))]))
        width = num_init_features
        for index, count in enumerate(block_config):
            block = _DenseBlock(count, width, bn_size, growth_rate, drop_rate)
            self.features.add_module(f"denseblock{index + 1}", block)
            width += count * growth_rate
            if index + 1 < len(block_config):
                self.features.add_module(f"transition{index + 1}", _transition(width))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Any) -> Any:
        """The classes."""
        x = functional.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(functional.adaptive_avg_pool2d(x, (1, 1)), 1))


_DENSE: dict[str, dict[str, Any]] = {
    "densenet121": {},
    "densenet169": {"block_config": (6, 12, 32, 32)},
    "densenet201": {"block_config": (6, 12, 48, 32)},
    "densenet161": {"growth_rate": 48, "block_config": (6, 12, 36, 24), "num_init_features": 96},
}
BUILDERS: dict[str, Any] = {
    "alexnet": builder(AlexNet),
    "squeezenet1_0": builder(SqueezeNet, version="1_0"),
    "squeezenet1_1": builder(SqueezeNet, version="1_1"),
    **{f"vgg{depth}": builder(_vgg, cfg=cfgs[letter], batch_norm=False) for depth, letter in zip(_DEPTHS, "ABDE")},
    **{f"vgg{depth}_bn": builder(_vgg, cfg=cfgs[letter], batch_norm=True) for depth, letter in zip(_DEPTHS, "ABDE")},
    **{name: builder(DenseNet, **options) for name, options in _DENSE.items()},
}
CLASSES: dict[str, Any] = {
    "AlexNet": AlexNet,
    "VGG": VGG,
    "make_layers": make_layers,
    "cfgs": cfgs,
    "SqueezeNet": SqueezeNet,
    "Fire": Fire,
    "DenseNet": DenseNet,
}
FILES = ("alexnet", "vgg", "squeezenet", "densenet")
