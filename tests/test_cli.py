"""The command line: what it prints, in both formats, and what it exits with."""

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.results import FILE, ROOT, Scene, Seen, context, linear, tensor
from metalens.__main__ import main
from metalens.cli.formats.json import write_json
from metalens.cli.formats.text import write_text
from metalens.cli.frames import Mark, frame
from metalens.cli.outcome import collect
from metalens.cli.terminal import Palette, palette_for
from metalens.protocol.messages import Edit, Finding, Fix, Related
from metalens.protocol.values import Location, Position, Range

PROJECT = Path(__file__).parent.parent
PLAIN = Palette(False)

NET = Scene("""\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(30, 5)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x)


class Other(nn.Module):
    pass


print("😀", Net()(torch.randn(32, 10)))
""")


def finding(**given):
    usual = {
        "code": "linear-in-features",
        "severity": "error",
        "message": "fc2 expects 30 input features, got 20 from fc1",
        "location": NET.location("self.fc2(x)"),
        "model": "Net",
        "related": (
            Related(NET.location("30"), "in_features=30 declared here"),
            Related(NET.location("nn.Linear(10, 20)"), "fc1 makes 20 features"),
            Related(NET.location("Net()(torch.randn(32, 10))"), "called here"),
        ),
        "torch": "mat1 and mat2 shapes cannot be multiplied (32x20 and 30x5)",
        "fixes": (Fix("Change in_features of fc2 to 20", (Edit(NET.location("30"), "20"),), True),),
    }
    return Finding(**{**usual, **given})


@pytest.fixture
def outcome(monkeypatch):
    """A file with a mistake in one of its two classes."""
    monkeypatch.setattr(os.path, "relpath", lambda path: str(Path(path).relative_to(ROOT)))
    built = context(
        NET,
        "Net",
        [linear("fc1", 10, 20), linear("fc2", 30, 5)],
        arguments=NET.evidence("", "call site", "Net()(torch.randn(32, 10))"),
        inputs=NET.evidence("[32, 10]", "call site", "Net()(torch.randn(32, 10))"),
        output=tensor(32, 5),
    )
    return collect([NET.result(Seen((built,), (finding(),)).report())])


def text_of(file):
    assert file == FILE
    return NET.text


def test_text(outcome):
    assert write_text(outcome, text_of, PLAIN) == snapshot("""\
error[linear-in-features]: fc2 expects 30 input features, got 20 from fc1
  --> net.py:13:16
   |
 8 |         self.fc1 = nn.Linear(10, 20)
   |                    ----------------- fc1 makes 20 features
 9 |         self.fc2 = nn.Linear(30, 5)
   |                              -- in_features=30 declared here
...
13 |         return self.fc2(x)
   |                ^^^^^^^^^^^
...
20 | print("😀", Net()(torch.randn(32, 10)))
   |             -------------------------- called here
   |
   = help: Change in_features of fc2 to 20
   = torch: mat1 and mat2 shapes cannot be multiplied (32x20 and 30x5)

net.py:16: Other was not built: nothing in this workspace builds or calls it

Found 1 error in 1 of 2 models (1 not built). 1 fixable.
""")


def test_text_without_findings(outcome):
    assert write_text(collect([NET.result()]), text_of, PLAIN) == snapshot("""\
net.py:5: Net was not built: nothing in this workspace builds or calls it
net.py:16: Other was not built: nothing in this workspace builds or calls it

No mistakes found in 2 models (2 not built).
""")


def test_json(outcome):
    assert json.loads(write_json(outcome, text_of)) == snapshot(
        {
            "version": 1,
            "diagnostics": [
                {
                    "file": "net.py",
                    "range": {"start": {"line": 12, "character": 15}, "end": {"line": 12, "character": 26}},
                    "severity": "error",
                    "code": "linear-in-features",
                    "message": "fc2 expects 30 input features, got 20 from fc1",
                    "model": "Net",
                    "related": [
                        {
                            "file": "net.py",
                            "range": {"start": {"line": 8, "character": 29}, "end": {"line": 8, "character": 31}},
                            "message": "in_features=30 declared here",
                        },
                        {
                            "file": "net.py",
                            "range": {"start": {"line": 7, "character": 19}, "end": {"line": 7, "character": 36}},
                            "message": "fc1 makes 20 features",
                        },
                        {
                            "file": "net.py",
                            "range": {"start": {"line": 19, "character": 12}, "end": {"line": 19, "character": 38}},
                            "message": "called here",
                        },
                    ],
                    "fixes": [
                        {
                            "title": "Change in_features of fc2 to 20",
                            "edits": [
                                {
                                    "file": "net.py",
                                    "range": {
                                        "start": {"line": 8, "character": 29},
                                        "end": {"line": 8, "character": 31},
                                    },
                                    "newText": "20",
                                }
                            ],
                        }
                    ],
                }
            ],
            "models": [
                {
                    "file": "net.py",
                    "line": 4,
                    "name": "Net",
                    "status": "traced",
                    "reason": "",
                    "grade": "clean",
                    "arguments": {"text": "", "from": "call site net.py:20"},
                    "inputs": {"text": "[32, 10]", "from": "call site net.py:20"},
                    "parameters": [
                        {"name": "fc1.weight", "shape": [20, 10], "dims": [], "dtype": "f32"},
                        {"name": "fc1.bias", "shape": [20], "dims": [], "dtype": "f32"},
                        {"name": "fc2.weight", "shape": [5, 30], "dims": [], "dtype": "f32"},
                        {"name": "fc2.bias", "shape": [5], "dims": [], "dtype": "f32"},
                    ],
                    "output": "[32, 5]",
                    "seconds": 0.0,
                },
                {
                    "file": "net.py",
                    "line": 15,
                    "name": "Other",
                    "status": "skipped",
                    "reason": "nothing in this workspace builds or calls it",
                    "grade": "borrowed",
                    "arguments": None,
                    "inputs": None,
                    "parameters": [],
                    "output": None,
                    "seconds": 0.0,
                },
            ],
        }
    )


