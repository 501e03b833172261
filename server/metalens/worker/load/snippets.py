"""Python inside other files: fences of Markdown, cells of notebooks."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Collection, Iterator

from metalens.worker.load.parsing import parsed
from metalens.worker.load.walking import bound_names, nodes

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)```(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL
)
_PAGES = (".md", ".rst")
_LANGUAGES = ("", "python", "py", "python3")
_MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)


def programs(file: str, text: str) -> Iterator[ast.Module]:
    """The programs in a file: itself, or each fence or the cells of it. Line numbers are those of the file.

    Raises SyntaxError for a Python file that does not parse; other files' unreadable parts are left out.
    """
    if file.endswith(_PAGES):
        yield from _fences(file, text)
    elif file.endswith(".ipynb"):
        yield from _cells(file, text)
    else:
        yield parsed(text, file)


def continued(file: str, text: str) -> Iterator[ast.Module]:
    """Examples of a page that go on where an earlier one ended, each together with those before it.

    An example goes on if it reads names that it does not bind, and that the earlier ones bound. Nobody promised that
    they are meant to be run in one go.
    """
    if not file.endswith(_PAGES):
        return
    body: list[ast.stmt] = []
    bound: set[str] = set()
    count = 0
    for tree, imports in _examples(file, text):
        binds, reads = _bound(tree), {node.id for node in nodes(tree) if isinstance(node, ast.Name)}
        if (reads - binds) & bound:
            body, bound, count = [*body, *tree.body], bound | binds, count + 1
        elif imports:
            if count > 1:
                yield ast.Module(body, [])
            body, bound, count = list(tree.body), binds, 1
    if count > 1:
        yield ast.Module(body, [])


def _bound(tree: ast.Module) -> set[str]:
    """The names that a program binds, in whatever scope."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names.union(*(bound_names(statement) for statement in tree.body))


def _fences(file: str, text: str) -> Iterator[ast.Module]:
    return (tree for tree, imports in _examples(file, text) if imports)


def _examples(file: str, text: str) -> Iterator[tuple[ast.Module, bool]]:
    """The fences that parse, and whether one has an import."""
    for found in _FENCE.finditer(text):
        if found["language"].lower() not in _LANGUAGES:
            continue
        before = text.count("\n", 0, found.start("code"))
        try:
            tree = ast.parse(textwrap.dedent(found["code"]), file)
        except (SyntaxError, ValueError):
            continue
        yield ast.increment_lineno(tree, before), "import" in found["code"]


def _cells(file: str, text: str) -> Iterator[ast.Module]:
    try:
        cells = json.loads(text).get("cells", [])
        sources = ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, AttributeError, KeyError, TypeError):
        return
    body: list[ast.stmt] = []
    for source in sources:
        try:
            body.extend(ast.parse(_MAGIC.sub("pass", source), file).body)
        except (SyntaxError, ValueError):  # noqa: PERF203 - a cell that does not parse costs itself alone
            continue
    yield ast.Module(body, [])


def identifiers(tree: ast.Module) -> set[str]:
    """Every name that a program speaks of: variables, attributes, imports and the modules that they come from."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.rpartition(".")[2])
    return names


def settings(tree: ast.Module, names: Collection[str]) -> frozenset[tuple[str, str]]:
    """Which arguments a program gives by name in calls of these names: of what it calls, and of the argument."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.keywords:
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in names:
                found |= {(called, keyword.arg) for keyword in node.keywords if keyword.arg is not None}
    return frozenset(found)
