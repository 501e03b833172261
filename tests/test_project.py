"""What `pyproject.toml` says, and what is said of it where it is wrong."""

from __future__ import annotations

import json

import pytest

from metalens.__main__ import main
from metalens.workspace.documents import Workspace
from metalens.workspace.project import read_project


def project(folder, text):
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_project(Workspace(folder))


def test_without_a_file_or_a_table_nothing_is_said(tmp_path):
    assert read_project(Workspace(tmp_path)).rules == {}
    found = project(tmp_path, "[tool.other]\nx = 1\n")
    assert (found.rules, found.complaints) == ({}, ())


def test_levels(tmp_path):
    found = project(tmp_path, '[tool.metalens.rules]\nbroadcast = "warn"\ncat-dim = "off"\n')
    assert found.rules == {"broadcast": "warning", "cat-dim": "off"}
    assert found.complaints == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('[tool.metalens]\nrule = "x"\n', 1, 0, "tool.metalens has no setting rule; did you mean rules?"),
        (
            '[tool.other]\ncat-dims = 1\n[tool.metalens.rules]\n  "cat-dims" = "off"\n',
            3,
            2,
            "rules.cat-dims: there is no rule cat-dims; did you mean cat-dim?",
        ),
        (
            '[tool.metalens.rules]\n# cat-dim\ncat-dim = "loud"\n',
            2,
            0,
            "rules.cat-dim must be error, warning, information, hint or off, not 'loud'",
        ),
        (
            '[tool.metalens]\nrules = "off"\n',
            1,
            0,
            "rules must map each rule to its level, not be 'off'",
        ),
        ("[tool]\nmetalens = 3 # tool.metalens\n", 1, 0, "tool.metalens must be a table"),
    ],
)
def test_what_is_not_understood_is_told_where_it_stands(tmp_path, text, line, column, message):
    (complaint,) = project(tmp_path, text).complaints
    start = complaint.location.range.start
    assert (complaint.code, complaint.message, start.line, start.column) == ("invalid-setting", message, line, column)


def test_what_is_no_toml_is_told_once(tmp_path):
    (complaint,) = project(tmp_path, "x = 1\n[tool.metalens]\nrules = {\n").complaints
    assert complaint.message.startswith("this is not TOML, so that nothing of it counts")


NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 20)

    def forward(self, x):
        return self.fc(x)


Net()(torch.randn(4, 12))
"""


@pytest.mark.torch
@pytest.mark.parametrize(
    ("settings", "arguments", "severities", "code"),
    [
        ("", [], ["error"], 1),
        ('linear-in-features = "hint"', [], ["hint"], 0),
        ('linear-in-features = "off"', [], [], 0),
        ('linear-in-features = "off"', ["--rule", "linear-in-features=warning"], ["warning"], 1),
        ('linear = "off"', [], ["error", "warning"], 1),
        ('linear = "off"\ninvalid-setting = "off"', [], ["error"], 1),
    ],
)
def test_the_command_line_has_the_last_word(tmp_path, monkeypatch, capsys, settings, arguments, severities, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(f"[tool.metalens.rules]\n{settings}\n", encoding="utf-8")
    assert main(["check", "net.py", "--format", "json", *arguments]) == code
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [item["severity"] for item in found] == severities


@pytest.mark.parametrize("given", ["cat-dims=off", "cat-dim=loud", "cat-dim", "=off"])
def test_a_level_that_is_not_understood_is_one_message(capsys, given):
    with pytest.raises(SystemExit) as ended:
        main(["check", "--rule", given])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("error:") == 1
