"""`metalens explain`: the pages of the rules, which every link leads to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from metalens.__main__ import main
from metalens.features.problems import problem
from metalens.protocol.messages import Finding
from metalens.protocol.values import Location, Position, Range
from metalens.workspace.rules import pages

INDEX = Path(__file__).parent.parent / "docs" / "rules" / "README.md"


def test_a_rule_is_explained(capsys):
    assert main(["explain", "linear-in-features"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("linear-in-features\n\nA linear layer multiplies")
    assert "\n    mat1 and mat2 shapes cannot be multiplied (8x8192 and 4096x256)\n" in shown
    assert "```" not in shown


def test_all_rules_are_listed_in_a_line_each(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(pages())
    assert all(len(line.split(maxsplit=1)[1]) > 10 for line in lines)


def test_both_as_json(capsys):
    assert main(["explain", "--format", "json"]) == 0
    assert [entry["rule"] for entry in json.loads(capsys.readouterr().out)] == list(pages())
    assert main(["explain", "broadcast", "--format", "json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["rule"], entry["page"]) == ("broadcast", pages()["broadcast"].text)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("linear-in-feature", "there is no rule linear-in-feature; did you mean linear-in-features"),
        ("Broadcast", "did you mean broadcast"),
        ("batch", "did you mean batch-dim or batch-first or batch-mixing-reshape?"),
        ("zzzzzz", "there is no rule zzzzzz; `metalens explain` lists them all"),
    ],
)
def test_another_name_gives_near_ones(capsys, given, words):
    assert main(["explain", given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_page_opens_without_a_network():
    here = Location("/net.py", Range(Position(0, 0), Position(0, 1)))
    shown = problem(Finding("broadcast", "error", "wrong", here, "Net"))
    assert shown.href == pages()["broadcast"].path.as_uri()
    assert shown.href.startswith("file:")


def test_the_index_names_every_page():
    assert sorted(re.findall(r"^- \[([a-z-]+)\]\(\1\.md\): \S", INDEX.read_text(), re.MULTILINE)) == list(pages())
