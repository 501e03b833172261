"""Questions about single statements."""

from __future__ import annotations

import ast
import builtins
import re
from typing import Any, Union

from metalens.worker.load.walking import nodes

_TRAINING = re.compile(r"epoch|loader|dataset|batches|tqdm|trange|num_iter|n_iter|max_steps|max_iters", re.IGNORECASE)
_NAMES = re.compile(r"__dict__|\bvars\(|\bdir\(|\bgetmembers\(")  # what is looked through, not trained on
_BUILTINS = frozenset(dir(builtins)) | {"self", "cls"}
_STEPS = {"backward", "zero_grad", "step"}
_MACHINE = re.compile(
    r"cuda\.is_available|cuda\.device_count|is_gpu|has_gpu|gpu_count|nccl.*is_available|exists\(|is_?file\(|is_?dir\("
    r"""|!= (?:''|"")"""
)
# Weights have the shapes that the model has already.
_LOADS = re.compile(
    r"(load|restore)_(from(_\w+)?|(\w+_)?weights?|pre_?trained(_\w+)?|state(_dict)?|(\w+_)?(checkpoints?|ckpt|param(eter)?s))"
)
_VERSION = re.compile(r"__version__|version_info|python_version\(")
_FILES = re.compile(r"(dir|path|folder|file|root)s?$|^listdir|^glob", re.IGNORECASE)
_LEARNS = re.compile(r"learn|train|update|optimi|replay|improve", re.IGNORECASE)
_EXITS = {"sys.exit", "exit", "quit", "os._exit"}

_OUTPUT = frozenset("print pprint mkdir makedirs info debug warning warn write writelines flush".split())
_OUTPUT |= frozenset("add_scalar add_scalars add_text add_image set_description set_postfix savefig".split())
_WRITES = frozenset("copy_ fill_ zero_ normal_ uniform_ constant_ xavier_uniform_ kaiming_normal_".split())


def attributes_of(statement: ast.stmt) -> list[ast.Attribute]:
    """The attributes of plain names that an assignment sets: `args.size`, `self.data`, also several at once."""
    targets: list[ast.expr] = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [part for part in parts if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)]


def constant_names(tree: ast.Module) -> frozenset[str]:
    """Names that hold imports, functions and classes: their values are no shapes."""
    names = set(_BUILTINS)
    for node in nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
    return frozenset(names)


def count_of(targets: list[ast.expr]) -> int:
    """How many values an assignment unpacks; 0 if it takes any number."""
    target = targets[0]
    if len(targets) > 1 or not isinstance(target, (ast.Tuple, ast.List)):
        return 0
    return 0 if any(isinstance(part, ast.Starred) for part in target.elts) else len(target.elts)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether the user's own handler has something to say about failures, so that it must see them."""
    return handler.type is None or ast.unparse(handler.type) not in ("KeyboardInterrupt", "SystemExit")


def named_parameters(node: Any) -> list[Any]:
    """The parameters of a function that have a name of their own, without `self`."""
    parts = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return [part for part in parts if part.arg != "self"]


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is nothing but a constant."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def leaving_of(body: list[ast.stmt]) -> str:
    """How a branch that nothing follows leaves the code: "raise", "exit", or "" for one that goes on.

    Of one that does nothing but count and tell people something, as `=` and the names that it changes.
    """
    counts = [part for part in body if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name)]
    if all(part in counts or isinstance(part, ast.Pass) or is_output(part) for part in body):
        return "=" + " ".join(part.target.id for part in counts)  # type: ignore[union-attr]
    last = body[-1] if body else None
    if isinstance(last, ast.Raise):
        return "raise"
    call = last.value if isinstance(last, ast.Expr) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func) in _EXITS and call.args:
        return "exit" if ast.unparse(call.args[0]) != "0" else ""
    return ""


def told_of(statement: ast.If) -> tuple[str, str, bool, str]:
    """What there is to know of a condition beside its value: how its branches leave, and what it asks or waits for."""
    leaving = leaving_of(statement.body), leaving_of(statement.orelse)
    return (*leaving, asks_for_machine(statement.test), waiting_of(statement))


def waiting_of(statement: ast.If) -> str:
    """What a condition waits for: "enough" if it holds once enough is gathered, "few" while there is too little."""
    test = statement.test
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    if len(statement.body) == 1 and isinstance(statement.body[0], (ast.Continue, ast.Return)) and len(parts) == 1:
        return "few" if _compares(test, (ast.Lt, ast.LtE)) else ""
    called = [node for part in statement.body for node in nodes(part) if isinstance(node, ast.Call)]
    learns = any(_LEARNS.search(getattr(call.func, "attr", getattr(call.func, "id", ""))) for call in called)
    asks = all(_compares(part, (ast.Gt, ast.GtE)) or _is_at_times(part) or isinstance(part, ast.Call) for part in parts)
    return "enough" if learns and asks else ""


