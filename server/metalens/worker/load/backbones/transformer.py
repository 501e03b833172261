"""Vision Transformer and ConvNeXt."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import torch
from torch import nn

from metalens.worker.load.backbones.parts import MLP, Conv2dNormActivation, Permute, StochasticDepth, builder

STAND_IN = True
_NORM = partial(nn.LayerNorm, eps=1e-6)


class EncoderBlock(nn.Module):
    """Attention, then two linear layers."""

    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = _NORM(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = _NORM(hidden_dim)
        self.mlp = MLP(hidden_dim, [mlp_dim, hidden_dim], activation_layer=nn.GELU, dropout=dropout)

    def forward(self, input: Any) -> Any:
        """The same shape."""
        torch._assert(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Blocks behind places that are learned."""

    def __init__(
        self, seq_length: int, layers: int, heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention: float
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim, device="meta"))
        self.dropout = nn.Dropout(dropout)
        blocks = [
            (f"encoder_layer_{index}", EncoderBlock(heads, hidden_dim, mlp_dim, dropout, attention))
            for index in range(layers)
        ]
        self.layers = nn.Sequential(OrderedDict(blocks))
        self.ln = _NORM(hidden_dim)

    def forward(self, input: Any) -> Any:
        """The same shape."""
        torch._assert(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """An image as a sequence of patches."""

    def __init__(
        self,
        image_size: int = 224,
        patch_size: int = 16,
        num_layers: int = 12,
        num_heads: int = 12,
        hidden_dim: int = 768,
        mlp_dim: int = 3072,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: Any = None,
    ) -> None:
        super().__init__()
        torch._assert(image_size % patch_size == 0, "Input shape indivisible by patch size!")
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.mlp_dim, self.num_classes, self.representation_size = mlp_dim, num_classes, representation_size
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, stride=patch_size)
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim, device="meta"))
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)
        heads: list[tuple[str, Any]] = [("head", nn.Linear(representation_size or hidden_dim, num_classes))]
        if representation_size is not None:
            heads[:0] = [("pre_logits", nn.Linear(hidden_dim, representation_size)), ("act", nn.Tanh())]
        self.heads = nn.Sequential(OrderedDict(heads))

    def _process_input(self, x: Any) -> Any:
        batch, _, height, width = x.shape
        torch._assert(height == self.image_size, f"Wrong image height! Expected {self.image_size} but got {height}!")
        torch._assert(width == self.image_size, f"Wrong image width! Expected {self.image_size} but got {width}!")
        return self.conv_proj(x).reshape(batch, self.hidden_dim, -1).permute(0, 2, 1)

    def forward(self, x: Any) -> Any:
        """The classes."""
        x = self._process_input(x)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm of the channels."""

    def forward(self, x: Any) -> Any:
        """The same shape."""
        x = nn.functional.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A wide convolution of single channels, then two linear layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim),
            Permute([0, 2, 3, 1]),
            _NORM(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(torch.ones(dim, 1, 1, device="meta"))
        self.stochastic_depth = StochasticDepth(0.1)

    def forward(self, input: Any) -> Any:
        """The same shape."""
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class ConvNeXt(nn.Module):
    """Four stages, each half as large as the one before."""

    def __init__(self, widths: tuple[int, ...], counts: tuple[int, ...], num_classes: int = 1000) -> None:
        super().__init__()
        norm = partial(LayerNorm2d, eps=1e-6)
        layers: list[Any] = [
            Conv2dNormActivation(
                3, widths[0], kernel_size=4, stride=4, padding=0, norm_layer=norm, activation_layer=None, bias=True
            )
        ]
        for index, (width, count) in enumerate(zip(widths, counts)):
            layers.append(nn.Sequential(*(CNBlock(width) for _ in range(count))))
            if index + 1 < len(widths):
                layers.append(nn.Sequential(norm(width), nn.Conv2d(width, widths[index + 1], 2, stride=2)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(widths[-1]), nn.Flatten(1), nn.Linear(widths[-1], num_classes))

    def forward(self, x: Any) -> Any:
        """The classes."""
        return self.classifier(self.avgpool(self.features(x)))


_LARGE = {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "mlp_dim": 4096}
BUILDERS: dict[str, Any] = {
    "vit_b_16": builder(VisionTransformer),
    "vit_b_32": builder(VisionTransformer, patch_size=32),
    "vit_l_16": builder(VisionTransformer, **_LARGE),
    "vit_l_32": builder(VisionTransformer, patch_size=32, **_LARGE),
    "convnext_tiny": builder(ConvNeXt, widths=(96, 192, 384, 768), counts=(3, 3, 9, 3)),
    "convnext_small": builder(ConvNeXt, widths=(96, 192, 384, 768), counts=(3, 3, 27, 3)),
    "convnext_base": builder(ConvNeXt, widths=(128, 256, 512, 1024), counts=(3, 3, 27, 3)),
    "convnext_large": builder(ConvNeXt, widths=(192, 384, 768, 1536), counts=(3, 3, 27, 3)),
}
CLASSES: dict[str, Any] = {
    part.__name__: part for part in (EncoderBlock, Encoder, VisionTransformer, LayerNorm2d, CNBlock, ConvNeXt)
}
FILES = ("vision_transformer", "convnext")
