"""A layer that gets another width than it takes: repairs on the layer, its producer, its call and the input."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any, Optional

import torch
from torch import nn

from metalens.protocol.messages import Edit, Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake, layer_word, own_location
from metalens.worker.judge.definitions import outer_of, slot_of
from metalens.worker.judge.lineage import Lineage, operation_of, split_from
from metalens.worker.judge.repair.edits import (
    Called,
    adjusted,
    chain,
    chained,
    entry_calls,
    fix,
    is_literal,
    layer_call,
    literal,
)
from metalens.worker.judge.repair.sizes import as_number, change_argument, change_value, holder_of
from metalens.worker.judge.source import Source, source_of
from metalens.worker.judge.unpacking import innermost_locals
from metalens.worker.judge.whose import is_slip


def consumer_side(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The size that the failing layer was built with."""
    layer, argument = mistake.layer, mistake.argument
    outer = outer_of(case.facts, layer) if case.facts.built_of(layer) is not None else _pattern(case, mistake)
    if outer is not layer:
        layer, argument = outer, torchkind.input_argument(outer)
    if not argument or mistake.expected is None or mistake.given is None:
        return
    if is_slip(mistake.given, mistake.expected):
        yield from list(producer_side(case, mistake))[:1]
    first = list(change_argument(case, layer, argument, mistake.expected, mistake.given))
    yield from first[:1]
    yield from _as_the_producer(case, mistake)
    yield from first[1:8]
    yield from _as_arithmetic(case, mistake)
    yield from as_number(case, layer, argument, mistake.given)


