"""The words of the rules about layers, sequences and products, beside what real PyTorch says of the same script."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from inline_snapshot import snapshot

torch = pytest.importorskip("torch")

from judging import net, said  # noqa: E402 - needs torch

pytestmark = pytest.mark.torch

Judged = Callable[[str], str]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """`code: message` of a script's finding, after comparing PyTorch's words with a run of the script on a CPU."""
    return partial(said, tmp_path / "script.py")


# ---------------------------------------------------------------- layers


def test_linear_after_flatten(judged: Judged) -> None:
    layers = (
        "self.conv1 = nn.Conv2d(3, 128, 3, padding=1)\nself.pool = nn.MaxPool2d(4)\nself.fc1 = nn.Linear(4096, 256)"
    )
    script = net(layers, "x = self.pool(self.conv1(x))\nreturn self.fc1(x.flatten(1))", "torch.randn(2, 3, 32, 32)")
    assert judged(script) == snapshot(
        "linear-in-features: fc1 expects 4096 input features, got 8192 (128·8·8 after flatten)"
    )


def test_linear_after_linear(judged: Judged) -> None:
    layers = "self.up = nn.Linear(8, 20)\nself.down = nn.Linear(30, 8)"
    assert judged(net(layers, "return self.down(F.relu(self.up(x)))", "torch.randn(2, 8)")) == snapshot(
        "linear-in-features: down expects 30 input features, got 20 from up"
    )


def test_linear_without_flatten(judged: Judged) -> None:
    assert judged(net("self.fc = nn.Linear(784, 10)", "return self.fc(x)", "torch.randn(64, 1, 28, 28)")) == snapshot(
        "linear-in-features: fc expects 784 input features, got 28 ([64, 1, 28, 28] is not flattened)"
    )


def test_linear_in_a_sequential_of_a_script(judged: Judged) -> None:
    script = "model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(64, 10))\nmodel(torch.randn(2, 784))\n"
    assert judged(script) == snapshot("linear-in-features: model[2] expects 64 input features, got 128 from model[0]")


def test_functional_linear(judged: Judged) -> None:
    layers = "self.weight = nn.Parameter(torch.zeros(6, 5))"
    assert judged(net(layers, "return F.linear(x, self.weight)", "torch.randn(2, 4)")) == snapshot(
        "linear-in-features: linear with self.weight expects 5 input features, got 4 ([2, 4])"
    )


def test_conv_between_layers(judged: Judged) -> None:
    layers = "self.conv1 = nn.Conv2d(3, 32, 3)\nself.bn = nn.BatchNorm2d(32)\nself.conv2 = nn.Conv2d(64, 8, 3)"
    script = net(layers, "return self.conv2(self.bn(self.conv1(x)))", "torch.randn(2, 3, 8, 8)")
    assert judged(script) == snapshot("conv-in-channels: conv2 expects 64 input channels, got 32 from conv1")


def test_conv_from_the_script(judged: Judged) -> None:
    script = net("self.conv1 = nn.Conv2d(3, 8, 3)", "return self.conv1(x)", "torch.randn(1, 1, 28, 28)")
    assert judged(script) == snapshot("conv-in-channels: conv1 expects 3 input channels, got 1 ([1, 1, 28, 28])")


def test_conv_rank(judged: Judged) -> None:
    script = net("self.conv1 = nn.Conv2d(3, 8, 3)", "return self.conv1(x)", "torch.randn(64, 784)")
    assert judged(script) == snapshot("input-rank: conv1 expects [B, C, H, W], got 2-D [64, 784]")


def test_grouped_conv(judged: Judged) -> None:
    script = net("self.conv = nn.Conv1d(16, 8, 3, groups=4)", "return self.conv(x)", "torch.randn(2, 8, 20)")
    assert judged(script) == snapshot("conv-in-channels: conv expects 16 input channels, got 8 ([2, 8, 20])")


def test_conv_kernel_larger_than_input(judged: Judged) -> None:
    script = net("self.conv5 = nn.Conv2d(3, 8, 3)", "return self.conv5(x)", "torch.randn(2, 3, 2, 9)")
    assert judged(script) == snapshot(
        "spatial-collapse: conv5 would produce height 0: input 2, kernel 3, no padding ([2, 3, 2, 9])"
    )


def test_pool_without_size_left(judged: Judged) -> None:
    script = net("self.pool5 = nn.MaxPool3d(2)", "return self.pool5(x)", "torch.randn(1, 8, 1, 7, 7)")
    assert judged(script) == snapshot(
        "spatial-collapse: pool5 would produce depth 0: input 1, kernel 2, no padding ([1, 8, 1, 7, 7])"
    )


def test_batch_norm_features(judged: Judged) -> None:
    layers = "self.conv1 = nn.Conv2d(3, 32, 3)\nself.bn1 = nn.BatchNorm2d(64)"
    assert judged(net(layers, "return self.bn1(self.conv1(x))", "torch.randn(2, 3, 8, 8)")) == snapshot(
        "norm-features: bn1 normalises 64 channels, got 32 from conv1"
    )


def test_batch_norm_rank(judged: Judged) -> None:
    layers = "self.fc = nn.Linear(8, 64)\nself.bn = nn.BatchNorm2d(64)"
    assert judged(net(layers, "return self.bn(self.fc(x))", "torch.randn(2, 8)")) == snapshot(
        "input-rank: bn expects [B, C, H, W], got 2-D [2, 64]"
    )


def test_batch_norm_of_one_value(judged: Judged) -> None:
    assert judged(net("self.bn = nn.BatchNorm1d(64)", "return self.bn(x)", "torch.randn(1, 64)")) == snapshot(
        "norm-features: bn needs more than 1 value per channel in training, got [1, 64]"
    )


def test_instance_norm_features(judged: Judged) -> None:
    layers = "self.norm = nn.InstanceNorm2d(64, affine=True)"
    assert judged(net(layers, "return self.norm(x)", "torch.randn(2, 32, 8, 8)")) == snapshot(
        "norm-features: norm normalises 64 channels, got 32 ([2, 32, 8, 8])"
    )


def test_layer_norm_features(judged: Judged) -> None:
    layers = "self.embed = nn.Conv2d(3, 96, 4, 4)\nself.norm = nn.LayerNorm(96)"
    assert judged(net(layers, "return self.norm(self.embed(x))", "torch.randn(1, 3, 224, 224)")) == snapshot(
        "norm-features: norm normalises 96 features, got 56 ([1, 96, 56, 56])"
    )


def test_layer_norm_over_two_dims(judged: Judged) -> None:
    assert judged(net("self.norm = nn.LayerNorm([8, 16])", "return self.norm(x)", "torch.randn(2, 8, 12)")) == snapshot(
        "norm-features: norm normalises [8, 16], got [8, 12] ([2, 8, 12])"
    )


@pytest.mark.skipif(not hasattr(torch.nn, "RMSNorm"), reason="a newer layer")
def test_rms_norm_features(judged: Judged) -> None:
    assert judged(net("self.norm = nn.RMSNorm(64)", "return self.norm(x)", "torch.randn(2, 8, 32)")) == snapshot(
        "norm-features: norm normalises 64 features, got 32 ([2, 8, 32])"
    )


def test_group_norm_channels(judged: Judged) -> None:
    assert judged(net("self.gn = nn.GroupNorm(4, 64)", "return self.gn(x)", "torch.randn(2, 32, 8, 8)")) == snapshot(
        "norm-features: gn normalises 64 channels, got 32 ([2, 32, 8, 8])"
    )


def test_group_norm_groups(judged: Judged) -> None:
    assert judged("norm = nn.GroupNorm(8, 30)\n") == snapshot(
        "norm-features: num_channels 30 is not divisible by num_groups 8"
    )


def test_prelu_and_bilinear(judged: Judged) -> None:
    assert judged(net("self.act = nn.PReLU(4)", "return self.act(x)", "torch.randn(2, 3, 8)")) == snapshot(
        "norm-features: act has 4 slopes, got 3 channels ([2, 3, 8])"
    )
    layers = "self.pair = nn.Bilinear(3, 4, 5)"
    assert judged(net(layers, "return self.pair(x, y)", "torch.randn(2, 3), torch.randn(2, 5)")) == snapshot(
        "linear-in-features: pair expects 4 features in input 2, got 5 ([2, 5])"
    )


def test_pixel_shuffle(judged: Judged) -> None:
    assert judged(net("self.up = nn.PixelShuffle(2)", "return self.up(x)", "torch.randn(1, 6, 4, 4)")) == snapshot(
        "conv-in-channels: up needs channels divisible by 4, got 6 ([1, 6, 4, 4])"
    )


def test_embedding_of_floats(judged: Judged) -> None:
    assert judged(net("self.embed = nn.Embedding(10, 4)", "return self.embed(x)", "torch.rand(2, 3)")) == snapshot(
        "index-dtype: embed needs integer indices, got f32 ([2, 3])"
    )


# ---------------------------------------------------------------- sequences


def test_lstm_input_size(judged: Judged) -> None:
    layers = "self.embed = nn.Embedding(100, 32)\nself.lstm = nn.LSTM(64, 16)"
    script = net(layers, "return self.lstm(self.embed(x))", "torch.zeros(5, 2, dtype=torch.long)")
    assert judged(script) == snapshot("recurrent-input-size: lstm expects input_size 64, got 32 from embed")


def test_lstm_rank(judged: Judged) -> None:
    script = net("self.lstm = nn.LSTM(64, 16, batch_first=True)", "return self.lstm(x)", "torch.randn(5, 2, 3, 64)")
    assert judged(script) == snapshot("input-rank: lstm expects [B, T, 64], got 4-D [5, 2, 3, 64]")


def test_lstm_hidden_state(judged: Judged) -> None:
    script = net(
        "self.lstm = nn.LSTM(8, 16, 2)", "return self.lstm(x, (y, y))", "torch.randn(5, 3, 8), torch.zeros(1, 3, 16)"
    )
    assert judged(script) == snapshot("recurrent-input-size: lstm expects hidden state [2, 3, 16], got [1, 3, 16]")


def test_gru_hidden_state_without_layers(judged: Judged) -> None:
    script = net("self.gru = nn.GRU(8, 16)", "return self.gru(x, y)", "torch.randn(5, 3, 8), torch.zeros(3, 16)")
    assert judged(script) == snapshot("recurrent-input-size: gru expects hidden state [1, 3, 16], got [3, 16]")


def test_rnn_input_size(judged: Judged) -> None:
    assert judged(net("self.rnn = nn.RNN(8, 16)", "return self.rnn(x)", "torch.randn(5, 3, 9)")) == snapshot(
        "recurrent-input-size: rnn expects input_size 8, got 9 ([5, 3, 9])"
    )


def test_cell_input_size(judged: Judged) -> None:
    assert judged(net("self.cell = nn.LSTMCell(8, 16)", "return self.cell(x)", "torch.randn(3, 9)")) == snapshot(
        "recurrent-input-size: cell expects input_size 8, got 9 ([3, 9])"
    )


def test_attention_width(judged: Judged) -> None:
    layers = "self.project = nn.Linear(8, 32)\nself.attn = nn.MultiheadAttention(64, 4)"
    script = net(layers, "x = self.project(x)\nreturn self.attn(x, x, x)", "torch.randn(5, 3, 8)")
    assert judged(script) == snapshot("attention-embed-dim: attn expects query width 64, got 32 from project")


def test_attention_heads(judged: Judged) -> None:
    assert judged("attention = nn.MultiheadAttention(100, 8)\n") == snapshot(
        "embed-heads: embed_dim 100 is not divisible by num_heads 8"
    )


def test_attention_lengths(judged: Judged) -> None:
    layers = "self.attn = nn.MultiheadAttention(64, 4)"
    script = net(layers, "return self.attn(x, y, x)", "torch.randn(5, 3, 64), torch.randn(6, 3, 64)")
    assert judged(script) == snapshot("attention-embed-dim: attn: key is [6, 3, 64], value [5, 3, 64]")


def test_transformer_width(judged: Judged) -> None:
    layers = "self.embed = nn.Embedding(9, 32)\nself.encoder = nn.TransformerEncoderLayer(64, 4)"
    script = net(layers, "return self.encoder(self.embed(x))", "torch.zeros(5, 2, dtype=torch.long)")
    assert judged(script) == snapshot(
        "attention-embed-dim: encoder.self_attn expects query width 64, got 32 from embed"
    )


def test_dot_product_attention(judged: Judged) -> None:
    script = net(
        "pass", "return F.scaled_dot_product_attention(x, y, y)", "torch.randn(2, 4, 8, 16), torch.randn(2, 4, 8, 32)"
    )
    assert judged(script) == snapshot(
        "attention-embed-dim: attention: query and key widths differ, 16 vs 32 ([2, 4, 8, 16], [2, 4, 8, 32])"
    )


# ---------------------------------------------------------------- products


def test_matmul_operator(judged: Judged) -> None:
    script = net("pass", "q, k = x, y\nreturn q @ k", "torch.randn(2, 8, 16, 64), torch.randn(2, 8, 16, 64)")
    assert judged(script) == snapshot(
        "matmul-inner-dim: q @ k: inner dims differ, 64 vs 16 ([2, 8, 16, 64] @ [2, 8, 16, 64])"
    )


def test_bmm(judged: Judged) -> None:
    assert judged(net("pass", "return torch.bmm(x, y)", "torch.randn(2, 3, 4), torch.randn(3, 4, 5)")) == snapshot(
        "matmul-inner-dim: bmm(x, y): batch sizes differ, 2 vs 3 ([2, 3, 4] @ [3, 4, 5])"
    )


def test_mm_of_batches(judged: Judged) -> None:
    assert judged(net("pass", "return x.mm(y)", "torch.randn(2, 3, 4), torch.randn(4, 5)")) == snapshot(
        "matmul-inner-dim: mm needs two 2-D matrices, got [2, 3, 4] and [4, 5]"
    )


def test_addmm(judged: Judged) -> None:
    script = net("pass", "return torch.addmm(torch.zeros(3), x, y)", "torch.randn(2, 4), torch.randn(5, 3)")
    assert judged(script) == snapshot("matmul-inner-dim: addmm: inner dims differ, 4 vs 5 ([2, 4] @ [5, 3])")


def test_einsum_sizes(judged: Judged) -> None:
    script = net("pass", "return torch.einsum('bij,bkj->bik', x, y)", "torch.randn(2, 3, 4), torch.randn(2, 3, 5)")
    assert judged(script) == snapshot("matmul-inner-dim: einsum 'bij,bkj->bik': j is 4 in operand 1, 5 in operand 2")


def test_einsum_rank(judged: Judged) -> None:
    script = net("pass", "return torch.einsum('bij,bkj->bik', x, y)", "torch.randn(2, 3, 4), torch.randn(3, 4)")
    assert judged(script) == snapshot("matmul-inner-dim: einsum 'bij,bkj->bik': operand 2 (bkj) has 2 dims, [3, 4]")
