"""The outline of one file: what it imports, defines and refers to. A pure function of its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metalens.protocol.values import Position, Range
from metalens.resolve.layers import LayerDefinition, dotted, layer_definitions
from metalens.resolve.source import Source

MODULE = ""
"""The name under which a file's top-level code stands among its definitions."""

_REFERENCE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_SILENT = re.compile(
    r"""\#[^\n]* | \"{3}(?:[^\\]|\\.)*?\"{3} | '{3}(?:[^\\]|\\.)*?'{3} | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'""",
    re.VERBOSE | re.DOTALL,
)
_MODULE_STRING = re.compile(r"""["']([^\W\d]\w*(?:\.\w+)*)\.?(?=["'{])""")
_NAMESPACE = re.compile(r"(?<![\w.])(?:globals\(\)|vars\(\)|eval\()")
_DYNAMIC = re.compile(r"\b(?:import_module|__import__)\b|(?<![\w.])eval\(")
_PATH_LINE = re.compile(r"^.*path.*$", re.MULTILINE | re.IGNORECASE)
_PATH_PART = re.compile(r"""["']([\w.][\w./-]*)["']""")


@dataclass(frozen=True)
class Import:
    """What a name was imported from; `name` is empty for a module itself. `level` counts the leading dots."""

    module: str
    name: str = ""
    level: int = 0


@dataclass(frozen=True)
class Base:
    """A dotted name in the list of bases, and where it stands."""

    name: str
    position: Position


@dataclass(frozen=True)
class ClassOutline:
    """A class at the top level or inside another class."""

    qualname: str
    line: int
    name: Range
    bases: tuple[Base, ...]
    layers: tuple[LayerDefinition, ...]
    forward: Range | None


@dataclass(frozen=True)
class Outline:
    """What a file says.

    `imports` maps each name to all that it is imported from: each example of a page, and each branch, may mean another
    class by it. `definitions` maps each top-level function, class and variable, and `MODULE` for the top-level code, to
    the dotted names that it refers to; a name in quotes is a module that is imported by its name. `aliases` are plain
    assignments. `modules` are all imports at any depth. `mentions` maps each part of a reference, and the original name
    and module of what it starts with, to the definitions and their references. `calls` says whether the top-level code
    calls anything, or may do so once it parses. `paths` are relative folders that it may put on the import path.
    """

    imports: Mapping[str, tuple[Import, ...]]
    modules: tuple[Import, ...]
    stars: tuple[Import, ...]
    aliases: Mapping[str, tuple[str, ...]]
    definitions: Mapping[str, frozenset[str]]
    functions: frozenset[str]
    classes: tuple[ClassOutline, ...]
    mentions: Mapping[str, tuple[tuple[str, str], ...]]
    main_guard: bool
    calls: bool
    broken: bool
    paths: tuple[str, ...]

    @property
    def class_names(self) -> frozenset[str]:
        """The qualified names of the classes."""
        return frozenset(item.qualname for item in self.classes)


def outline(text: str) -> Outline:
    """Never raises: of a text that does not parse it says what is left."""
    source = Source(text)
    reader = _Reader(source)
    reader.statements(source.tree.body)
    return reader.outline()


