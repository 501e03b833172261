"""All that a size depends on: back through every operation, widely where an operation is not understood.

Where `lineage` tells people a likely story, this is for proofs: what it does not visit cannot have mattered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.protocol.values import Location, Position, Range
from metalens.worker.judge import torchkind
from metalens.worker.judge.lineage import FACTORIES, RESHAPES, TURNS, operation_of
from metalens.worker.trace.facts import Facts, Origin

Place = tuple[int, int]
"""A tensor (by its id) and one of its dimensions."""

_MOST = 4000
_NOWHERE = Location("", Range(Position(0, 0), Position(0, 0)))
# Sizes of these come from several dimensions or from numbers.
_MIXING = frozenset(
    "pixelshuffle pixelunshuffle pixel_shuffle pixel_unshuffle unfold fold kron diag diagonal repeat_interleave"
    " rearrange reduce tile".split()
)
# Each size that these give is one of their inputs'.
_CHOOSING = frozenset(
    "matmul mm bmm mv einsum tensordot baddbmm addmm addbmm cdist outer scaled_dot_product_attention bilinear".split()
)
_MADE_OF_NUMBERS = frozenset(["getitem", "expand", "repeat", "pad", "interpolate", "narrow", "roll"])
_FROM_NUMBERS = _MADE_OF_NUMBERS | FACTORIES | RESHAPES


@dataclass(frozen=True)
class Descent:
    """All `places` on the way and the `sizes` that were met there.

    `roots` are the places where the way ends, with their sizes; of these `declared` are those where a layer set the
    size, with that layer. `doubtful` tells that a substitute is on the way, in a dimension that its mistake left open;
    if that could only be one of two sizes, the one that it got and the other are among the `alternatives`.
    """

    places: frozenset[Place]
    roots: dict[Place, int]
    declared: dict[Place, Any]
    sizes: frozenset[int]
    alternatives: frozenset[tuple[int, int]]
    doubtful: bool

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers that set sizes, each once."""
        return tuple({id(layer): layer for layer in self.declared.values()}.values())


def descent_of(facts: Facts, starts: Iterable[tuple[Any, int]], leaked: bool) -> Descent:
    """Follow dimensions of tensors to all that decided their sizes; if sizes `leaked`, no number on the way is sure."""
    waiting = list(starts)
    places: set[Place] = set()
    roots: dict[Place, int] = {}
    declared: dict[Place, Any] = {}
    sizes: set[int] = set()
    alternatives: set[tuple[int, int]] = set()
    doubtful = False
    while waiting and len(places) < _MOST:
        tensor, dim = waiting.pop()
        place = (id(tensor), dim)
        if place in places:
            continue
        places.add(place)
        sizes.add(int(tensor.shape[dim]))
        doubts = facts.recovered.get(id(tensor), {})
        alternative = doubts.get(dim)
        if alternative is not None:
            alternatives.add((int(tensor.shape[dim]), alternative))
        doubtful = doubtful or (dim in doubts and alternative is None)
        origin = facts.origin_of(tensor) or _followed(facts, tensor)
        if origin is not None and _is_declared(origin.module, tensor, dim):
            roots[place], declared[place] = int(tensor.shape[dim]), origin.module
            continue
        sources = _sources(origin, tensor, dim) if origin is not None else []
        waiting += sources
        if origin is None or not sources:
            roots[place] = int(tensor.shape[dim])
        if origin is None:
            continue
        # A number that was read from a doubtful shape may be in here, unless the size just stayed what it was.
        stayed = len(sources) == 1 and sources[0][0].shape[sources[0][1]] == tensor.shape[dim]
        doubtful = doubtful or (leaked and not stayed and operation_of(origin) in _FROM_NUMBERS)
    return Descent(
        frozenset(places),
        roots,
        declared,
        frozenset(sizes),
        frozenset(alternatives),
        doubtful or len(places) >= _MOST,
    )


def _followed(facts: Facts, tensor: Any) -> Optional[Origin]:
    function, inputs = facts.followed.get(id(tensor), (None, ()))
    return Origin(_NOWHERE, function, None, inputs) if inputs else None


