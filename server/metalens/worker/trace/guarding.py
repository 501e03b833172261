"""Conditions of the user's code after which it does nothing but raise, and assertions: whatever follows passed them."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Container


def asks_a_guard(files: Container[str], source_of: Callable[[str], str]) -> bool:
    """Whether the innermost line of the user's code under way belongs to such a condition."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename not in files:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and frame.f_lineno in _lines(source_of(frame.f_code.co_filename))


@functools.lru_cache(maxsize=64)
def _lines(text: str) -> frozenset[int]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    tests = [
        node.test
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.If) and not node.orelse and all(isinstance(part, ast.Raise) for part in node.body))
    ]
    return frozenset(line for test in tests for line in range(test.lineno, (test.end_lineno or test.lineno) + 1))
