"""Shapes that patterns of einops ask for."""

from __future__ import annotations

import pytest
import torch

from metalens.worker.trace.patterns import layer_of, shape_for

layers = pytest.importorskip("einops.layers.torch")


@pytest.mark.parametrize(
    ("pattern", "sizes", "given", "shape"),
    [
        ("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", {"p1": 4, "p2": 8}, (2, 16, 96), (2, 3, 32, 64)),
        ("b c (f pf) (h p) -> b f h (p pf c)", {"p": 2, "pf": 2}, (2, 16, 64), (2, 16, 16, 16)),
        ("b n d -> b d n", {}, (2, 3, 64, 64), (2, 64, 8)),
        ("b ... d -> b d ...", {}, (2, 64), None),
    ],
)
def test_a_pattern_tells_the_rank_and_what_comes_after_it_the_sizes(pattern, sizes, given, shape):
    assert shape_for(layers.Rearrange(pattern, **sizes), given) == shape


def test_the_layer_that_does_not_know_a_rank_is_found():
    layer = layers.Rearrange("b n d -> b d n")
    with pytest.raises(KeyError) as caught:
        layer(torch.zeros(2, 3))
    assert layer_of(caught.value) is layer
    with pytest.raises(KeyError) as other:
        {}[2]
    assert layer_of(other.value) is None
