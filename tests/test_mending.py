"""Mending all that can be: which fixes go together, when it ends, and what is written."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import FILE, ROOT
from metalens.__main__ import main
from metalens.engine.mending import MOST_ROUNDS, mend, together
from metalens.engine.result import Result
from metalens.protocol.messages import Edit, Finding, Fix
from metalens.protocol.values import Location, Position, Range
from metalens.workspace.writing import Unwritable, read_original, rewrite

OTHER = str(ROOT / "other.py")


def edit(line, start, end, text, file=FILE):
    return Edit(Location(file, Range(Position(line, start), Position(line, end))), text)


def finding(message, *edits, preferred=True):
    place = edits[0].location if edits else Location(FILE, Range(Position(0, 0), Position(0, 1)))
    fixes = (Fix(f"Mend {message}", edits, preferred),) if edits else ()
    return Finding("broadcast", "error", message, place, "Net", fixes=fixes)


def wrong_numbers(text, file=FILE):
    """A world in which each `bad` is a mistake whose fix says `good`."""
    return [
        finding(f"{number}.{found.start()}", edit(number, *found.span(), "good", file))
        for number, line in enumerate(re.split(r"\r\n|\n", text))
        for found in re.finditer("bad", line)
    ]


def result(file, text, findings):
    return Result(file, None, text, (), tuple(findings), None)


async def mended(text, find=wrong_numbers):
    asked = []

    async def check(files, texts):
        asked.append(dict(texts))
        return [result(file, texts.get(file, text), find(texts.get(file, text))) for file in files]

    return await mend([FILE], check, lambda file: text), asked


async def test_fixes_that_do_not_touch_each_other_go_together():
    done, asked = await mended("bad\r\nx\r\nbad, bad\r\n")
    assert done.texts == {FILE: "good\r\nx\r\ngood, good\r\n"}
    assert [repair.finding.message for repair in done.repairs] == ["0.0", "2.0", "2.5"]
    assert done.results[0].findings == ()
    assert len(asked) == 2


async def test_fixes_that_touch_each_other_take_turns():
    done, asked = await mended("badbad\n")
    assert done.texts == {FILE: "goodgood\n"}
    assert [repair.finding.message for repair in done.repairs] == ["0.0", "0.4"]
    assert len(asked) == 3


async def test_where_nothing_can_be_mended_nothing_is_tried():
    done, asked = await mended(
        "bad\n", lambda text: [finding("no fix"), finding("no best", edit(0, 0, 1, ""), preferred=False)]
    )
    assert (done.texts, done.repairs, len(asked)) == ({}, (), 1)
    assert len(done.results[0].findings) == 2


async def test_of_two_that_do_not_go_together_the_first_is_taken():
    def find(text):
        both = text == "good good\n"
        return [finding("worse")] * 3 if both else wrong_numbers(text)

    done, asked = await mended("bad bad\n", find)
    assert done.texts == {FILE: "good bad\n"}
    assert [repair.finding.message for repair in done.repairs] == ["0.0"]
    assert {FILE: "good good\n"} in asked


async def test_a_fix_that_mends_nothing_is_left_out_and_the_others_are_applied():
    def find(text):
        return [finding("stubborn", edit(0, 0, 3, "other")), *wrong_numbers(text.replace("bad", "xxx", 1))]

    done, asked = await mended("bad bad\n", find)
    assert done.texts == {FILE: "bad good\n"}
    assert [item.message for item in done.results[0].findings] == ["stubborn"]
    assert len(asked) < MOST_ROUNDS


async def test_files_without_findings_are_looked_at_once_more_at_the_end():
    asked = []

    async def check(files, texts):
        asked.append(tuple(files))
        return [result(file, "", wrong_numbers(texts.get(file, "bad")) if file == FILE else ()) for file in files]

    done = await mend([OTHER, FILE], check, lambda file: "bad")
    assert [item.file for item in done.results] == [OTHER, FILE]
    assert asked == [(OTHER, FILE), (FILE,), (OTHER, FILE)]


def test_edits_of_different_files_never_touch():
    here, there = finding("a", edit(0, 0, 3, "x")), finding("b", edit(0, 0, 3, "x", OTHER))
    assert len(together([result(FILE, "", [here, there])])) == 2


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("x = 'é'\r\n".encode("utf-8-sig"), "utf-8-sig"),
        ("# coding: latin-1\nx = 'é'\n".encode("latin-1"), "iso-8859-1"),
        (b"a\n\x0cb\r\nc", "utf-8"),
    ],
)
def test_a_file_is_written_as_it_was(tmp_path, content, encoding):
    path = tmp_path / "net.py"
    path.write_bytes(content)
    path.chmod(0o751)
    original = read_original(str(path))
    assert original.encoding == encoding
    rewrite(original, f"{original.text}# é\n")
    assert path.read_bytes() == content + "# é\n".encode(encoding.replace("-sig", ""))
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "net.py", tmp_path / "link.py"
    target.write_text("x\n", encoding="utf-8")
    link.symlink_to(target)
    rewrite(read_original(str(link)), "y\n")
    assert link.is_symlink()
    assert target.read_text() == "y\n"


def test_what_cannot_be_written_is_left_as_it_is(tmp_path):
    path = tmp_path / "net.py"
    path.write_bytes(b"# coding: ascii\n")
    original = read_original(str(path))
    with pytest.raises(Unwritable, match="cannot hold the new text in ascii"):
        rewrite(original, "é")
    path.write_bytes(b"# edited by hand\n")
    with pytest.raises(Unwritable, match="was changed meanwhile"):
        rewrite(original, "x")
    path.unlink()
    with pytest.raises(Unwritable, match="cannot be written"):
        rewrite(original, "x")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- the command

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc1 = nn.Linear(100, 20)
        self.fc2 = nn.Linear(30, 5)

    def forward(self, x):
        x = self.conv(x).flatten(1)  # metalens: ignore[broadcast]
        return self.fc2(torch.relu(self.fc1(x)))


print(Net()(torch.randn(4, 3, 16, 16)).shape)
"""

