"""Files and interpreters as bad as they come, through the real command line and the real server.

Whatever one file or class does, it costs that file or class alone: the others are explained, and nothing is left.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.session import DEADLINE, Editor, EditorClient, server_config

SOURCES = str(Path(__file__).parent.parent / "server")
FORKS = pytest.mark.parametrize("fork", [[], ["--no-fork"]], ids=["fork", "standby"])
CODES = {"clean": 0, "findings": 1, "usage": 2, "interpreter": 3}

GOOD = """\
import torch
from torch import nn


class Good(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 5)

    def forward(self, x):
        return self.fc(x)


"""

BAD = """\
class Bad(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 5)
        self.trouble()

    def trouble(self):
        {trouble}

    def forward(self, x):
        return self.fc(x)


print(Bad()(torch.randn(2, 10)).shape)
print(Good()(torch.randn(2, 10)).shape)
"""

# What the constructor of Bad does; the status of Bad, and words of the reason.
TROUBLES = {
    "prints": ("print('x' * 100_000)", "traced", ""),
    "writes_to_descriptor_1": ("import os; os.write(1, b'{\"version\": 1}')", "traced", ""),
    "raises": ("raise RuntimeError('no')", "failed", "RuntimeError: no"),
    "ends": ("import sys; sys.exit(3)", "skipped", "ends the interpreter"),
    "ends_at_once": ("import os; os._exit(3)", "skipped", "ended the interpreter"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "skipped", "the interpreter crashed"),
    "recurses": ("self.trouble()", "failed", "RecursionError"),
    "allocates": ("self.big = bytearray(100 * 2**30)", "failed", "MemoryError"),
    "forks": ("import os; os.fork()", "failed", "start programs"),
    "starts": (
        "import subprocess; subprocess.run(['touch', 'stray'])",
        "skipped",
        "No such file or directory: 'touch'",
    ),
    "spawns": ("import os; os.posix_spawnp('touch', ['touch', 'stray'], {})", "failed", "start programs"),
    "connects": ("import socket; socket.create_connection(('127.0.0.1', 9))", "failed", "use the network"),
    "writes": ("import os; os.close(os.open('stray', os.O_CREAT | os.O_WRONLY))", "failed", "write files"),
    "threads": ("import threading; threading.Thread(target=threading.Event().wait).start()", "traced", ""),
    "misses_a_package": ("import nowhere_to_be_found; self.x = nowhere_to_be_found.make(3)", "traced", ""),
}

HELPER = """\
def helper{0}(rows, limit=10):
    total = 0
    for row in rows:
        total += row['a'] * limit
    return total

