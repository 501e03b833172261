"""The places near a mistake: expressions that the tensors in conflict came through, and what built their layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union

import torch

from metalens.protocol.values import Location
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.source import Function, Source, source_of
from metalens.worker.judge.unpacking import innermost_locals
from metalens.worker.judge.whose import innermost_own
from metalens.worker.trace.facts import Origin

_MOST_SITES = 16
_MOST_BUILT = 20
_MOST_STEPS = 24


@dataclass(frozen=True)
class Site:
    """An expression in forward code, with the tensor that it gave and that one's origin, where it gave one."""

    source: Source
    node: ast.expr
    origin: Optional[Origin] = None
    tensor: Any = None

    @property
    def function(self) -> Optional[Function]:
        """The function that the expression stands in."""
        around = self.source.enclosing(self.node)
        return next((n for n in around if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))), None)


@dataclass(frozen=True)
class Construction:
    """A module and the call that built it."""

    module: Any
    source: Source
    call: ast.Call


def sites(case: Case, mistake: Mistake, most: int = _MOST_SITES) -> tuple[Site, ...]:
    """The failing expression, those behind the tensors that met there, and the calls around it; nearest first."""
    found: dict[Location, Site] = {}
    _add(case, found, case.location, None)
    for origin, tensor in _made(case, mistake, most):
        _add(case, found, origin.location, origin, tensor)
    for frame in reversed(case.failure.frames[:-1]):
        _add(case, found, frame.location, None)
    return tuple(found.values())[:most]


def origins(case: Case, mistake: Mistake) -> tuple[Origin, ...]:
    """How the tensors in conflict were made, and what they were made from, breadth first."""
    return tuple(origin for origin, _ in _made(case, mistake, _MOST_SITES))


def _made(case: Case, mistake: Mistake, most: int) -> tuple[tuple[Origin, Any], ...]:
    waiting = [mistake.tensor, mistake.other, *case.tensors]
    if case.call is not None:
        waiting += [value for value in case.call.args if isinstance(value, torch.Tensor)]
    waiting += _local_tensors(case)
    seen: set[int] = set()
    places: dict[Location, tuple[Origin, Any]] = {}
    while waiting and len(places) < most:
        tensor = waiting.pop(0)
        origin = case.facts.origin_of(tensor) if tensor is not None else None
        if origin is None or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        places.setdefault(origin.location, (origin, tensor))
        waiting += [each for each in origin.inputs if not isinstance(each, torch.nn.Parameter)]
    return tuple(places.values())


def layers(case: Case, mistake: Mistake) -> tuple[Any, ...]:
    """The layers that the tensors in conflict came through, nearest first: of the one blamed, then of all."""
    found: dict[int, Any] = {}
    for tensors in ([mistake.tensor], [mistake.other, *case.tensors, *_local_tensors(case)]):
        waiting, steps, seen = [each for each in tensors if each is not None], 0, set[int]()
        while waiting and steps < _MOST_STEPS and len(found) < _MOST_BUILT:
            tensor = waiting.pop(0)
            origin = case.facts.origin_of(tensor)
            if origin is None or id(tensor) in seen:
                continue
            seen.add(id(tensor))
            steps += 1
            if origin.module is not None:
                found.setdefault(id(origin.module), origin.module)
            waiting += [each for each in origin.inputs if not isinstance(each, torch.nn.Parameter)]
    return tuple(found.values())


def constructions(case: Case, mistake: Mistake) -> tuple[Construction, ...]:
    """What built the failing layer, the layers that its input came through, and the blocks that hold them."""
    modules = [mistake.layer, *_named(case), *layers(case, mistake)]
    around = [call.module for call in reversed(case.failure.modules)]
    found: dict[Location, Construction] = {}
    for module in (*modules, *around):
        built = case.facts.built_of(module) if module is not None else None
        if built is None or built.location is None or built.location in found:
            continue
        source = source_of(case.facts, built.location.file)
        call = source.call_at(built.location.range)
        if call is not None and not isinstance(module, torchkind.CONTAINERS):
            found[built.location] = Construction(module, source, call)
    return tuple(found.values())[:_MOST_BUILT]


def _local_tensors(case: Case) -> list[Any]:
    """The tensors at hand where code that is not torch's has raised."""
    if case.failure.function is not None:
        return []
    return [value for value in innermost_locals(case.failure).values() if isinstance(value, torch.Tensor)]


def _named(case: Case) -> Iterator[Any]:
    """The layers that the failing expression names: `self.qkv` in `q, k, v = self.qkv(x).chunk(3)`."""
    node = source_of(case.facts, case.location.file).statement_at(case.location.range.start.line)
    holder = innermost_own(case)
    if node is None or holder is None:
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            child = holder._modules.get(part.attr)
            yield from child.children() if isinstance(child, torchkind.CONTAINERS) else [child]


def local_names(scope: Union[Function, ast.Module], before: int) -> dict[str, int]:
    """The variables that are bound before a one-based line, nearest first, and how often each is read."""
    bound: list[str] = []
    if not isinstance(scope, ast.Module):
        parameters = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
        bound = [each.arg for each in parameters if each.arg != "self" and each.arg.strip("_")]
    read: dict[str, int] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read[node.id] = read.get(node.id, 0) + 1
    # What is unpacked are sizes more often than tensors.
    stored = sorted(
        (node.lineno, target.id)
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and node.lineno < before
        for target in node.targets
        if isinstance(target, ast.Name)
    )
    order = dict.fromkeys([*reversed([name for _, name in stored]), *reversed(bound)])
    return {name: read.get(name, 0) for name in order}


def calls_within(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in an expression, outermost first."""
    return (part for part in ast.walk(node) if isinstance(part, ast.Call))


def _add(
    case: Case, found: dict[Location, Site], location: Location, origin: Optional[Origin], tensor: Any = None
) -> None:
    source = source_of(case.facts, location.file)
    node = source.node_at(location.range)
    if node is None:
        statement = source.statement_at(location.range.start.line)
        node = getattr(statement, "value", None)
    if isinstance(node, ast.expr):
        found.setdefault(location, Site(source, node, origin, tensor))