def _is_declared(module: Any, tensor: Any, dim: int) -> bool:
    if module is None or not torchkind.is_layer(module) or torchkind.width_dim(module, tensor.dim()) != dim:
        return False
    if torchkind.is_recurrent(module):
        widths: tuple[Any, ...] = (module.hidden_size, 2 * module.hidden_size, module.proj_size, 2 * module.proj_size)
    else:
        widths = (torchkind.width(module, torchkind.output_argument(module)),)
    return int(tensor.shape[dim]) in widths


def _sources(origin: Origin, tensor: Any, dim: int) -> list[tuple[Any, int]]:
    found: list[tuple[Any, int]] = []
    name = operation_of(origin)
    for source in origin.inputs:
        if source is tensor or not isinstance(source, torch.Tensor):
            continue
        found += [(source, place) for place in _places(name, origin, source, tensor, dim)]
    return found


def _places(name: str, origin: Origin, source: Any, tensor: Any, dim: int) -> Iterable[int]:
    every = range(source.dim())
    size = int(tensor.shape[dim])
    if name in ("matmul", "bmm", "mm") and source.dim() == tensor.dim():
        return _of_product(origin, source, dim)
    if name == "multiheadattention" and tuple(tensor.shape) == tuple(origin.inputs[0].shape):
        return (dim,) if source is origin.inputs[0] else ()
    if (
        name in _MIXING
        or name == "multiheadattention"
        or (origin.module is not None and not torchkind.is_own(origin.module))
    ):
        return every
    if name in RESHAPES or (source.dim() != tensor.dim() and source.numel() == tensor.numel()):
        return _group(tuple(source.shape), tuple(tensor.shape), dim)
    equal = [place for place in every if int(source.shape[place]) == size]
    if name in _CHOOSING and any(size in part.shape for part in origin.inputs):
        return equal
    if name in TURNS:
        return equal or every
    if isinstance(source, torch.nn.Parameter):
        return equal
    if _is_set(origin, name, tensor, dim):
        return ()
    if _is_width(name, tensor, dim):
        return () if source is origin.inputs[0] else equal
    if source.dim() == tensor.dim():
        return (dim,)
    return equal or every


def _is_width(name: str, tensor: Any, dim: int) -> bool:
    """Whether a functional layer sets a dimension by its weight alone."""
    if name == "linear":
        return bool(dim == tensor.dim() - 1)
    found = re.fullmatch(r"conv(?:_transpose)?([123])d", name)
    return found is not None and bool(dim == tensor.dim() - 1 - int(found.group(1)))


def _is_set(origin: Origin, name: str, tensor: Any, dim: int) -> bool:
    """Whether a pool gives a dimension of space the size that it was told, whatever comes in."""
    found = re.fullmatch(r"adaptive_?(?:max|avg)_?pool([123])d", name)
    if found is None or dim < tensor.dim() - int(found.group(1)):
        return False
    size = getattr(origin.module, "output_size", 1)
    return None not in size if isinstance(size, tuple) else size is not None


def _of_product(origin: Origin, source: Any, dim: int) -> tuple[int, ...]:
    """Rows come from the left operand, columns from the right one, all others from both."""
    rank = source.dim()
    if dim < rank - 2:
        return (dim,)
    is_left = source is origin.inputs[0]
    return (dim,) if is_left == (dim == rank - 2) or all(part is source for part in origin.inputs) else ()


def _group(before: tuple[int, ...], after: tuple[int, ...], dim: int) -> range:
    """The dimensions of `before` that a reshape to `after` may have put into its dimension `dim`."""
    if math.prod(before) != math.prod(after):
        return range(len(before))
    i = j = 0
    while j < len(after):
        i_start, j_start = i, j
        left = right = 1
        while True:
            if left <= right and i < len(before):
                left, i = left * before[i], i + 1
            elif j < len(after):
                right, j = right * after[j], j + 1
            else:
                break
            if left == right and j > j_start:
                break
        if j_start <= dim < j:
            first, last = i_start, i
            while first and before[first - 1] == 1:  # ones may belong to either side
                first -= 1
            while last < len(before) and before[last] == 1:
                last += 1
            return range(first, last)
    return range(len(before))