def producer_side(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The size that the producing layer was built with, and of the layers in between that must follow it."""
    if mistake.tensor is None or mistake.expected is None:
        return
    yield from _as_the_consumer(case, mistake)
    yield from resize(case, mistake.tensor, mistake.dim, mistake.expected)


def resize(case: Case, tensor: Any, dim: int, wanted: int) -> Iterator[Fix]:
    """Candidates that give dimension `dim` of a tensor another size, where that size was set."""
    lineage = case.lineage(tensor, dim)
    if "+" in lineage.arithmetic:
        yield from _resize_part(case, lineage, wanted - tensor.shape[dim])
        return
    rest = math.prod(lineage.parts[1:]) if lineage.parts else 1
    if rest == 0 or wanted % rest:
        return
    wanted //= rest
    if lineage.is_factory:
        yield from _resize_input(case, lineage, wanted, is_weight=isinstance(tensor, nn.Parameter))
    if lineage.layer is None:
        whole = split_from(lineage)
        size = int(lineage.tensor.shape[lineage.dim])
        if whole is not None and size and (wanted * whole[0].shape[whole[1]]) % size == 0:
            yield from resize(case, *whole, wanted * int(whole[0].shape[whole[1]]) // size)
        return
    argument = torchkind.output_argument(lineage.layer)
    old = torchkind.width(lineage.layer, argument)
    size = int(lineage.tensor.shape[lineage.dim])
    if old is None or not old or (wanted * old) % size:
        return
    new = wanted * old // size
    following = tuple(_following(case, lineage, old, new))
    for found in list(change_argument(case, lineage.layer, argument, old, new))[:2]:
        if following:
            yield Fix(f"{found.title}, and its norm", found.edits + following)
        yield found


def _resize_part(case: Case, lineage: Lineage, more: int) -> Iterator[Fix]:
    """Candidates that give what a layer made of the tensors that were joined `more` elements (or fewer).

    Half or twice as many may have been meant; any other number would fit by chance.
    """
    joined = lineage.origin.inputs if lineage.origin is not None else ()
    for part in reversed(joined):
        if part.dim() != lineage.tensor.dim() or case.lineage(part, lineage.dim).layer is None:
            continue
        old = int(part.shape[lineage.dim])
        new = old + more
        if new > 0 and (old % new == 0 or new % old == 0):
            yield from resize(case, part, lineage.dim, new)


def at_call(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another operand or another layer in the failing call; the operand flattened or its dimensions moved."""
    called = layer_call(case)
    if called is None or mistake.expected is None or mistake.tensor is None:
        return
    yield from _other_layer(case, called, mistake)
    yield from _other_name(case, called, mistake)


def flattened(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A missing flatten before a Linear, in the call or as an element of an nn.Sequential."""
    x = mistake.tensor
    if not isinstance(mistake.layer, nn.Linear) or x is None or x.dim() < 3 or mistake.expected is None:
        return
    fits = next((k for k in range(1, x.dim()) if math.prod(x.shape[k:]) == mistake.expected), None)
    start = fits if fits is not None else 1
    more: tuple[Edit, ...] = ()
    if fits is None:
        if x.dim() < 4:
            return
        slot = slot_of(case.facts, mistake.layer, "in_features")
        if slot is None or slot.node is None or not is_literal(slot.node):
            return
        more = (slot.source.replace(slot.node, str(math.prod(x.shape[1:]))),)
    called, word = layer_call(case), layer_word(case, mistake.layer)
    if called is not None and case.call is not None and case.call.module is mistake.layer:
        text = chained(called.source, called.argument, f".flatten({start})")
        title = f"Insert {text} before {word}" if len(text) <= 40 else f"Insert .flatten({start}) before {word}"
        if more:
            title += f" and change its in_features to {math.prod(x.shape[1:])}"
        yield fix(title, chain(called.source, called.argument, f".flatten({start})"), *more)
        return
    slot = slot_of(case.facts, mistake.layer, "in_features")
    if slot is not None and start == 1:
        prefix = slot.source.text_of(slot.call.func).rpartition(".")[0]
        element = f"{prefix}.Flatten()" if prefix else "Flatten()"
        begin = slot.source.range_of(slot.call).start
        yield fix(f"Insert {element} before {word}", slot.source.insert(begin, f"{element}, "), *more)


def lazy(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """`nn.LazyLinear(256)` in the place of `nn.Linear(4096, 256)`."""
    slot = slot_of(case.facts, mistake.layer, "in_features") if type(mistake.layer) is nn.Linear else None
    if slot is None or slot.node is None or len(slot.call.args) < 2:
        return
    source, name = slot.source, slot.source.text_of(slot.call.func)
    if not name.endswith("Linear") or slot.call.args[0] is not slot.node:
        return
    rest = [source.text_of(part) for part in (*slot.call.args[1:], *slot.call.keywords)]
    text = f"{name[:-6]}LazyLinear({', '.join(rest)})"
    yield fix(f"Use {text} for {layer_word(case, mistake.layer)}", source.replace(slot.call, text))


def pooled(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A fixed pool before the flatten, where an adaptive one gives the width that Linear takes."""
    if mistake.tensor is None:
        return
    lineage = case.lineage(mistake.tensor, mistake.dim)
    if len(lineage.parts) < 3 or lineage.parts[0] != mistake.expected:
        return
    for step in lineage.steps:
        pool = step.origin.module
        if isinstance(pool, (nn.AvgPool2d, nn.MaxPool2d)):
            built = case.facts.built_of(pool)
            if built is None or built.location is None:
                return
            source = source_of(case.facts, built.location.file)
            call = source.call_at(built.location.range)
            if call is not None:
                name = source.text_of(call.func)
                text = f"{name.rpartition('.')[0]}.Adaptive{type(pool).__name__}(1)".lstrip(".")
                yield fix(f"Use {text} for {layer_word(case, pool)}", source.replace(call, text))
            return


def _pattern(case: Case, mistake: Mistake) -> Any:
    """The layer that torch copied to make this one (nn.TransformerEncoder copies the layer that it is given)."""
    for built in case.facts.built.values():
        if torchkind.is_transformer(built.module) and torchkind.width(built.module, "d_model") == mistake.expected:
            return built.module
    return mistake.layer


def _both_sides(case: Case, mistake: Mistake) -> Optional[tuple[Lineage, Source, ast.expr, ast.expr]]:
    """The expressions that sized the consumer and its producer, where both are built in the same function."""
    if mistake.tensor is None or mistake.layer is None:
        return None
    lineage = case.lineage(mistake.tensor, mistake.dim)
    slot = slot_of(case.facts, mistake.layer, mistake.argument)
    if lineage.layer is None or slot is None or slot.node is None or slot.source.text_of(slot.node) == "":
        return None
    given = slot_of(case.facts, lineage.layer, torchkind.output_argument(lineage.layer))
    if given is None or given.node is None or given.source is not slot.source:
        return None
    scopes = [slot.source.function_at(node.lineno - 1) for node in (slot.node, given.node)]
    if scopes[0] is not scopes[1] or "+" in lineage.arithmetic:
        return None
    return lineage, slot.source, slot.node, given.node


def _as_the_consumer(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The very name that sized the consumer."""
    both = _both_sides(case, mistake)
    if both is not None and isinstance(both[2], (ast.Name, ast.Attribute)) and len(both[0].parts) <= 1:
        lineage, source, wanted, given = both
        text = source.text_of(wanted)
        if text != source.text_of(given):
            argument = torchkind.output_argument(lineage.layer)
            yield fix(f"Change {argument} of {layer_word(case, lineage.layer)} to {text}", source.replace(given, text))


def _as_the_producer(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The very expression that sized the producer."""
    both = _both_sides(case, mistake)
    if both is None or is_literal(both[3]):
        return
    lineage, source, wanted, node = both
    text = source.text_of(node)
    if len(lineage.parts) > 1:
        text = text if isinstance(node, (ast.Name, ast.Attribute)) else f"({text})"
        text += "".join(f" * {size}" for size in lineage.parts[1:] if size > 1)
    title = f"Change {mistake.argument} of {layer_word(case, mistake.layer)} to {text}"
    yield fix(title, source.replace(wanted, text))


def _as_arithmetic(case: Case, mistake: Mistake) -> Iterator[Fix]:
    lineage = case.lineage(mistake.tensor, mistake.dim) if mistake.tensor is not None else None
    slot = slot_of(case.facts, mistake.layer, mistake.argument)
    if lineage is None or len(lineage.parts) < 2 or "+" in lineage.arithmetic or slot is None:
        return
    if slot.node is not None and is_literal(slot.node) and all(size > 1 for size in lineage.parts):
        text = " * ".join(map(str, lineage.parts))
        title = f"Write {mistake.argument} of {layer_word(case, mistake.layer)} as {text}"
        yield fix(title, slot.source.replace(slot.node, text))


def _following(case: Case, lineage: Lineage, old: int, new: int) -> Iterator[Edit]:
    for step in lineage.steps:
        layer = step.origin.module
        argument = torchkind.input_argument(layer) if layer is not None and layer is not lineage.layer else ""
        if argument not in ("num_features", "num_channels", "normalized_shape", "num_parameters"):
            continue
        slot = slot_of(case.facts, layer, argument)
        if torchkind.width(layer, argument) == old and slot is not None and literal(slot.node) == old:
            yield slot.source.replace(slot.node, str(new))  # type: ignore[arg-type]


def _resize_input(case: Case, lineage: Lineage, wanted: int, *, is_weight: bool) -> Iterator[Fix]:
    assert lineage.origin is not None
    source = source_of(case.facts, lineage.origin.location.file)
    call = source.call_at(lineage.origin.location.range)
    if call is None:
        return
    sizes: list[ast.expr] = next(
        (
            [*value.elts]
            for value in (*call.args, *(k.value for k in call.keywords))
            if isinstance(value, (ast.Tuple, ast.List))
        ),
        [*call.args],
    )
    if operation_of(lineage.origin) in ("tensor", "as_tensor", "arange", "linspace") or lineage.dim >= len(sizes):
        return
    node, old = sizes[lineage.dim], int(lineage.tensor.shape[lineage.dim])
    batch = lineage.dim == 0 and not is_weight
    if batch and (lineage.tensor.dim() > 2 or (old > 1 and wanted > old and wanted % old == 0)):
        return  # the size of a batch is hardly the mistake
    if literal(node) == old:
        name = source.text_of(call.func)
        yield fix(f"Change dim {lineage.dim} of this {name} to {wanted}", source.replace(node, str(wanted)))
        return
    text = adjusted(source, node, old, wanted) or _nearby(source, node, old, wanted)
    if text:
        yield fix(f"Change {source.text_of(node)} to {text}", source.replace(node, text))
    inside = [c.module for c in case.failure.modules if not torchkind.is_own(c.module)]
    yield from change_value(case, source, node, old, wanted, inside[-1] if inside else None)


def _nearby(source: Source, node: ast.expr, old: int, wanted: int) -> str:
    """`patches + 1` for one too few."""
    away = wanted - old
    return f"{source.text_of(node)} {'+' if away > 0 else '-'} {abs(away)}" if abs(away) <= 2 else ""


def moved(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The wanted size stands in another dimension of the operand."""
    suffix = _moving(mistake)
    for called in entry_calls(case) if suffix else ():
        name = called.source.text_of(called.argument)
        shown = chained(called.source, called.argument, suffix) if len(name) <= 24 else suffix
        yield fix(f"Use {shown}", chain(called.source, called.argument, suffix))


def _moving(mistake: Mistake) -> str:
    x, target = mistake.tensor, mistake.dim
    if x is None or mistake.expected is None:
        return ""
    places = [i for i, size in enumerate(x.shape) if int(size) == mistake.expected and i != target]
    # A convolution without a channel dimension: `[B, H, W]` for one channel.
    if mistake.code == "conv-in-channels" and mistake.expected == 1 and x.dim() == len(mistake.layer.kernel_size) + 1:
        return ".unsqueeze(1)"
    if x.dim() == 3 and places and places[-1]:
        return f".transpose({min(places[-1], target)}, {max(places[-1], target)})"
    if x.dim() == 4 and places == [3] and target == 1:
        return ".permute(0, 3, 1, 2)"
    if x.dim() == 4 and places == [1] and target == 3:
        return ".permute(0, 2, 3, 1)"
    return ".transpose(1, 2)" if x.dim() == 5 and places == [2] and target == 1 else ""


def _other_layer(case: Case, called: Called, mistake: Mistake) -> Iterator[Fix]:
    """Another layer of the same kind that takes what is given."""
    function = called.call.func
    holder = holder_of(case, mistake.layer)
    if not isinstance(function, ast.Attribute) or holder is None or not mistake.argument:
        return
    if not isinstance(function.value, ast.Name) or function.value.id != "self":
        return
    found = 0
    for name, other in holder.named_children():
        fits = type(other) is type(mistake.layer) and torchkind.width(other, mistake.argument) == mistake.given
        if fits and name != function.attr and not _was_used(case, other) and found < 2:
            found += 1
            yield fix(f"Use self.{name}", called.source.replace(function, f"self.{name}"))


def other_block(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Another block of the same kind, in one of the calls around the failure, that takes what is given."""
    calls = case.failure.modules
    for place in range(1, len(calls) - 1):
        location, block = own_location(case.failure, place), calls[place].module
        node = source_of(case.facts, location.file).call_at(location.range) if location is not None else None
        if node is None or location is None or not isinstance(node.func, ast.Attribute):
            continue
        for name, other in calls[place - 1].module.named_children():
            fits = type(other) is type(block) and _entry_width(other) == mistake.given
            if fits and other is not block and not _was_used(case, other):
                yield fix(f"Use self.{name}", source_of(case.facts, location.file).replace(node.func, f"self.{name}"))


def _was_used(case: Case, block: Any) -> bool:
    """Whether a block already made a tensor: then it has its own place in forward."""
    parts = {id(part) for part in block.modules()}
    return any(id(origin.module) in parts for origin in case.facts.origins.values())


def _entry_width(block: Any) -> Any:
    """The width that the first layer of a block takes."""
    for part in block.modules():
        argument = torchkind.input_argument(part)
        if argument and not torchkind.is_transformer(part):
            return torchkind.width(part, argument)
    return None


def _other_name(case: Case, called: Called, mistake: Mistake) -> Iterator[Fix]:
    """Another local variable that has the wanted size."""
    if not isinstance(called.argument, ast.Name):
        return
    if called.source.location_of(called.call) != case.location:
        return
    found = 0
    for name, value in reversed(list(innermost_locals(case.failure).items())):
        if name == called.argument.id or not name.isidentifier() or not isinstance(value, torch.Tensor):
            continue
        dim = mistake.dim - mistake.tensor.dim()
        if value.dim() >= -dim and int(value.shape[dim]) == mistake.expected and found < 2:
            found += 1
            yield fix(f"Use {name}", called.source.replace(called.argument, name))
