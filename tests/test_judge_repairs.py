"""Candidate repairs, each applied to the script, which then runs on real PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

torch = pytest.importorskip("torch")

from judging import find  # noqa: E402 - needs torch
from metalens.engine.verify import ENOUGH, GUESSES  # noqa: E402
from metalens.protocol.messages import Fix  # noqa: E402
from metalens.protocol.values import Position  # noqa: E402
from metalens.worker.judge.repair import LIMIT  # noqa: E402

pytestmark = pytest.mark.torch

Repaired = Callable[[str], list[str]]


@pytest.fixture
def repaired(tmp_path: Path) -> Repaired:
    """The titles of the likely candidates after which a script runs, best first; of the guesses if none does."""

    def repair(text: str) -> list[str]:
        finding = find(text, tmp_path / "script.py")
        assert finding is not None
        assert len(finding.fixes) <= LIMIT
        assert [fix.preferred for fix in finding.fixes] == [not place for place in range(len(finding.fixes))]
        for guess, most in ((False, ENOUGH), (True, GUESSES)):
            candidates = [fix for fix in finding.fixes if fix.guess == guess]
            mending = [fix.title for fix in candidates if runs(applied(text, fix))]
            if mending:
                return mending[:most]
        return []

    return repair


def applied(text: str, fix: Fix) -> str:
    """The script after a fix."""
    lines = text.splitlines(keepends=True)

    def offset(position: Position) -> int:
        return sum(map(len, lines[: position.line])) + position.column

    for edit in sorted(fix.edits, key=lambda edit: offset(edit.location.range.start), reverse=True):
        text = text[: offset(edit.location.range.start)] + edit.text + text[offset(edit.location.range.end) :]
    return text


def runs(text: str) -> bool:
    """Whether a script runs to its end on real PyTorch."""
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    try:
        with torch.no_grad():
            exec(text, names)
    except Exception:  # noqa: BLE001 - a candidate may be wrong in any way
        return False
    return True


def net(layers: str, forward: str, inputs: str, parameters: str = "", arguments: str = "") -> str:
    """A script with one small model and a call of it."""
    lines = ["class Net(nn.Module):", f"    def __init__(self{', ' * bool(parameters)}{parameters}):"]
    lines += ["        super().__init__()", *(f"        {line}" for line in layers.splitlines())]
    lines += ["    def forward(self, x, y=None):", *(f"        {line}" for line in forward.splitlines())]
    return "\n".join([*lines, f"net = Net({arguments})", f"net({inputs})", ""])


def test_linear_after_flatten(repaired: Repaired) -> None:
    layers = "self.conv = nn.Conv2d(3, 16, 3, padding=1)\nself.fc = nn.Linear(2048, 10)"
    script = net(layers, "return self.fc(self.conv(x).flatten(1))", "torch.randn(2, 3, 16, 16)")
    assert repaired(script) == snapshot(
        [
            "Change in_features of fc to 4096",
            "Write in_features of fc as 16 * 16 * 16",
            "Change out_channels of conv to 8",
            "Use nn.LazyLinear(10) for fc",
        ]
    )


def test_missing_flatten(repaired: Repaired) -> None:
    script = net("self.fc = nn.Linear(784, 10)", "return self.fc(x)", "torch.randn(4, 1, 28, 28)")
    assert repaired(script) == snapshot(
        [
            "Insert x.flatten(1) before fc",
            "Change in_features of fc to 28",
            "Change dim 3 of this torch.randn to 784",
            "Use nn.LazyLinear(10) for fc",
        ]
    )


def test_missing_flatten_in_a_sequential(repaired: Repaired) -> None:
    lines = ["conv = nn.Conv2d(1, 8, 3)", "model = nn.Sequential(conv, nn.ReLU(), nn.Linear(5408, 10))"]
    script = "\n".join([*lines, "model(torch.randn(4, 1, 28, 28))", ""])
    assert repaired(script) == snapshot(
        [
            "Insert nn.Flatten() before model[2]",
            "Change in_features of model[2] to 26",
            "Use nn.LazyLinear(10) for model[2]",
        ]
    )


def test_producer_with_its_norm(repaired: Repaired) -> None:
    layers = "self.conv1 = nn.Conv2d(3, 32, 3)\nself.bn1 = nn.BatchNorm2d(32)\nself.conv2 = nn.Conv2d(64, 8, 3)"
    script = net(layers, "return self.conv2(self.bn1(self.conv1(x)))", "torch.randn(2, 3, 8, 8)")
    assert repaired(script) == snapshot(
        ["Change in_channels of conv2 to 32", "Change out_channels of conv1 to 64, and its norm"]
    )


def test_size_of_the_input(repaired: Repaired) -> None:
    script = net("self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x)", "torch.randn(1, 1, 28, 28)")
    assert repaired(script) == snapshot(["Change in_channels of conv to 1", "Change dim 1 of this torch.randn to 3"])


def test_expression_in_own_names(repaired: Repaired) -> None:
    layers = "self.up = nn.Linear(dim, hidden)\nself.down = nn.Linear(dim * 3, dim)"
    script = net(layers, "return self.down(self.up(x))", "torch.randn(2, 16)", "dim, hidden", "16, 64")
    assert repaired(script) == snapshot(
        [
            "Change in_features of down to hidden",
            "Change hidden of net to 48",
            "Change out_features of up to dim * 3",
            "Change in_features of down to dim * 4",
            "Change in_features of down to 64",
        ]
    )


def test_local_name_of_the_constructor(repaired: Repaired) -> None:
    layers = "squeezed = dim // 4\nself.down = nn.Linear(dim, squeezed)\nself.up = nn.Linear(ratio, dim)"
    script = net(layers, "return self.up(self.down(x))", "torch.randn(2, 32)", "dim, ratio", "32, 4")
    assert repaired(script) == snapshot(
        [
            "Change in_features of up to squeezed",
            "Change out_features of down to ratio",
            "Change ratio of net to 8",
            "Change in_features of up to ratio * 2",
            "Change in_features of up to dim // ratio",
        ]
    )


def test_constant_of_the_module(repaired: Repaired) -> None:
    layers = "self.up = nn.Linear(8, 20)\nself.down = nn.Linear(HIDDEN, 8)"
    script = "HIDDEN = 30\n" + net(layers, "return self.down(self.up(x))", "torch.randn(2, 8)")
    assert repaired(script) == snapshot(
        [
            "Change HIDDEN to 20",
            "Change in_features of down to 20",
            "Change out_features of up to HIDDEN",
            "Change out_features of up to 30",
            "Use nn.LazyLinear(8) for down",
        ]
    )


def test_default_of_a_parameter(repaired: Repaired) -> None:
    layers = "self.up = nn.Linear(8, 20)\nself.down = nn.Linear(hidden, 8)"
    script = net(layers, "return self.down(self.up(x))", "torch.randn(2, 8)", "hidden=30")
    assert repaired(script) == snapshot(
        [
            "Change the default of hidden to 20",
            "Change in_features of down to 20",
            "Change out_features of up to hidden",
            "Change out_features of up to 30",
            "Use nn.LazyLinear(8) for down",
        ]
    )


def test_shared_block_at_its_caller(repaired: Repaired) -> None:
    block = net("self.fc = nn.Linear(dim, dim)", "return self.fc(x) + x", "torch.randn(2, 4)", "dim", "4")
    block = block.replace("Net", "Block")
    layers = "self.stem = nn.Linear(8, 20)\nself.block = Block(30)"
    script = block + net(layers, "return self.block(self.stem(x))", "torch.randn(2, 8)")
    assert repaired(script) == snapshot(["Change dim of block to 20", "Change out_features of stem to 30"])


def test_factory_function(repaired: Repaired) -> None:
    factory = "def block(i, o):\n    return nn.Sequential(nn.Conv2d(i, o, 3), nn.ReLU())\n"
    script = factory + net(
        "self.a = block(3, 8)\nself.b = block(16, 4)", "return self.b(self.a(x))", "torch.randn(1, 3, 9, 9)"
    )
    assert repaired(script) == snapshot(
        ["Change i of block in line 7 to 8", "Change o of block in line 6 to 16", "Change out_channels of a.0 to o * 2"]
    )


def test_another_layer_was_meant(repaired: Repaired) -> None:
    layers = "self.mu = nn.Linear(32, 8)\nself.decode = nn.Linear(8, 32)"
    assert repaired(net(layers, "return self.decode(x)", "torch.randn(2, 32)")) == snapshot(
        [
            "Change in_features of decode to 32",
            "Use self.mu",
            "Change dim 1 of this torch.randn to 8",
            "Use self.mu(x)",
            "Use nn.LazyLinear(32) for decode",
        ]
    )


def test_another_name_was_meant(repaired: Repaired) -> None:
    script = net("self.fc = nn.Linear(16, 4)", "z = x.flatten(1)\nreturn self.fc(x)", "torch.randn(3, 2, 8)")
    assert repaired(script) == snapshot(
        [
            "Insert x.flatten(1) before fc",
            "Change in_features of fc to 8",
            "Use z",
            "Change dim 2 of this torch.randn to 16",
            "Use nn.LazyLinear(4) for fc",
        ]
    )


def test_channels_last(repaired: Repaired) -> None:
    script = net("self.conv = nn.Conv1d(12, 8, 3)", "return self.conv(x)", "torch.randn(2, 50, 12)")
    assert repaired(script) == snapshot(
        [
            "Use x.transpose(1, 2)",
            "Use torch.randn(2, 50, 12).transpose(1, 2)",
            "Change in_channels of conv to 50",
            "Change dim 1 of this torch.randn to 12",
        ]
    )


def test_pool_that_depends_on_the_image(repaired: Repaired) -> None:
    layers = "self.conv = nn.Conv2d(3, 16, 3)\nself.pool = nn.AvgPool2d(7)\nself.fc = nn.Linear(16, 4)"
    script = net(layers, "return self.fc(self.pool(self.conv(x)).flatten(1))", "torch.randn(1, 3, 30, 30)")
    assert repaired(script) == snapshot(
        [
            "Change in_features of fc to 256",
            "Write in_features of fc as 16 * 4 * 4",
            "Change out_channels of conv to 1",
            "Use nn.AdaptiveAvgPool2d(1) for pool",
            "Use nn.LazyLinear(4) for fc",
        ]
    )


def test_norm_of_another_rank(repaired: Repaired) -> None:
    layers = "self.fc = nn.Linear(8, 64)\nself.bn = nn.BatchNorm2d(64)"
    assert repaired(net(layers, "return self.bn(self.fc(x))", "torch.randn(2, 8)")) == snapshot(
        ["Use nn.BatchNorm1d for bn", "Use self.fc(x).view(-1, 64, 1, 1)"]
    )


def test_recurrent_layer(repaired: Repaired) -> None:
    layers = "self.embed = nn.Linear(4, 32)\nself.lstm = nn.LSTM(64, 16)"
    assert repaired(net(layers, "return self.lstm(self.embed(x))", "torch.randn(5, 2, 4)")) == snapshot(
        ["Change input_size of lstm to 32", "Change out_features of embed to 64"]
    )


def test_hidden_state(repaired: Repaired) -> None:
    script = net("self.gru = nn.GRU(8, 16)", "return self.gru(x, y)", "torch.randn(5, 3, 8), torch.randn(2, 3, 16)")
    assert repaired(script) == snapshot(["Add num_layers=2 to gru"])
    script = net("self.gru = nn.GRU(8, 16)", "return self.gru(x, y)", "torch.randn(5, 3, 8), torch.randn(3, 16)")
    assert repaired(script) == snapshot(["Use y.unsqueeze(0)"])


def test_heads(repaired: Repaired) -> None:
    layers = "self.attention = nn.MultiheadAttention(dim, heads)"
    script = net(layers, "return self.attention(x, x, x)[0]", "torch.randn(5, 2, 100)", "dim, heads", "100, 8")
    assert repaired(script) == snapshot(
        [
            "Change heads to 10 in line 7",
            "Change num_heads to 10",
            "Change heads to 5 in line 7",
            "Change num_heads to 5",
        ]
    )


def test_transformer(repaired: Repaired) -> None:
    layers = "self.embed = nn.Linear(4, 32)\nself.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4), 2)"
    assert repaired(net(layers, "return self.encoder(self.embed(x))", "torch.randn(5, 2, 4)")) == snapshot(
        ["Change d_model of TransformerEncoderLayer to 32", "Change out_features of embed to 64"]
    )


def test_matmul(repaired: Repaired) -> None:
    script = net("pass", "return x @ y", "torch.randn(2, 16, 64), torch.randn(2, 16, 64)")
    assert repaired(script) == snapshot(
        [
            "Use y.transpose(-2, -1)",
            "Use x.transpose(-2, -1)",
            "Change dim 1 of this torch.randn to 64",
            "Change dim 2 of this torch.randn to 16",
        ]
    )


def test_cat(repaired: Repaired) -> None:
    script = net("pass", "return torch.cat([x, y], dim=1)", "torch.randn(2, 3, 8), torch.randn(2, 3, 7)")
    assert repaired(script) == snapshot(
        ["Join on dim 2", "Change dim 2 of this torch.randn to 8", "Change dim 2 of this torch.randn to 7"]
    )


def test_residual_of_another_size(repaired: Repaired) -> None:
    script = net("self.conv = nn.Conv2d(3, 3, 5)", "return x + self.conv(x)", "torch.randn(2, 3, 16, 16)")
    assert repaired(script) == snapshot(
        [
            "Add padding=2 to conv",
            "Change kernel_size of conv to 1",
            "Use torch.nn.functional.interpolate(self.conv(x), size=x.shape[2:])",
        ]
    )


def test_view(repaired: Repaired) -> None:
    script = net("pass", "return x.view(x.size(0), 400)", "torch.randn(4, 16, 4, 4)")
    assert repaired(script) == snapshot(["Use flatten(1)", "Change 400 to 256", "Change 400 to -1"])
    assert repaired(net("pass", "return x.transpose(1, 2).view(2, -1)", "torch.randn(2, 3, 4)")) == snapshot(
        ["Use reshape"]
    )


def test_unpacking(repaired: Repaired) -> None:
    script = net("pass", "q, k, v = x.chunk(2, dim=-1)\nreturn q + k + v", "torch.randn(2, 12)")
    assert repaired(script) == snapshot(["Make 3 chunks"])


def test_dimension(repaired: Repaired) -> None:
    assert repaired(net("pass", "return x.mean(3)", "torch.randn(2, 3, 4)")) == snapshot(["Use dim 2", "Use dim -1"])


def test_kernel_larger_than_input(repaired: Repaired) -> None:
    script = net("self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x)", "torch.randn(2, 3, 2, 2)")
    assert repaired(script) == snapshot(["Add padding=1 to conv", "Change kernel_size of conv to 2"])


def test_dtypes(repaired: Repaired) -> None:
    assert repaired(net("self.embed = nn.Embedding(10, 4)", "return self.embed(x)", "torch.rand(2, 3)")) == snapshot(
        ["Use x.long()"]
    )
    script = net("self.conv = nn.Conv1d(3, 8, 3)", "return self.conv(x)", "torch.zeros(1, 3, 8, dtype=torch.long)")
    assert repaired(script) == snapshot(["Use x.float()"])


def test_loss(repaired: Repaired) -> None:
    assert repaired("p = torch.rand(8, 1)\nt = torch.rand(8)\nF.binary_cross_entropy(p, t)\n") == snapshot(
        ["Use p.squeeze(-1)", "Use t.unsqueeze(-1)"]
    )


def test_expression_of_the_producer(repaired: Repaired) -> None:
    factory = "def block(i, o):\n    return nn.Sequential(nn.Conv2d(i, o, 3), nn.BatchNorm2d(i))\n"
    script = factory + "model = block(3, 8)\nmodel(torch.randn(1, 3, 9, 9))\n"
    assert repaired(script) == snapshot(
        [
            "Change num_features of model[1] to o",
            "Change out_channels of model[0] to i",
            "Change o of block in line 3 to 3",
            "Change num_features of model[1] to 8",
            "Change out_channels of model[0] to 3",
        ]
    )


def test_another_block_was_meant(repaired: Repaired) -> None:
    layers = "self.stem = nn.Linear(4, 16)\nself.a = nn.Sequential(nn.Linear(16, 8))\n"
    layers += "self.b = nn.Sequential(nn.Linear(8, 4))"
    script = net(layers, "x = self.stem(x)\nx = self.b(x)\nreturn x", "torch.randn(2, 4)")
    assert "Use self.a" in repaired(script)
