"""Text that does not parse: what stands above the break, and in other blocks, stays."""

from __future__ import annotations

import ast
import time

import pytest

from metalens.resolve.classes import module_classes
from metalens.resolve.outline import outline
from trees import WORKSPACES, tree

MODEL = (WORKSPACES.parent / "fixtures/correct/conditional_layers.py").read_text() + (
    WORKSPACES / "zoo/zoo/nets.py"
).read_text().replace("from .b", "from zoo.b")


def names(text):
    return [item.qualname for item in outline(text).classes]


def complete_above(text, line):
    """The classes that end above a zero-based line."""
    tree_ = ast.parse(text)
    return [node.name for node in tree_.body if isinstance(node, ast.ClassDef) and node.end_lineno <= line]


@pytest.mark.parametrize("ending", ["", "(", "x = self.", "    def f(self, x", "    '''", "class Next(nn."])
def test_a_file_cut_at_any_line_keeps_the_classes_above(ending):
    lines = MODEL.split("\n")
    for number in range(len(lines) + 1):
        kept = names("\n".join([*lines[:number], ending]))
        above = complete_above(MODEL, number)
        assert kept[: len(above)] == above, (number, ending)


def test_a_file_cut_at_any_character_never_raises():
    text = MODEL[:1500]
    for number in range(len(text)):
        outline(text[:number])


@pytest.mark.parametrize(
    "typed",
    [
        "        self.new = nn.Linear(10,",
        "        self.new = ",
        "        self.",
        "        x = self.fc(x",
        "        for x in",
        "        if self.training:",
        "    def helper(self, x",
        "    def helper(self, x):",
        "        return {'a': [1, 2",
        "        x = 'open",
        "        f(a=1, 2)",
        "      odd_indent = 1",
        "        x = self.fc + \\",
        "    @",
        "        \0",
        "            )",
        "class Half(",
        "class Half(nn.Module",
        "class Half(nn.Module):",
        "from torch import",
        "def",
    ],
)
def test_a_line_being_typed_anywhere_loses_at_most_its_own_class(typed):
    lines = MODEL.split("\n")
    everything = names(MODEL)
    for number in range(2, len(lines)):
        lost = set(everything) - set(names("\n".join([*lines[:number], typed, *lines[number:]])))
        assert len(lost) <= 1, number


@pytest.mark.parametrize("quote", ['"""', "'''", 'f"""'])
@pytest.mark.parametrize("words", ["words", "prose (of a kind.", "x = 1"])
def test_an_open_quote_does_not_turn_the_file_inside_out(quote, words):
    block = f'class Net{{}}(nn.Module):\n    """{words}"""\n\n    def forward(self, x):\n        return x\n'
    lines = ["from torch import nn", *"\n".join(block.format(number) for number in range(20)).split("\n")]
    for number in (3, 33, 63):
        assert len(names("\n".join([*lines[:number], f"        {quote}", *lines[number:]]))) >= 19


def test_places_stay_where_they_are(tmp_path):
    lines = [
        "from torch import nn",
        "class A(nn.Module):",
        "    def __init__(self):",
        "        self.fc = nn.Linear(2, 3)",
    ]
    workspace = tree(tmp_path, {"a.py": "\n".join(lines)})
    file = str(tmp_path / "a.py")
    (whole,) = module_classes(workspace, file)
    workspace.open(file, "\n".join([*lines, "        self.half = nn.Linear(", "", "class Half(nn."]), 1)
    assert module_classes(workspace, file) == (whole,)


@pytest.mark.parametrize(
    "text", ["\0", "(" * 5000, "[" * 10_000, "'''", "\t\n x\n\ty", "\ud800", "é" * 10 + "(", "if x:"]
)
def test_what_is_hardly_python_has_no_classes(text):
    assert names(text) == []


def test_deep_nesting_is_survived():
    assert names("x = " + "-" * 50_000 + "1\n") == []


def test_twenty_thousand_lines():
    block = MODEL[MODEL.index("class ") :]
    count = 20_000 // block.count("\n") + 1
    text = "from torch import nn\n" + "\n".join([block] * count)
    broken = text.replace("self.", "self.(", 1)
    assert text.count("\n") > 20_000
    for version in (text, broken):
        started = time.monotonic()
        assert len(outline(version).classes) >= count - 1
        assert time.monotonic() - started < 20  # ten times what it takes on a slow machine