def _is_at_times(test: ast.expr) -> bool:
    """Whether a condition holds every so many times."""
    counts = isinstance(test, ast.Compare) and isinstance(test.left, ast.BinOp) and isinstance(test.left.op, ast.Mod)
    return counts and _compares(test, (ast.Eq,))


def _compares(test: ast.expr, kinds: tuple[type[ast.cmpop], ...]) -> bool:
    return isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], kinds)


def without_not(statement: ast.If) -> None:
    """Exchange, in place, the branches of `if not x`, so that what is not known is asked for by itself."""
    chained = len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If)
    # A script that gives up says so itself: it may want another machine.
    stays = chained or leaving_of(statement.body) == "exit"
    if isinstance(statement.test, ast.UnaryOp) and isinstance(statement.test.op, ast.Not) and not stays:
        nothing = ast.copy_location(ast.Pass(), statement.test)
        statement.test = statement.test.operand
        statement.body, statement.orelse = statement.orelse or [nothing], statement.body


def asks_for_machine(test: ast.expr) -> bool:
    """Whether a condition is about what the machine has, which the user's own would answer in another way."""
    return _MACHINE.search(ast.unparse(test)) is not None


def is_output(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but tell people something, make a place for that, compare, write or load values.

    So does an assertion about what the machine has, or which version of what, or about files and folders: the data may
    not be here.
    """
    if isinstance(statement, ast.Assert):
        told = ast.unparse(statement.test)
        return bool(_MACHINE.search(told) or _VERSION.search(told)) or _speaks_of_files(statement.test)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _OUTPUT or name in _WRITES or name.startswith("assert") or _LOADS.fullmatch(name) is not None


def looks_like_module(node: ast.ClassDef) -> bool:
    """Whether a class is likely to be a module: it has a forward, or a base of such a name."""
    if any(isinstance(part, ast.FunctionDef) and part.name == "forward" for part in node.body):
        return True
    return any(ast.unparse(base).split("[")[0].endswith("Module") for base in node.bases)


def is_training_loop(loop: Union[ast.For, ast.While]) -> bool:
    """Whether one round of the loop shows all that it has to show."""
    header = [loop.test] if isinstance(loop, ast.While) else [loop.iter, loop.target]
    if any(_TRAINING.search(text) and not _NAMES.search(text) for text in map(ast.unparse, header)):
        return True
    calls = (node.func for node in nodes(loop) if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Attribute) and function.attr in _STEPS for function in calls)


def structure_of(target: ast.expr) -> ast.expr:
    """A loop target's nesting as a literal: `i, (x, y)` is `(0, (0, 0))`."""
    made: ast.expr = ast.Constant(0)
    if isinstance(target, (ast.Tuple, ast.List)) and not any(isinstance(part, ast.Starred) for part in target.elts):
        made = ast.Tuple([structure_of(part) for part in target.elts], ast.Load())
    return ast.copy_location(made, target)


def calls(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but call what a plain name or another call gives: `net(x)`, `Net()(x)`."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    return isinstance(function, ast.Call) or (isinstance(function, ast.Name) and function.id not in _BUILTINS)


class _Quiet(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if is_output(node) and _is_told(node.value) else node


def is_listing(call: ast.Call) -> bool:
    """Whether a call lists the items of a mapping: `list(weights.keys())`."""
    item = call.args[0] if len(call.args) == 1 and isinstance(call.func, ast.Name) else None
    if not isinstance(item, ast.Call) or not isinstance(item.func, ast.Attribute):
        return False
    return call.func.id in ("list", "tuple") and item.func.attr in ("keys", "values", "items")  # type: ignore[attr-defined]


def without_messages(tree: ast.Module) -> ast.Module:
    """Without the messages of classes: `print(f"loaded {path}")` in a constructor must not stop it for want of a path.

    Those that call something, or speak of shapes, stay.
    """
    for cls in [node for node in nodes(tree) if isinstance(node, ast.ClassDef)]:
        _Quiet().visit(cls)
    return tree


def _is_told(call: Any) -> bool:
    """Whether a message is a text that is put together of names and attributes."""
    inner = [node for argument in call.args for node in ast.walk(argument)]
    calls = [node.func for node in inner if isinstance(node, ast.Call)]
    plain = all(isinstance(function, ast.Attribute) and function.attr == "format" for function in calls)
    texts = [node for node in inner if isinstance(node, ast.JoinedStr)] + calls
    return plain and bool(texts) and not any(isinstance(node, ast.Attribute) and node.attr == "shape" for node in inner)


def _speaks_of_files(test: ast.expr) -> bool:
    names = (part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in ast.walk(test))
    return any(map(_FILES.search, names))


def ends_in_return(statement: ast.stmt) -> bool:
    """Whether all that a statement does is to give what a function returns: `with open(path) as file: return ...`."""
    if isinstance(statement, ast.With) and len(statement.body) == 1:
        return ends_in_return(statement.body[0])
    return isinstance(statement, ast.Return)
