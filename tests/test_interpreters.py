"""Which Python runs the user's code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metalens.workspace import interpreters
from metalens.workspace.interpreters import Interpreter, NoInterpreter, choose_interpreter


def program(path: Path, mode: int = 0o755) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setattr(interpreters, "_has_torch", lambda: False)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The only folder on PATH."""
    folder = tmp_path / "on path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_choice_comes_first(tmp_path):
    program(tmp_path / ".venv/bin/python")
    chosen = program(tmp_path / "other/python3")
    assert choose_interpreter(tmp_path, chosen) == Interpreter(chosen, "chosen")


def test_a_choice_may_be_relative_a_folder_or_a_command(tmp_path, path, monkeypatch):
    python = program(tmp_path / "env/bin/python")
    monkeypatch.setenv("HOME", str(tmp_path))
    for choice in ("env", "env/bin/python", "${workspaceFolder}/env", "~/env", str(tmp_path / "env")):
        assert choose_interpreter(tmp_path, choice).path == python, choice
    command = program(path / "python3.99")
    assert choose_interpreter(tmp_path, "python3.99").path == command


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ("none/python", "The chosen interpreter none/python does not exist."),
        ("plain", "The chosen interpreter plain is not executable."),
        ("empty", "The chosen interpreter empty is a folder without a Python in it."),
    ],
)
def test_a_wrong_choice_is_never_replaced_in_silence(tmp_path, choice, sentence):
    program(tmp_path / ".venv/bin/python")
    program(tmp_path / "plain", 0o644)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoInterpreter) as problem:
        choose_interpreter(tmp_path, choice)
    assert str(problem.value) == sentence


def test_the_environment_of_the_workspace_comes_next(tmp_path):
    venv = program(tmp_path / "venv/bin/python")
    assert choose_interpreter(tmp_path, "") == Interpreter(venv, "venv of the workspace")
    real = program(tmp_path / "base/python3.99")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(real)
    # Not the file that the link leads to, which would leave the environment.
    expected = Interpreter(str(tmp_path / ".venv/bin/python"), ".venv of the workspace")
    assert choose_interpreter(tmp_path, "") == expected


def test_then_our_own_python_if_it_has_torch(tmp_path, path, monkeypatch):
    on_path = program(path / "python3")
    monkeypatch.setattr(interpreters, "_has_torch", lambda: True)
    assert choose_interpreter(tmp_path, "").path == sys.executable
    monkeypatch.setattr(interpreters, "_has_torch", lambda: False)
    assert choose_interpreter(tmp_path, "") == Interpreter(on_path, "python3 on PATH")


def test_no_python_at_all(tmp_path, path, no_torch):
    with pytest.raises(NoInterpreter, match="No Python interpreter was found"):
        choose_interpreter(tmp_path, "")


def test_torch_is_looked_for_without_importing_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not interpreters._has_torch()
    (tmp_path / "torch").mkdir()
    sys.path_importer_cache.clear()
    assert not interpreters._has_torch()  # a mere folder
    (tmp_path / "torch/__init__.py").write_text("raise SystemExit")
    sys.path_importer_cache.clear()
    assert interpreters._has_torch()
