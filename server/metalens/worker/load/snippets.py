"""Python inside other files: fences of Markdown, cells of notebooks."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)```(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL
)
_LANGUAGES = ("", "python", "py", "python3")
_MAGIC = re.compile(r"^\s*[%!?].*$", re.MULTILINE)


def programs(file: str, text: str) -> Iterator[ast.Module]:
    """The programs in a file: itself, or each fence or the cells of it. Line numbers are those of the file.

    Raises SyntaxError for a Python file that does not parse; other files' unreadable parts are left out.
    """
    if file.endswith((".md", ".rst")):
        yield from _fences(file, text)
    elif file.endswith(".ipynb"):
        yield from _cells(file, text)
    else:
        yield ast.parse(text, file)


def _fences(file: str, text: str) -> Iterator[ast.Module]:
    for found in _FENCE.finditer(text):
        if found["language"].lower() not in _LANGUAGES or "import" not in found["code"]:
            continue
        before = text.count("\n", 0, found.start("code"))
        try:
            tree = ast.parse(textwrap.dedent(found["code"]), file)
        except (SyntaxError, ValueError):
            continue
        yield ast.increment_lineno(tree, before)


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
