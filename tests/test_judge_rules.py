"""The words of every rule, compared with what real PyTorch says about the same script on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

torch = pytest.importorskip("torch")

from judging import find  # noqa: E402 - needs torch

pytestmark = pytest.mark.torch

Judged = Callable[[str], str]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """`code: message` of a script's finding, after comparing PyTorch's words with a run of the script on a CPU."""

    def judge(text: str) -> str:
        finding = find(text, tmp_path / "script.py")
        assert finding is not None
        assert len(finding.message) <= 100
        assert finding.torch == on_cpu(text)
        return f"{finding.code}: {finding.message}"

    return judge


def on_cpu(text: str) -> str:
    """What PyTorch says when the script runs on a CPU."""
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    with torch.no_grad(), pytest.raises(Exception) as caught:
        exec(text, names)
    return str(caught.value)


def net(layers: str, forward: str, inputs: str) -> str:
    """A script with one small model: the lines of its constructor and of its forward, and its inputs."""
    lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += [f"        {line}" for line in layers.splitlines()]
    lines += ["    def forward(self, x, y=None):"]
    lines += [f"        {line}" for line in forward.splitlines()]
    return "\n".join([*lines, "net = Net()", f"net({inputs})", ""])


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


# ---------------------------------------------------------------- joining


def test_broadcast(judged: Judged) -> None:
    script = net("pass", "return x + y", "torch.randn(2, 32, 16, 16), torch.randn(2, 64, 16, 16)")
    assert judged(script) == snapshot("broadcast: x + y: dim 1 differs, 32 vs 64 ([2, 32, 16, 16] vs [2, 64, 16, 16])")


def test_broadcast_in_place(judged: Judged) -> None:
    assert judged(net("pass", "x *= y\nreturn x", "torch.randn(2, 3), torch.randn(2, 4)")) == snapshot(
        "broadcast: x *= y: dim 1 differs, 3 vs 4 ([2, 3] vs [2, 4])"
    )


def test_where(judged: Judged) -> None:
    script = net("pass", "return torch.where(x > 0, x, y)", "torch.randn(2, 3), torch.randn(2, 4)")
    assert judged(script) == snapshot("broadcast: where: dim 1 differs, 3 vs 4 ([2, 3] vs [2, 4])")


def test_cat(judged: Judged) -> None:
    script = net("pass", "return torch.cat([x, y], dim=1)", "torch.randn(2, 3, 8, 8), torch.randn(2, 3, 7, 8)")
    assert judged(script) == snapshot("cat-dim: cat on dim 1: dim 2 differs, 8 vs 7 (argument 2)")


def test_cat_of_ranks(judged: Judged) -> None:
    script = net("pass", "return torch.cat((x, y), 1)", "torch.randn(2, 3, 8, 8), torch.randn(2, 3)")
    assert judged(script) == snapshot("cat-dim: cat: argument 2 is 2-D [2, 3], argument 1 is 4-D [2, 3, 8, 8]")


def test_stack(judged: Judged) -> None:
    assert judged(net("pass", "return torch.stack([x, y])", "torch.randn(2, 3), torch.randn(2, 4)")) == snapshot(
        "cat-dim: stack: argument 2 is [2, 4], argument 1 is [2, 3]"
    )


def test_loss_sizes(judged: Judged) -> None:
    assert judged("criterion = nn.BCELoss()\ncriterion(torch.rand(400), torch.rand(16))\n") == snapshot(
        "loss-size: criterion: sizes differ, prediction [400], target [16]"
    )
    assert judged("F.mse_loss(torch.rand(8, 4), torch.rand(8, 3))\n") == snapshot(
        "loss-size: mse_loss: sizes differ, prediction [8, 4], target [8, 3]"
    )


def test_cross_entropy_batch(judged: Judged) -> None:
    script = "F.cross_entropy(torch.randn(8, 10), torch.zeros(16, dtype=torch.long))\n"
    assert judged(script) == snapshot(
        "loss-size: cross_entropy: 8 predictions but 16 targets (prediction [8, 10], target [16])"
    )


def test_cross_entropy_rank(judged: Judged) -> None:
    script = "F.nll_loss(torch.randn(8, 10, 4, 4), torch.zeros(8, 5, 4, dtype=torch.long))\n"
    assert judged(script) == snapshot("loss-size: nll_loss expects targets [8, 4, 4], got [8, 5, 4]")


# ---------------------------------------------------------------- rearranging


def test_view(judged: Judged) -> None:
    script = net("pass", "B = x.size(0)\nreturn x.view(B, 4096)", "torch.randn(2, 128, 8, 8)")
    assert judged(script) == snapshot("reshape-numel: view(B, 4096): input has 8192 elements per item, not 4096")


def test_reshape_with_free_size(judged: Judged) -> None:
    assert judged(net("pass", "return x.reshape(-1, 7)", "torch.randn(2, 128, 8, 8)")) == snapshot(
        "reshape-numel: reshape(-1, 7): [2, 128, 8, 8] has 16384 elements, not a multiple of 7"
    )


def test_view_of_a_transposed_tensor(judged: Judged) -> None:
    script = net("pass", "return x.transpose(1, 2).view(2, -1)", "torch.randn(2, 3, 4)")
    assert judged(script) == snapshot("view-contiguity: view(2, -1): [2, 4, 3] is not contiguous here; use reshape")


def test_unflatten(judged: Judged) -> None:
    assert judged(net("pass", "return x.unflatten(1, (5, 2))", "torch.randn(2, 12)")) == snapshot(
        "reshape-numel: unflatten(1, (5, 2)): dim 1 has 12 elements, not 10"
    )


def test_permute(judged: Judged) -> None:
    assert judged(net("pass", "return x.permute(0, 2, 1)", "torch.randn(2, 3, 4, 4)")) == snapshot(
        "dim-count: permute(0, 2, 1) names 3 dims, got 4-D [2, 3, 4, 4]"
    )


def test_dimension_out_of_range(judged: Judged) -> None:
    assert judged(net("pass", "return x.transpose(1, 3)", "torch.randn(2, 3, 4)")) == snapshot(
        "dim-range: transpose(1, 3): dim 3 is out of range for 3-D [2, 3, 4]"
    )
    assert judged(net("pass", "return x.flatten(2)", "torch.randn(2, 3)")) == snapshot(
        "dim-range: flatten(2): dim 2 is out of range for 2-D [2, 3]"
    )
    assert judged(net("pass", "return x.size(4)", "torch.randn(2, 3)")) == snapshot(
        "dim-range: size(4): dim 4 is out of range for 2-D [2, 3]"
    )


def test_index(judged: Judged) -> None:
    assert judged(net("pass", "return x[2]", "torch.randn(2, 3)")) == snapshot(
        "index-range: x[2]: index 2 is out of range for [2, 3]"
    )
    assert judged(net("pass", "return x[:, :, 0]", "torch.randn(2, 3)")) == snapshot(
        "dim-count: x[:, :, 0]: more indices than dims, [2, 3] has 2"
    )


def test_split(judged: Judged) -> None:
    assert judged(net("pass", "return x.split([64, 64], dim=1)", "torch.randn(2, 192)")) == snapshot(
        "split-sizes: split into 64 + 64 = 128, but dim 1 of [2, 192] is 192"
    )


def test_expand_and_repeat(judged: Judged) -> None:
    assert judged(net("pass", "return x.expand(2, 5)", "torch.randn(2, 3)")) == snapshot(
        "expand-size: expand(2, 5): dim 1 is 3, cannot become 5 ([2, 3])"
    )
    assert judged(net("pass", "return x.repeat(2)", "torch.randn(2, 3)")) == snapshot(
        "expand-size: repeat(2): fewer sizes than dims, [2, 3] has 2"
    )


def test_assignment_to_a_slice(judged: Judged) -> None:
    assert judged(net("pass", "x[:, 0] = y", "torch.randn(2, 3), torch.randn(5)")) == snapshot(
        "expand-size: assignment: dim 0 is 2 on the left, 5 on the right ([5])"
    )


def test_reflection_pad(judged: Judged) -> None:
    script = net("self.pad = nn.ReflectionPad2d(4)", "return self.pad(x)", "torch.randn(1, 3, 4, 4)")
    assert judged(script) == snapshot("spatial-collapse: pad: reflecting 4 needs a larger input than [1, 3, 4, 4]")


def test_unpacking_a_shape(judged: Judged) -> None:
    assert judged(net("pass", "B, C, H = x.shape", "torch.randn(2, 3, 8, 8)")) == snapshot(
        "unpack-rank: B, C, H = x.shape: 3 names for 4 dims [2, 3, 8, 8]"
    )
    assert judged(net("pass", "b, c, h, w = x.size()", "torch.randn(2, 3, 8)")) == snapshot(
        "unpack-rank: b, c, h, w = x.size(): 4 names for 3 dims [2, 3, 8]"
    )
    assert judged(net("pass", "q, k, v = x.chunk(2, dim=-1)", "torch.randn(2, 3, 8)")) == snapshot(
        "unpack-rank: q, k, v = x.chunk(2, dim=-1): 3 names for 2 values"
    )


# ---------------------------------------------------------------- dtypes, and what no rule knows


def test_conv_of_integers(judged: Judged) -> None:
    script = net("self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x)", "torch.zeros(1, 3, 8, 8, dtype=torch.long)")
    assert judged(script) == snapshot("dtype-mismatch: conv weights are f32, input is i64 ([1, 3, 8, 8])")


def test_any_other_error(judged: Judged) -> None:
    assert judged(net("pass", "return F.glu(x)", "torch.randn(2, 3)")) == snapshot(
        "forward-error: forward fails here: Halving dimension must be even, but dimension 1 is size 3"
    )
