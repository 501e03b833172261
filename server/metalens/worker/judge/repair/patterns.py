"""Patterns of einops and einsum: two of their axes exchanged, or the operands of a product."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import torch

from metalens.protocol.messages import Fix
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.judge.repair.edits import fix
from metalens.worker.judge.repair.near import constructions, sites
from metalens.worker.judge.source import Source, source_of

_AXES = re.compile(r"\([^()]*\)|\S+")
_LETTERS = re.compile(r"[A-Za-z]")
_PRODUCTS = frozenset(["einsum", "matmul", "bmm", "mm"])
_WORDS = re.compile(r"[A-Za-z_]\w*")
_MOST_PATTERNS = 6
_MOST_SITES = 40


def in_order(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """A pattern near the mistake that would give its axes in the order in which it takes them, but for two of them."""
    nodes = [(site.source, part) for site in sites(case, mistake, _MOST_SITES) for part in ast.walk(site.node)]
    nodes += [(built.source, part) for built in constructions(case, mistake) for part in ast.walk(built.call)]
    for source, node in nodes:
        yield from _straightened(source, node)


def in_order_anywhere(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The same of any pattern in the files that the failure came through, the innermost first."""
    for file in dict.fromkeys(frame.location.file for frame in reversed(case.failure.frames)):
        source = source_of(case.facts, file)
        for node in source.nodes:
            yield from _straightened(source, node)


def exchanged(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """Two axes exchanged in a pattern of einops or einsum: in what it gives, then in what it takes."""
    nodes = [(site.source, part) for site in sites(case, mistake) for part in ast.walk(site.node)]
    nodes += [(built.source, part) for built in constructions(case, mistake) for part in ast.walk(built.call)]
    offers = [list(_all_of(source, node)) for source, node in nodes]
    for turn in range(_MOST_PATTERNS):
        yield from (found[turn] for found in offers if turn < len(found))


def _all_of(source: Source, node: ast.AST) -> Iterator[Fix]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "->" in node.value:
        text = source.slice(source.range_of(node))
        left, arrow, right = text.partition("->")
        for new in (
            *(left + arrow + new for new in _reordered(right)),
            *(new + arrow + right for new in _reordered(left)),
        ):
            yield fix(f"Change the pattern to {new}", source.replace(node, new))


def swapped_operands(case: Case, mistake: Mistake) -> Iterator[Fix]:
    """The operands of an einsum or a product behind the mistake exchanged, where both are variables."""
    for site in sites(case, mistake):
        node = site.node
        if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in _PRODUCTS:
            continue
        plain = [arg for arg in node.args if isinstance(arg, ast.Name)]
        tensors = site.origin.inputs if site.origin is not None else case.tensors
        if len(plain) == 2 and plain[0].id != plain[1].id and _goes_the_other_way(case, node, tensors):
            one, two = plain
            yield fix(
                f"Swap {one.id} and {two.id} in {site.source.text_of(node.func)}",
                site.source.replace(one, two.id),
                site.source.replace(two, one.id),
            )


def _goes_the_other_way(case: Case, call: ast.Call, tensors: tuple[Any, ...]) -> bool:
    """Whether the product can be computed of its operands in the other order, by a pattern that is itself in order."""
    pattern = next((part.value for part in ast.walk(call) if isinstance(part, ast.Constant)), "")
    if len(tensors) != 2 or not isinstance(pattern, str):
        return False
    one, two = (torch.empty(tuple(tensor.shape), device="meta") for tensor in tensors)
    try:
        torch.einsum(pattern, two, one) if pattern else torch.matmul(two, one)
    except (RuntimeError, ValueError, IndexError):
        return False
    left, _, right = pattern.partition("->")
    return _is_straight(left, right)


def _straightened(source: Source, node: ast.AST) -> Iterator[Fix]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "->" in node.value:
        text = source.slice(source.range_of(node))
        left, arrow, right = text.partition("->")
        if _is_straight(left, right):
            return
        taken = [new for new in _reordered(left) if _of_the_same_operands(left, new)]
        for one, other in (*((left, new) for new in _reordered(right)), *((new, right) for new in taken)):
            if _is_straight(one, other) and _leaves_new_axes(left, right, other):
                yield fix(f"Change the pattern to {one}{arrow}{other}", source.replace(node, f"{one}{arrow}{other}"))


def _leaves_new_axes(left: str, right: str, other: str) -> bool:
    """Whether the axes that only what is given has stand where they stood."""
    taken, before, after = _axes(left, right, left), _axes(left, right, right), _axes(left, right, other)
    return all(one == two for one, two in zip(before, after) if one not in taken or two not in taken)


def _of_the_same_operands(one: str, other: str) -> bool:
    """Whether each operand of an einsum has the axes that it had."""
    return [sorted(part) for part in one.split(",")] == [sorted(part) for part in other.split(",")]


def _is_straight(left: str, right: str) -> bool:
    """Whether the axes that both sides have come in the same order on both."""
    before, after = (list(dict.fromkeys(_axes(left, right, side))) for side in (left, right))
    return [axis for axis in before if axis in after] == [axis for axis in after if axis in before]


def _axes(left: str, right: str, side: str) -> list[str]:
    """The axes of one side of a pattern, with or without the quotation marks around it."""
    parts = [part for part in re.split("['\"]", side) if part.strip()]
    core = parts[-1] if side is left else parts[0]
    return (_WORDS if " " in left.strip() or "(" in left + right else _LETTERS).findall(core)


def _reordered(side: str) -> list[str]:
    """The side of a pattern with two of its axes exchanged; axes in brackets among themselves too."""
    core = side.strip("'\" ,")
    axes = _AXES if " " in core or "(" in core else _LETTERS
    groups = [(m.start(), m.end()) for m in axes.finditer(core)]
    shift = len(side) - len(side.lstrip("'\" ,"))
    places = [(start + shift, end + shift) for start, end in groups]
    found = [_exchanged(side, one, two) for one, two in combinations(places, 2)]
    for start, end in places:
        inner = [(start + 1 + m.start(), start + 1 + m.end()) for m in re.finditer(r"\w+", side[start + 1 : end - 1])]
        found += [_exchanged(side, one, two) for one, two in combinations(inner, 2)] if side[start] == "(" else []
    return [text for text in found if text != side]


def _exchanged(text: str, one: tuple[int, int], two: tuple[int, int]) -> str:
    return text[: one[0]] + text[slice(*two)] + text[one[1] : two[0]] + text[slice(*one)] + text[two[1] :]
