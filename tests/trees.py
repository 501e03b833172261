"""Small workspaces for tests."""

from __future__ import annotations

from pathlib import Path

from metalens.workspace.documents import Workspace

WORKSPACES = Path(__file__).parent / "workspaces"


def write_tree(root: Path, files: dict[str, str | bytes]) -> Path:
    """Writes files by relative path; the folder itself comes back."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def tree(root: Path, files: dict[str, str | bytes]) -> Workspace:
    """A workspace of these files."""
    return Workspace(write_tree(root, files))


def names_below(root: Path, files: tuple[str, ...]) -> list[str]:
    """The files as they are called below the root."""
    return [Path(file).relative_to(root).as_posix() for file in files]
