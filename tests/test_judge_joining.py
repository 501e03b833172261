"""The words of the rules about joining, rearranging and dtypes, beside what real PyTorch says of the same script."""

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
