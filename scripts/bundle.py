"""Fills `bundled/` with all of the extension that is Python: the server, its libraries, and the file that starts it.

Usage: python scripts/bundle.py. Pure wheels only, pinned by hash in scripts/bundle.txt, so that one package fits every
machine; a compiled module among them is an error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "bundled"
REQUIREMENTS = ROOT / "scripts" / "bundle.txt"

# The oldest Python that the server runs on; wheels are chosen for it, whichever Python runs this script.
FLOOR = "3.10"

# Type stubs of third-party packages: two thirds of the size, and of no use to us.
UNUSED = ("jedi/third_party/typeshed/stubs", "jedi/third_party/django-stubs", "bin")
COMPILED = {".so", ".pyd", ".dylib"}


def main() -> int:
    """Rebuild `bundled/` from nothing."""
    shutil.rmtree(BUNDLED, ignore_errors=True)
    libs = BUNDLED / "libs"
    _install(libs)
    for name in UNUSED:
        shutil.rmtree(libs / name, ignore_errors=True)
    for record in libs.glob("*.dist-info/RECORD"):
        record.unlink()  # it lists files that are not here
    compiled = [path for path in libs.rglob("*") if path.suffix in COMPILED]
    if compiled:
        sys.stderr.write(f"Compiled modules in the bundle: {compiled}\n")
        return 1
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "server" / "metalens", BUNDLED / "server" / "metalens", ignore=ignored)
    shutil.copytree(ROOT / "docs" / "rules", BUNDLED / "server" / "metalens" / "rules")
    shutil.copy(ROOT / "client" / "start.py", BUNDLED / "start.py")
    files = [path for path in BUNDLED.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**20
    sys.stdout.write(f"bundled/: {len(files)} files, {size:.1f} MiB\n")
    return 0


def _install(target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    which = ["--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
    pinned = ["--no-deps", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    subprocess.run([*pip, *which, "--python-version", FLOOR, *pinned, "--target", str(target)], check=True)


if __name__ == "__main__":
    sys.exit(main())
