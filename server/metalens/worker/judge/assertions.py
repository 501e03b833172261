"""`assert C == self.dim` in the user's own modules, and its kin: conditions on sizes that the program checks."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.worker.judge import words
from metalens.worker.judge.source import Source, source_of
from metalens.worker.trace.facts import Facts, Failure

_RAISED = (AssertionError, ValueError, RuntimeError)
_ASKING = frozenset(["size", "dim", "ndimension", "numel"])
_BUILT_IN = frozenset(["len", "tuple", "list"])
_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
_ALLOWED: tuple[type, ...] = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Load),
    *(ast.BinOp, ast.UnaryOp, ast.USub, ast.Call, *_SIGNS),
)
_COMPARING: dict[type, tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True)
class Assertion:
    """A condition and the part of it that decided: `left relation right` is true of its sides, and must not be."""

    source: Source
    test: ast.expr
    asserted: bool
    decided: ast.expr
    left: ast.expr
    right: Optional[ast.expr]
    values: tuple[Any, Any]
    relation: str
    names: Mapping[str, Any]

    @property
    def what(self) -> str:
        """The two sides with their values: `96 is not 64`, `384 % 5 is 4, not 0`, `3 < 4`."""
        left, right = (_shown(value) for value in self.values)
        if self.relation != "!=":
            return f"{left} {self.relation} {right}"
        worked = self._worked()
        return f"{worked} is {left}, not {right}" if worked else f"{left} is not {right}"

    @property
    def divided(self) -> Optional[tuple[tuple[int, int], ast.expr, ast.expr]]:
        """The sizes and the expressions of `width % part` where no remainder may be."""
        node = self.left
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mod) or self.values[1] != 0:
            return None
        width, part = (_value(side, self.names) for side in (node.left, node.right))
        return ((width, part), node.left, node.right) if _is_size(width) and _is_size(part) else None

    def _worked(self) -> str:
        node = self.left
        if not isinstance(node, ast.BinOp):
            return ""
        sides = [_shown(_value(side, self.names)) for side in (node.left, node.right)]
        return f"{sides[0]} {_SIGNS[type(node.op)]} {sides[1]}"


def assertion_of(failure: Failure, facts: Facts) -> Optional[Assertion]:
    """The check of sizes that failed in a module's own code; None if the failure is another."""
    if failure.function is not None or not isinstance(failure.error, _RAISED) or failure.frames[-1].cls is None:
        return None
    if not issubclass(failure.frames[-1].cls, torch.nn.Module):
        return None
    location = failure.frames[-1].location
    source = source_of(facts, location.file)
    statement = source.statement_at(location.range.start.line)
    test, asserted = _test_of(source, statement, failure.error)
    if test is None:
        return None
    try:
        part, truth = _deciding(test, not asserted, failure.names)
        left, operation, right = _sides(part)
        values = _value(left, failure.names), _value(right, failure.names) if right is not None else 0
    except _Other:
        return None
    if not all(map(_is_size, values)):
        return None
    relation = _COMPARING[operation][0]
    relation = relation if truth else _OPPOSITE[relation]
    return Assertion(source, test, asserted, part, left, right, values, relation, failure.names)


def _test_of(source: Source, statement: Any, error: BaseException) -> tuple[Optional[ast.expr], bool]:
    """The condition behind an error, and whether it should have held (else it should not)."""
    if isinstance(statement, ast.Assert) and isinstance(error, AssertionError):
        return statement.test, True
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(error, AssertionError):
        named = getattr(call.func, "attr", getattr(call.func, "id", ""))
        return (call.args[0], True) if named == "_assert" and call.args else (None, True)
    around = source.parents.get(statement) if isinstance(statement, ast.Raise) else None
    if isinstance(around, ast.If) and statement in around.body:
        return around.test, False
    return None, True


class _Other(Exception):
    """The condition asks for something else than sizes, or is not the one that decided."""


def _deciding(test: ast.expr, truth: bool, names: Mapping[str, Any]) -> tuple[ast.expr, bool]:
    """The part of a condition that made it `truth`, and what is true of that part."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _deciding(test.operand, not truth, names)
    if isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.Or) != truth:
            raise _Other  # no part of it decided alone
        for part in test.values:
            if _holds(part, names) == truth:
                return _deciding(part, truth, names)
        raise _Other
    if _holds(test, names) != truth:
        raise _Other
    return test, truth


def _holds(test: ast.expr, names: Mapping[str, Any]) -> bool:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return not _holds(test.operand, names)
    if isinstance(test, ast.BoolOp):
        parts = (_holds(part, names) for part in test.values)
        return any(parts) if isinstance(test.op, ast.Or) else all(parts)
    left, operation, right = _sides(test)
    return bool(_COMPARING[operation][1](_value(left, names), _value(right, names) if right is not None else 0))


def _sides(test: ast.expr) -> tuple[ast.expr, type, Optional[ast.expr]]:
    """Left, operator and right of a comparison; a remainder alone is compared with nothing, that is 0."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _COMPARING:
        return test.left, type(test.ops[0]), test.comparators[0]
    if isinstance(test, ast.BinOp) and isinstance(test.op, ast.Mod):
        return test, ast.NotEq, None
    raise _Other


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of an expression of sizes."""
    if not all(isinstance(part, _ALLOWED) and _may_be_asked(part) for part in ast.walk(node)):
        raise _Other
    code = compile(ast.Expression(node), "<size>", "eval")
    try:
        return eval(code, {"__builtins__": {"len": _length, "tuple": tuple, "list": list}}, dict(names))
    except Exception as error:
        raise _Other from error


def _may_be_asked(part: ast.AST) -> bool:
    if not isinstance(part, ast.Call):
        return True
    named = part.func.id if isinstance(part.func, ast.Name) else getattr(part.func, "attr", "")
    return not part.keywords and named in (_BUILT_IN if isinstance(part.func, ast.Name) else _ASKING)


def _length(value: Any) -> int:
    if not isinstance(value, (torch.Tensor, tuple)):
        raise _Other  # of a dictionary it is no size
    return len(value)


def _is_size(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_size, value))
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return words.shape(value) if isinstance(value, (tuple, list)) else str(value)
