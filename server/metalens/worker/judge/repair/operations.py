"""Repairs of operations: products, cat, view, broadcasting, dimensions, dtypes and ranks."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any, Optional

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.case import Case, Mistake, layer_word
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.repair.edits import (
    add_keyword,
    chain,
    failing_call,
    fix,
    layer_call,
    literal,
    shown,
)
from metalens.worker.judge.repair.sizes import assigned, holder_of
from metalens.worker.judge.repair.space import same_space
from metalens.worker.judge.repair.widths import resize
from metalens.worker.judge.rules.products import operand_nodes
from metalens.worker.judge.source import Source, source_of
from metalens.worker.judge.unpacking import unpacking_of


def product(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A factor transposed, or the inner size changed on either side."""
    a, b = mistake.tensor, mistake.other
    source, nodes = source_of(case.facts, case.location.file), operand_nodes(case.node())
    if a is None or b is None or not a.dim() or not b.dim():
        return
    if len(nodes) >= 2 and case.name != "einsum" and a.dim() > 1 and b.dim() > 1:
        left, right = nodes[-2:]
        if a.shape[-1] == b.shape[-1]:
            yield _transposed(source, right)
        if a.shape[-2] == b.shape[-2]:
            yield _transposed(source, left)
    sizes = (int(a.shape[mistake.dim]), int(b.shape[mistake.other_dim]))
    for tensor, dim, wanted in ((b, mistake.other_dim, sizes[0]), (a, mistake.dim, sizes[1])):
        yield from resize(case, tensor, dim, wanted)


