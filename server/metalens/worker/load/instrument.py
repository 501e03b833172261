"""Rewrites a file's syntax tree so that a run can see every expression and survive every failing statement.

Calls, operators and values are handed to hooks together with their number in the file's table of ranges; line and
column positions stay those of the source. Outside of module classes each statement is guarded: when it fails, the names
that it would have bound become Unknown and the rehearsal goes on.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from metalens.worker.load.catching import caught_lines, expects_error
from metalens.worker.load.grids import number_functions, without_hooks
from metalens.worker.load.ranges import Lines, Ranges
from metalens.worker.load.syntax import (
    attributes_of,
    calls,
    constant_names,
    count_of,
    ends_in_return,
    is_broad,
    is_docstring,
    is_listing,
    is_output,
    is_training_loop,
    looks_like_module,
    named_parameters,
    structure_of,
    told_of,
    without_not,
)
from metalens.worker.load.typed import are_texts, defer_annotations
from metalens.worker.load.walking import bound_names, fields_of, nodes

CALL, OPERATE, RECORD, AUGMENT = "__metalens_call__", "__metalens_operate__", "__metalens_record__", "__metalens_aug__"
SKIP, UNKNOWN, ERROR = "__metalens_skip__", "__metalens_unknown__", "__metalens_error__"
LOOP, ROUND, TEST = "__metalens_loop__", "__metalens_round__", "__metalens_test__"
ENTER, INDEX, SLICE, UNPACK = "__metalens_enter__", "__metalens_index__", "__metalens_slice__", "__metalens_unpack__"
MARK, HOLDS, SHAPE, LENGTH = "__metalens_mark__", "__metalens_holds__", "__metalens_shape__", "__metalens_length__"

# What is lost where a statement fails: nothing; something; nothing, unless what it asserts is not so; nothing, if what
# it calls is a model.
KEEPS, LOSES, ASKS, CALLS = range(4)

_NUMBERED = (CALL, OPERATE, RECORD, INDEX, SHAPE)

# These look at the frame that calls them, so they must stay where they are; the others are too plain to be recorded.
_PLAIN = set("super locals globals vars dir eval exec __import__ isinstance issubclass len range hasattr print".split())
_PLAIN |= set("type int float str bool list tuple dict set zip enumerate repr id callable property slice".split())
_DEEPEST = 6  # guards within guards
_UNGUARDED = (ast.Global, ast.Nonlocal, ast.Pass, ast.Break, ast.Continue)
_LOAD, _STORE = ast.Load(), ast.Store()
_ASKED = {"__getattr__", "__getattribute__", "__missing__"}  # what they raise is their answer
_PLACES, _FUNCTIONS = (ast.Attribute, ast.Subscript), (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Table:
    """The numbered ranges of one file; `aliases` are names that take (a part of) a numbered value.

    An alias is the number of the name's range, the number of the value, and which part of it the name takes.
    `caught` are the first and last lines of statements whose errors the code itself catches.
    """

    ranges: Ranges
    aliases: list[tuple[int, int, Optional[int]]] = field(default_factory=list)
    caught: tuple[tuple[int, int], ...] = ()


def instrument(tree: ast.Module, text: str) -> Table:
    """Rewrite `tree` in place. The result says which number stands for which range."""
    rewriter = _Rewriter(Table(Ranges(Lines(text)), caught=caught_lines(tree)), constant_names(tree))
    rewriter.numbers = number_functions(tree)
    rewriter.defer = (lambda node: None) if are_texts(tree) else defer_annotations
    tree.body = rewriter.guarded(tree.body)
    return rewriter.table


class _Rewriter:
    def __init__(self, table: Table, constants: frozenset[str]) -> None:
        self.table = table
        self.number = table.ranges.add
        self.constants = constants
        self.numbers: frozenset[str] = frozenset()
        self.strict, self.guarding, self.depth = False, True, 0
        self.defer: Callable[[Any], None] = defer_annotations
        self.visitors: dict[type, Callable[[Any], Any]] = {}

    def visit(self, node: Any) -> Any:
        """The node, or what stands in its place."""
        kind = type(node)
        visitor = self.visitors.get(kind)
        if visitor is None:
            visitor = self.visitors[kind] = getattr(self, f"visit_{kind.__name__}", self._visit_parts)
        return visitor(node)

    def _visit_parts(self, node: Any) -> Any:
        for name in fields_of(type(node)):
            value = getattr(node, name)
            if isinstance(value, list):
                value[:] = [self.visit(part) if isinstance(part, ast.AST) else part for part in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    # ------------------------------------------------------------ expressions

    def hook(self, name: str, node: ast.AST, *args: Any) -> ast.Call:
        at = _place(node)
        return ast.Call(ast.Name(name, _LOAD, **at), [ast.Constant(self.number(node), **at), *args], [], **at)

    def flag(self, value: Any, node: ast.AST) -> ast.Constant:
        return ast.Constant(value, **_place(node))

    def record(self, node: ast.expr, value: ast.expr) -> ast.expr:
        return self.hook(RECORD, node, value)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        name = function.id if isinstance(function, ast.Name) and not is_listing(node) else ""
        if isinstance(function, ast.Attribute):
            function.value = self.visit(function.value)
        elif not name:
            node.func = self.visit(function)
        node.args = [self.visit(part) for part in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        if name == "len" and not self.strict:
            node.func = ast.Name(LENGTH, _LOAD, **_place(function))
        if name in _PLAIN:
            return node
        call = self.hook(CALL, node, node.func, *node.args)
        call.keywords = node.keywords
        return call

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.left, ast.Constant) and isinstance(node.right, (ast.Constant, ast.Tuple)):
            return node
        left, right = self.visit(node.left), self.visit(node.right)
        return self.hook(OPERATE, node, self.flag(type(node.op).__name__, node), left, right)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        return without_hooks(node, self.numbers) or self._visit_parts(node)  # type: ignore[no-any-return]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not isinstance(node.ctx, ast.Load) or node.id in self.constants:
            return node
        return self.record(node, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        plain = isinstance(node.value, ast.Name) and node.value.id in self.constants - {"self"}
        if not isinstance(node.ctx, ast.Load):
            self._inside_target(node)
            return node
        if plain:
            return node
        if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            node.value = self.visit(node.value)
        if node.attr == "shape":
            return self.hook(SHAPE, node, node.value)
        return self.record(node, node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not isinstance(node.ctx, ast.Load):
            self._inside_target(node)
            return node
        return self.hook(INDEX, node, self.visit(node.value), self._key(node.slice))

    def _key(self, key: ast.expr) -> ast.expr:
        """A subscript as an expression of its own."""
        if isinstance(key, ast.Tuple):
            key.elts = [self._key(part) for part in key.elts]
            return key
        if isinstance(key, ast.Slice):
            at = _place(key)
            parts = (key.lower, key.upper, key.step)
            bounds = [self.flag(None, key) if part is None else self.visit(part) for part in parts]
            return ast.Call(ast.Name(SLICE, _LOAD, **at), bounds, [], **at)
        return self.visit(key)  # type: ignore[no-any-return]

    def _inside_target(self, node: Union[ast.Attribute, ast.Subscript]) -> None:
        if isinstance(node, ast.Subscript):
            node.slice = self.visit(node.slice)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return node  # positions inside are unreliable before Python 3.12

    visit_TemplateStr = visit_JoinedStr

    # ------------------------------------------------------------ statements inside of bodies

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        node.targets = [self.visit(target) for target in node.targets]
        count = count_of(node.targets)
        node.value = self._named(node.value, node.targets)
        if count:
            target = node.targets[0]
            node.value = self.hook(UNPACK, target, node.value, self.flag(count, target))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.defer(node)
        if node.value is not None:
            node.value = self._named(node.value, [node.target])
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        at = _place(node.test)
        parts = [ast.Call(ast.Name(MARK, _LOAD, **at), [], [], **at), self.visit(node.test)]
        says = [ast.Lambda(ast.arguments([], [], None, [], [], None, []), node.msg, **at)] if node.msg else []
        node.test = self.hook(HOLDS, node.test, *parts, *says)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        target = node.target
        if not isinstance(target, ast.Name):
            node.value = self.visit(node.value)
            return node
        now = ast.Name(target.id, _LOAD, **_place(target))
        value = self.hook(AUGMENT, node, self.flag(type(node.op).__name__, node), now, self.visit(node.value))
        number = value.args[0].value  # type: ignore[attr-defined]
        self.table.aliases.append((self.number(target), number, None))
        return ast.Assign([target], value, **_place(node))

    def _named(self, value: ast.expr, targets: list[ast.expr]) -> ast.expr:
        """The visited value, recorded under a number that the names in `targets` share."""
        kept = value
        value = self.visit(value)
        number = _hook_number(value)
        if number is None:
            if isinstance(kept, (ast.Constant, ast.Lambda, ast.JoinedStr)):
                return value
            value = self.record(kept, value)
            number = _hook_number(value)
        for target in targets:
            if isinstance(target, ast.Name):
                self.table.aliases.append((self.number(target), number or 0, None))
            elif isinstance(target, (ast.Tuple, ast.List)):
                for index, part in enumerate(target.elts):
                    if isinstance(part, ast.Starred):
                        break
                    if isinstance(part, ast.Name):
                        self.table.aliases.append((self.number(part), number or 0, index))
        return value

    def visit_FunctionDef(self, node: Any) -> Any:
        self.defer(node)
        if node.name in self.numbers:
            return node
        known, names = self.constants, named_parameters(node)
        self.constants = known - {part.arg for part in names} | {"self"}
        guarding, self.guarding = self.guarding, node.name not in _ASKED
        depth, self.depth = self.depth, 0
        body = [self.visit(part) for part in node.body] if self.strict else self.guarded(node.body)
        self.guarding, self.depth = guarding, depth
        entry = [
            ast.Expr(self.record(part, ast.Name(part.arg, _LOAD, **_place(part))), **_place(part)) for part in names
        ]
        self.constants = known
        if not self.strict:
            at = _place(node.body[0])
            call = ast.Call(ast.Name(ENTER, _LOAD, **at), [ast.Constant(node.name, **at)], [], **at)
            entry.insert(0, ast.Expr(call, **at))
        first = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body = [*body[:first], *entry, *body[first:]]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        node.body = self.visit(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        before = self.strict
        self.strict = looks_like_module(node)
        for part in (part for part in node.body if isinstance(part, ast.AnnAssign)):
            self.defer(part)
        node.body = [self.visit(part) if isinstance(part, (*_FUNCTIONS, ast.ClassDef)) else part for part in node.body]
        self.strict = before
        return node

    def visit_match_case(self, node: Any) -> Any:
        if node.guard is not None:
            node.guard = self.visit(node.guard)
        node.body = [self.visit(part) for part in node.body]
        return node

    # ------------------------------------------------------------ guarded statements

    def guarded(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The statements of a body, each of which may fail on its own."""
        result: list[ast.stmt] = []
        for index, statement in enumerate(body):
            if (
                isinstance(statement, _UNGUARDED)
                or (index == 0 and is_docstring(statement))
                or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
            ):
                result.append(statement)
            elif isinstance(statement, _FUNCTIONS) and not statement.decorator_list:
                result.append(self.visit(statement))
            elif self.guarding and self.depth < _DEEPEST:
                self.depth += 1
                result.append(self._guard(statement))
                self.depth -= 1
            else:
                result.append(self._inside(statement))
        return result

    def _guard(self, statement: ast.stmt) -> ast.stmt:
        bound = sorted(bound_names(statement))
        binding = isinstance(
            statement, (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.ClassDef, *_FUNCTIONS)
        )
        attributes = attributes_of(statement)
        stores = [part for part in nodes(statement) if isinstance(part, _PLACES) and isinstance(part.ctx, ast.Store)]
        ends = ends_in_return(statement)
        pure = (binding and len(stores) == len(attributes)) or ends or is_output(statement)
        loss = KEEPS if pure else ASKS if isinstance(statement, ast.Assert) else CALLS if calls(statement) else LOSES
        number = self.flag(self.number(statement), statement)
        inner = self._inside(statement)
        at = _place(statement)
        passes = ast.Call(ast.Name(SKIP, _LOAD, **at), [number, ast.Constant(loss, **at)], [], **at)
        failed: list[ast.stmt] = [ast.If(passes, [ast.Raise(None, None, **at)], [], **at)]
        unknown = ast.Call(ast.Name(UNKNOWN, _LOAD, **at), [], [], **at)
        failed += [ast.Assign([ast.Name(name, _STORE, **at)], unknown, **at) for name in bound if "." not in name]
        doubt = ast.Call(ast.Name(SKIP, _LOAD, **at), [number, ast.Constant(LOSES, **at)], [], **at)
        lost = [ast.ExceptHandler(ast.Name(ERROR, _LOAD, **at), None, [ast.Expr(doubt, **at)], **at)]
        failed += [ast.Try([ast.Assign([target], unknown, **at)], lost, [], [], **at) for target in attributes]
        if ends:
            failed.append(ast.Return(unknown, **at))
        handler = ast.ExceptHandler(ast.Name(ERROR, _LOAD, **at), None, failed, **at)
        return ast.Try([inner], [handler], [], [], **at)

    def _inside(self, statement: Any) -> ast.stmt:
        """The statement with guarded bodies of its own."""
        if isinstance(statement, ast.If):
            without_not(statement)
            told = [self.flag(item, statement.test) for item in told_of(statement)]
            statement.test = self.hook(TEST, statement.test, self.visit(statement.test), *told)
            statement.body = self.guarded(statement.body)
            chained = len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If)
            # A chain of elif must not nest a guard for each of its links: Python allows few nested blocks.
            statement.orelse = [self._inside(statement.orelse[0])] if chained else self.guarded(statement.orelse)
            return statement
        if isinstance(statement, ast.For):
            # The items are made inside the hook, so that a loop over something unknown still has its one round.
            nothing = ast.arguments([], [], None, [], [], None, [])
            items = ast.Lambda(nothing, self.visit(statement.iter), **_place(statement.iter))
            flags = [self.flag(is_training_loop(statement), statement.iter), structure_of(statement.target)]
            statement.iter = self.hook(LOOP, statement.iter, items, *flags)
            statement.body, statement.orelse = self.guarded(statement.body), self.guarded(statement.orelse)
            return statement
        if isinstance(statement, ast.While):
            endless = isinstance(statement.test, ast.Constant) or is_training_loop(statement)
            again = self.hook(ROUND, statement.test, self.flag(endless, statement.test))
            at = _place(statement.test)
            statement.test = ast.BoolOp(ast.And(), [again, self.visit(statement.test)], **at)
            statement.body = self.guarded(statement.body)
            return statement
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            expected = False
            for item in statement.items:
                expected = expected or expects_error(item.context_expr)
                item.context_expr = self.visit(item.context_expr)
            before, self.guarding = self.guarding, self.guarding and not expected
            statement.body = self.guarded(statement.body)
            self.guarding = before
            return statement
        if isinstance(statement, ast.Try):
            before = self.guarding
            self.guarding = before and not any(is_broad(handler) for handler in statement.handlers)
            statement.body = self.guarded(statement.body)
            self.guarding = before
            for handler in statement.handlers:
                handler.body = self.guarded(handler.body)
            statement.orelse = self.guarded(statement.orelse)
            statement.finalbody = self.guarded(statement.finalbody)
            return statement
        return self.visit(statement)  # type: ignore[no-any-return]


def _place(node: Any) -> dict[str, Any]:
    """Where a node stands, for the making of another one there."""
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno,
        "end_col_offset": node.end_col_offset,
    }


def _hook_number(value: ast.expr) -> Optional[int]:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _NUMBERED:
        return value.args[0].value  # type: ignore[attr-defined, no-any-return]
    return None
