"""The module classes of a file, found without running anything, also while the text is half-typed."""

from __future__ import annotations

from dataclasses import dataclass

from metalens.protocol.values import Range
from metalens.resolve import known
from metalens.resolve.index import View, is_below
from metalens.resolve.inference import inferred_classes
from metalens.resolve.layers import LayerDefinition
from metalens.resolve.names import Definition, External, Names, Symbol
from metalens.resolve.outline import Base, ClassOutline, Outline
from metalens.workspace.documents import Workspace

__all__ = ["LayerDefinition", "ModuleClass", "module_classes"]


@dataclass(frozen=True)
class ModuleClass:
    """A subclass of `nn.Module`. `line` is the zero-based line of its `class` statement, `name` the range of its name.

    `layers` are the attributes that it makes; `forward` is the range of the method's name, if the class has its own.
    """

    file: str
    qualname: str
    line: int
    name: Range
    layers: tuple[LayerDefinition, ...]
    forward: Range | None


def module_classes(workspace: Workspace, file: str) -> tuple[ModuleClass, ...]:
    """The module classes at the top level of the file or nested in classes, in the order of the text.

    A class counts if one of its bases is a torch module through any alias, re-export or other class of the workspace.
    Classes inside functions are left out. An unreadable file has none.
    """
    return classes_in(View(workspace), file)


def classes_in(view: View, file: str) -> tuple[ModuleClass, ...]:
    """As `module_classes`, within a view."""
    outline = view.outline(file)
    if outline is None:
        return ()
    judge = _Judge(view)
    return tuple(
        ModuleClass(file, item.qualname, item.line, item.name, item.layers, item.forward)
        for item in outline.classes
        if judge.is_module(file, outline, item)
    )


class _Judge:
    """Decides which classes are modules, each once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names = Names(view)
        self._known: dict[tuple[str, str, int], bool] = {}

    def is_module(self, file: str, outline: Outline, item: ClassOutline) -> bool:
        key = (file, item.qualname, item.line)
        if key not in self._known:
            self._known[key] = False  # what inherits from itself is no module
            self._known[key] = any(self._base_is_module(file, outline, item, base) for base in item.bases)
        return self._known[key]

    def _base_is_module(self, file: str, outline: Outline, item: ClassOutline, base: Base) -> bool:
        outer = item.qualname.rpartition(".")[0]
        while outer:
            if f"{outer}.{base.name}" in outline.class_names:
                return self._class_is_module(file, f"{outer}.{base.name}", item)
            outer = outer.rpartition(".")[0]
        symbols = self._names.lookup(file, base.name)
        if any(self._symbol_is_module(symbol, item) for symbol in symbols):
            return True
        return self._is_opaque(base, symbols) and self._inferred_is_module(file, base)

    def _symbol_is_module(self, symbol: Symbol, below: ClassOutline) -> bool:
        if isinstance(symbol, External):
            return known.is_module(symbol.name)
        return isinstance(symbol, Definition) and self._class_is_module(symbol.file, symbol.name, below)

    def _class_is_module(self, file: str, qualname: str, below: ClassOutline) -> bool:
        outline = self._view.outline(file)
        if outline is None:
            return False
        return any(
            self.is_module(file, outline, item)
            for item in outline.classes
            if item.qualname == qualname and item is not below
        )

    def _is_opaque(self, base: Base, symbols: tuple[Symbol, ...]) -> bool:
        """Whether the base is a variable with a value that following names does not explain."""
        if "." in base.name:
            return False
        for symbol in symbols:
            if not isinstance(symbol, Definition):
                return False
            outline = self._view.outline(symbol.file)
            if outline is None or symbol.name in outline.class_names:
                return False
        return bool(symbols)

    def _inferred_is_module(self, file: str, base: Base) -> bool:
        for found in inferred_classes(self._view.workspace, file, base.name, base.position):
            outline = self._view.outline(found.file)
            if outline is None or not is_below(found.file, self._view.root):
                if known.is_module(found.name):
                    return True
            elif any(self.is_module(found.file, outline, item) for item in outline.classes if item.line == found.line):
                return True
        return False
