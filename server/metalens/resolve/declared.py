"""Options that nobody adds to a parser: of data classes, of functions, of groups of configuration files."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from metalens.resolve.index import View
from metalens.resolve.layers import dotted
from metalens.workspace.documents import Unreadable

_READERS = frozenset({"cli", "parse", "Fire", "HfArgumentParser", "run"})
_PACKAGES = frozenset({"tyro", "fire", "typer", "simple_parsing", "transformers", "pyrallis", "draccus"})
_DEFAULT = re.compile(r"^\s*-\s+(?:override\s+|optional\s+)?/?([\w/]+)(?:@[\w.]+)?\s*:\s*([\w.-]+)", re.MULTILINE)
_MOST_GROUPS, _MOST_FILES = 24, 60
_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Declared:
    """One option: its name, the type that its annotation tells, and its default as a node."""

    name: str
    kind: str
    default: ast.expr | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Configuration files of which a command line chooses one, by name; `default` is chosen without one."""

    name: str
    files: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


def declared(tree: ast.Module) -> Iterator[Declared]:
    """What the data classes and main functions of a file declare, if it hands some to a package that reads them."""
    if not _imports(tree):
        return
    wanted = {name for node in ast.walk(tree) if isinstance(node, ast.Call) for name in _handed(node)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any("dataclass" in dotted(_called(item)) for item in node.decorator_list):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield _declared(part.target.id, part.annotation, part.value)
        elif isinstance(node, ast.FunctionDef) and (node.name in wanted or _is_command(node)):
            arguments = [*node.args.args, *node.args.kwonlyargs]
            missing = len(node.args.args) - len(node.args.defaults)
            defaults = [*[None] * missing, *node.args.defaults, *node.args.kw_defaults]
            for argument, default in zip(arguments, defaults, strict=True):
                yield _declared(argument.arg, argument.annotation, default)


def _imports(tree: ast.Module) -> bool:
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.partition(".")[0] in _PACKAGES for name in names):
            return True
    return False


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _handed(call: ast.Call) -> Iterator[str]:
    if (dotted(call.func).rpartition(".")[2] or getattr(call.func, "attr", "")) in _READERS:
        yield from (part.id for argument in call.args for part in ast.walk(argument) if isinstance(part, ast.Name))


def _is_command(node: ast.FunctionDef) -> bool:
    return any(dotted(_called(item)).rpartition(".")[2] == "command" for item in node.decorator_list)


def _declared(name: str, annotation: ast.expr | None, default: ast.expr | None) -> Declared:
    choices: tuple[str, ...] = ()
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] == "Literal":
            items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            choices = tuple(str(item.value) for item in items if isinstance(item, ast.Constant))
    return Declared(name, dotted(annotation) if annotation is not None else "", default, choices)


# ---------------------------------------------------------------- groups


def composed(tree: ast.Module) -> tuple[tuple[str, str], ...]:
    """The folder and the name of the configurations that `@hydra.main(...)` composes."""
    found = []
    for node in ast.walk(tree):
        for item in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(item, ast.Call) and dotted(item.func) in ("hydra.main", "main"):
                given = {part.arg: getattr(part.value, "value", None) for part in item.keywords}
                path, name = given.get("config_path"), given.get("config_name")
                if name is None and isinstance(path, str) and path.endswith(_YAML):
                    path, name = os.path.split(path)  # as the oldest versions have it
                if isinstance(name, str):
                    found.append((path if isinstance(path, str) else "", name))
    return tuple(found)


def groups(view: View, script: str, path: str, name: str) -> tuple[Group, ...]:
    """The groups below a folder of configurations, and, as a group without a name, the files beside the main one."""
    folder = os.path.normpath(os.path.join(os.path.dirname(script), path))
    if folder != view.root and not folder.startswith(view.root + os.sep):
        return ()
    stem = name.removesuffix(".yaml")
    beside = _files(folder)
    try:
        text = view.workspace.text(beside[stem]) if stem in beside else ""
    except Unreadable:
        text = ""
    defaults = {found[1]: found[2] for found in _DEFAULT.finditer(text)}
    result = [Group("", beside, stem)]
    for at, (inner, _, names) in enumerate(os.walk(folder)):
        if at >= _MOST_GROUPS:
            break
        group = os.path.relpath(inner, folder).replace(os.sep, "/")
        if group != "." and not group.startswith("hydra") and any(item.endswith(_YAML) for item in names):
            result.append(Group(group, _files(inner), defaults.get(group)))
    return tuple(result)


def _files(folder: str) -> dict[str, str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_YAML))
    except OSError:
        return {}
    return {os.path.splitext(name)[0]: os.path.join(folder, name) for name in names[:_MOST_FILES]}
