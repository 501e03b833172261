"""Small layers and functions that many models take from timm."""

from __future__ import annotations

import collections.abc
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, Optional

import torch
from torch import nn

STAND_IN = True


def to_ntuple(count: int) -> Callable[[Any], Any]:
    """A function that repeats a number so often, and leaves what is several."""

    def several(value: Any) -> Any:
        if isinstance(value, collections.abc.Iterable) and not isinstance(value, str):
            return tuple(value)
        return tuple(itertools.repeat(value, count))

    return several


def make_divisible(value: float, divisor: int = 8, min_value: Optional[int] = None, round_limit: float = 0.9) -> int:
    """The nearest multiple, not much smaller than the value."""
    found = max(min_value or divisor, int(value + divisor / 2) // divisor * divisor)
    return found + divisor if found < round_limit * value else found


def drop_path(x: Any, *args: Any, **options: Any) -> Any:
    """Whole samples that are left out keep their places."""
    return x


class DropPath(nn.Module):
    """As `drop_path`."""

    def __init__(self, drop_prob: Any = 0.0, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.drop_prob, self.scale_by_keep = drop_prob, scale_by_keep

    def forward(self, x: Any) -> Any:
        """The same."""
        return x


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, dim: int, init_values: float = 1e-5, inplace: bool = False) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Any) -> Any:
        """Scaled."""
        return x * self.gamma


class LayerNorm2d(nn.LayerNorm):
    """Over the channels of pictures."""

    def __init__(self, num_channels: int, eps: float = 1e-6, affine: bool = True) -> None:
        super().__init__(num_channels, eps=eps, elementwise_affine=affine)

    def forward(self, x: Any) -> Any:
        """Channels go last, and come back."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """Two layers, or two convolutions of size 1."""

    def __init__(
        self,
        in_features: int,
        hidden_features: Optional[int] = None,
        out_features: Optional[int] = None,
        act_layer: Any = nn.GELU,
        norm_layer: Any = None,
        bias: Any = True,
        drop: Any = 0.0,
        use_conv: bool = False,
    ) -> None:
        super().__init__()
        hidden = hidden_features or in_features
        layer: Any = partial(nn.Conv2d, kernel_size=1) if use_conv else nn.Linear
        biases, drops = to_ntuple(2)(bias), to_ntuple(2)(drop)
        self.fc1 = layer(in_features, hidden, bias=biases[0])
        self.act = act_layer()
        self.drop1 = nn.Dropout(drops[0])
        self.norm = norm_layer(hidden) if norm_layer is not None else nn.Identity()
        self.fc2 = layer(hidden, out_features or in_features, bias=biases[1])
        self.drop2 = nn.Dropout(drops[1])

    def forward(self, x: Any) -> Any:
        """Both, one after the other."""
        return self.drop2(self.fc2(self.norm(self.drop1(self.act(self.fc1(x))))))


class PatchEmbed(nn.Module):
    """A picture as a sequence of its patches."""

    def __init__(
        self,
        img_size: Any = 224,
        patch_size: Any = 16,
        in_chans: int = 3,
        embed_dim: int = 768,
        norm_layer: Any = None,
        flatten: bool = True,
        bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.img_size, self.patch_size = to_ntuple(2)(img_size), to_ntuple(2)(patch_size)
        self.grid_size = (self.img_size[0] // self.patch_size[0], self.img_size[1] // self.patch_size[1])
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.flatten = flatten
        self.proj = nn.Conv2d(in_chans, embed_dim, self.patch_size, self.patch_size, bias=bias)
        self.norm = norm_layer(embed_dim) if norm_layer else nn.Identity()

    def forward(self, x: Any) -> Any:
        """[B, N, C], or as a picture if it is not to be flattened."""
        height, width = x.shape[2:]
        if (height, width) != tuple(self.img_size):
            raise AssertionError(f"Input size ({height}, {width}) doesn't match model {self.img_size}.")
        x = self.proj(x)
        return self.norm(x.flatten(2).transpose(1, 2) if self.flatten else x)


class SqueezeExcite(nn.Module):
    """Channels weighted by what pooling tells of all of them."""

    def __init__(
        self,
        in_chs: int,
        rd_ratio: float = 0.25,
        rd_channels: Optional[int] = None,
        act_layer: Any = nn.ReLU,
        gate_layer: Any = nn.Sigmoid,
        force_act_layer: Any = None,
        rd_round_fn: Any = None,
    ) -> None:
        super().__init__()
        reduced = rd_channels or (rd_round_fn or round)(in_chs * rd_ratio)
        self.conv_reduce = nn.Conv2d(in_chs, reduced, 1)
        self.act1 = (force_act_layer or act_layer)(inplace=True)
        self.conv_expand = nn.Conv2d(reduced, in_chs, 1)
        self.gate = gate_layer()

    def forward(self, x: Any) -> Any:
        """The same shape."""
        return x * self.gate(self.conv_expand(self.act1(self.conv_reduce(x.mean((2, 3), keepdim=True)))))


def _filled(tensor: Any, *args: Any, **options: Any) -> Any:
    return tensor


HELD: dict[str, Any] = {
    **{f"to_{count}tuple": to_ntuple(count) for count in (1, 2, 3, 4)},
    **{"to_ntuple": to_ntuple, "make_divisible": make_divisible, "drop_path": drop_path},
    **{kind.__name__: kind for kind in (DropPath, LayerScale, LayerNorm2d, Mlp, PatchEmbed, SqueezeExcite)},
    **dict.fromkeys(("trunc_normal_", "trunc_normal_tf_", "lecun_normal_", "variance_scaling_"), _filled),
}
