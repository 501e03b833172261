"""Pins: what the user says of a class is followed first of all, and what does not fit is told where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metalens.__main__ import main

NET = """\
from torch import nn

WIDTH = 10


class Net(nn.Module):
    def __init__(self, width, hidden=7, act=nn.Tanh):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = act()
        self.fc2 = nn.Linear(hidden, 5)

    def forward(self, x, mask=None):
        return self.fc2(self.act(self.fc1(x)))
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(text: str, settings: str = "", caller: str = ""):
        (tmp_path / "net.py").write_text(text, encoding="utf-8")
        (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
        if caller:
            (tmp_path / "train.py").write_text(caller, encoding="utf-8")
        main(["check", "net.py", "--format", "json"])
        said = json.loads(capsys.readouterr().out)
        return said["models"], [(item["code"], item["file"], item["message"]) for item in said["diagnostics"]]

    return run


def shown(models):
    return [(m["status"], m["grade"], m["arguments"]["text"], m["inputs"] and m["inputs"]["text"]) for m in models]


def pinned(args: str = "", inputs: str = "") -> str:
    text = NET.replace("class Net", f"# metalens: args {args}\nclass Net") if args else NET
    return text.replace("    def forward", f"    # metalens: input {inputs}\n    def forward") if inputs else text


pytestmark = pytest.mark.torch


def test_comments_say_how_a_class_is_built_and_called(check):
    models, said = check(pinned("WIDTH, hidden=20, act=nn.ReLU", "[32, 10], mask=bool[32]"))
    assert shown(models) == [("traced", "clean", "Net(10, hidden=20, act=ReLU)", "x [32, 10], mask bool[32]")]
    assert [models[0][key]["from"] for key in ("arguments", "inputs")] == ["pin net.py:6", "pin net.py:14"]
    assert models[0]["output"] == "[32, 5]"
    assert said == []


def test_a_pin_is_better_than_any_caller(check):
    caller = "import torch\nfrom net import Net\nNet(3)(torch.zeros(2, 3))\n"
    models, _ = check(pinned("4", "(8, 4)"), caller=caller)
    assert shown(models) == [
        ("traced", "clean", "Net(4)", "x [8, 4]"),
        ("traced", "clean", "Net(3)", "x [2, 3]"),
    ]


def test_inputs_alone_are_for_the_model_that_a_caller_builds(check):
    models, _ = check(pinned(inputs="f32[9, 3]"), caller="from net import Net\nnet = Net(3)\n")
    assert shown(models)[0] == ("traced", "clean", "Net(3)", "x [9, 3]")


def test_inputs_alone_do_not_blame_a_model_that_nobody_builds_like_that(check):
    models, said = check(pinned(inputs="f32[9, 4]").replace("width, hidden=7", "width=4, hidden=7"))
    assert shown(models) == [("traced", "mended", "Net()", "x [9, 4]")]
    _, said = check(pinned(inputs="f32[9, 3]").replace("width, hidden=7", "width=4, hidden=7"))
    assert said == []


def test_a_mistake_that_a_pin_shows_is_told(check):
    _, said = check(pinned("10", "[32, 12]"))
    assert said == [("linear-in-features", "net.py", "fc1 expects 10 input features, got 12 ([32, 12])")]


def test_a_name_without_a_number_shows_shapes_and_no_mistakes(check):
    models, said = check(pinned("12", "[B, D]"))
    assert [(model["status"], model["grade"]) for model in models] == [("traced", "mended")]
    assert said == []
    _, said = check(pinned("10", "[B, D]"))
    assert said == []
    _, said = check(pinned("10", "[B, D]"), "[tool.metalens.dims]\nB = 2\nD = 12\n")
    assert [code for code, _, _ in said] == ["linear-in-features"]


def test_the_settings_say_it_too(check):
    settings = '[tool.metalens.models."net:Net"]\nargs = { width = 3, hidden = 4 }\ninputs = { x = "f32[6, 3]" }\n'
    models, said = check(NET, settings)
    assert shown(models) == [("traced", "clean", "Net(width=3, hidden=4)", "x [6, 3]")]
    assert models[0]["arguments"]["from"] == "pin pyproject.toml:2"
    assert said == []
    models, _ = check(pinned("9"), settings.replace("6, 3", "6, 9"))
    assert shown(models) == [("traced", "clean", "Net(9)", "x [6, 9]")], "a comment counts more"


@pytest.mark.parametrize(
    ("text", "settings", "code", "message"),
    [
        (pinned("1, 2, 3, 4"), "", "invalid-pin", "Net does not take these arguments: too many positional arguments"),
        (pinned("1, hidden="), "", "invalid-pin", "this is no list of arguments: 1, hidden="),
        (pinned("nothing"), "", "invalid-pin", "nothing has no value here: NameError: name 'nothing' is not defined"),
        (pinned("'wide'"), "", "invalid-pin", "Net cannot be built like this: TypeError"),
        (pinned("1", "y=[2, 3]"), "", "invalid-pin", "forward does not take these inputs: missing a required argument"),
        (pinned("1", "f32[2, 3.5]"), "", "invalid-pin", "sizes are numbers or names, unlike in f32[2, 3.5]"),
        (f"{NET}\n# metalens: args 3\n", "", "invalid-directive", "args must stand beside or above a class"),
        (NET, '[tool.metalens.models."net:Nett"]\nargs = [1]\n', "invalid-pin", "net.py has no module class Nett; did"),
        (NET, "[tool.metalens.models]\nnet = 3\n", "invalid-setting", "a model is named as in"),
        (NET, '[tool.metalens.models."net:Net"]\narg = 3\n', "invalid-setting", "a model has no setting arg"),
        (NET, "[tool.metalens.dims]\nB = 0\n", "invalid-setting", "dims.B must be a whole number above 0"),
    ],
)
def test_what_does_not_fit_is_told_once_where_it_stands(check, text, settings, code, message):
    _, said = check(text, settings)
    ((found, file, words),) = said
    assert (found, file) == (code, "pyproject.toml" if settings else "net.py")
    assert words.startswith(message)
    assert len(words) <= 100
