"""Parsing, also of what parsed once: `x.cuda(async=True)` was correct before `async` became a word of the language."""

from __future__ import annotations

import ast
import re

_ASYNC = re.compile(r"\basync\b(?!\s+(?:def|for|with)\b)")
_COPYING = frozenset(("cuda", "to", "copy_", "type"))
_SAME_LENGTH, _NOW = "asynk", "non_blocking"


def parsed(text: str, file: str) -> ast.Module:
    """The tree of a file. Raises SyntaxError, ValueError or RecursionError if it is no Python."""
    try:
        return ast.parse(text, file)
    except SyntaxError:
        changed, count = _ASYNC.subn(_SAME_LENGTH, text)
        if not count:
            raise
        tree = ast.parse(changed, file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _COPYING:
            for part in node.keywords:
                part.arg = _NOW if part.arg == _SAME_LENGTH else part.arg
    return tree
