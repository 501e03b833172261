"""What a file imports from the workspace, through other files too, and what must be on the import path for it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metalens.resolve.index import View, is_below
from metalens.resolve.outline import Import

MAX_FILES = 400

_TORCH_ROOTS = frozenset(
    {"torch", "torchvision", "torchaudio", "lightning", "pytorch_lightning", "timm", "transformers"}
)


@dataclass(frozen=True)
class Imports:
    """`files` are the file itself and the workspace files that it imports; `folders` go on the import path.

    `torch` says whether any of the files imports torch or a library that stands on it.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    torch: bool


def imports_of(view: View, file: str) -> Imports:
    """Follows imports from file to file, the nearest first, up to `MAX_FILES` of them."""
    files: dict[str, None] = {file: None}
    folders: dict[str, None] = {}
    own = os.path.dirname(file)
    folders[view.package_parent(file) if view.is_package(own) else own] = None
    torch = False
    waiting = deque([file])
    while waiting:
        here = waiting.popleft()
        outline = view.outline(here)
        torch = torch or (outline is not None and any(map(_is_of_torch, outline.modules)))
        for path, folder in _imported(view, here):
            folders[folder] = None
            if path.endswith(".py") and path not in files and len(files) < MAX_FILES:
                files[path] = None
                waiting.append(path)
    if is_below(file, view.root):
        folders[view.root] = None
        source = os.path.join(view.root, "src")
        if os.path.isdir(source):
            folders[source] = None
    return Imports(tuple(files), tuple(folders), torch)


def closure(view: View, files: Iterable[str]) -> set[str]:
    """These files and all that they import from the workspace, directly or not."""
    found = set(files)
    waiting = list(found)
    while waiting:
        for path, _ in _imported(view, waiting.pop()):
            if path.endswith(".py") and path not in found:
                found.add(path)
                waiting.append(path)
    return found


def _is_of_torch(item: Import) -> bool:
    return item.level == 0 and item.module.partition(".")[0] in _TORCH_ROOTS


def _imported(view: View, file: str) -> tuple[tuple[str, str], ...]:
    """As `View.place` has it, of all imports of one file."""
    if file not in view.imported:
        outline = view.outline(file)
        places = (place for item in (outline.modules if outline else ()) for place in _places(view, file, item))
        view.imported[file] = tuple(dict.fromkeys(places))
    return view.imported[file]


def _places(view: View, file: str, item: Import) -> Iterator[tuple[str, str]]:
    """The packages on the way to the module, the module, and the name if that is a module too."""
    parts = item.module.split(".") if item.module else []
    names = [".".join(parts[: count + 1]) for count in range(len(parts))] or [""]
    if item.name:
        names.append(f"{item.module}.{item.name}" if item.module else item.name)
    if item.level == 0 and view.place(file, item.module, 0) is None:
        return
    for name in names:
        place = view.place(file, name, item.level)
        if place is not None:
            yield place
