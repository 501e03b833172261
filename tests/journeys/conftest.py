"""Installs what the journeys need and packs the extension; says it loudly where that cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from journeys.vehicle import ROOT, Vehicle

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_reasons: list[str] = []


@pytest.fixture(scope="session")
def vehicle() -> Vehicle:
    """VS Code, a browser, and the extension packed as it is now."""
    _run("scripts/e2e.sh")
    _run("scripts/package.sh")
    finder = [sys.executable, str(ROOT / "scripts" / "package_node.py"), "24", "24"]
    programs = subprocess.run(finder, capture_output=True, text=True, check=True).stdout.strip()
    chromium = next(path for path in map(shutil.which, BROWSERS) if path is not None)
    package = max(ROOT.glob("metalens-*.vsix"), key=lambda path: path.stat().st_mtime)
    return Vehicle(f"{programs}/node", chromium, package)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A copy of the examples."""
    folder = tmp_path / "models"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python without torch."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once more, at the very end, that the journeys were not made."""
    for reason in _reasons:
        terminalreporter.write_sep("!", "NO JOURNEY WAS MADE: the extension was not tried in a VS Code", red=True)
        terminalreporter.write_line(reason)


def _run(script: str) -> None:
    env = {**os.environ, "PYTHON": sys.executable}
    run = subprocess.run([str(ROOT / script)], capture_output=True, text=True, env=env, check=False)
    if run.returncode == 0:
        return
    reason = f"{script}: {(run.stdout + run.stderr).strip()[-1500:]}"
    if os.environ.get("METALENS_JOURNEYS") == "required":
        pytest.fail(reason)
    if reason not in _reasons:
        _reasons.append(reason)
    pytest.skip(reason)
