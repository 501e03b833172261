"""Parsing, also of what parsed once: Python 2, and `x.cuda(async=True)`, when `async` was no word of the language."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Optional

OLDER = "it is written for Python 2"
_ASYNC = re.compile(r"\basync\b(?!\s+(?:def|for|with)\b)")
_COPYING = frozenset(("cuda", "to", "copy_", "type"))
_SAME_LENGTH, _NOW = "asynk", "non_blocking"
# `print x`, `except Error, error:`, `raise Error, x`: what replaces them has as many lines.
_PRINT = re.compile(
    r"^([ \t]*(?:(?:if|else|elif|for|while|try)\b[^\n\"']*:[ \t]*)?)print[ \t]+(?![=(.])"
    r"(?:>>[ \t]*[\w.]+[ \t]*,?[ \t]*)?([^\n#]*?)[ \t]*,?[ \t]*(?:#[^\n]*)?$",
    re.MULTILINE,
)
_BARE = re.compile(r"^([ \t]*)print[ \t]*$", re.MULTILINE)
_EXCEPT = re.compile(r"^([ \t]*except[ \t]+[\w.()]+(?:, [\w.]+\))?)[ \t]*,[ \t]*(\w+)[ \t]*:", re.MULTILINE)
_RAISE = re.compile(r"^([ \t]*raise[ \t]+[\w.]+)[ \t]*,[ \t]*([^\n]+)$", re.MULTILINE)

_older: set[str] = set()


def parsed(text: str, file: str) -> ast.Module:
    """The tree of a file. Raises SyntaxError, ValueError or RecursionError if it is no Python."""
    _older.discard(file)
    try:
        return ast.parse(text, file)
    except SyntaxError as error:
        tree = _parsed_once(text, file)
        if tree is None:
            raise error from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _COPYING:
            for part in node.keywords:
                part.arg = _NOW if part.arg == _SAME_LENGTH else part.arg
    return tree


def _parsed_once(text: str, file: str) -> Optional[ast.Module]:
    changed = _ASYNC.sub(_SAME_LENGTH, text)
    with suppress(SyntaxError):
        return ast.parse(changed, file)
    with suppress(SyntaxError):
        tree = ast.parse(_modern(changed), file)
        _older.add(file)
        return tree
    return None


def is_older(file: str) -> bool:
    """Whether a file is Python 2: its divisions give other numbers, so that nothing is proved by it."""
    return file in _older


def _modern(text: str) -> str:
    text = _BARE.sub(r"\1print()", _PRINT.sub(r"\1print(\2)", text))
    text = _RAISE.sub(r"\1(\2)", _EXCEPT.sub(r"\1 as \2:", text))
    for old, new in (("<>", "!="), ("xrange(", "range("), (".iteritems(", ".items("), (".itervalues(", ".values(")):
        text = text.replace(old, new)
    return text
