"""A factor that is missing or too much where a layer near the mistake is built: `inner_dim * 3` for q, k and v."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge import torchkind
from metalens.worker.judge.case import Case, Mistake, layer_word
from metalens.worker.judge.definitions import slot_of
from metalens.worker.judge.repair.constants import names_before
from metalens.worker.judge.repair.edits import fix, literal
from metalens.worker.judge.repair.near import constructions, sites
from metalens.worker.judge.repair.sizes import assigned, holder_of
from metalens.worker.judge.source import Source
from metalens.worker.judge.unpacking import unpacking_of

_FACTORS = (3, 2, 4)


def multiplied(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The width that a layer gives or takes, as a multiple or a part of what is written."""
    unpacked = unpacking_of(case.failure, case.facts)
    factors: tuple[int, ...] = _FACTORS
    if unpacked is not None and unpacked.values and unpacked.names % unpacked.values == 0:
        factors = (unpacked.names // unpacked.values, *_FACTORS)
    elif mistake.given and mistake.expected:
        ratio = max(mistake.given, mistake.expected) / min(mistake.given, mistake.expected)
        factors = (int(ratio),) if ratio == int(ratio) and ratio > 1 else factors
    pieces = dict(_pieces(case, mistake))
    factors = tuple(dict.fromkeys([*pieces.values(), *factors]))
    found: list[tuple[bool, bool, list[Fix]]] = []
    for built in constructions(case, mistake):
        for argument in (torchkind.output_argument(built.module), torchkind.input_argument(built.module)):
            slot = slot_of(case.facts, built.module, argument) if argument else None
            if slot is None or slot.node is None or isinstance(slot.node, (ast.List, ast.Tuple)):
                continue
            word = f"{argument} of {layer_word(case, built.module)}"
            texts = _scaled(built.source, slot.node, factors)
            fixes = [fix(f"Change {word} to {text}", built.source.replace(slot.node, text)) for text in texts]
            cut = layer_word(case, built.module).rpartition(".")[2] in pieces
            found.append((_has_factor(slot.node), cut, fixes))
    # Where a factor is written already, it is more likely the wrong one than one is missing elsewhere; most of all for
    # what is cut into pieces.
    for *_, fixes in sorted(found, key=lambda each: (not each[0], not each[1])):
        yield from fixes


def _has_factor(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and literal(node.right) is not None


def _pieces(case: Case, mistake: Mistake) -> Iterator[tuple[str, int]]:
    """Into how many pieces the tensors in conflict were cut, by the name of the layer that gave them, if it is seen."""
    for site in sites(case, mistake):
        for part in ast.walk(site.node):
            if isinstance(part, ast.Call) and getattr(part.func, "attr", "") in ("chunk", "tensor_split"):
                counts = [count for count in map(literal, part.args) if count is not None and count > 1]
                made = getattr(part.func, "value", None)
                name = getattr(made.func, "attr", "") if isinstance(made, ast.Call) else ""
                yield from ((name, count) for count in counts[:1])


def _scaled(source: Source, node: ast.expr, factors: tuple[int, ...]) -> Iterator[str]:
    text = source.text_of(node)
    value = literal(node)
    if value is not None:
        yield from (str(value * factor) for factor in dict.fromkeys(factors))
        return
    simple = isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.FloorDiv, ast.Add)):
        if _has_factor(node):
            yield from (
                f"{source.text_of(node.left)} * {factor}" for factor in factors if factor != literal(node.right)
            )
        yield source.text_of(node.left)
        if isinstance(node.op, ast.Mult):
            yield source.text_of(node.right)
    elif isinstance(node, ast.Call) and len(node.args) == 1 and getattr(node.func, "id", "") == "int":
        yield from _scaled(source, node.args[0], factors)
    base = text if simple else f"({text})"
    for factor in dict.fromkeys(factors):
        yield f"{base} * {factor}"
        if simple:
            yield f"{base} // {factor}"


def of_local(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A factor that is missing, or too much, where a constructor computes a size: `inner = dim_head` for `* heads`."""
    pairs = {(mistake.given or 0, mistake.expected or 0)}
    one, other = mistake.tensor, mistake.other
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        pairs |= {(int(a), int(b)) for a, b in zip(reversed(one.shape), reversed(other.shape))}
    ratios = {max(pair) // min(pair) for pair in pairs if min(pair) > 0 and max(pair) % min(pair) == 0} - {1}
    for built in constructions(case, mistake) if ratios else ():
        scope = built.source.function_at(built.call.lineno - 1)
        holder = case.facts.built_of(holder_of(case, built.module))
        if scope is None or holder is None:
            continue
        used = {part.id for value in built.call.args for part in ast.walk(value) if isinstance(part, ast.Name)}
        for name in sorted(used):
            values = assigned(scope, name)
            if len(values) == 1:
                known = names_before(holder, scope, values[0].lineno)
                fitting = [each for each, value in known.items() if value in ratios and each.isidentifier()]
                for text in _with_factors(built.source, values[0], fitting):
                    yield fix(f"Change {name} to {text}", built.source.replace(values[0], text))


def _with_factors(source: Source, node: ast.expr, names: list[str]) -> Iterator[str]:
    """An expression times a name, or without the factor that is one."""
    text = source.text_of(node)
    if isinstance(node, ast.BinOp):
        sides = (source.text_of(node.left), source.text_of(node.right))
        if isinstance(node.op, ast.Mult):
            yield from (
                sides[1 - place] for place in (1, 0) if sides[place] in names or literal((node.left, node.right)[place])
            )
        elif isinstance(node.op, ast.FloorDiv):
            yield sides[0]
        text = f"({text})"
    elif literal(node) is not None or not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return
    yield from (f"{text} * {name}" for name in names if name != text)
    yield from (f"{text} // {name}" for name in names if name != text)
