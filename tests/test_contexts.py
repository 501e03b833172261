"""The ways in which a class was built: told in a lens, put first when chosen, written down as a pin."""

from __future__ import annotations

import pytest

from harness.results import Scene, Seen, context
from metalens.engine.edits import apply_edits
from metalens.features.contexts import key_of, pin_edits, preferring, ways
from metalens.features.lenses import LONGEST, provenance_lenses
from metalens.protocol.values import Evidence

NET = Scene("""\
from torch import nn


@final
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()

    @torch.no_grad()
    def forward(self, x):
        return x


Net(10)
""")


def result_of(*contexts):
    return NET.result(Seen(tuple(contexts)).report())


def way(arguments, inputs="", **given):
    called = Evidence(inputs, "call site", NET.location("Net(10)")) if inputs else None
    return context(
        NET, "Net", arguments=Evidence(arguments, "call site", NET.location("Net(10)")), inputs=called, **given
    )


def test_a_lens_says_how_and_who_says_so():
    (lens,) = provenance_lenses(result_of(way("Net(10)", "x [2, 10]"), way("Net(9)", "x [2, 9]")), offered=False)
    assert lens.text == "built as Net(10) from line 14 · input x [2, 10] from line 14 · +1 more"
    assert (lens.range, lens.about) == (NET.find("Net"), "")


def test_a_long_lens_is_cut_and_still_counts_the_others():
    (lens,) = provenance_lenses(result_of(way(f"Net({'1' * 300})"), way("Net(9)")), offered=True)
    assert len(lens.text) == LONGEST
    assert lens.text.endswith("… · +1 more")
    assert lens.about == "Net"


def test_a_class_that_nobody_builds_asks_only_where_somebody_can_be_asked():
    unbuilt = result_of(context(NET, "Net", status="skipped", reason="needs width"))
    assert provenance_lenses(unbuilt, offered=False) == ()
    assert [lens.text for lens in provenance_lenses(unbuilt, offered=True)] == ["say how it is built"]


def test_what_was_chosen_comes_first_and_the_others_keep_their_order():
    result = result_of(way("Net(1)"), way("Net(2)"), way("Net(3)"))
    (model,) = preferring(result, {"Net": key_of(result.models[0].contexts[2])}).models
    assert [item.arguments.text for item in model.contexts] == ["Net(3)", "Net(1)", "Net(2)"]
    assert preferring(result, {"Net": ("Net(gone)", "")}) == result


@pytest.mark.parametrize(
    ("arguments", "inputs", "pinned"),
    [
        ("Net(10, act=ReLU)", "x [32, 10], mask bool[32, 1]", ("10, act=ReLU", "x=[32, 10], mask=bool[32, 1]")),
        ("Net()", "([2, 3], [4, 5]), True", ("", "([2, 3], [4, 5]), True")),
        ("Net(Config(...))", "x {'a': [2, 3]}", (None, "x={'a': [2, 3]}")),
        ("Net(10)", "", ("10", None)),
        ("Net(<object>)", "x Batch(...)", (None, None)),
    ],
)
def test_what_a_pin_would_say(arguments, inputs, pinned):
    result = result_of(way(arguments, inputs))
    (only,) = ways(result, result.models[0])
    assert (only.arguments, only.inputs) == pinned


def test_a_pin_is_written_above_class_and_forward_and_replaced_by_the_next():
    result = result_of(way("Net(10)"))
    text = apply_edits(NET.text, pin_edits(result, result.models[0], "10, True", "[2, 10]"))
    assert "# metalens: args 10, True\n@final\nclass Net" in text
    assert "    # metalens: input [2, 10]\n    @torch.no_grad()\n    def forward" in text
    again = Scene(text).result()
    replaced = apply_edits(text, pin_edits(again, again.models[0], "9", ""))
    assert replaced == text.replace("args 10, True", "args 9")
