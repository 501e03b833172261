"""Where code catches errors itself: the lines inside of `try` and of `with pytest.raises(...)`."""

from __future__ import annotations

import ast
import re

from metalens.worker.load.walking import nodes

# What these catch is no mistake of a shape.
_OTHERS = re.compile(
    r"(KeyboardInterrupt|SystemExit|ImportError|ModuleNotFoundError|OSError|IOError|FileNotFoundError|KeyError|NameError"
    r"|AttributeError|StopIteration|UnicodeDecodeError|(torch\.cuda\.)?OutOfMemoryError|NotImplementedError)"
)
_CATCHING = re.compile(r"(^|\.)(raises|suppress|assertRaises|assertRaisesRegex)$")


def caught_lines(tree: ast.AST) -> tuple[tuple[int, int], ...]:
    """The first and last zero-based lines of all bodies whose errors are caught."""
    found = []
    for node in nodes(tree):
        catches = (
            any(map(_catches, node.handlers))
            if isinstance(node, ast.Try)
            else isinstance(node, (ast.With, ast.AsyncWith))
            and any(expects_error(item.context_expr) for item in node.items)
        )
        if catches:
            body: list[ast.stmt] = node.body  # type: ignore[attr-defined]
            found.append((body[0].lineno - 1, (body[-1].end_lineno or body[-1].lineno) - 1))
    return tuple(found)


def _catches(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return not all(_OTHERS.fullmatch(ast.unparse(kind)) for kind in kinds)


def expects_error(context: ast.expr) -> bool:
    """Whether the context of a `with` is there for an error in its body."""
    return isinstance(context, ast.Call) and bool(_CATCHING.search(ast.unparse(context.func)))