"""

LOOPS = {
    "python": "while True: pass",
    "stubborn": "exec('while True:\\n try:\\n  sum(range(9))\\n except Exception: pass')",
    "c": "import itertools, collections; collections.deque(itertools.repeat(0), 0)",
}


def metalens(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "metalens", "check", "--format", "json", "--python", python, *arguments]
    env = {**os.environ, "PYTHONPATH": SOURCES}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=110, check=False)


def models(run: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, object]]:
    """The best of what is said of each class."""
    told: dict[tuple[str, str], dict[str, object]] = {}
    for model in json.loads(run.stdout)["models"]:
        told.setdefault((model["file"], model["name"]), model)
    return told


# ---------------------------------------------------------------- modules


@pytest.mark.torch
@FORKS
def test_each_trouble_costs_its_class_alone(tmp_path, fork):
    for name, (trouble, _, _) in TROUBLES.items():
        (tmp_path / f"{name}.py").write_text(GOOD + BAD.format(trouble=trouble))
    before = sorted(tmp_path.rglob("*"))
    run = metalens(tmp_path, ".", *fork)
    assert (run.returncode, run.stderr) == (CODES["clean"], "")
    told = models(run)
    for name, (_, status, words) in TROUBLES.items():
        assert told[f"{name}.py", "Good"]["status"] == "traced", name
        bad = told[f"{name}.py", "Bad"]
        assert bad["status"] == status, (name, bad)
        assert words in str(bad["reason"]), (name, bad)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.torch
@pytest.mark.parametrize("trouble", LOOPS)
def test_a_loop_without_end_costs_its_class_alone(tmp_path, trouble):
    (tmp_path / "model.py").write_text(GOOD + BAD.format(trouble=LOOPS[trouble]))
    run = metalens(tmp_path, "model.py")
    assert (run.returncode, run.stderr) == (CODES["clean"], "")
    told = models(run)
    assert told["model.py", "Good"]["status"] == "traced"
    assert told["model.py", "Bad"]["status"] == "skipped"
    assert "longer than" in str(told["model.py", "Bad"]["reason"])


@pytest.mark.torch
def test_arguments_that_nobody_gives_and_nothing_tells(tmp_path):
    text = GOOD.replace("Good", "Needy").replace("__init__(self)", "__init__(self, settings)")
    (tmp_path / "model.py").write_text(text.replace("nn.Linear(10, 5)", "settings.make(self)(settings.read().size)"))
    run = metalens(tmp_path, "model.py")
    assert (run.returncode, run.stderr) == (CODES["clean"], "")
    needy = models(run)["model.py", "Needy"]
    assert needy["status"] == "skipped"
    assert "settings" in str(needy["reason"])


def test_what_lies_in_the_folder_is_not_imported_by_the_command(tmp_path):
    for name in ("socket", "asyncio", "jedi"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    run = metalens(tmp_path, "socket.py")
    assert (run.returncode, run.stderr) == (CODES["clean"], "")
    assert not (tmp_path / "ran").exists()


# ---------------------------------------------------------------- files


@pytest.mark.torch
def test_files_of_every_kind_beside_a_good_one(tmp_path):
    (tmp_path / "good.py").write_text(GOOD + "print(Good()(torch.randn(2, 10)).shape)\n")
    (tmp_path / "broken.py").write_text(GOOD.replace("Good", "Half") + "net = Half(\n")
    (tmp_path / "only_an_error.py").write_text("def f(:\n")
    (tmp_path / "empty.py").write_bytes(b"")
    (tmp_path / "latin.py").write_bytes(GOOD.encode() + b"name = '\xe9'\n")
    (tmp_path / "named_latin.py").write_bytes(
        b"# coding: latin-1\n" + GOOD.replace("Good", "Latin").encode() + b"net, name = Latin(), '\xe9'\n"
    )
    (tmp_path / "null.py").write_bytes(b"import torch\n\0\n")
    windows = GOOD.replace("Good", "Windows") + "print(Windows()(torch.randn(2, 11)).shape)\n"
    (tmp_path / "windows.py").write_bytes(windows.replace("\n", "\r\n").encode())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "itself.py").symlink_to("itself.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    run = metalens(tmp_path, ".")
    assert (run.returncode, run.stderr) == (CODES["findings"], "")
    told = models(run)
    assert told["good.py", "Good"]["status"] == "traced"
    assert told["named_latin.py", "Latin"]["status"] in ("traced", "instantiated")
    assert told["broken.py", "Half"]["status"] == "skipped"
    assert "does not parse" in str(told["broken.py", "Half"]["reason"])
    assert not [file for file, _ in told if file.startswith("folder/loop")]
    (finding,) = json.loads(run.stdout)["diagnostics"]
    assert (finding["file"], finding["code"]) == ("windows.py", "linear-in-features")
    line = windows.splitlines()[finding["range"]["start"]["line"]]
    assert line[finding["range"]["start"]["character"] : finding["range"]["end"]["character"]] == "self.fc(x)"


@pytest.mark.torch
def test_a_file_of_twenty_thousand_lines(tmp_path):
    text = GOOD + "".join(HELPER.format(number) for number in range(3330))
    text += "print(Good()(torch.randn(2, 10)).shape)\n"
    assert text.count("\n") > 19_900
    (tmp_path / "long.py").write_text(text)
    run = metalens(tmp_path, "long.py")
    assert (run.returncode, run.stderr) == (CODES["clean"], "")
    good = models(run)["long.py", "Good"]
    assert (good["status"], good["grade"], good["output"]) == ("traced", "clean", "[2, 5]")


# ---------------------------------------------------------------- interpreters


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.7.18", "Python 3.9 or newer"),
        ("3.8.18", "Python 3.9 or newer"),
        ("3.12.1", "no torch"),
        ("nowhere", "does not exist"),
    ],
)
def test_interpreters_that_cannot_serve(tmp_path, version, words):
    python = Path.home() / ".pyenv" / "versions" / version / "bin" / "python"
    if version != "nowhere" and not python.exists():
        pytest.skip(f"there is no Python {version} here")
    (tmp_path / "model.py").write_text(GOOD)
    run = metalens(tmp_path, "model.py", python=str(python))
    assert (run.returncode, run.stdout) == (CODES["interpreter"], "")
    assert words in run.stderr
    assert "Traceback" not in run.stderr


# ---------------------------------------------------------------- the server


@pytest.mark.torch
@pytest.mark.parametrize("fork", [True, False], ids=["fork", "standby"])
async def test_the_server_lives_through_it_all(tmp_path, fork):
    client = await server_config().start()
    assert isinstance(client, EditorClient)
    editor = Editor(client, tmp_path)
    await editor.begin({"fork": fork})
    for name in ("crashes", "ends_at_once", "recurses", "allocates"):
        editor.open(f"{name}.py", GOOD + BAD.format(trouble=TROUBLES[name][0]))

    async def explained(name: str) -> None:
        while True:
            client.news.clear()  # before asking, so that no news is missed
            said = await editor.hover_at(name, "class |Good")
            if "5 out" in said or "55" in said:
                return
            try:
                await asyncio.wait_for(client.news.wait(), DEADLINE)
            except asyncio.TimeoutError:
                pytest.fail(f"{name}: {said!r}, {client.statuses[-1:]}")

    for name in ("crashes", "ends_at_once", "recurses", "allocates"):
        await explained(f"{name}.py")
    editor.open("deleted.py", GOOD + "print(Good()(torch.randn(2, 10)))\n")
    (tmp_path / "deleted.py").unlink()
    await explained("deleted.py")
    editor.close("deleted.py")
    editor.open("after.py", GOOD + "print(Good()(torch.randn(2, 11)))\n")
    (finding,) = await editor.diagnostics("after.py", lambda found: bool(found))
    assert finding.code == "linear-in-features"
    assert client.messages == []
    await client.shutdown_session()
    await client.stop()
