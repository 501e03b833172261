"""The server never imports torch, nor anything else that is the worker's: a fresh interpreter tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import metalens

SERVER = ("import metalens.lsp.server", "import metalens.__main__")
FORBIDDEN = ("torch", "numpy", "metalens.worker")
LAZY = ("jedi",)


def loaded(code: str) -> set[str]:
    """The modules that an interpreter has after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"],
        env={**os.environ, "PYTHONPATH": str(Path(metalens.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("code", SERVER)
def test_the_server_never_imports_torch(code: str):
    assert loaded(code).isdisjoint(FORBIDDEN)


@pytest.mark.parametrize("code", SERVER)
def test_what_is_slow_is_imported_when_it_is_needed(code: str):
    assert loaded(code).isdisjoint(LAZY)


ANALYSIS = """
import asyncio, pathlib
from metalens.engine.engine import Engine
from metalens.workspace.documents import Workspace
from metalens.workspace.settings import Settings

class Listener:
    def result(self, result): pass
    def fault(self, text): pass
    def state(self, state, detail): pass

async def main():
    file = "/project/net.py"
    workspace = Workspace(pathlib.Path("/project"))
    workspace.open(file, "from torch import nn\\nclass Net(nn.Module):\\n    pass\\n", 1)
    engine = Engine(workspace, Settings(), None, listener=Listener(), idle="not run")
    result = await engine.check(file)
    assert [model.cls.qualname for model in result.models] == ["Net"]
    await engine.stop()

asyncio.run(main())
"""


def test_neither_does_it_while_it_looks_at_a_file():
    assert loaded(ANALYSIS).isdisjoint(FORBIDDEN)


@pytest.mark.torch
def test_this_test_can_fail():
    assert "torch" in loaded("import metalens.lsp.server\nimport torch")
