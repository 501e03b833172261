"""How a model uses its parts and is called: a layer in between, a name used twice, one item of a batch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.lineage import RESHAPES, operation_of
from metalens.worker.judge.repair.edits import chain, fix, is_literal, literal
from metalens.worker.judge.repair.near import Site, origins, sites
from metalens.worker.judge.source import Source, source_of

_MOST_LAYERS = 3


def through_layer(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """An operand sent through the layer that takes the size that is given and gives the one that is wanted."""
    pairs = {(mistake.given, mistake.expected)}
    for one, other in ((mistake.tensor, mistake.other), (mistake.other, mistake.tensor)):
        if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.dim() and other.dim():
            pairs |= {(int(one.shape[-1]), int(other.shape[-1]))}
            pairs |= {(int(one.shape[1]), int(other.shape[1]))} if min(one.dim(), other.dim()) > 1 else set()
    frames = [Site(s.source, s.node) for s in sites(case, mistake) if s.origin is None]
    found = 0
    for call in reversed(case.failure.modules):
        for name, layer in call.module.named_children():
            sizes = torchkind.width(layer, torchkind.input_argument(layer)), _gives(layer)
            if sizes not in pairs or sizes[0] == sizes[1] or found >= _MOST_LAYERS:
                continue
            for site in frames:
                owner = next((n for n in site.source.enclosing(site.node) if isinstance(n, ast.ClassDef)), None)
                if owner is None or owner.name != type(call.module).__name__:
                    continue
                for node in _operands(site.node):
                    text = f"self.{name}({site.source.text_of(node)})"
                    found += 1
                    yield fix(f"Use {text}", site.source.replace(node, text))


def renamed(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """An attribute that the constructor sets twice: its second meaning gets a name of its own."""
    for site in sites(case, mistake)[:4]:
        owner = next((n for n in site.source.enclosing(site.node) if isinstance(n, ast.ClassDef)), None)
        for node in ast.walk(site.node):
            if owner is None or not _is_own(node) or not isinstance(node, ast.Attribute):
                continue
            same = [n for n in ast.walk(owner) if _is_own(n) and isinstance(n, ast.Attribute) and n.attr == node.attr]
            stores = sorted((n for n in same if isinstance(n.ctx, ast.Store)), key=lambda n: n.lineno)
            reads = sorted((n for n in same if isinstance(n.ctx, ast.Load)), key=lambda n: (n.lineno, n.col_offset))
            if len(stores) != 2 or len(reads) < 2:
                continue
            new = _free_name(owner, node.attr)
            for read in (reads[-1], *reads[:-1]):
                edits = (site.source.replace(each, f"self.{new}") for each in (stores[1], read))
                yield fix(f"Call the {node.attr} of line {stores[1].lineno} {new}", *edits)


def whole_batch(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`X[i:i + batch_size]` for `X[i]` in a loop over every batch_size-th row."""
    for site in sites(case, mistake):
        for loop in site.source.enclosing(site.node):
            if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name):
                continue
            step = _step(loop)
            text = site.source.text_of(step) if step is not None else ""
            if not text:
                continue
            rows = [n for n in ast.walk(loop) if isinstance(n, ast.Subscript) and _is_name(n.slice, loop.target.id)]
            name = loop.target.id
            edits = [site.source.replace(row.slice, f"{name}:{name} + {text}") for row in rows]
            if edits:
                yield fix(f"Use [{name}:{name} + {text}]", *edits)


def unmerged(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Dimensions that were merged by a view and are wanted apart: a transposition, or what was there before."""
    for origin in origins(case, mistake):
        if operation_of(origin) not in RESHAPES or origin.module is not None or not origin.inputs:
            continue
        before, source = origin.inputs[0], source_of(case.facts, origin.location.file)
        node = source.node_at(origin.location.range)
        owner = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        if owner is None or node is None or mistake.expected is None or before.dim() < 3:
            continue
        wanted = [i for i, size in enumerate(before.shape) if int(size) == mistake.expected and i]
        for place in wanted[:2]:
            suffix = f".transpose(1, {place})" if place > 1 else ""
            text = f"{source.text_of(owner)}{suffix}"
            if suffix:
                yield fix(f"Use {text} instead of {operation_of(origin)}", source.replace(node, text))


def same_expression(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The expression that sized the input, for a number of the same script that says the same with another value."""
    for origin in origins(case, mistake):
        source = source_of(case.facts, origin.location.file)
        call = source.call_at(origin.location.range)
        for node in call.args if call is not None and origin.module is None else ():
            if isinstance(node, (ast.Subscript, ast.Attribute, ast.BinOp)) and not is_literal(node):
                yield from _in_place_of_numbers(case, source, node, mistake)


def reshaped(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The size that is wanted, for the number that a `view` on the way says in place of it."""
    if not mistake.expected or not mistake.given:
        return
    for origin in origins(case, mistake):
        source = source_of(case.facts, origin.location.file)
        call = source.call_at(origin.location.range)
        if call is not None and origin.module is None and operation_of(origin) in ("view", "reshape"):
            for node in call.args:
                if literal(node) == mistake.given:
                    yield fix(
                        f"Change {mistake.given} to {mistake.expected}", source.replace(node, str(mistake.expected))
                    )


def _in_place_of_numbers(case: Case, source: Source, node: ast.expr, mistake: Mistake) -> Iterator[Fix]:
    sizes = {size for size in (mistake.expected, mistake.given) if size}
    for tensor in (mistake.tensor, mistake.other):
        sizes |= {int(n) for n in tensor.shape} if isinstance(tensor, torch.Tensor) else set()
    scope = source.function_at(node.lineno - 1)
    for other in source.nodes:
        if (
            not isinstance(other, ast.Assign)
            or not is_literal(other.value)
            or not isinstance(other.value, ast.Constant)
        ):
            continue
        if other.value.value in sizes and source.function_at(other.lineno - 1) is scope:
            text = source.text_of(node)
            yield fix(f"Use {text} for {other.value.value}", source.replace(other.value, text))


def wanted_rank(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A batch of one where a single item was given, at the outermost call."""
    outer = case.failure.frames[0]
    source = source_of(case.facts, outer.location.file)
    call = source.call_at(outer.location.range)
    if call is not None and call.args and not isinstance(call.args[0], ast.Starred):
        text = source.text_of(call.args[0])
        yield fix(f"Use {text}.unsqueeze(0)", chain(source, call.args[0], ".unsqueeze(0)"))


def _gives(layer: Any) -> Optional[int]:
    argument = torchkind.output_argument(layer)
    return torchkind.width(layer, argument) if argument else None


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        return [arg for arg in node.args if not isinstance(arg, ast.Starred)]
    return [node.right, node.left] if isinstance(node, ast.BinOp) else []


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _step(loop: ast.For) -> Optional[ast.expr]:
    """The third argument of `range`."""
    call = loop.iter
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range":
        return call.args[2] if len(call.args) == 3 else None
    return None


def _free_name(owner: ast.ClassDef, name: str) -> str:
    taken = {n.attr for n in ast.walk(owner) if isinstance(n, ast.Attribute)}
    stem = re.sub(r"\d+$", "", name)
    return next(f"{stem}{number}" for number in range(1, 1000) if f"{stem}{number}" not in taken)
