"""Makes the virtual environment in which Metalens runs from this folder, with a torch for it to run models with.

Usage: python3 scripts/setup.py [--venv FOLDER] [--test]. A torch that the Python running this script already has is
kept and used; otherwise torch is installed, without CUDA where the package index has such a build. `--test` adds what
the tests and linters need. May be run again at any time.
"""

import argparse
import importlib.machinery
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)
TORCH = "2.13.0"

# Beside torch, as torch itself recommends: most scripts import it.
NUMPY = ["numpy==2.2.6; python_version < '3.11'", "numpy==2.4.6; python_version >= '3.11'"]

NO_VENV = """\
This Python cannot make virtual environments with pip in them. Any one of these will do:
  apt-get install python3-venv          (Debian, Ubuntu)
  python3 -m pip install virtualenv     (elsewhere)
or name another Python:  make PYTHON=/path/to/python3 ...
"""


def main() -> int:
    """Make the environment; 1 if this machine cannot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        wanted = ".".join(map(str, OLDEST))
        return _complain(f"Metalens needs Python {wanted} or newer, and {sys.executable} is {found}.")
    python = options.venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        if not _has_pip(python) and not _make(options.venv, python):
            return _complain(NO_VENV)
        _keep_torch(python)
        _say(f"Installing Metalens into {options.venv}")
        _pip(python, "--editable", f"{ROOT}[test]" if options.test else str(ROOT))
        if not _has_torch(python):
            _install_torch(python)
    except subprocess.CalledProcessError as problem:
        return _complain(f"This command failed with exit code {problem.returncode}: {' '.join(map(str, problem.cmd))}")
    for stamp in ("ready", "ready-to-test") if options.test else ("ready",):
        (options.venv / stamp).touch()
    return 0


def _make(venv: Path, python: Path) -> bool:
    """Make an environment with the means that this Python has; False if it has none."""
    _say(f"Making {venv} with {sys.executable}")
    for module in ("venv", "virtualenv"):
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", module, str(venv)], capture_output=True, check=False)
        if _has_pip(python):
            return True
    return False


def _has_pip(python: Path) -> bool:
    return python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


def _keep_torch(python: Path) -> None:
    """Let the environment see the torch of the Python that runs this, behind all that is its own."""
    inherited = python.parent.parent / "inherited-torch"
    spec = importlib.machinery.PathFinder.find_spec("torch")
    if spec is None or spec.origin is None or inherited.exists():
        return
    packages = Path(spec.origin).resolve().parent.parent
    _say(f"Keeping the torch in {packages}")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    Path(own, "inherited-torch.pth").write_text(f"{packages}\n", encoding="utf-8")
    inherited.touch()


def _has_torch(python: Path) -> bool:
    code = "from importlib.util import find_spec; raise SystemExit(find_spec('torch') is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _install_torch(python: Path) -> None:
    """The build without CUDA is a tenth of the size; not every package index has it."""
    _say(f"Installing torch {TORCH}, the build for CPUs if the package index has one")
    try:
        _pip(python, f"torch=={TORCH}+cpu", *NUMPY, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError:
        _say(f"Installing torch {TORCH} as it is: this may be a large download")
        _pip(python, f"torch=={TORCH}", *NUMPY)


def _pip(python: Path, *arguments: str, stderr: "int | None" = None) -> None:
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, stderr=stderr)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
