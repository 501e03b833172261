"""Whole journeys of a user in a real VS Code, with the package that we would ship."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from journeys.vehicle import ARTIFACTS, ROOT, Vehicle, extension

pytestmark = [pytest.mark.journey, pytest.mark.torch, pytest.mark.timeout(600)]

TRUSTED = {"security.workspace.trust.enabled": False}

# Answers as the Python extension does; its command selects the second environment.
STUB = """
const vscode = require("vscode");
const [first, second] = %s;
let active = first;
const changed = new vscode.EventEmitter();
exports.activate = (context) => {
  context.subscriptions.push(vscode.commands.registerCommand("stub.select", () => {
    active = second;
    changed.fire({ path: active });
  }));
  return { environments: {
    getActiveEnvironmentPath: () => ({ id: active, path: active }),
    resolveEnvironment: async ({ path }) => ({ executable: { uri: vscode.Uri.file(path) } }),
    onDidChangeActiveEnvironmentPath: changed.event,
  } };
};
"""


def test_a_broken_model_is_read_and_mended(vehicle: Vehicle, workspace: Path, pytestconfig: pytest.Config) -> None:
    seen = vehicle.travel("mend", workspace, {**TRUSTED, "metalens.interpreter": sys.executable})
    assert "linear1" in seen["layerHover"]
    assert "[20, 10]" in seen["layerHover"]
    assert any("layer2 expects 30 input features, got 20" in problem for problem in seen["problems"])
    assert "layer2 expects 30 input features, got 20" in seen["errorHover"]
    assert "nn.Linear(20, 5)" in seen["textAfterFix"]
    assert "nn.Linear(20, 5)" in seen["disk"]
    assert seen["squigglesAfterSave"] == 0
    assert seen["notifications"] == []
    if pytestconfig.getoption("--update"):
        shutil.copy(ARTIFACTS / "mend" / "squiggle-and-hover.png", ROOT / "docs" / "images" / "squiggle.png")


THREE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(12, 32, 3)
        self.fc1 = nn.Linear(4096, 64)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = x.flatten(1)
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


print(Net()(torch.randn(4, 3, 32, 32)).shape)
"""


def test_three_mistakes_are_seen_at_once_and_each_is_mended(vehicle: Vehicle, workspace: Path) -> None:
    (workspace / "three.py").write_text(THREE, encoding="utf-8")
    seen = vehicle.travel("repair", workspace, {**TRUSTED, "metalens.interpreter": sys.executable})
    assert next(text.split() for text in seen["problems"] if "three.py" in text) == ["three.py", "3"]
    assert any("conv2 expects 12 input channels, got 16 from conv1" in text for text in seen["problems"])
    assert any("fc1 expects 4096 input features, got 25088" in text for text in seen["problems"])
    mended = THREE.replace("Conv2d(12,", "Conv2d(16,").replace("Linear(4096,", "Linear(25088,")
    assert seen["disk"] == mended.replace("Linear(128,", "Linear(64,")
    assert seen["notifications"] == []
    run = subprocess.run([sys.executable, "three.py"], cwd=workspace, capture_output=True, text=True, check=True)
    assert run.stdout == "torch.Size([4, 10])\n"


MANY = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 20)
        self.fc2 = nn.Linear(30, 7)
        self.fc3 = nn.Linear(8, 5)

    def forward(self, x):
        x = self.fc1(x)
        x = self.fc2(x)
        return self.fc3(x)


Net(10)(torch.randn(32, 10))
Net(40)(torch.randn(32, 40))
"""


def test_a_rule_is_explained_all_is_fixed_and_another_context_is_pinned(vehicle: Vehicle, workspace: Path) -> None:
    (workspace / "many.py").write_text(MANY, encoding="utf-8")
    seen = vehicle.travel("choose", workspace, {**TRUSTED, "metalens.interpreter": sys.executable})
    assert "mat1 and mat2 shapes cannot be multiplied" in seen["page"]
    assert "nn.Linear(20, 7)" in seen["fixed"]
    assert "nn.Linear(7, 5)" in seen["fixed"]
    assert "+1 more" in seen["before"]
    assert "built as Net(40) from line 19" in seen["chosen"]
    assert "# metalens: args 40" in seen["text"]
    assert "# metalens: input x=[32, 40]" in seen["text"]
    assert seen["notifications"] == []


def test_without_trust_nothing_of_the_workspace_runs(vehicle: Vehicle, workspace: Path) -> None:
    ran = workspace.parent / "ran"
    trap = workspace / ".venv" / "bin" / "python"
    trap.parent.mkdir(parents=True)
    trap.write_text(f'#!/bin/sh\ntouch "{ran}"\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    trap.chmod(0o755)
    seen = vehicle.travel("restricted", workspace, {"security.workspace.trust.startupPrompt": "never"})
    assert "static only" in seen["status"]
    assert "not trusted" in seen["status"]
    assert seen["squiggles"] == 0
    assert not seen["ran"]
    assert seen["workers"] == 0
    assert seen["ranTrusted"]
    assert seen["workersTrusted"] > 0


def test_an_environment_without_torch_is_told_calmly_and_changed(
    vehicle: Vehicle, workspace: Path, bare_python: Path
) -> None:
    manifest = {
        "name": "python",
        "publisher": "ms-python",
        "version": "1.0.0",
        "engines": {"vscode": "^1.91.0"},
        "main": "./extension.js",
        "activationEvents": [],
        "contributes": {"commands": [{"command": "stub.select", "title": "Stub: Select Environment"}]},
    }
    stub = extension(workspace.parent, manifest, STUB % [str(bare_python), sys.executable])
    seen = vehicle.travel("no_torch", workspace, TRUSTED, [stub])
    assert "There is no torch" in seen["status"]
    assert seen["squiggles"] == 0
    assert len(seen["notifications"]) == 1
    assert "There is no torch" in seen["notifications"][0]
    assert "1 model" in seen["statusAfter"]
    assert sys.executable in seen["debug"]


def test_a_server_that_died_comes_back_and_leaves_no_worker(vehicle: Vehicle, workspace: Path) -> None:
    seen = vehicle.travel("revive", workspace, {**TRUSTED, "metalens.interpreter": sys.executable})
    assert seen["servers"] == 1
    assert seen["newServer"]
    assert seen["notifications"] == []
