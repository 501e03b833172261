"""The house rules that no type checker knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "server" / "metalens"
TALLEST = 400

# What only makes sense on one machine or to one group of people has no place in the project.
FOREIGN = re.compile(r"/(?:work|root)/|pythonhosted|pypi\.org|registry\.npmjs|\bTODO\b|\bFIXME\b|\bXXX\b")


def texts():
    """Every text that belongs to the project, as git sees it, by its path."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".png", ".svg", ".vsix"} or path == Path(__file__) or not path.is_file():
            continue
        yield name, path.read_text(encoding="utf-8", errors="replace")


def test_imports_point_down_only():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_file_of_the_server_is_long():
    heights = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SERVER.rglob("*.py")}
    assert len(heights) > 40
    assert {name: height for name, height in heights.items() if height > TALLEST} == {}


def test_the_server_never_imports_torch():
    """Not even by way of a library: a fresh interpreter imports all of it but the worker."""
    files = [path.relative_to(SERVER.parent).with_suffix("") for path in SERVER.rglob("*.py")]
    names = [".".join(path.parts).removesuffix(".__init__") for path in files if "worker" not in path.parts[1:2]]
    assert "metalens.lsp.server" in names
    code = f"""
import sys
for name in {sorted(names)}:
    __import__(name)
assert not {{"torch", "numpy"}} & set(sys.modules), "imported"
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "server", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_protocol_needs_the_standard_library_alone():
    code = """
import sys
before = set(sys.modules)
import metalens.protocol.codec, metalens.protocol.messages
new = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = new - set(sys.stdlib_module_names) - {"metalens"}
assert not foreign, foreign
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "server", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_project_speaks_of_itself_alone():
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        if not name.endswith("package-lock.json")
        for number, line in enumerate(text.splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert found == []


def test_every_code_has_its_page():
    """`codeDescription` leads there."""
    source = "\n".join(path.read_text() for path in SERVER.rglob("*.py"))
    named = r"\b(?:(?:Mistake|Finding)\(\s*|(?:UNUSED|UNREADABLE|INVALID) = )\"([a-z]+(?:-[a-z]+)*)\""
    codes = set(re.findall(named, source))
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("*.md")} - {"README"}
    assert len(codes) > 15
    assert codes - pages == set(), "codes without a page"
    assert pages - codes == set(), "pages without a code"
