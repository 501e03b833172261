"""Changing a size where it was written: in a constructor call, a constant, a default, or the call that passed it on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Optional

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, layer_word
from metalens.worker.judge.definitions import siblings, slot_of
from metalens.worker.judge.repair.constants import expressions_for, is_plain, names_before
from metalens.worker.judge.repair.edits import add_keyword, adjusted, fix, is_literal, literal, rescaled
from metalens.worker.judge.source import Function, Source, source_of

_DEPTH = 3
_PLACES = 3
# Names with the wanted size; arithmetic that goes on from what is written; other arithmetic, which fits by chance.
_NAMES, _OWN, _OTHERS = 3, 3, 1
# Arithmetic gives smaller sizes by chance.
_CHANCE = 4


def change_argument(case: Case, module: Any, argument: str, old: int, new: int, depth: int = 0) -> Iterator[Fix]:
    """Candidates that make `argument` of this module's constructor `new` where it is `old`, the nearest first."""
    slot = slot_of(case.facts, module, argument)
    if slot is None or depth > _DEPTH or old == new or new <= 0:
        return
    source, node = slot.source, slot.node
    word = layer_word(case, module) or type(module).__name__
    what = f"{argument} of {word}"
    if node is None:
        yield fix(f"Add {argument}={new} to {word}", add_keyword(source, slot.call, f"{argument}={new}"))
        return
    if isinstance(node, (ast.Tuple, ast.List)) and node.elts:
        node = node.elts[-1]
    if is_literal(node):
        yield fix(f"Change {what} to {new}", source.replace(node, str(new)))
    holder = holder_of(case, module)
    names = list(_in_own_names(case, source, node, holder, new))
    for text in names:
        if is_plain(text):
            yield fix(f"Change {what} to {text}", source.replace(node, text))
    if is_literal(node):
        return
    text = adjusted(source, node, old, new)
    text = text or rescaled(source, node, old, new)
    written = [fix(f"Change {what} to {text}", source.replace(node, text))] if text else []
    decided = list(change_value(case, source, node, old, new, holder, depth))
    # A plain name was decided elsewhere; an expression is more likely to be the mistake itself.
    plain = isinstance(node, (ast.Name, ast.Attribute)) and depth == 0
    yield from (*decided, *written) if plain else (*written, *decided)
    for text in names:
        if not is_plain(text):
            yield fix(f"Change {what} to {text}", source.replace(node, text))
    widths = {torchkind.width(other, argument) for other in siblings(case.facts, module)}
    if len(widths) == 1 and depth == 0:
        yield fix(f"Change {what} to {new}", source.replace(node, str(new)))


def as_number(case: Case, module: Any, argument: str, new: int) -> Iterator[Fix]:
    """The number itself, where the module around this one is built with an expression for it."""
    slot, holder = slot_of(case.facts, module, argument), holder_of(case, module)
    if slot is None or holder is None or not isinstance(slot.node, ast.Name):
        return
    outer = slot_of(case.facts, holder, slot.node.id)
    if outer is not None and outer.node is not None and not isinstance(outer.node, ast.Name):
        what = f"{slot.node.id} of {layer_word(case, holder)}"
        yield fix(f"Change {what} to {new}", outer.source.replace(outer.node, str(new)))


