"""`B, C, H = x.shape`: an unpacking whose names do not match the number of values."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.worker.judge.source import source_of
from metalens.worker.trace.facts import Facts, Failure
from metalens.worker.trace.operators import SURPLUS

_MESSAGE = re.compile(r"(not enough|too many) values to unpack \(expected (?:at least )?(\d+)(?:, got (\d+))?\)")
_MANY = frozenset(["size", "split", "chunk", "unbind", "tensor_split", "split_with_sizes"])


@dataclass(frozen=True)
class Unpacking:
    """`targets = value` with the count of names, the count of values (None if unknown) and the shape if it was one."""

    statement: ast.Assign
    names: int
    values: Optional[int]
    shape: Optional[tuple[int, ...]]


def unpacking_of(failure: Failure, facts: Facts) -> Optional[Unpacking]:
    """The unpacking of a shape, or of the pieces of a tensor, that failed; None if the failure is another."""
    match = _MESSAGE.match(str(failure.error))
    if failure.function is not None or not isinstance(failure.error, ValueError) or match is None:
        return None
    location = failure.frames[-1].location
    statement = source_of(facts, location.file).statement_at(location.range.start.line)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], (ast.Tuple, ast.List)):
        return None
    known = innermost_locals(failure)
    shape = _shape(statement.value, known)
    if shape is None and not _gives_pieces(statement.value, known):
        return None
    names = int(match.group(2))
    surplus = getattr(failure.error, SURPLUS, 0)
    values = int(match.group(3)) if match.group(3) else len(shape) if shape else names + surplus if surplus else None
    return Unpacking(statement, names, values, shape or None)


def innermost_locals(failure: Failure) -> dict[str, Any]:
    """The local variables of the innermost user frame at the moment of the failure; {} if they are not known."""
    if failure.names:
        return dict(failure.names)
    file = failure.frames[-1].location.file
    line = failure.frames[-1].location.range
    found: dict[str, Any] = {}
    step = failure.error.__traceback__
    while step is not None:
        same = step.tb_frame.f_code.co_filename == file
        if same and line.start.line <= step.tb_lineno - 1 <= line.end.line:
            found = step.tb_frame.f_locals
        step = step.tb_next
    return found


def _shape(value: ast.expr, names: dict[str, Any]) -> Optional[tuple[int, ...]]:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "size":
        return _shape_of(value.func.value, names) if not value.args and not value.keywords else None
    if isinstance(value, ast.Attribute) and value.attr == "shape":
        return _shape_of(value.value, names)
    if isinstance(value, ast.Name) and isinstance(names.get(value.id), torch.Size):
        return tuple(names[value.id])
    return None


def _shape_of(owner: ast.expr, names: dict[str, Any]) -> tuple[int, ...]:
    tensor = names.get(owner.id) if isinstance(owner, ast.Name) else None
    return tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else ()


def _gives_pieces(value: ast.expr, names: dict[str, Any]) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in _MANY
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "map" and len(value.args) == 2:
        return _gives_pieces(value.args[1], names)
    if isinstance(value, ast.Subscript):
        return _gives_pieces(value.value, names) or (
            isinstance(value.value, ast.Attribute) and value.value.attr == "shape"
        )
    known = names.get(value.id) if isinstance(value, ast.Name) else None
    pieces = known if isinstance(known, (tuple, list)) else ()
    return isinstance(known, torch.Tensor) or (bool(pieces) and all(isinstance(part, torch.Tensor) for part in pieces))
