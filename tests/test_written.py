"""Shapes that people write down for inputs, in the notations that are common."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from metalens.worker.trace import probe, written  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x: (B, C, H, W)", "B C H W"),
        ("src: tensor of shape [bs, c, h, w]", "bs c h w"),
        ("x (torch.Tensor): input of shape (N, L, D)", "N L D"),
        (":param x: [B, T]", "B T"),
        (" B x C x H x W", "B C H W"),
        ("x : torch.LongTensor, shape = (batch_size, <= n_ctx)", "batch_size <= n_ctx"),
        ("mask: shape (N,)", "N"),
        ("x: [batch, 3, 224, 224]", "batch 3 224 224"),
        ("x: (B, T, C // 2)", "B T C // 2"),
        ("calls foo(a, b)", ""),
        ("(optional)", ""),
        ("the input", ""),
    ],
)
def test_notations(line, words):
    assert " ".join(written.words_of(line)) == words


class Attends(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(50, width)

    def forward(self, x, memory):
        """
        x : torch.LongTensor, shape = (batch_size, <= n_ctx)
            the text tokens
        memory : torch.Tensor, shape = (batch_size, n_audio, n_state)
        """


class Masked(nn.Module):
    def forward(self, feats, mask):
        # feats: (B, C, T), mask: (B, T)
        return feats * mask[:, None]


class Doc(nn.Module):
    """Normalises.

    Shape:
        - Input: (N, C, L)
        - Output: (N, C, L)
    """

    def forward(self, x):
        return x


class Signature(nn.Module):
    def forward(
        self,
        query,  # [B, heads, T, 8]
        key,  # [B, heads, S, 8]
    ):
        return query @ key.transpose(-1, -2)


class Plain(nn.Module):
    def forward(self, x):
        # B x T x C
        return x


class Annotated(nn.Module):
    def forward(self, video: "Float[Tensor, 'b t c h w']"):  # noqa: F722, F821
        return video


class Silent(nn.Module):
    def forward(self, x):
        # the input (or nothing) is given back
        return x


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Attends(), "x i64[2, 16], memory [2, 16, 24]"),
        (Masked(), "feats [2, 16, 16], mask [2, 16]"),
        (Doc(), "x [2, 16, 16]"),
        (Signature(), "query [2, 16, 16, 8], key [2, 16, 16, 8]"),
        (Plain(), "x [2, 16, 16]"),
        (Annotated(), "video [2, 16, 3, 64, 64]"),
        (Silent(), "x [2, 3, 64, 64]"),
    ],
    ids=lambda item: type(item).__name__ if isinstance(item, nn.Module) else "",
)
def test_inputs_are_as_written(module, said):
    specs = probe.first_specs(module)
    assert probe.text_of(probe.written_specs(module, specs)) == said