MENDED = (
    NET.replace("Linear(100", "Linear(1568")
    .replace("Linear(30", "Linear(20")
    .replace("  # metalens: ignore[broadcast]", "")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_bytes(NET.replace("\n", "\r\n").encode())
    return tmp_path


@pytest.mark.torch
def test_a_difference_is_shown_and_nothing_is_changed(folder, capsys):
    before = (folder / "net.py").read_bytes()
    assert main(["check", "--diff", "net.py"]) == 1
    said = capsys.readouterr()
    assert (folder / "net.py").read_bytes() == before
    assert "Would fix " in said.err
    (folder / "fix.patch").write_bytes(said.out.encode())
    subprocess.run(["git", "apply", "--unsafe-paths", "--whitespace=nowarn", "fix.patch"], cwd=folder, check=True)
    assert (folder / "net.py").read_bytes() == MENDED.replace("\n", "\r\n").encode()


@pytest.mark.torch
def test_everything_is_mended_and_told(folder, capsys):
    assert main(["check", "--fix", "net.py"]) == 0
    said = capsys.readouterr().out
    assert (folder / "net.py").read_bytes() == MENDED.replace("\n", "\r\n").encode()
    assert "net.py:14: Change in_features of fc1 to 1568 (linear-in-features)" in said
    assert "Fixed 3 mistakes." in said
    assert "No mistakes found in 1 model." in said
    subprocess.run([sys.executable, "net.py"], cwd=folder, check=True, capture_output=True)
    assert main(["check", "--fix", "net.py", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["fixed"] == []


@pytest.mark.torch
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is write-protected for this user")
def test_a_file_that_is_write_protected_is_told(folder, capsys):
    (folder / "net.py").chmod(0o444)
    assert main(["check", "--fix", "net.py"]) == 2
    assert "metalens: net.py cannot be written: it is write-protected" in capsys.readouterr().err
