"""What people read: hovers on classes and tensors, lenses, problems and fixes, from results made by hand."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from harness.results import FILE, Scene, Seen, batch, context, linear
from harness.scenes import MLP, mlp, text_at
from metalens.engine.result import Result
from metalens.features.actions import actions
from metalens.features.hover import hover
from metalens.features.lenses import lenses
from metalens.features.problems import problems
from metalens.protocol.messages import Edit, Finding, Fix, Related
from metalens.protocol.values import Evidence, Location, Position, Range


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
PyTorch would say:
```text
mat1 and mat2 shapes cannot be multiplied (32x20 and 30x5)
```

fc1 makes [B, 20].\
""")


def test_the_lens_of_a_class_with_a_mistake_says_where():
    assert [lens.text for lens in lenses(wrong())] == snapshot(["220 params · 880 B · fails at line 15"])


def test_a_finding_becomes_a_problem():
    (problem,) = problems(wrong())
    assert (problem.severity, problem.code, problem.range) == ("error", "linear-in-features", MLP.find("self.fc2(x)"))
    assert problem.href.endswith("/rules/linear-in-features.md")
    assert problem.related == ((MLP.location("nn.Linear(20, 5)"), "in_features=30 declared here"),)


def test_fixes_are_offered_where_their_finding_is_and_the_preferred_one_first():
    edit = (Edit(MLP.location("20, 5"), "30, 5"),)
    result = wrong((Fix("Second", edit), Fix("First", edit, preferred=True)))
    offered = actions(result, Range(MLP.at("fc2(x)"), MLP.at("fc2(x)")))
    assert [action.fix.title for action in offered] == [
        "First",
        "Second",
        "Ignore linear-in-features on this line",
        "Ignore linear-in-features in this file",
    ]
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


def test_a_location_elsewhere_names_its_file():
    made = context(
        MLP, "Net", arguments=Evidence("Net()", "call site", Location("/project/train.py", MLP.find("Net()")))
    )
    result = MLP.result(Seen((made,)).report())
    assert "built as Net() from train.py:18" in text_at(result, MLP, "class |Net")
