"""The outlines of a workspace, kept for as long as the texts stay the same, and the files that modules are in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from metalens.resolve.exported import exported
from metalens.resolve.outline import Outline, outline
from metalens.resolve.pages import python_in
from metalens.workspace.documents import Unreadable, Workspace

_OUTLINES: WeakKeyDictionary[Workspace, dict[str, tuple[str, Outline | None]]] = WeakKeyDictionary()


class View:
    """The workspace at one moment: within one view, each file is looked at once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.root = str(workspace.root)
        self._known = _OUTLINES.setdefault(workspace, {})
        self._stamps: dict[str, str | None] = {}
        self._places: dict[tuple[str, str, int], tuple[str, str] | None] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._packages: dict[str, bool] = {}
        self._parents: dict[str, str] = {}
        self._exported: tuple[str, ...] | None = None
        # Of each file what it imports from the workspace: what `imports_of` found so far.
        self.imported: dict[str, tuple[tuple[str, str], ...]] = {}

    def stamp(self, file: str) -> str | None:
        """As `Workspace.stamp`."""
        if file not in self._stamps:
            self._stamps[file] = self.workspace.stamp(file)
        return self._stamps[file]

    def outline(self, file: str) -> Outline | None:
        """None for a file that cannot be read."""
        stamp = self.stamp(file)
        if stamp is None:
            return None
        known = self._known.get(file)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = outline(python_in(file, self.workspace.text(file)))
        except Unreadable:
            found = None
        self._known[file] = (stamp, found)
        return found

    def fresh_outline(self, file: str) -> Outline | None:
        """The outline if it was made before and still holds; nothing is read."""
        known = self._known.get(file)
        return known[1] if known is not None and known[0] == self.stamp(file) else None

    def module(self, file: str, module: str, level: int) -> str | None:
        """The file or folder of a module of the workspace that `file` imports; None for one from elsewhere.

        A package is its `__init__.py`; a folder without one stands for itself.
        """
        found = self.place(file, module, level)
        return found[0] if found else None

    def place(self, file: str, module: str, level: int) -> tuple[str, str] | None:
        """The module's file or folder, and the folder that must be on the import path."""
        key = (file, module, level)
        if key not in self._places:
            self._places[key] = self._relative(file, module, level) if level else self._absolute(file, module)
        return self._places[key]

    def is_package(self, folder: str) -> bool:
        """Whether the folder is a regular package."""
        if folder not in self._packages:
            self._packages[folder] = os.path.isfile(os.path.join(folder, "__init__.py"))
        return self._packages[folder]

    def package_parent(self, file: str) -> str:
        """The folder that holds the outermost package that `file` is in; its own folder if it is in none."""
        own = os.path.dirname(file)
        if own not in self._parents:
            folder = own
            while self.is_package(folder) and os.path.dirname(folder) != folder:
                folder = os.path.dirname(folder)
            self._parents[own] = folder
        return self._parents[own]

    def search_folders(self, file: str) -> tuple[str, ...]:
        """Where an absolute import in `file` may find the workspace's modules, best first.

        A script finds its neighbours first. Inside a package that is left for last: there, a neighbour is meant
        only if nothing else has the name.
        """
        if file not in self._folders:
            own = os.path.dirname(file)
            if own not in self._folders:
                self._folders[own] = self._search_folders(own)
            self._folders[file] = tuple(dict.fromkeys([*self._folders[own], *self._added(file, own)]))
        return self._folders[file]

    def _added(self, file: str, own: str) -> Iterator[str]:
        """What the file, or a neighbour that it imports, may add to the import path: told from the text alone."""
        outline = self.outline(file)
        if outline is None:
            return
        names = [item.module for item in outline.modules if not item.level and "." not in item.module]
        beside = [path for name in names if self.stamp(path := os.path.join(own, f"{name}.py")) is not None]
        words = [word for told in (outline, *map(self.outline, beside)) if told is not None for word in told.paths]
        for anchor in dict.fromkeys([own, os.path.dirname(own), self.root]):
            for word in words:
                folder = os.path.normpath(os.path.join(anchor, word))
                # A package is put on the path for the sake of its modules.
                holds = (os.path.isfile(os.path.join(folder, f"{name}.py")) for name in names)
                wanted = not self.is_package(folder) or any(holds)
                if is_below(folder, self.root) and os.path.isdir(folder) and wanted:
                    yield folder

    def _search_folders(self, own: str) -> tuple[str, ...]:
        if self._exported is None:
            self._exported = exported(self.workspace)
        folders = [own]
        while folders[-1] != self.root and is_below(folders[-1], self.root):
            folders.append(os.path.dirname(folders[-1]))
        if not is_below(own, self.root):
            folders.append(self.package_parent(os.path.join(own, "_")))
        sources = [source for folder in folders if os.path.isdir(source := os.path.join(folder, "src"))]
        ordered = [folder for folder in folders if not self.is_package(folder)]
        packages = [folder for folder in folders if self.is_package(folder)]
        # What a script adds comes behind the folder of the program, and before anything else.
        first = ordered[:1] if ordered[:1] == [own] else []
        return tuple(dict.fromkeys([*first, *self._exported, *ordered, *sources, *packages]))

    def _relative(self, file: str, module: str, level: int) -> tuple[str, str] | None:
        folder = os.path.dirname(file)
        for _ in range(level - 1):
            folder = os.path.dirname(folder)
        found = self._within(folder, module) if module else self._folder(folder)
        return (found, self.package_parent(file)) if found else None

    def _absolute(self, file: str, module: str) -> tuple[str, str] | None:
        if module.partition(".")[0] in sys.stdlib_module_names:
            return None
        for folder in self.search_folders(file):
            found = self._within(folder, module)
            # A file is not its own neighbour: `transformers.py` that imports transformers means the library. But a
            # package may import its parts by its own name.
            if found is not None and (found != file or os.path.basename(file) == "__init__.py"):
                return found, folder
        return None

    def _within(self, folder: str, module: str) -> str | None:
        base = os.path.join(folder, *module.split("."))
        return f"{base}.py" if self.stamp(f"{base}.py") is not None else self._folder(base)

    def _folder(self, folder: str) -> str | None:
        package = os.path.join(folder, "__init__.py")
        if self.stamp(package) is not None:
            return package
        return folder if os.path.isdir(folder) else None


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
