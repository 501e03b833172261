"""The extension's own unit tests, run by the Node.js that packages it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def call(*command, path=""):
    env = {**os.environ, "PATH": os.pathsep.join(filter(None, [path, os.environ["PATH"]]))}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
def test_the_client():
    found = call(sys.executable, "scripts/package_node.py", "20")
    if found.returncode != 0:
        pytest.skip(found.stderr)
    programs = found.stdout.strip()
    if not (ROOT / "node_modules" / ".package-lock.json").exists():
        installed = call("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", path=programs)
        if installed.returncode != 0:
            pytest.skip(f"npm cannot install what the client needs: {installed.stderr[-500:]}")
    run = call("npm", "test", path=programs)
    assert run.returncode == 0, run.stdout + run.stderr
