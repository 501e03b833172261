"""Hovers on layers: the words for their parameters, what is inside, where they are constructed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from harness.results import Scene, Seen, batch, context, layer, linear, parameter
from harness.scenes import MLP, text_at
from metalens.engine.result import Result
from metalens.features.layers import parameter_words
from metalens.protocol.messages import Expression, Layer
from metalens.protocol.values import Position, Range


@pytest.mark.parametrize(
    ("repr", "name", "sizes", "words"),
    [
        ("Linear(in_features=2, out_features=3, bias=True)", "weight", (3, 2), "out_features × in_features"),
        (
            "Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1))",
            "weight",
            (64, 3, 3, 3),
            "out_channels × in_channels / groups × kernel height × kernel width",
        ),
        ("Conv1d(3, 8, kernel_size=(5,), stride=(1,))", "bias", (8,), "out_channels"),
        (
            "ConvTranspose2d(8, 4, kernel_size=(2, 2), stride=(2, 2))",
            "weight",
            (8, 4, 2, 2),
            "in_channels × out_channels / groups × kernel height × kernel width",
        ),
        ("Embedding(100, 16)", "weight", (100, 16), "num_embeddings × embedding_dim"),
        ("BatchNorm2d(64, eps=1e-05, momentum=0.1)", "weight", (64,), "num_features (scale)"),
        ("LayerNorm((16,), eps=1e-05, elementwise_affine=True)", "bias", (16,), "normalized_shape (shift)"),
        ("GroupNorm(4, 16, eps=1e-05, affine=True)", "weight", (16,), "num_channels (scale)"),
        ("LSTM(10, 20)", "weight_ih_l0", (80, 10), "4·hidden_size × input_size"),
        (
            "LSTM(10, 20, num_layers=2, bidirectional=True)",
            "weight_ih_l1_reverse",
            (80, 40),
            "4·hidden_size × 2·hidden_size",
        ),
        ("LSTM(10, 20, proj_size=5)", "weight_hr_l0", (5, 20), "proj_size × hidden_size"),
        ("GRU(10, 20)", "weight_hh_l0", (60, 20), "3·hidden_size × hidden_size"),
        ("RNN(10, 20)", "bias_ih_l0", (20,), "hidden_size"),
        ("GRUCell(10, 20)", "weight_ih", (60, 10), "3·hidden_size × input_size"),
        ("MyOwn(10)", "weight", (3,), ""),
    ],
)
def test_the_words_for_each_dimension_of_a_parameter(repr: str, name: str, sizes: tuple[int, ...], words: str):
    own = parameter(name, *sizes)
    assert parameter_words(layer("some.where", repr, own), own) == words


CNN = Scene("""\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.attention = nn.MultiheadAttention(64, 4)
        self.head = nn.Sequential(nn.Linear(8, 4), nn.ReLU())

    def forward(self, x):
        return self.head[0](self.pool(self.conv(x)))
""")

CNN_LAYERS = [
    layer(
        "conv",
        "Conv2d(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))",
        parameter("weight", 32, 16, 3, 3),
        parameter("bias", 32),
        before=batch(16, 16, 32),
        after=batch(32, 8, 16),
    ),
    layer(
        "pool",
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        before=batch(32, 8, 8),
        after=batch(32, 4, 4),
    ),
    layer("attention", "MultiheadAttention()", parameter("in_proj_weight", 192, 64), parameter("in_proj_bias", 192)),
    layer(
        "attention.out_proj",
        "NonDynamicallyQuantizableLinear(in_features=64, out_features=64, bias=True)",
        parameter("weight", 64, 64),
        parameter("bias", 64),
    ),
    layer("head", "Sequential()"),
    layer("head.0", "Linear(in_features=8, out_features=4, bias=False)", parameter("weight", 4, 8)),
    layer("head.1", "ReLU()", before=batch(4), after=batch(4)),
]


def cnn() -> Result:
    own = tuple(replace(item, name=f"{part.name}.{item.name}") for part in CNN_LAYERS for item in part.parameters)
    return CNN.result(Seen((context(CNN, "Net", CNN_LAYERS, parameters=own),)).report())


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (
            "self.|conv(",
            snapshot("""\
`conv` **Conv2d**(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))  \n\
`[B, 16, 16, 32]` → `[B, 32, 8, 16]`

`weight [32, 16, 3, 3] = out_channels × in_channels / groups × kernel height × kernel width`  \n\
`bias [32] = out_channels`  \n\
4,640 params (22 % of the model)  \n\
H: ⌊(16 + 2·1 − (3 − 1) − 1) / 2⌋ + 1 = 8  \n\
W: ⌊(32 + 2·1 − (3 − 1) − 1) / 2⌋ + 1 = 16

One kernel for each pair of channels, stored out × in. A batch of 32 changes the activations, never the parameters.\
"""),
        ),
        (
            "self.|pool(",
            snapshot("""\
`pool` **MaxPool2d**(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)  \n\
`[B, 32, 8, 8]` → `[B, 32, 4, 4]`

no parameters  \n\
H, W: ⌊(8 + 2·0 − (2 − 1) − 1) / 2⌋ + 1 = 4\
"""),
        ),
        (
            "self.|attention =",
            snapshot("""\
`attention` **MultiheadAttention**()

`in_proj_weight [192, 64] = 3·embed_dim × embed_dim (query, key and value stacked)`  \n\
`in_proj_bias [192] = 3·embed_dim`  \n\
`out_proj.weight [64, 64] = embed_dim × embed_dim`  \n\
`out_proj.bias [64] = embed_dim`  \n\
16,640 params (78 % of the model)