def test_json_counts_utf16(outcome):
    """The call in the last line stands behind a character of two units."""
    data = json.loads(write_json(outcome, text_of))
    called = data["diagnostics"][0]["related"][2]
    line = NET.text.split("\n")[called["range"]["start"]["line"]]
    units = line.encode("utf-16-le")
    start, end = (2 * called["range"][side]["character"] for side in ("start", "end"))
    assert units[start:end].decode("utf-16-le") == "Net()(torch.randn(32, 10))"


def test_findings_of_several_files_come_once_those_of_files_that_are_not_checked_as_well():
    elsewhere = finding(location=Location("/project/other.py", NET.location("30").range), message="elsewhere")
    again = finding(message="told again by another file")
    result = NET.result(Seen((), (finding(), finding(message="once more"))).report())
    told = replace(result, elsewhere=(elsewhere, elsewhere))
    other = replace(result, file="/project/third.py", findings=(), elsewhere=(again, elsewhere))
    assert [item.message for item in collect([told, other]).findings] == [finding().message, "elsewhere"]


def test_a_warning_fails_and_a_hint_does_not():
    def outcome_of(severity):
        return collect([NET.result(Seen((), (finding(severity=severity),)).report())])

    assert [outcome_of(severity).failed for severity in ("error", "warning", "information", "hint")] == [
        True,
        True,
        False,
        False,
    ]


def frame_of(text, start, end):
    mark = Mark(Range(Position(*start), Position(*end)), "^", "here", str)
    return list(frame(text, [mark], 1, str))


def test_carets_stand_below_wide_characters_tabs_and_what_a_terminal_would_obey():
    assert frame_of("\tx = '漢字\x1b[31m' + y", (0, 15), (0, 16)) == snapshot(
        ["  |", "1 |     x = '漢字�[31m' + y", "  |                     ^ here"]
    )


def test_a_range_of_many_lines_is_shown_by_its_first_ones():
    text = "\n".join(f"    line{number}," for number in range(9))
    assert frame_of(text, (1, 4), (8, 9)) == snapshot(
        [
            "  |",
            "2 |     line1,",
            "  |     ^^^^^^ here",
            "3 |     line2,",
            "  |     ^^^^^^",
            "4 |     line3,",
            "  |     ^^^^^^",
            "5 |     line4,",
            "  |     ^^^^^^",
        ]
    )


def test_a_line_without_end_is_cut():
    shown = frame_of("x" * 10_000, (0, 9_000), (0, 9_003))
    assert max(map(len, shown)) < 200


def test_a_place_beyond_the_text_is_no_error():
    assert frame_of("x = 1\n", (7, 0), (7, 3)) == ["  |"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colours"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "0"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours(stream, environment, colours):
    assert palette_for(stream, environment).colours is colours


def test_colours_leave_the_text_alone(outcome):
    coloured = write_text(outcome, text_of, Palette(True))
    plain = "".join(part.partition("m")[2] if index else part for index, part in enumerate(coloured.split("\x1b[")))
    assert "\x1b[1;31merror[linear-in-features]" in coloured
    assert plain == write_text(outcome, text_of, PLAIN)


# ---------------------------------------------------------------- what is typed wrongly


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("no code\n")
    (tmp_path / "latin.py").write_bytes(b"name = '\xe9'\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["check", "nowhere.py"], 2, "nowhere.py: no such file or folder"),
        (["check", "net.py", "notes.txt"], 2, "notes.txt: not a Python file"),
        (["check", "latin.py"], 2, "UTF-8"),
        (["check", "net.py", "--python", "no/such/python"], 3, "no/such/python"),
        (["summary", "nowhere.py:Net"], 2, "nowhere.py: no such file or folder"),
        (["summary", "."], 2, "name a file"),
    ],
)
def test_what_is_wrong_is_said_and_told_by_the_exit_code(folder, capsys, arguments, code, words):
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("metalens: ")
    assert words in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("arguments", [[], ["check", "--format", "xml"], ["paint"], ["summary"]])
def test_a_wrong_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: metalens" in capsys.readouterr().err


def test_a_folder_without_python_files_is_clean(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "No mistakes found in 0 models.\n"
    assert main(["check", ".", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "diagnostics": [], "models": []}


def test_version(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("metalens ")


def test_what_breaks_here_is_no_finding(folder, capsys, monkeypatch):
    def broken(options):
        raise ZeroDivisionError

    monkeypatch.setattr("metalens.__main__.check", broken)
    assert main(["check", "net.py"]) == 2
    assert "a defect of metalens" in capsys.readouterr().err
