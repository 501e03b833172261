"""timm's vision transformer, of which others are derived."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from metalens.worker.load.timm.layers import DropPath, LayerScale, Mlp, PatchEmbed

STAND_IN = True


class Attention(nn.Module):
    """Of all tokens to all."""

    def __init__(
        self, dim: int, num_heads: int = 8, qkv_bias: bool = False, *args: Any, attn_drop: Any = 0.0, **options: Any
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.scale = self.head_dim**-0.5
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(0.0)

    def forward(self, x: Any) -> Any:
        """[B, N, C] again."""
        batch, tokens, channels = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, channels // self.num_heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        weights = self.attn_drop((query @ key.transpose(-2, -1) * self.scale).softmax(dim=-1))
        return self.proj_drop(self.proj((weights @ value).transpose(1, 2).reshape(batch, tokens, channels)))


class Block(nn.Module):
    """Attention and two layers, each around a shortcut."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        *args: Any,
        init_values: Any = None,
        act_layer: Any = nn.GELU,
        norm_layer: Any = nn.LayerNorm,
        **options: Any,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = Attention(dim, num_heads, qkv_bias)
        self.ls1 = LayerScale(dim) if init_values else nn.Identity()
        self.drop_path = self.drop_path1 = DropPath()
        self.norm2 = norm_layer(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), act_layer=act_layer)
        self.ls2 = LayerScale(dim) if init_values else nn.Identity()
        self.drop_path2 = DropPath()

    def forward(self, x: Any) -> Any:
        """[B, N, C] again."""
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x))))
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))


class VisionTransformer(nn.Module):
    """Patches, a token for the class, blocks, a head."""

    def __init__(
        self,
        img_size: Any = 224,
        patch_size: Any = 16,
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = "token",
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        *args: Any,
        embed_layer: Any = PatchEmbed,
        norm_layer: Any = None,
        act_layer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        norm, act = norm_layer or partial(nn.LayerNorm, eps=1e-6), act_layer or nn.GELU
        self.num_classes, self.global_pool = num_classes, global_pool
        self.num_features = self.embed_dim = embed_dim
        self.num_prefix_tokens = self.num_tokens = 1
        self.patch_embed = embed_layer(img_size=img_size, patch_size=patch_size, in_chans=in_chans, embed_dim=embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, embed_dim))
        self.pos_drop = nn.Dropout(0.0)
        blocks = [
            Block(embed_dim, num_heads, mlp_ratio, qkv_bias, norm_layer=norm, act_layer=act) for _ in range(depth)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.norm = norm(embed_dim)
        self.pre_logits, self.fc_norm = nn.Identity(), nn.Identity()
        self.head = nn.Linear(embed_dim, num_classes) if num_classes > 0 else nn.Identity()

    def _init_weights(self, module: Any) -> None:
        """Values alone."""

    def no_weight_decay(self) -> set[str]:
        """The parameters that stay as large as they are."""
        return {"pos_embed", "cls_token"}

    def get_classifier(self) -> Any:
        """The head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: Any = None) -> None:
        """Another head."""
        self.num_classes = num_classes
        self.head = nn.Linear(self.embed_dim, num_classes) if num_classes > 0 else nn.Identity()

    def forward_features(self, x: Any) -> Any:
        """[B, 1 + N, C]."""
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)
        return self.norm(self.blocks(self.pos_drop(x + self.pos_embed)))

    def forward_head(self, x: Any, pre_logits: bool = False) -> Any:
        """[B, classes]."""
        x = x[:, 0] if x.dim() == 3 else x  # older versions pool before
        return x if pre_logits else self.head(x)

    def forward(self, x: Any) -> Any:
        """[B, classes]."""
        return self.forward_head(self.forward_features(x))


HELD: dict[str, Any] = {kind.__name__: kind for kind in (Attention, Block, VisionTransformer)}