def cat(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another dimension to join on; another size on either side."""
    tensors, called = case.tensors, failing_call(case)
    same_rank = all(t.dim() == tensors[0].dim() for t in tensors)
    if same_rank and called is not None and case.name in ("cat", "concat", "concatenate"):
        source, call = called
        for dim in range(tensors[0].dim() - 1, -1, -1):
            if all(_equal_but(tensors[0], t, dim) for t in tensors[1:]):
                yield _with_dim(source, call, dim)
    if mistake.other is not None and same_rank and mistake.expected and mistake.given:
        yield from broadcasted(case, mistake)


def broadcasted(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """One side of an elementwise operation made to fit the other."""
    left, right = mistake.other, mistake.tensor
    if left is None or right is None:
        return
    back = mistake.dim - right.dim()
    nodes, source = operand_nodes(case.node()), source_of(case.facts, case.location.file)
    if len(nodes) == 2:
        for node, tensor, other in ((nodes[1], right, left), (nodes[0], left, right)):
            suffix = _fitting(tensor, other)
            if suffix:
                yield fix(f"Use {shown(source, node)}{suffix}", chain(source, node, suffix))
    sides = ((right, left), (left, right))
    for tensor, other in sides:
        yield from same_space(case, tensor, tensor.dim() + back, int(other.shape[back]))
    # What a layer sets comes before what the caller passed.
    for tensor, other in sorted(sides, key=lambda side: case.lineage(side[0], back).is_factory):
        yield from resize(case, tensor, tensor.dim() + back, int(other.shape[back]))


def compared(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Prediction and target of a loss brought to the same shape."""
    prediction, target = mistake.tensor, mistake.other
    nodes = _arguments(case)
    if prediction is None or target is None:
        return
    if len(nodes) >= 2:
        for (source, node), tensor, other in ((nodes[0], prediction, target), (nodes[1], target, prediction)):
            if tensor.dim() == other.dim() + 1 and int(tensor.shape[-1]) == 1:
                yield fix(f"Use {shown(source, node)}.squeeze(-1)", chain(source, node, ".squeeze(-1)"))
            if tensor.dim() + 1 == other.dim() and int(other.shape[-1]) == 1:
                yield fix(f"Use {shown(source, node)}.unsqueeze(-1)", chain(source, node, ".unsqueeze(-1)"))
        yield from _merged(*nodes[0], *nodes[1], prediction, target)
    if prediction.dim() == target.dim():
        for dim, (left, right) in enumerate(zip(prediction.shape, target.shape)):
            if left != right:
                yield from resize(case, prediction, dim, int(right))
                yield from resize(case, target, dim, int(left))


def _merged(
    source: Source, node: ast.expr, other: Source, target_node: ast.expr, prediction: Any, target: Any
) -> Iterator[Fix]:
    """One of a prediction and its classes made flat, as the other one is."""
    rank = prediction.dim()
    if rank == 2 and target.dim() > 1 and target.numel() == int(prediction.shape[0]):
        yield fix(f"Use {shown(other, target_node)}.flatten()", chain(other, target_node, ".flatten()"))
    if rank > 2 and target.dim() == 1 and prediction.numel() == target.numel() * int(prediction.shape[-1]):
        yield fix(f"Use {shown(source, node)}.flatten(0, {rank - 2})", chain(source, node, f".flatten(0, {rank - 2})"))


def counted(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The number of names, pieces, axes, or a dimension that does not exist."""
    found = unpacking_of(case.failure, case.facts)
    source = source_of(case.facts, case.location.file)
    if found is not None:
        value = _pieces(source, found.statement)
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr in ("chunk", "tensor_split")
        ):
            for node in (*value.args, *(keyword.value for keyword in value.keywords)):
                if literal(node) is not None and literal(node) == found.values:
                    yield fix(f"Make {found.names} chunks", source.replace(node, str(found.names)))
        target = found.statement.targets[0]
        if found.shape is not None and isinstance(target, (ast.Tuple, ast.List)) and len(found.shape) > found.names:
            text = source.text_of(target)
            yield fix(
                f"Unpack {len(found.shape)} dims",
                source.replace(target, text + ", _" * (len(found.shape) - found.names)),
            )
        return
    called = failing_call(case)
    if called is None or mistake.tensor is None or mistake.code != "dim-range":
        return
    for node in (*called[1].args, *(keyword.value for keyword in called[1].keywords)):
        if literal(node) == mistake.given:
            for dim in (mistake.expected, -1):
                if dim is not None:
                    yield fix(f"Use dim {dim}", source.replace(node, str(dim)))


def _pieces(source: Source, statement: ast.Assign) -> ast.expr:
    """What is unpacked, if need be where it was made: behind `map` and a name."""
    value = statement.value
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "map" and len(value.args) == 2:
        value = value.args[1]
    scope = source.function_at(statement.lineno - 1)
    made = assigned(scope, value.id) if isinstance(value, ast.Name) and scope is not None else []
    return made[0] if len(made) == 1 else value


def retyped(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`.float()`, `.long()` or `.bool()` on the operand of the wrong dtype."""
    called = layer_call(case)
    suffix = ".float()"
    if mistake.code == "index-dtype":
        suffix = ".long()"
    weight = getattr(mistake.layer, "weight", None)
    if mistake.code == "dtype-mismatch" and weight is not None:
        kind = words.dtype(weight.dtype)
        suffix = {"f32": ".float()", "f16": ".half()", "bf16": ".bfloat16()", "f64": ".double()"}.get(
            kind, f".to({weight.dtype})"
        )
    if mistake.argument == "mask":
        nodes = _arguments(case)[mistake.dim :]
        yield from (fix(f"Use {shown(*node)}.bool()", chain(*node, ".bool()")) for node in nodes[:1])
        return
    if mistake.argument == "target" and mistake.other is not None:
        suffix = ".long()" if " i64 targets" in mistake.message else ".float()"
        nodes = _arguments(case)
        if len(nodes) > 1:
            yield fix(f"Use {nodes[1][0].text_of(nodes[1][1])}{suffix}", chain(*nodes[1], suffix))
        return
    if called is not None:
        name = shown(called.source, called.argument)
        yield fix(f"Use {name}{suffix}", chain(called.source, called.argument, suffix))
        return
    nodes = _arguments(case)
    if nodes and torchkind.is_integral(case.tensors[0].dtype):
        yield fix(f"Use {shown(*nodes[0])}{suffix}", chain(*nodes[0], suffix))


def ranked(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The layer for as many dimensions as there are, or a dimension added or removed at the call."""
    x, layer = mistake.tensor, mistake.layer
    if x is None or layer is None:
        return
    built = case.facts.built_of(layer)
    digit = {2: "1", 3: "1", 4: "2", 5: "3"}.get(int(x.dim()))
    if built is not None and built.location is not None and digit and torchkind.is_batch_norm(layer):
        source = source_of(case.facts, built.location.file)
        call = source.call_at(built.location.range)
        name = source.text_of(call.func) if call is not None else ""
        if call is not None and re.search(r"[123]d$", name):
            new = f"{name[:-2]}{digit}d"
            yield fix(f"Use {new} for {layer_word(case, layer)}", source.replace(call.func, new))
    called = layer_call(case)
    if called is None:
        return
    shape = _image_shape(case, layer, x)
    if shape:
        name = shown(called.source, called.argument)
        yield fix(f"Use {name}.view({shape})", chain(called.source, called.argument, f".view({shape})"))
    if mistake.expected is None:
        return
    suffixes = [".unsqueeze(0)", ".unsqueeze(1)"] if x.dim() < mistake.expected else []
    if x.dim() > mistake.expected:
        suffixes = [f".squeeze({i})" for i, size in enumerate(x.shape) if int(size) == 1][:2]
        suffixes += [".flatten(1)"] if mistake.expected == 2 else []
    for suffix in suffixes:
        name = shown(called.source, called.argument)
        yield fix(f"Use {name}{suffix}", chain(called.source, called.argument, suffix))


def _image_shape(case: Case, layer: Any, x: Any) -> str:
    """The sizes of a `view` that makes a square image of flat rows, with the names that a class has for them."""
    channels = torchkind.width(layer, torchkind.input_argument(layer))
    if x.dim() != 2 or not channels or int(x.shape[1]) % channels:
        return ""
    side = math.isqrt(int(x.shape[1]) // channels)
    if side * side * channels != int(x.shape[1]):
        return ""
    own = vars(case.failure.modules[-2].module) if len(case.failure.modules) > 1 else {}
    holder = vars(holder_of(case, layer)) if holder_of(case, layer) is not None else own
    name = next((f"self.{key}" for key, value in holder.items() if type(value) is int and value == side), str(side))
    return f"-1, {channels}, {name}, {name}"


def hidden_state(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """num_layers, the missing dimension of a state, or batch_first."""
    state, layer = mistake.tensor, mistake.layer
    if mistake.expected is not None:
        yield from batch_first(case, mistake)
        return
    slot = slot_of(case.facts, layer, "num_layers")
    if state is None or slot is None or not hasattr(layer, "num_layers"):
        return
    ways = 2 if layer.bidirectional else 1
    if state.dim() == 3 and int(state.shape[0]) % ways == 0 and int(state.shape[0]) // ways != layer.num_layers:
        count = int(state.shape[0]) // ways
        if slot.node is None:
            yield fix(
                f"Add num_layers={count} to {layer_word(case, layer)}",
                add_keyword(slot.source, slot.call, f"num_layers={count}"),
            )
        else:
            yield fix(
                f"Change num_layers of {layer_word(case, layer)} to {count}", slot.source.replace(slot.node, str(count))
            )
    called = layer_call(case)
    if called is not None and state.dim() == 2 and len(called.call.args) > 1:
        node = called.call.args[1]
        if not isinstance(node, (ast.Tuple, ast.List, ast.Starred)):
            yield fix(f"Use {shown(called.source, node)}.unsqueeze(0)", chain(called.source, node, ".unsqueeze(0)"))
    yield from batch_first(case, mistake)


def batch_first(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The other order of batch and time."""
    layer = mistake.layer
    slot = slot_of(case.facts, layer, "batch_first")
    if slot is None or not hasattr(layer, "batch_first"):
        return
    wanted = not layer.batch_first
    if slot.node is None:
        yield fix(
            f"Add batch_first={wanted} to {layer_word(case, layer)}",
            add_keyword(slot.source, slot.call, f"batch_first={wanted}"),
        )
    else:
        yield fix(f"Set batch_first={wanted} on {layer_word(case, layer)}", slot.source.replace(slot.node, str(wanted)))


def _transposed(source: Source, node: ast.expr) -> Fix:
    suffix = ".transpose(-2, -1)"
    return fix(f"Use {shown(source, node)}{suffix}", chain(source, node, suffix))


def _equal_but(left: Any, right: Any, dim: int) -> bool:
    return all(a == b for i, (a, b) in enumerate(zip(left.shape, right.shape)) if i != dim)


def _with_dim(source: Source, call: ast.Call, dim: int) -> Fix:
    title = f"Join on dim {dim}"
    for keyword in call.keywords:
        if keyword.arg in ("dim", "axis"):
            return fix(title, source.replace(keyword.value, str(dim)))
    if len(call.args) > 1:
        return fix(title, source.replace(call.args[1], str(dim)))
    return fix(title, add_keyword(source, call, f"dim={dim}"))


def _fitting(tensor: Any, other: Any) -> str:
    """A method after which `tensor` broadcasts with `other`; "" if none of the usual ones does."""
    shape, wanted = [int(n) for n in tensor.shape], [int(n) for n in other.shape]
    if len(shape) == len(wanted) and len(shape) > 1:
        swapped = [*shape[:-2], shape[-1], shape[-2]]
        if swapped == wanted:
            return ".transpose(-2, -1)"
    if len(shape) > 3 and len(wanted) == 3 and [math.prod(shape[2:]), shape[1]] == wanted[1:]:
        return ".flatten(2).transpose(1, 2)"
    for place in range(len(shape) + 1):
        grown = [*shape[:place], 1, *shape[place:]]
        if len(shape) < len(wanted) and _broadcasts(grown, wanted):
            return f".unsqueeze({place})"
    if len(shape) == 1 and len(wanted) == 4 and shape[0] == wanted[1]:
        return ".view(1, -1, 1, 1)"
    if len(shape) == 2 and len(wanted) == 4 and shape[1] == wanted[1]:
        return "[:, :, None, None]"
    return ""


def _broadcasts(left: list[int], right: list[int]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(reversed(left), reversed(right)))


def _arguments(case: Case) -> list[tuple[Source, ast.expr]]:
    source = source_of(case.facts, case.location.file)
    node: Optional[ast.AST] = case.node()
    return [(source, operand) for operand in operand_nodes(node)] if node is not None else []
