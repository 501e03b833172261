"""Parsing, also of what parsed once: `x.cuda(async=True)` was correct before `async` became a word of the language."""

from __future__ import annotations

import ast
import re

OLDER = "it is written for an older Python"
_ASYNC = re.compile(r"\basync\b(?!\s+(?:def|for|with)\b)")
_COPYING = frozenset(("cuda", "to", "copy_", "type"))
_SAME_LENGTH, _NOW = "asynk", "non_blocking"

_older: set[str] = set()


def parsed(text: str, file: str) -> ast.Module:
    """The tree of a file. Raises SyntaxError, ValueError or RecursionError if it is no Python."""
    _older.discard(file)
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
    _older.add(file)
    return tree


def is_older(file: str) -> bool:
    """Whether a file parsed only as what Python once was: nothing is proved by it."""
    return file in _older
