"""Questions about single statements."""

from __future__ import annotations

import ast
import re
from typing import Union

from metalens.worker.load.walking import nodes

_TRAINING = re.compile(r"epoch|loader|dataset|batches|tqdm|trange|num_iter|n_iter|max_steps|max_iters", re.IGNORECASE)
_STEPS = {"backward", "zero_grad", "step"}


def count_of(targets: list[ast.expr]) -> int:
    """How many values an assignment unpacks; 0 if it takes any number."""
    target = targets[0]
    if len(targets) > 1 or not isinstance(target, (ast.Tuple, ast.List)):
        return 0
    return 0 if any(isinstance(part, ast.Starred) for part in target.elts) else len(target.elts)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether the user's own handler has something to say about failures, so that it must see them."""
    return handler.type is None or ast.unparse(handler.type) not in ("KeyboardInterrupt", "SystemExit")


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is nothing but a constant."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def looks_like_module(node: ast.ClassDef) -> bool:
    """Whether a class is likely to be a module: it has a forward, or a base of such a name."""
    if any(isinstance(part, ast.FunctionDef) and part.name == "forward" for part in node.body):
        return True
    return any(ast.unparse(base).split("[")[0].endswith("Module") for base in node.bases)


def is_training_loop(loop: Union[ast.For, ast.While]) -> bool:
    """Whether one round of the loop shows all that it has to show."""
    header = [loop.test] if isinstance(loop, ast.While) else [loop.iter, loop.target]
    if any(_TRAINING.search(ast.unparse(part)) for part in header):
        return True
    calls = (node.func for node in nodes(loop) if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Attribute) and function.attr in _STEPS for function in calls)
