"""Comments that silence findings, those that do not any more, and levels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.results import FILE, Scene, Seen, context, linear
from metalens.engine.edits import apply_edits
from metalens.features.heard import heard
from metalens.features.ignoring import ignoring
from metalens.protocol.messages import Finding
from metalens.resolve.directives import directives

NET = """\
#!/usr/bin/env python
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(30, 5)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(
            x,
        )
"""

LINEAR = "linear-in-features"
CALL = "return self.fc2("


def result_of(text, *findings, **given):
    scene = Scene(text)
    built = context(scene, "Net", [linear("fc1", 10, 20)], **given)
    return scene.result(Seen((built,), findings).report())


def mistake(text, at="self.fc2(", code=LINEAR):
    return Finding(code, "error", "wrong", Scene(text).location(at), "Net")


def said(text, *, levels=None, codes=(LINEAR,), at="self.fc2(", **given):
    """What is heard of a file with these mistakes at one place, as code and first line."""
    shown = heard(result_of(text, *(mistake(text, at, code) for code in codes), **given), levels or {})
    return [(item.code, item.message) if item.severity == "warning" else item.code for item in shown.findings]


def mended(text, nth=0, **given):
    """The file after the preferred fix of the nth thing that is heard."""
    shown = heard(result_of(text, mistake(text), **given), {})
    return apply_edits(text, shown.findings[nth].fixes[0].edits)


@pytest.mark.parametrize(
    "text",
    [
        NET.replace(CALL, f"{CALL}  # metalens: ignore[linear-in-features]"),
        NET.replace(CALL, f"{CALL}  # metalens:ignore[ broadcast-is-none, linear-in-features ] for now").replace(
            "broadcast-is-none", LINEAR
        ),
        NET.replace(CALL, f"{CALL}  # shape: [B]  # metalens: ignore"),
        NET.replace(CALL, f"{CALL}  # type: ignore[metalens:linear-in-features, attr-defined]"),
        NET.replace("        )\n", "        )  # metalens: ignore[linear-in-features]\n"),
        NET.replace(
            f"        {CALL}", f"        # metalens: ignore[linear-in-features]\n        # why\n        {CALL}"
        ),
        NET.replace("Module):", "Module):  # metalens: ignore[linear-in-features]"),
        NET.replace("class Net", "# metalens: ignore[linear-in-features]\nclass Net"),
        NET.replace("class Net", "@final  # metalens: ignore[linear-in-features]\nclass Net"),
        NET.replace("#!/usr/bin/env python", "# metalens: ignore-file[linear-in-features]"),
        NET.replace("    def forward", "    @typing.no_type_check\n    def forward"),
    ],
)
def test_a_comment_silences(text):
    assert said(text) == []


@pytest.mark.parametrize(
    "text",
    [
        NET,
        NET.replace(CALL, f"{CALL}  # type: ignore"),
        NET.replace(CALL, f"{CALL}  # type: ignore[attr-defined]"),
        NET.replace(CALL, f"{CALL}  # noqa"),
        NET.replace("fc1(x)", "fc1(x)  # type: ignore[metalens:embed-heads, linear-in-features]"),
        NET.replace("class Net", "MARK = '# metalens: ignore-file'\n\n\nclass Net"),
    ],
)
def test_other_comments_silence_nothing(text):
    assert LINEAR in said(text)


def test_of_two_mistakes_at_one_place_the_named_one_is_silenced():
    text = NET.replace(CALL, f"{CALL}  # metalens: ignore[linear-in-features]")
    assert said(text, codes=(LINEAR, "index-range")) == ["index-range"]
    bare = NET.replace(CALL, f"{CALL}  # metalens: ignore")
    assert said(bare, codes=(LINEAR, "index-range")) == []


def test_what_silences_nothing_is_told_and_removed():
    text = NET.replace("fc1(x)", "fc1(x)  # metalens: ignore[broadcast] no more")
    assert said(text) == [("unused-ignore", "nothing here needs ignore[broadcast]"), LINEAR]
    assert mended(text) == NET
    alone = NET.replace("        x = ", "        # metalens: ignore\n        x = ")
    assert said(alone) == [("unused-ignore", "nothing here needs this ignore"), LINEAR]
    assert mended(alone) == NET


def test_of_several_rules_only_the_unused_one_goes():
    text = NET.replace(CALL, f"{CALL}  # metalens: ignore[broadcast, linear-in-features] still")
    assert said(text) == [("unused-ignore", "nothing here needs ignore[broadcast]")]
    assert mended(text) == text.replace("broadcast, ", "")
    shared = NET.replace("fc1(x)", "fc1(x)  # type: ignore[metalens:broadcast, attr-defined]")
    assert mended(shared) == shared.replace("metalens:broadcast, ", "")


def test_a_rule_that_does_not_exist_is_told_with_the_one_that_was_meant():
    text = NET.replace(CALL, f"{CALL}  # metalens: ignore[linear-in-feature]")
    assert said(text) == [
        LINEAR,
        ("unused-ignore", "there is no rule linear-in-feature; did you mean linear-in-features?"),
    ]
    assert mended(text, 1) == text.replace("in-feature]", "in-features]")


@pytest.mark.parametrize("given", [{"status": "skipped"}, {"grade": "borrowed"}, {"grade": "mended"}])
def test_where_nothing_could_be_found_nothing_is_called_unused(given):
    text = NET.replace("fc1(x)", "fc1(x)  # metalens: ignore[broadcast]")
    assert said(text, **given) == [LINEAR]


def test_while_more_is_to_come_nothing_is_called_unused():
    text = NET.replace("fc1(x)", "fc1(x)  # metalens: ignore[broadcast]")
    half = replace(result_of(text), complete=False)
    assert heard(half, {}).findings == ()
    assert heard(replace(half, complete=True), {}).findings != ()


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# metalens: ignore-file[broadcast]", "ignore-file must stand above all code; here it ignores nothing"),
        ("# metalens: ignore[broadcast", "the brackets of ignore are not closed"),
        ("# metalens: ignored[broadcast]", "there is no directive ignored; did you mean ignore?"),
    ],
)
def test_what_is_no_directive_is_told(comment, message):
    assert said(NET.replace("fc1(x)", f"fc1(x)  {comment}")) == [("invalid-directive", message), LINEAR]


def test_prose_is_left_alone():
    assert said(NET.replace("fc1(x)", "fc1(x)  # metalens: shows [B, 20] here")) == [LINEAR]


def test_levels():
    assert said(NET, levels={LINEAR: "warning"}) == [(LINEAR, "wrong")]
    assert said(NET, levels={LINEAR: "off"}) == []
    unused = NET.replace("fc1(x)", "fc1(x)  # metalens: ignore")
    assert said(unused, levels={"unused-ignore": "off"}) == [LINEAR]


# ---------------------------------------------------------------- silencing as a fix


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (NET, "self.fc2("),
        (NET.replace(CALL, f"{CALL}  # metalens: ignore[broadcast]"), "self.fc2("),
        (NET.replace("            x,\n", '            x, """\n            """,\n'), "self.fc2("),
        (NET.replace("self.fc1(x)", "1 + \\\n            self.fc1(x)"), "1 + "),
        (NET.replace("self.fc1(x)", 'self.fc1("""\n""")'), "self.fc1("),
        ("if net(1) and \\\n    net(2): pass\nclass Net(nn.Module): pass\n", "net(1)"),
        (NET.replace("#!/usr/bin/env python\n", "# metalens: ignore-file[broadcast]\n"), "self.fc2("),
    ],
)
def test_both_comments_that_are_offered_silence(text, at):
    finding = mistake(text, at)
    here, everywhere = ignoring(text, finding)
    assert (here.title, everywhere.title) == (f"Ignore {LINEAR} on this line", f"Ignore {LINEAR} in this file")
    for fix in (here, everywhere):
        edited = apply_edits(text, fix.edits)
        assert [item.word for item in directives(edited) if LINEAR in item.rules] != []
        assert LINEAR not in said(edited, at=at)
        assert compile(edited, FILE, "exec")


def test_no_comment_is_offered_against_what_is_said_of_comments():
    assert ignoring(NET, mistake(NET, code="unused-ignore")) == ()
