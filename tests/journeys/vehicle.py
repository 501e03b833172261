"""What the journeys travel with: VS Code below `.e2e/`, a browser, and our package."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts" / "journeys"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Vehicle:
    """Paths of Node.js, of the browser and of the package."""

    node: str
    chromium: str
    package: Path

    def travel(
        self, journey: str, workspace: Path, settings: Mapping[str, object], others: Sequence[Path] = ()
    ) -> dict[str, Any]:
        """Make `journey` through the folder `workspace`, with `others` installed beside us; returns what was seen.

        VS Code keeps all that is its own beside the workspace.
        """
        artifacts = ARTIFACTS / journey
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.mkdir(parents=True)
        place = {
            "tools": str(ROOT / ".e2e"),
            "chromium": self.chromium,
            "packages": [str(path) for path in (*others, self.package)],
            "workspace": str(workspace),
            "home": str(workspace.parent),
            "artifacts": str(artifacts),
            "settings": dict(settings),
        }
        command = [self.node, str(HERE / f"{journey}.mjs"), json.dumps(place)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
        assert run.returncode == 0, f"The journey broke off, see {artifacts}:\n{run.stderr}"
        (artifacts / "seen.json").write_text(run.stdout, encoding="utf-8")
        seen: dict[str, Any] = json.loads(run.stdout)
        return seen


def extension(folder: Path, manifest: Mapping[str, object], script: str) -> Path:
    """The package of an extension of one script, which stands in for a real one."""
    path = folder / f"{manifest['name']}.vsix"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("extension/package.json", json.dumps(manifest))
        package.writestr("extension/extension.js", script)
    return path