@dataclass
class _Reader:
    source: Source
    imports: dict[str, list[Import]] = field(default_factory=dict)
    modules: list[Import] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    spans: list[tuple[str, int, int]] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    classes: list[ClassOutline] = field(default_factory=list)
    main_guard: bool = False
    calls: bool = False

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)
                self._skip(node.lineno, node)
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                self._definition(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                self._variable(node)
            else:
                inner = list(inner_statements(node))
                self.main_guard = self.main_guard or is_main_guard(node)
                self.calls = self.calls or (not inner and _has_call(node))
                self.statements(inner)

    def outline(self) -> Outline:
        imports = {name: tuple(dict.fromkeys(found)) for name, found in self.imports.items()}
        bound = {*imports, *(name for name, _, _ in self.spans), "__import__"}
        dynamic = _DYNAMIC.search(self.source.text) is not None
        references: dict[str, set[str]] = {MODULE: set()}
        texts = [(name, self.source.segment(first, last)) for name, first, last in self.spans]
        for name, text in [*texts, (MODULE, self._top_level_text())]:
            found = references.setdefault(name, set())
            names = set(_REFERENCE.findall(_SILENT.sub("", text)))
            found.update(item for item in names if self.stars or item.partition(".")[0] in bound)
            if _NAMESPACE.search(text):
                # `globals()[name](...)` and `eval(name)(...)` may mean whatever the file has.
                found.update(imports)
                found.update(f"'{'.' * item.level}{item.module}" for item in self.stars if item.module)
            if dynamic:
                found.update(f"'{item}" for item in _MODULE_STRING.findall(text))
        # A module that is imported and never spoken of is imported for what it does: it registers models.
        spoken = {item.partition(".")[0] for items in references.values() for item in items}
        idle = (item.module for item in self.modules if not (item.name or item.level))
        references[MODULE] |= {f"'{module}" for module in idle if module.partition(".")[0] not in spoken}
        return Outline(
            imports=imports,
            modules=tuple(dict.fromkeys(self.modules)),
            stars=tuple(self.stars),
            aliases=self.aliases,
            definitions={name: frozenset(found) for name, found in references.items()},
            functions=frozenset(self.functions),
            classes=tuple(self.classes),
            mentions=_mentions(references, imports),
            main_guard=self.main_guard,
            calls=self.calls or self.source.broken,
            broken=self.source.broken,
            paths=_paths(self.source.text),
        )

    def _top_level_text(self) -> str:
        parts, line = [], 1
        for first, last in sorted(self.skipped):
            if first > line:
                parts.append(self.source.segment(line, first - 1))
            line = max(line, last + 1)
        if line <= self.source.lines:
            parts.append(self.source.segment(line, self.source.lines))
        return "\n".join(parts)

    def _skip(self, first: int, node: ast.stmt) -> None:
        self.skipped.append((first, node.end_lineno or node.lineno))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for item in node.names:
                self.modules.append(Import(item.name))
                local = item.asname or item.name.partition(".")[0]
                self._binds(local, Import(item.name if item.asname else local))
            return
        for item in node.names:
            found = Import(node.module or "", "" if item.name == "*" else item.name, node.level)
            self.modules.append(found)
            if item.name == "*":
                self.stars.append(found)
            else:
                self._binds(item.asname or item.name, found)

    def _binds(self, name: str, found: Import) -> None:
        self.imports.setdefault(name, []).append(found)

    def _definition(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
        self.spans.append((node.name, first, node.end_lineno or node.lineno))
        self._skip(first, node)
        self._imports_within(node)
        if isinstance(node, ast.ClassDef):
            self._class(node, "")
        else:
            self.functions.add(node.name)

    def _imports_within(self, node: ast.stmt) -> None:
        for inner in inner_statements(node):
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                self._import(inner)
            else:
                self._imports_within(inner)

    def _variable(self, node: ast.Assign | ast.AnnAssign) -> None:
        self.calls = self.calls or _has_call(node)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if not isinstance(target, ast.Name):
                continue
            self.spans.append((target.id, node.lineno, node.end_lineno or node.lineno))
            names = tuple(_candidates(node.value)) if node.value else ()
            if names:
                self.aliases[target.id] = (*self.aliases.get(target.id, ()), *names)

    def _class(self, node: ast.ClassDef, outer: str) -> None:
        qualname = f"{outer}{node.name}"
        bases = tuple(Base(name, self.source.range(base).start) for base in node.bases for name in _candidates(base))
        methods = [item for item in inner_statements(node) if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))]
        forward = next((item for item in reversed(methods) if item.name == "forward"), None)
        self.classes.append(
            ClassOutline(
                qualname=qualname,
                line=node.lineno - 1,
                name=self.source.name_range(node),
                bases=bases,
                layers=tuple(layer_definitions(self.source, methods)) if bases else (),
                forward=self.source.name_range(forward) if forward else None,
            )
        )
        for inner in _classes_within(node):
            self._class(inner, f"{qualname}.")


def _mentions(
    references: Mapping[str, Iterable[str]], imports: Mapping[str, tuple[Import, ...]]
) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for name, items in references.items():
        for item in items:
            parts = item.strip("'").split(".")
            for origin in imports.get(parts[0], ()):
                parts += [origin.name, origin.module.rpartition(".")[2]]
            for part in parts:
                found.setdefault(part, set()).add((name, item))
    return {part: tuple(pairs) for part, pairs in found.items() if part}


def inner_statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly inside a compound statement, in order."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for item in getattr(node, name, ()):
            if isinstance(item, ast.stmt):
                yield item
            else:
                yield from inner_statements(item)


def _classes_within(node: ast.stmt) -> Iterator[ast.ClassDef]:
    for inner in inner_statements(node):
        if isinstance(inner, ast.ClassDef):
            yield inner
        elif not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _classes_within(inner)


def _candidates(node: ast.expr) -> Iterator[str]:
    """The dotted names that this expression may be, if it is a class: `A`, `A[T]`, `A if c else B`, with_metaclass."""
    name = dotted(node)
    if name:
        yield name
    elif isinstance(node, ast.Subscript):
        yield from _candidates(node.value)
    elif isinstance(node, ast.IfExp):
        yield from _candidates(node.body)
        yield from _candidates(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _candidates(value)
    elif isinstance(node, ast.Call) and dotted(node.func).endswith("with_metaclass"):
        for argument in node.args[1:]:
            yield from _candidates(argument)


def _has_call(node: ast.stmt) -> bool:
    return any(isinstance(item, ast.Call) for item in ast.walk(node))


def is_main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == ...:`."""
    return isinstance(node, ast.If) and any(
        isinstance(item, ast.Name) and item.id == "__name__" for item in ast.walk(node.test)
    )


def _paths(text: str) -> tuple[str, ...]:
    """The texts in the lines that speak of paths, each and joined, if the import path is changed at all."""
    if "sys.path" not in text:
        return ()
    lines = [_PATH_PART.findall(line) for line in _PATH_LINE.findall(text)]
    return tuple(dict.fromkeys(path for parts in lines for path in ("/".join(parts), *parts) if path))