def change_value(
    case: Case, source: Source, node: ast.expr, old: int, new: int, holder: Any = None, depth: int = 0
) -> Iterator[Fix]:
    """Candidates that change the value of a name or attribute where it was set."""
    if isinstance(node, ast.Name):
        yield from _change_name(case, source, node, old, new, holder, depth)
    elif isinstance(node, ast.Attribute):
        own = _self_assignment(source, node, old)
        if own is not None and literal(own) == old:
            yield fix(f"Change {node.attr} to {new}", source.replace(own, str(new)))
        elif isinstance(own, ast.Name):
            yield from _change_name(case, source, own, old, new, holder, depth)
        else:
            yield from _named_values(case, node.attr, old, new)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        # `(size, size)`, or what a call makes of `size`: each element is the same name.
        own = _self_assignment(source, node.value)
        parts = own.elts if isinstance(own, (ast.Tuple, ast.List)) else own.args if isinstance(own, ast.Call) else []
        if parts and all(isinstance(part, ast.Name) and part.id == getattr(parts[0], "id", "") for part in parts):
            yield from _change_name(case, source, parts[0], old, new, holder, depth)  # type: ignore[arg-type]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for base, factor in ((node.left, literal(node.right)), (node.right, literal(node.left))):
            if factor and old % factor == 0 and new % factor == 0:
                yield from change_value(case, source, base, old // factor, new // factor, holder, depth)


def ancestors(case: Case, module: Any) -> tuple[Any, ...]:
    """The user's modules that hold this one, nearest first."""
    if not case.failure.modules:
        return ()
    names = {id(part): name for name, part in case.failure.modules[0].module.named_modules()}
    parts = {name: part for name, part in case.failure.modules[0].module.named_modules()}
    path = names.get(id(module))
    found = []
    while path:
        path = path.rpartition(".")[0]
        if not torchkind.is_own(parts[path]):
            found.append(parts[path])
    return tuple(found)


def holder_of(case: Case, module: Any) -> Any:
    """The nearest module of the user's that holds this one, or None."""
    return next(iter(ancestors(case, module)), None)


def _change_name(
    case: Case, source: Source, node: ast.Name, old: int, new: int, holder: Any, depth: int
) -> Iterator[Fix]:
    scopes = [n for n in source.enclosing(node) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for scope in (*scopes, source.tree):
        values = assigned(scope, node.id)
        if len(values) == 1 and literal(values[0]) == old:
            yield fix(f"Change {node.id} to {new}", source.replace(values[0], str(new)))
        elif len(values) == 1:
            text = adjusted(source, values[0], old, new)
            if text:
                yield fix(f"Change {node.id} to {text}", source.replace(values[0], text))
            yield from change_value(case, source, values[0], old, new, holder, depth)
        elif values and isinstance(values[0], ast.Name) and values[0].id != node.id:
            # A running width: `last = in_channel`, then one more for each layer.
            yield from _change_name(case, source, values[0], old, new, holder, depth)
        if values:
            return
        if isinstance(scope, ast.Module):
            return
        if node.id in _parameters(scope):
            yield from _change_parameter(case, source, scope, node.id, old, new, holder, depth)
            return


def _change_parameter(
    case: Case, source: Source, function: Function, name: str, old: int, new: int, holder: Any, depth: int
) -> Iterator[Fix]:
    if function.name == "__init__" and holder is not None:
        passed = slot_of(case.facts, holder, name)
        if passed is None or passed.node is not None:
            yield from change_argument(case, holder, name, old, new, depth + 1)
    elif function.name != "__init__":
        yield from _calls_of(case, function, name, old, new)
    default = _default(function, name)
    if default is not None and literal(default) == old:
        yield fix(f"Change the default of {name} to {new}", source.replace(default, str(new)))


def _calls_of(case: Case, function: Function, name: str, old: int, new: int) -> Iterator[Fix]:
    """Calls of a factory function that pass the old size."""
    names = _parameters(function)
    found = 0
    for file in case.facts.sources:
        source = source_of(case.facts, file)
        for call in source.nodes:
            if not isinstance(call, ast.Call) or _called_name(call) != function.name or found >= _PLACES:
                continue
            offset = 1 if names[:1] == ["self"] and isinstance(call.func, ast.Attribute) else 0
            place = names.index(name) - offset
            passed = next((k.value for k in call.keywords if k.arg == name), None)
            if passed is None and 0 <= place < len(call.args):
                passed = call.args[place]
            if passed is not None and literal(passed) == old:
                found += 1
                title = f"Change {name} of {function.name} in line {passed.lineno} to {new}"
                yield fix(title, source.replace(passed, str(new)))


def _named_values(case: Case, name: str, old: int, new: int) -> Iterator[Fix]:
    """Places anywhere in the workspace files that give this name the old value: configurations and their defaults."""
    found = 0
    for file in case.facts.sources:
        source = source_of(case.facts, file)
        for node in source.nodes:
            value = _value_named(node, name)
            if value is not None and literal(value) == old and found < _PLACES:
                found += 1
                yield fix(f"Change {name} to {new} in line {value.lineno}", source.replace(value, str(new)))


def _value_named(node: ast.AST, name: str) -> Optional[ast.expr]:
    if isinstance(node, ast.keyword) and node.arg == name:
        return node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
        return node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        own = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
        return node.value if own == name else None
    if isinstance(node, ast.Call) and _called_name(node) == "add_argument":
        flags = {str(a.value).lstrip("-").replace("-", "_") for a in node.args if isinstance(a, ast.Constant)}
        return next((k.value for k in node.keywords if k.arg == "default"), None) if name in flags else None
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values)
        return next((v for k, v in pairs if isinstance(k, ast.Constant) and k.value == name), None)
    return None


def _in_own_names(case: Case, source: Source, node: ast.expr, holder: Any, new: int) -> Iterator[str]:
    """Names of the constructor, arguments and local ones, that have just the wanted size."""
    built = case.facts.built_of(holder) if holder is not None else None
    scope = next((n for n in source.enclosing(node) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
    if built is None or scope is None or scope.name != "__init__" or new < 2:
        return
    written = source.text_of(node)
    names = names_before(built, scope, node.lineno)
    texts = [text for text in expressions_for(new, names, written) if text != written]
    yield from [text for text in texts if is_plain(text)][:_NAMES]
    if new < _CHANCE:
        return
    own = [text for text in texts if not is_plain(text) and written in text]
    yield from own[:_OWN] or [text for text in texts if not is_plain(text) and "**" not in text][:_OTHERS]


def _self_assignment(source: Source, node: ast.Attribute, old: Optional[int] = None) -> Optional[ast.expr]:
    """What an attribute is set to: where that is done more than once, the only place that writes the old value."""
    if not isinstance(node.value, ast.Name) or node.value.id != "self":
        return None
    owner = next((n for n in source.enclosing(node) if isinstance(n, ast.ClassDef)), None)
    values = [
        statement.value
        for statement in ast.walk(owner or source.tree)
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Attribute) and t.attr == node.attr for t in statement.targets)
    ]
    written = [value for value in values if old is not None and literal(value) == old]
    return values[0] if len(values) == 1 else written[0] if len(written) == 1 else None


def assigned(scope: ast.AST, name: str) -> list[ast.expr]:
    """The values that a name is given in a scope."""
    body: list[ast.AST] = list(getattr(scope, "body", []))
    found = []
    while body:
        node = body.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            found.append(node.value)
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id == name
            and node.value
        ):
            found.append(node.value)
        body.extend(ast.iter_child_nodes(node))
    return found


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _default(function: Function, name: str) -> Optional[ast.expr]:
    positional = [*function.args.posonlyargs, *function.args.args]
    defaults = function.args.defaults
    for argument, default in zip(positional[len(positional) - len(defaults) :], defaults):
        if argument.arg == name:
            return default
    for argument, value in zip(function.args.kwonlyargs, function.args.kw_defaults):
        if argument.arg == name:
            return value
    return None


def _called_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
