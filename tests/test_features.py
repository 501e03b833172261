"""What people read: hovers, lenses, problems and fixes, from results made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from harness.results import FILE, Scene, Seen, batch, context, layer, linear, parameter, tensor
from metalens.engine.result import Result
from metalens.features.actions import actions
from metalens.features.hover import hover
from metalens.features.layers import parameter_words
from metalens.features.lenses import lenses
from metalens.features.problems import problems
from metalens.features.words import counted, item_bytes, params, shape, share, size
from metalens.protocol.messages import Edit, Expression, Finding, Fix, Layer, Related
from metalens.protocol.values import Evidence, Location, Position, Range, Value

MLP = Scene('''\
import torch
from torch import nn


class Net(nn.Module):
    """Has a self.fc1 in its docstring."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


net = Net()
print(net(torch.randn(32, 10)))
''')


def mlp(**given: object) -> Result:
    made = context(
        MLP,
        "Net",
        **{
            "layers": [linear("fc1", 10, 20), linear("fc2", 20, 5)],
            "arguments": MLP.evidence("Net()", "call site", "Net()"),
            "inputs": MLP.evidence("x [B, 10]", "call site", "net(torch"),
            "output": batch(5),
            **given,
        },
    )
    expressions = (
        _name("x):", batch(10)),
        MLP.seen("self.fc1(x)", batch(20)),
        MLP.seen("torch.relu(self.fc1(x))", batch(20)),
        MLP.seen("self.fc2(x)", batch(5)),
        _name("x = torch", batch(20)),
        _name("x))", batch(10)),
        _name("x)\n\n", batch(20)),
    )
    return replace(MLP.result(Seen((made,), (), expressions).report()), torch="2.13.0")


def _name(at: str, value: Value) -> Expression:
    place = MLP.find(at).start
    return Expression(Range(place, Position(place.line, place.column + 1)), (value,))


def text_at(result: Result, scene: Scene, at: str, nth: int = 1) -> str:
    found = hover(result, scene.at(at, nth))
    assert found is not None, f"nothing at {at}"
    return found.markdown


def test_hover_on_a_class():
    assert text_at(mlp(), MLP, "class |Net") == snapshot("""\
**Net** · 325 params · 1.3 KiB  \n\
`x [B, 10]` → `[B, 5]`

| layer | output | params |
|:--|:--|--:|
| `fc1` Linear 10→20 | `[B, 20]` | **220** (68 %) |
| `fc2` Linear 20→5 | `[B, 5]` | 105 |

<sub>built as Net() from line 18 · input x [B, 10] from line 19 · torch 2.13.0 · meta, no memory used</sub>\
""")


def test_hover_on_a_construction_is_that_of_the_class():
    assert text_at(mlp(), MLP, "= |Net()") == text_at(mlp(), MLP, "class |Net")


def test_hover_on_a_linear_layer_explains_its_weight():
    assert text_at(mlp(), MLP, "self.|fc1(x)") == snapshot("""\
`fc1` **Linear**(in_features=10, out_features=20, bias=True)  \n\
`[B, 10]` → `[B, 20]`

`weight [20, 10] = out_features × in_features`  \n\
`bias [20] = out_features`  \n\
220 params (68 % of the model)

`y = x Wᵀ + b`, so the weight is stored out × in. A batch of 32 changes the activations, never the parameters.\
""")


@pytest.mark.parametrize("at", ["self.|fc1 = nn", "|self.fc1 = nn", "nn.|Linear(10"])
def test_hover_on_the_definition_of_a_layer_is_that_of_the_layer(at: str):
    assert text_at(mlp(), MLP, at).startswith("`fc1` **Linear**")


def test_hover_on_a_tensor_is_about_that_very_position():
    assert text_at(mlp(), MLP, "|x = torch") == snapshot("""\
`x` **[B, 20]** f32  \n\
L13 `[B, 10]` → **L14 `[B, 20]`**  \n\
80 B per item\
""")
    assert text_at(mlp(), MLP, "fc1(|x)") == snapshot("""\
`x` **[B, 10]** f32  \n\
**L13 `[B, 10]`** → L14 `[B, 20]`  \n\
40 B per item\
""")


def test_hover_on_a_function_shows_what_its_call_gives():
    assert text_at(mlp(), MLP, "torch.|relu") == snapshot("""\
`torch.relu(self.fc1(x))` **[B, 20]** f32  \n\
80 B per item\
""")


@pytest.mark.parametrize("at", ["Has a self.|fc1", "|import", "in_its"])
def test_nothing_is_known_of_words_in_strings_and_other_code(at: str):
    place = MLP.at(at) if at.replace("|", "") in MLP.text else Position(999, 3)
    assert hover(mlp(), place) is None


def test_a_class_that_was_not_built_says_why():
    result = mlp(status="skipped", reason="needs num_classes", layers=(), parameters=())
    assert text_at(result, MLP, "class |Net") == snapshot("**Net** · needs num_classes")
    assert text_at(result, MLP, "self.|fc1(x)") == snapshot("""\
`fc1` **Linear** · `nn.Linear(10, 20)`

Not built: needs num_classes\
""")
    assert [lens.text for lens in lenses(result)] == snapshot(["needs num_classes"])


def test_a_lens_per_class():
    (lens,) = lenses(mlp())
    assert lens.text == snapshot("325 params · 1.3 KiB · x [B, 10] → [B, 5]")
    assert lens.range == MLP.find("Net")


def test_a_probed_input_says_that_it_is_one():
    result = mlp(inputs=Evidence("x [B, 10]", "probe"), grade="borrowed")
    assert [lens.text for lens in lenses(result)] == snapshot(["325 params · 1.3 KiB · works for x [B, 10] → [B, 5]"])
    last = text_at(result, MLP, "class |Net").splitlines()[-1]
    assert last == snapshot(
        "<sub>built as Net() from line 18 · input x [B, 10] from a size that works · torch 2.13.0 · meta, no memory used</sub>"  # noqa: E501
    )


# ---------------------------------------------------------------- layers


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


# ---------------------------------------------------------------- several contexts, mistakes, fixes


def test_other_ways_in_which_a_class_is_built_are_told():
    ways = [
        context(MLP, "Net", [linear("fc1", 10, 20, before=batch(size), after=batch(20))],
                arguments=Evidence(f"Net({size})", "call site"), inputs=Evidence(f"x [B, {size}]", "call site"),
                output=batch(5))
        for size in (10, 11, 12, 13)
    ]  # fmt: skip
    result = MLP.result(Seen(tuple(ways)).report())
    assert text_at(result, MLP, "class |Net") == snapshot("""\
**Net** · 220 params · 880 B  \n\
`x [B, 10]` → `[B, 5]`

| layer | output | params |
|:--|:--|--:|
| `fc1` Linear 10→20 | `[B, 20]` | **220** (100 %) |

also `Net(11)` from call site: 220 params · `x [B, 11]` → `[B, 5]`  \n\
also `Net(12)` from call site: 220 params · `x [B, 12]` → `[B, 5]`  \n\
+1 more

<sub>built as Net(10) from call site · input x [B, 10] from call site · meta, no memory used</sub>\
""")
    assert text_at(result, MLP, "self.|fc1(x)").splitlines()[2] == snapshot(
        "elsewhere `[B, 11]` → `[B, 20]`, `[B, 12]` → `[B, 20]`, +1"
    )


def test_a_tensor_with_several_shapes_shows_three():
    shapes = [batch(256, size, size) for size in (56, 28, 14, 7)]
    result = MLP.result(Seen(expressions=(MLP.seen("self.fc2(x)", *shapes),)).report())
    assert text_at(result, MLP, "fc2|(x)") == snapshot("""\
`self.fc2(x)` **[B, 256, 56, 56]** f32  \n\
also `[B, 256, 28, 28]`, `[B, 256, 14, 14]`, +1  \n\
3.1 MiB per item\
""")


def wrong(fixes: tuple[Fix, ...] = ()) -> Result:
    finding = Finding(
        code="linear-in-features",
        severity="error",
        message="fc2 expects 30 input features, got 20 from fc1",
        location=MLP.location("self.fc2(x)"),
        model="Net",
        related=(Related(MLP.location("nn.Linear(20, 5)"), "in_features=30 declared here"),),
        torch="mat1 and mat2 shapes cannot be multiplied (32x20 and 30x5)",
        notes=("fc1 makes [B, 20].",),
        fixes=fixes,
    )
    made = context(MLP, "Net", [linear("fc1", 10, 20)], status="instantiated", reason="RuntimeError: mat1 and mat2")
    return MLP.result(Seen((made,), (finding,)).report())


def test_a_mistake_is_explained_in_the_hover_with_the_words_that_pytorch_would_use():
    assert text_at(wrong(), MLP, "return |self.fc2(x)") == snapshot("""\
fc1 makes [B, 20].  \n\
PyTorch would say: `mat1 and mat2 shapes cannot be multiplied (32x20 and 30x5)`\
""")


def test_the_lens_of_a_class_with_a_mistake_says_where():
    assert [lens.text for lens in lenses(wrong())] == snapshot(["220 params · 880 B · fails at line 15"])


def test_a_finding_becomes_a_problem():
    (problem,) = problems(wrong())
    assert (problem.severity, problem.code, problem.range) == ("error", "linear-in-features", MLP.find("self.fc2(x)"))
    assert problem.href.endswith("docs/rules/linear-in-features.md")
    assert problem.related == ((MLP.location("nn.Linear(20, 5)"), "in_features=30 declared here"),)


def test_a_rule_can_be_softened_or_switched_off():
    assert [problem.severity for problem in problems(wrong(), {"linear-in-features": "hint"})] == ["hint"]
    assert problems(wrong(), {"linear-in-features": "ignore"}) == ()


def test_fixes_are_offered_where_their_finding_is_and_the_preferred_one_first():
    edit = (Edit(MLP.location("20, 5"), "30, 5"),)
    result = wrong((Fix("Second", edit), Fix("First", edit, preferred=True)))
    offered = actions(result, Range(MLP.at("fc2(x)"), MLP.at("fc2(x)")))
    assert [action.fix.title for action in offered] == ["First", "Second"]
    assert actions(result, MLP.find("class Net")) == ()


def test_a_problem_of_the_file_is_the_reason_of_its_classes():
    result = MLP.result(Seen(problems={FILE: "line 3 does not parse"}).report())
    assert [lens.text for lens in lenses(result)] == ["line 3 does not parse"]


@pytest.mark.parametrize(
    "text", ["", "class", "class Net(nn.Module):\n    def forward(self, x):\n        self.", '"""']
)
def test_half_typed_text_never_fails(text: str):
    scene = Scene(text)
    result = scene.result(Seen().report())
    lines = text.split("\n")
    for line, written in enumerate(lines):
        for column in range(len(written) + 1):
            hover(result, Position(line, column))
    assert problems(result) == ()


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (params(1), "1 param"),
        (params(4458), "4,458 params"),
        (params(999_999), "999,999 params"),
        (params(2_175_754), "2.18 M params"),
        (params(124_439_808), "124 M params"),
        (params(6_738_415_616), "6.74 B params"),
        (size(880), "880 B"),
        (size(8_703_016), "8.3 MiB"),
        (size(497_759_232), "475 MiB"),
        (share(73_856, 2_175_754), "3.4 %"),
        (share(1, 0), ""),
        (counted(1, "model"), "1 model"),
        (counted(12, "model"), "12 models"),
        (shape(tensor(2, 3)), "[2, 3]"),
        (shape(tensor(2, -1, dims=("B", ""))), "[B, ?]"),
        (shape(tensor(2, 3, dtype="i64")), "i64[2, 3]"),
        (shape(Value("tuple", items=(tensor(2), tensor(3)))), "([2], [3])"),
        (shape(Value("list", items=(tensor(2), tensor(2), tensor(2)))), "3× [2]"),
        (shape(Value("dict", items=(tensor(2),), keys=("loss",))), "{loss: [2]}"),
        (shape(Value("other", text="None")), "None"),
        (item_bytes("bf16"), 2),
        (item_bytes("bool"), 1),
        (item_bytes("f8_e4m3fn"), 1),
        (item_bytes("c64"), 8),
    ],
)
def test_how_numbers_and_shapes_are_written(written: object, expected: object):
    assert written == expected


def test_a_location_elsewhere_names_its_file():
    made = context(
        MLP, "Net", arguments=Evidence("Net()", "call site", Location("/project/train.py", MLP.find("Net()")))
    )
    result = MLP.result(Seen((made,)).report())
    assert "built as Net() from train.py:18" in text_at(result, MLP, "class |Net")


# ---------------------------------------------------------------- where things are constructed and assigned

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
