"""Rules that stand in for torch's meta operators lay out memory as the operators do: a `view` may follow."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402, N812
from torch.overrides import TorchFunctionMode  # noqa: E402

from metalens.worker.trace.shortcuts import RULES  # noqa: E402

pytestmark = pytest.mark.torch


class Rules(TorchFunctionMode):
    """What has a rule goes by it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        rule = RULES.get(function)
        answer = rule(args, kwargs or {}) if rule else None
        return function(*args, **(kwargs or {})) if answer is None else answer


def straight():
    return torch.randn(2, 5, 4, 3)


def turned():
    return torch.randn(2, 3, 4, 5).transpose(1, 3)


def heads():
    return torch.randn(2, 5, 3, 8).transpose(1, 2)


CASES = {
    "layer_norm": lambda make: F.layer_norm(make(), (3,)),
    "softmax": lambda make: make().softmax(-1),
    "log_softmax": lambda make: F.log_softmax(make(), -1),
    "dropout": lambda make: F.dropout(make()),
    "dropout in eval": lambda make: F.dropout(make(), training=False),
    "relu": lambda make: F.relu(make()),
    "gelu": lambda make: F.gelu(make()),
    "softplus": lambda make: F.softplus(make()),
    "contiguous": lambda make: make().contiguous(),
    "clone": lambda make: make().clone(),
    "clone of a slice": lambda make: make()[..., ::2].clone(),
    "add alike": lambda make: make() + make(),
    "add another": lambda make: make() + straight(),
    "add to another": lambda make: straight() + make(),
    "add a row": lambda make: make() + torch.randn(3),
    "add to a row": lambda make: torch.randn(3) + make(),
    "add one": lambda make: make() + torch.randn(1, 1, 1, 3),
    "times two": lambda make: 2 * make(),
    "linear": lambda make: F.linear(make(), torch.randn(7, 3)),
    "convolution": lambda make: F.conv2d(make(), torch.randn(6, 5, 3, 3), torch.randn(6), padding=1),
    "convolution with a window": lambda make: F.conv2d(make(), torch.randn(10, 1, 2, 3), None, 2, (1, 2), 2, 5),
    "convolution of a pointed kernel": lambda make: F.conv2d(make(), torch.randn(6, 5, 1, 1)),
    "convolution that stays the same": lambda make: F.conv2d(make(), torch.randn(6, 5, 3, 3), padding="same"),
    "group_norm": lambda make: F.group_norm(make().contiguous(), 5, torch.randn(5), torch.randn(5)),
    "instance_norm": lambda make: F.instance_norm(make().contiguous()),
    "normalize": lambda make: F.normalize(make(), dim=-1),
    "prelu": lambda make: F.prelu(make(), torch.randn(5)),
    "mean": lambda make: make().mean((1, -1)),
    "mean that keeps its rank": lambda make: torch.mean(make(), dim=2, keepdim=True),
    "mean of all": lambda make: make().mean(),
    "variance": lambda make: make().var(dim=1, unbiased=False),
    "sum": lambda make: make().sum(-1, True),
    "both": lambda make: torch.var_mean(make(), dim=[1, 2], keepdim=True, unbiased=False)[1],
    "matmul": lambda make: make() @ torch.randn(2, 5, 6, 3).mT,
    "matmul of rows": lambda make: make().matmul(torch.randn(3, 7)),
    "matmul of one": lambda make: torch.randn(7, 4) @ make(),
    "matmul of some": lambda make: make() @ torch.randn(5, 3, 7),
    "bmm": lambda make: torch.bmm(make()[0], torch.randn(5, 3, 7)),
    "adaptive_avg_pool": lambda make: F.adaptive_avg_pool2d(make(), (2, 1)),
    "adaptive_avg_pool to one": lambda make: F.adaptive_avg_pool2d(make(), 1),
    "adaptive_avg_pool of a line": lambda make: F.adaptive_avg_pool1d(make()[0], 2),
    "hardtanh": lambda make: F.hardtanh(make()),
    "square": lambda make: make() ** 2,
    "interpolate": lambda make: F.interpolate(make(), scale_factor=1.7, mode="bilinear"),
    "interpolate to a size": lambda make: F.interpolate(make(), (9, 5), mode="bicubic", align_corners=True),
    "interpolate each by its own": lambda make: F.interpolate(make(), scale_factor=(0.6, 3), mode="bilinear"),
    "interpolate recomputed": lambda make: F.interpolate(
        make(), scale_factor=2.6, mode="bilinear", recompute_scale_factor=True
    ),
    "interpolate a line": lambda make: F.interpolate(make()[0], size=7, mode="linear"),
    "grid_sample": lambda make: F.grid_sample(make(), torch.zeros(2, 7, 6, 2), align_corners=False),
    "grid_sample in space": lambda make: F.grid_sample(make()[:, None], torch.zeros(2, 3, 7, 6, 3), align_corners=True),
    "cross_entropy": lambda make: F.cross_entropy(make(), torch.zeros(2, 4, 3, dtype=torch.long), torch.randn(5)),
    "cross_entropy of each": lambda make: F.cross_entropy(
        make(), torch.zeros(2, 4, 3, dtype=torch.long), reduction="none"
    ),
    "weight norm": lambda make: torch._weight_norm(make().contiguous(), torch.randn(2, 1, 1, 1), 0),
    "cat": lambda make: torch.cat([make(), make(), straight()], -1),
    "cat of other sizes": lambda make: torch.cat((make(), make()[:, :, :1].contiguous()), dim=2),
    "cat of numbers": lambda make: torch.cat([make().long(), make().long()]),
    "stack": lambda make: torch.stack([make().contiguous(), straight()], dim=-1),
    "stack in front": lambda make: torch.stack((make(), make())),
    "attention": lambda make: F.scaled_dot_product_attention(heads(), heads(), heads()),
}


@pytest.mark.parametrize("make", [straight, turned])
@pytest.mark.parametrize("name", CASES)
def test_a_rule_lays_out_memory_as_torch_does(name, make):
    real = CASES[name](make)
    with torch.device("meta"), Rules():
        ruled = CASES[name](make)
    assert (ruled.shape, ruled.stride(), ruled.dtype) == (real.shape, real.stride(), real.dtype)


@pytest.mark.parametrize("make", [straight, turned])
def test_batch_norm_keeps_the_layout_of_a_usual_input(make):
    image = make().contiguous()
    with torch.device("meta"), Rules():
        ruled = F.batch_norm(make().contiguous(), None, None, training=True)
    assert ruled.stride() == F.batch_norm(image, None, None, training=True).stride()
