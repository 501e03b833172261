"""Constant indices that point beyond what they index: the meta device does not look at values, a real one does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.worker.judge.lineage import operation_of
from metalens.worker.judge.words import function_name
from metalens.worker.trace.facts import Facts

_MOST = 1 << 17
_STEPS = 60
# Where an operation has what is indexed, the dimension (or its place among the arguments), and the index.
_TABLES = frozenset(["embedding", "embedding_bag"])
_ALONG = frozenset("index_select gather scatter scatter_add scatter_reduce index_add index_copy index_fill".split())
# Only these make whole numbers that are the same whenever the program runs.
_CONSTANT = frozenset(
    "arange tensor as_tensor zeros ones full eye linspace zeros_like ones_like full_like new_zeros new_ones new_full"
    " new_tensor tril_indices triu_indices range".split()
)


def beyond(facts: Facts, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[RuntimeError]:
    """The error that an index beyond its dimension will meet; None if there is none, or chance has a hand in it."""
    for size, dim, index in _pairs(function_name(function), args, kwargs):
        if index.device.type == "meta" or index.is_floating_point() or not 0 < index.numel() <= _MOST:
            continue
        if index.dtype == torch.bool:
            continue
        with torch._C.DisableTorchFunction():
            low, high = int(index.min()), int(index.max())
        worst = high if high >= size else low
        if (high >= size or low < -size) and _is_constant(facts, index):
            return RuntimeError(f"index {worst} is out of bounds for dimension {dim} with size {size}")
    return None


def _pairs(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[int, int, torch.Tensor]]:
    """The size of each dimension that is indexed, the dimension, and its index."""
    if name in _TABLES and len(args) > 1:
        index, table = args[:2]
        if isinstance(index, torch.Tensor) and isinstance(table, torch.Tensor):
            yield int(table.shape[0]), 0, index
    elif name in _ALONG:
        bound = {**dict(zip(("input", "dim", "index"), args)), **kwargs}
        x, dim, index = bound.get("input"), bound.get("dim"), bound.get("index")
        if not (isinstance(x, torch.Tensor) and isinstance(index, torch.Tensor) and isinstance(dim, int)):
            return
        if -x.dim() <= dim < x.dim():
            yield int(x.shape[dim]), dim % x.dim(), index
    elif name == "getitem" and len(args) > 1:
        keys = args[1] if isinstance(args[1], tuple) else (args[1],)
        if isinstance(args[0], torch.Tensor) and not any(key is None or key is ... for key in keys):
            for dim, key in enumerate(keys[: args[0].dim()]):
                if isinstance(key, torch.Tensor):
                    yield int(args[0].shape[dim]), dim, key


def _is_constant(facts: Facts, index: Any) -> bool:
    """Whether a tensor was computed of constants alone."""
    waiting, steps = [index], 0
    while waiting:
        tensor = waiting.pop()
        origin = facts.origin_of(tensor)
        steps += 1
        if origin is None or steps > _STEPS:
            return False
        if operation_of(origin) in _CONSTANT:
            continue
        inputs = [part for part in origin.inputs if part is not tensor]
        if not inputs or origin.module is not None:
            return False
        waiting += inputs
    return True
