"""Which top-level statements of a script a rehearsal needs: those that build or call modules, and what they rest on."""

from __future__ import annotations

import ast
import builtins
import os
from typing import Optional

from metalens.worker.load.walking import bound_names, nodes

# Packages of modules and tensors, those that train models, and those that call a script's main function.
_HOT = (
    *("torch", "einops", "timm", "transformers", "lightning", "pytorch_lightning", "accelerate"),
    *("hydra", "fire", "tyro", "typer", "click", "absl"),
)

_BY_TEXT = frozenset({"eval", "exec", "globals", "locals", "vars"})
_BUILTINS = frozenset(dir(builtins))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMED = (*_SCOPES, ast.Import, ast.ImportFrom)


def slice_script(tree: ast.Module, local: frozenset[str] = frozenset()) -> None:
    """Drop, in place, the top-level statements that cannot matter.

    `local` are the top-level names of workspace packages: what is imported from them matters as torch does.
    """
    statements = tree.body
    below = [list(nodes(statement)) for statement in statements]
    named = set().union(*(bound_names(statement) for statement in statements if isinstance(statement, _NAMED)))
    reads = [_names_read(parts) | (named if _reads_by_text(parts) else set()) for parts in below]
    binds = [bound_names(statement) | _mutated(statement, parts) for statement, parts in zip(statements, below)]
    hot = _hot_names(statements, below, reads, binds, local)
    every = set().union(*reads)
    needed = [_is_seed(*one, hot) or _registers(one[0], every, local) for one in zip(statements, below, reads)]
    wanted = set().union(*(read for read, keep in zip(reads, needed) if keep)) if any(needed) else set()
    changed = True
    while changed:
        changed = False
        for index in range(len(statements) - 1, -1, -1):
            if not needed[index] and (binds[index] & wanted or _is_unbound_import(statements[index])):
                needed[index] = changed = True
                wanted |= reads[index]
    tree.body = [statement for statement, keep in zip(statements, needed) if keep]


def _names_read(parts: list[ast.AST]) -> set[str]:
    names = {node.id for node in parts if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return names | {
        node.target.id for node in parts if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }


def _reads_by_text(parts: list[ast.AST]) -> bool:
    """Whether a statement reaches what the file imports and defines by texts: `eval("models." + name)`."""
    called = (node.func for node in parts if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id in _BY_TEXT for function in called)


def _mutated(statement: ast.stmt, parts: list[ast.AST]) -> set[str]:
    """Names whose objects a statement may change: `x.y = 1`, `x[0] = 1`, `x.update(...)`, `fill(x)`."""
    names: set[str] = set()
    if isinstance(statement, _SCOPES):
        return names
    for node in parts:
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            names |= _root(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names |= _root(node.value.func) if isinstance(node.value.func, ast.Attribute) else set()
            for argument in node.value.args:
                names |= _root(argument)
    return names


def _root(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _hot_names(
    statements: list[ast.stmt],
    below: list[list[ast.AST]],
    reads: list[set[str]],
    binds: list[set[str]],
    local: frozenset[str],
) -> set[str]:
    """Names through which modules or tensors are reached."""
    hot: set[str] = set()
    for parts in below:
        for node in parts:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                hot |= {name for name in bound_names(node) if _imports_hot(node, name, local)}
            if isinstance(node, ast.ImportFrom) and _is_unbound_import(node) and _imports_hot(node, "*", local):
                # Whatever nobody else binds comes from there.
                hot |= set().union(*reads) - set().union(*binds) - _BUILTINS
    changed = True
    while changed:
        changed = False
        for read, bound, statement in zip(reads, binds, statements):
            if isinstance(statement, (ast.Import, ast.ImportFrom)) or bound <= hot or not read & hot:
                continue
            hot |= bound
            changed = True
    return hot


def _imports_hot(node: ast.AST, name: str, local: frozenset[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or _hot_module(node.module, local)
    return any(
        _hot_module(alias.name, local)
        for alias in node.names  # type: ignore[attr-defined]
        if (alias.asname or alias.name).split(".")[0] == name
    )


def _hot_module(module: Optional[str], local: frozenset[str]) -> bool:
    top = (module or "").split(".")[0]
    return top in local or top.startswith(_HOT)


def _is_unbound_import(statement: ast.stmt) -> bool:
    star = isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names)
    return star or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")


def _registers(statement: ast.stmt, read: set[str], local: frozenset[str]) -> bool:
    """Whether an import of the workspace's own is there only for what it does: nothing reads the names."""
    if isinstance(statement, ast.ImportFrom):
        own = statement.level > 0 or (statement.module or "").split(".")[0] in local
    else:
        own = isinstance(statement, ast.Import) and any(alias.name.split(".")[0] in local for alias in statement.names)
    return own and not _is_unbound_import(statement) and bound_names(statement).isdisjoint(read)


def _is_seed(statement: ast.stmt, parts: list[ast.AST], read: set[str], hot: set[str]) -> bool:
    if isinstance(statement, ast.ClassDef):
        return True
    if isinstance(statement, _SCOPES):
        # A helper that reaches neither torch nor a module is kept only if something that is kept uses it.
        return bool(read & hot)
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return False
    calls = any(isinstance(node, ast.Call) for node in parts)
    outer = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(outer, ast.Call) and ast.unparse(outer.func).rpartition(".")[2].startswith("DEFINE_"):
        return True  # an option, which is read elsewhere
    if not calls or not read & hot:
        return False
    if isinstance(outer, ast.Call) and isinstance(outer.func, ast.Attribute):
        # `plt.plot(losses)`: a call of something that is not torch, fed with what torch made
        return bool(_root(outer.func) & hot) or any(isinstance(part, ast.Call) for part in outer.args)
    return True


def workspace_names(root: str, import_paths: tuple[str, ...]) -> frozenset[str]:
    """Top-level module and package names that the workspace itself holds."""
    names: set[str] = set()
    for folder in (root, *import_paths):
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        names |= {entry.name[:-3] for entry in entries if entry.name.endswith(".py")}
        names |= {entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry)}
    return frozenset(names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # `entry.is_dir()` raises for a link to itself.
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))