The batch size changes the activations, never the parameters.\
"""),
        ),
        (
            "self.|head =",
            snapshot("""\
`head` **Sequential**

`0` Linear 8→4 · 32 params  \n\
`1` ReLU · `[B, 4]`  \n\
32 params (0.2 % of the model)\
"""),
        ),
        (
            "head[|0]",
            snapshot("""\
`head.0` **Linear**(in_features=8, out_features=4, bias=False)

`weight [4, 8] = out_features × in_features`  \n\
32 params (0.2 % of the model)

`y = x Wᵀ`, so the weight is stored out × in. The batch size changes the activations, never the parameters.\
"""),
        ),
    ],
)
def test_hover_on_a_layer(at: str, expected: str):
    assert text_at(cnn(), CNN, at) == expected


def test_the_table_of_a_class_shows_composed_layers_as_one():
    assert text_at(cnn(), CNN, "class |Net") == snapshot("""\
**Net** · 21,312 params · 83.2 KiB

| layer | output | params |
|:--|:--|--:|
| `conv` Conv2d 16→32, k3 s2 p1 | `[B, 32, 8, 16]` | 4,640 |
| `pool` MaxPool2d 2 | `[B, 32, 4, 4]` | 0 |
| `attention` MultiheadAttention |  | **16,640** (78 %) |
| `head.0` Linear 8→4 |  | 32 |
| `head.1` ReLU | `[B, 4]` | 0 |

<sub>meta, no memory used</sub>\
""")


GPT = Scene("""\
from torch import nn


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter()
        self.h = nn.ModuleList()
""")


def test_many_layers_are_folded():
    layers: list[Layer] = [layer("wte", "Embedding(100, 16)", parameter("weight", 100, 16))]
    layers.append(layer("h", "ModuleList()"))
    for index in range(12):
        layers.append(layer(f"h.{index}", "Block()", before=batch(8, 16), after=batch(8, 16)))
        layers += [linear(f"h.{index}.up", 16, 64), linear(f"h.{index}.down", 64, 16)]
    layers.append(linear("head", 16, 100))
    own = [parameter("position", 1, 8, 16), parameter("wte.weight", 100, 16)]
    own += [item for part in layers for item in part.parameters if "." in item.name]
    result = GPT.result(Seen((context(GPT, "GPT", layers, parameters=tuple(own)),)).report())
    assert text_at(result, GPT, "class |GPT") == snapshot("""\
**GPT** · 28,964 params · 113 KiB

| layer | output | params |
|:--|:--|--:|
| `position` parameter `[1, 8, 16]` |  | 128 |
| `wte` Embedding 100→16 |  | 1,600 |
| `h.0-11` Block ×12 | `[B, 8, 16]` | **25,536** (88 %) · 2,128 each |
| `head` Linear 16→100 | `[B, 100]` | 1,700 |

<sub>meta, no memory used</sub>\
""")


PARTS = Scene("""\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=10):
        super().__init__()
        self.scale = nn.Parameter()
        self.body = nn.Sequential(
            nn.Linear(10, 20),
            nn.Linear(20, 5),
        )

    def forward(self, x):
        x, (h, c) = self.body(x, y=x)
        return x


small, big = Net(), Net(100)
""")


def parts() -> Result:
    body = [
        replace(linear(f"body.{index}", *sizes), defined=PARTS.location(f"nn.Linear({sizes[0]}, {sizes[1]})"))
        for index, sizes in enumerate([(10, 20), (20, 5)])
    ]
    own = (parameter("scale", 7), *(item for part in body for item in part.parameters))
    buffers = (parameter("steps", 1),)
    layers = [layer("body", "Sequential()"), *body]
    small, big = (
        context(
            PARTS, "Net", layers, parameters=own, buffers=buffers, arguments=PARTS.evidence(text, "call site", text)
        )
        for text in ("Net()", "Net(100)")
    )
    big = replace(big, parameters=(*own, parameter("more", 1000)))
    line = PARTS.find("x, (h").start.line
    seen = [
        Expression(Range(Position(line, start), Position(line, start + 1)), (value,))
        for start, value in ((8, batch(2)), (30, batch(1)), (35, batch(1)))
    ]
    return PARTS.result(Seen((small, big), (), tuple(seen)).report())


def test_hover_on_a_constructor_inside_a_container_is_that_of_its_layer():
    assert text_at(parts(), PARTS, "nn.|Linear(20").startswith("`body.1` **Linear**(in_features=20")


def test_hover_on_a_construction_is_about_those_arguments():
    assert text_at(parts(), PARTS, "|Net(),").startswith("**Net** · 332 params")
    assert text_at(parts(), PARTS, "|Net(100)").startswith("**Net** · 1,332 params")


def test_hover_on_a_parameter_of_the_class_itself():
    assert text_at(parts(), PARTS, "self.|scale") == snapshot("""\
`scale` **[7]** f32 · Parameter  \n\
7 params (2.1 % of the model)\
""")


def test_what_is_assigned_comes_after_what_it_is_made_of():
    assert text_at(parts(), PARTS, "|x, (h").splitlines()[1].startswith("L14 `[B, 1]` → **L14 `[B, 2]`**")


def test_tied_weights_are_counted_once_and_said_to_be_shared():
    tied = [linear("fc1", 10, 20), linear("fc2", 10, 20)]
    result = MLP.result(Seen((context(MLP, "Net", tied, parameters=tied[0].parameters),)).report())
    assert "| `fc2` Linear 10→20 | ″ | 220 shared |" in text_at(result, MLP, "class |Net")
    assert "220 params, shared with another layer" in text_at(result, MLP, "self.|fc2(x)")
