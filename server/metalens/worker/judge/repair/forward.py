"""Repairs of forward code on the way to a mistake: joins, shape operations, dimensions."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, Optional

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import add_keyword, chain, fix, literal
from metalens.worker.judge.repair.near import Site, calls_within, local_names, sites
from metalens.worker.judge.source import Source

_JOINS = frozenset(["cat", "concat", "concatenate"])
_TURNS = frozenset(["transpose", "permute", "swapaxes", "swapdims", "movedim"])
_SIZES = frozenset(["view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"])
_NEIGHBOURS = 5
_ALIKE = 0.75
_MOST_AXES = 4
_MOST_PARTS = 4


def join_dimension(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another dimension for a `torch.cat` behind the mistake."""
    yield from (found for found, *_ in _joined_elsewhere(case, mistake))


def joined_to_fit(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The dimension for a `torch.cat` behind the mistake on which it gives just the size that is wanted."""
    yield from (found for found, _, size in _joined_elsewhere(case, mistake) if size and size == mistake.expected)


def joined_batches(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another dimension for a `torch.cat` or `torch.stack` behind the mistake that joins whole batches."""
    yield from (found for found, old, _ in _joined_elsewhere(case, mistake) if old == 0)


def _joined_elsewhere(case: Case, mistake: Mistake) -> Iterator[tuple[Fix, Optional[int], int]]:
    """Fixes with the dimension that is joined on now, and the size that would come of the other one."""
    for site in sites(case, mistake):
        for call in calls_within(site.node):
            stacks = _name(call) == "stack"
            if _name(call) not in _JOINS and not stacks:
                continue
            inputs = site.origin.inputs if site.origin is not None and call is site.node else ()
            rank = min((t.dim() for t in inputs), default=4) + stacks
            node = _argument(call, 1, ("dim", "axis"))
            old = literal(node) if node is not None else 0
            for dim in (1, -1, 2, 0, 3):
                fits = stacks or not inputs or all(_equal_but(inputs[0], t, dim) for t in inputs[1:])
                if dim >= rank or dim == old or (old is not None and old % rank == dim % rank) or not fits:
                    continue
                edit = site.source.replace(node, str(dim)) if node else add_keyword(site.source, call, f"dim={dim}")
                size = 0 if stacks else sum(int(t.shape[dim]) for t in inputs)
                yield fix(f"{'Stack' if stacks else 'Join'} on dim {dim}", edit), old, size


def forgotten_part(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A variable that nothing reads, among those that a `torch.cat` behind the mistake joins."""
    yield from (found for found, reads in _with_part(case, mistake) if not reads)


def join_part(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another tensor among those that a `torch.cat` behind the mistake joins."""
    yield from (found for found, _ in _with_part(case, mistake))


def _with_part(case: Case, mistake: Mistake) -> Iterator[tuple[Fix, int]]:
    for site in sites(case, mistake):
        for call in calls_within(site.node):
            parts = call.args[0] if _name(call) in _JOINS and call.args else None
            if not isinstance(parts, (ast.Tuple, ast.List)) or not parts.elts:
                continue
            joined = [site.source.text_of(part) for part in parts.elts]
            names = local_names(site.function or site.source.tree, call.lineno)
            missing = [name for name in names if name not in joined]
            for name in sorted(missing, key=lambda name: names[name] > 0)[:_MOST_PARTS]:
                text = ", ".join([*joined, name])
                text = f"[{text}]" if isinstance(parts, ast.List) else f"({text})"
                yield fix(f"Join {text}", site.source.replace(parts, text)), names[name]


def as_its_neighbours(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """What a statement beside it does with its own variable: `q = q.view(b, n, h, d).transpose(1, 2)` for q and k."""
    seen: set[ast.stmt] = set()
    for site in sites(case, mistake):
        statement = site.source.statement_of(site.node)
        target = _target(statement)
        if statement is None or not target or statement in seen:
            continue
        seen.add(statement)
        own = site.source.text_of(statement.value)  # type: ignore[attr-defined]
        for other in beside(site.source, statement):
            name = _target(other)
            theirs = site.source.text_of(other.value)  # type: ignore[attr-defined]
            if not name or name == target or not _speaks_of(theirs, name) or not _speaks_of(own, target):
                continue
            text = re.sub(rf"\b{re.escape(name)}\b", target, theirs)
            longer = text != own and len(text) >= len(own)
            left_out = text.startswith(target) and text.endswith(own[len(target) :])
            if longer and (left_out or SequenceMatcher(None, text, own).ratio() >= _ALIKE):
                shown = f"{target} = {text}" if len(text) <= 48 else f"for {target} what {name} gets"
                yield fix(f"Write {shown}", site.source.replace(statement.value, text))  # type: ignore[attr-defined]


def other_dimension(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another dimension, or another order of them, for a call behind the mistake that names dimensions."""
    for site in sites(case, mistake):
        for call in calls_within(site.node):
            name = _name(call)
            if name in _TURNS or name in _SIZES:
                yield from _turned(site.source, call)
                continue
            node = _argument(call, 1 if _is_function(call) else 0, ("dim", "axis", "start_dim"))
            value = literal(node) if node is not None else None
            if name in _JOINS or value is None or node is None or abs(value) > _MOST_AXES:
                continue
            for dim in (value - 1, value + 1, -1):
                if dim != value:
                    yield fix(f"Use dim {dim} in {name}", site.source.replace(node, str(dim)))


def flattened_at_definition(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A flatten where the variable was bound that several layers take."""
    x = mistake.tensor
    if x is not None and x.dim() > 2 and math.prod(x.shape[1:]) == mistake.expected:
        yield from _bound_with(case, mistake, (".flatten(1)",))


def at_definition(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A missing flatten, transpose or dimension where the variable was bound that the failing call takes."""
    yield from _bound_with(case, mistake, _suffixes(mistake.tensor, mistake))


def _bound_with(case: Case, mistake: Mistake, suffixes: tuple[str, ...]) -> Iterator[Fix]:
    x, site = mistake.tensor, next(iter(sites(case, mistake)), None)
    if x is None or site is None or not isinstance(site.node, ast.Call) or not site.node.args or _builds(site):
        return
    name = site.node.args[0]
    bound = _binding(site, name.id) if isinstance(name, ast.Name) else None
    if bound is None or not isinstance(bound.value, (ast.Call, ast.Name, ast.Subscript, ast.Attribute)):
        return
    for suffix in suffixes:
        text = site.source.text_of(bound.value)
        shown = f"{text}{suffix}" if len(text) <= 32 else f"…{suffix}"
        yield fix(f"Write {shown} in line {bound.lineno}", chain(site.source, bound.value, suffix))


def shaped(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A missing shape operation after an expression behind the mistake."""
    x = mistake.tensor
    for site in sites(case, mistake)[:4]:
        if not isinstance(site.node, (ast.Call, ast.Name, ast.Subscript)) or _builds(site):
            continue
        for suffix in (*_suffixes(x, mistake), ".squeeze(1)", ".unsqueeze(1)", ".squeeze(-1)", ".unsqueeze(-1)"):
            text = site.source.text_of(site.node)
            shown = f"{text}{suffix}" if len(text) <= 32 else f"…{suffix}"
            yield fix(f"Write {shown}", chain(site.source, site.node, suffix))


def _builds(site: Site) -> bool:
    return site.function is not None and site.function.name == "__init__"


def _suffixes(x: Any, mistake: Mistake) -> tuple[str, ...]:
    if x is None:
        return (".transpose(1, 2)",)
    if x.dim() == 4:
        return (".flatten(1)", ".flatten(2).transpose(1, 2)", ".transpose(1, 2)", ".permute(0, 3, 1, 2)", ".flatten(2)")
    if x.dim() == 3:
        return (".transpose(1, 2)", ".flatten(1)", ".transpose(0, 1)", ".unsqueeze(1)")
    if x.dim() == 2:
        return (".unsqueeze(1)", ".unsqueeze(-1)", ".t()", ".unsqueeze(0)")
    return (".unsqueeze(0)", ".unsqueeze(1)") if x.dim() == 1 else (".flatten(2)", ".transpose(1, 2)")


def _turned(source: Source, call: ast.Call) -> Iterator[Fix]:
    nodes = [arg for arg in call.args if literal(arg) is not None]
    values = [literal(arg) for arg in nodes]
    name = _name(call)
    if name == "permute":
        for one, two in combinations(range(len(nodes)), 2):
            order = list(values)
            order[one], order[two] = order[two], order[one]
            edits = (source.replace(nodes[one], str(values[two])), source.replace(nodes[two], str(values[one])))
            yield fix(f"Use permute({', '.join(map(str, order))})", *edits)
        return
    if name in _SIZES and name not in ("squeeze", "unsqueeze", "flatten"):
        return
    for node, value in zip(nodes, values):
        for new in (value + 1, value - 1) if value is not None else ():
            if new not in values:
                yield fix(f"Use dim {new} in {name}", source.replace(node, str(new)))


def _binding(site: Site, name: str) -> Optional[ast.Assign]:
    """The last plain assignment of a variable before an expression in the same function."""
    bound = [
        n
        for n in (ast.walk(site.function) if site.function is not None else ())
        if isinstance(n, ast.Assign) and _target(n) == name and n.lineno < site.node.lineno
    ]
    return max(bound, key=lambda n: n.lineno) if bound else None


def beside(source: Source, statement: ast.stmt) -> Iterable[ast.Assign]:
    """The assignments near a statement in the same block, nearest first."""
    body = next(
        (
            value
            for _, value in ast.iter_fields(source.parents[statement])
            if isinstance(value, list) and statement in value
        ),
        [],
    )
    near = [s for s in body if s is not statement and abs(s.lineno - statement.lineno) <= _NEIGHBOURS]
    return sorted((s for s in near if isinstance(s, ast.Assign)), key=lambda s: abs(s.lineno - statement.lineno))


def _target(statement: Optional[ast.AST]) -> str:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return ""
    target = statement.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _speaks_of(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _is_function(call: ast.Call) -> bool:
    """`torch.softmax(x, 1)` and not `x.softmax(1)`."""
    if not isinstance(call.func, ast.Attribute):
        return True
    return isinstance(call.func.value, ast.Name) and call.func.value.id in ("torch", "F")


def _argument(call: ast.Call, place: int, names: tuple[str, ...]) -> Optional[ast.expr]:
    for keyword in call.keywords:
        if keyword.arg in names:
            return keyword.value
    return call.args[place] if len(call.args) > place else None


def _equal_but(left: Any, right: Any, dim: int) -> bool:
    if left.dim() != right.dim():
        return False
    return all(a == b for i, (a, b) in enumerate(zip(left.shape, right.shape)) if i != dim % left.dim())
