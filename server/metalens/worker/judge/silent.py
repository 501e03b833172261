"""Calls that real PyTorch refuses and the meta device lets through: dtypes, transposed convolutions, dimensions.

The caller asks after each call of a function in `WATCHED`; what is suspected here is no verdict yet, the replay is.
"""

from __future__ import annotations

import re
from typing import Any, Optional

import torch

from metalens.worker.judge.words import dtype, function_name, shape
from metalens.worker.trace import casting

_MATRICES = frozenset(["linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot"])
_CONVOLUTIONS = re.compile(r"conv(_transpose)?([123])d")
_WITH_DIM = frozenset(["softmax", "log_softmax", "softmin"])
_CLASSES = frozenset(["cross_entropy", "nll_loss"])

WATCHED = (
    _MATRICES | _WITH_DIM | _CLASSES | {"embedding"} | {f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)}
)


def suspicion(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[RuntimeError]:
    """The error that a call which went well on meta tensors would meet on real ones; None if it looks right."""
    name = function_name(function)
    if name not in WATCHED or casting.is_active():
        return None
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    if not tensors:
        return None
    if name in _WITH_DIM:
        return _dimension(tensors[0], kwargs.get("dim", args[1] if len(args) > 1 else None))
    if name in _CLASSES:
        narrow = [t.dtype for t in tensors[1:2] if t.dtype in (torch.int32, torch.int16, torch.int8)]
        return RuntimeError(f"expected target dtype to be Long or Byte, but got {narrow[0]}") if narrow else None
    if name == "embedding":
        return _index(tensors[0])
    match = _CONVOLUTIONS.fullmatch(name)
    if len(tensors) > 1 and match is not None and match.group(1):
        found = _transposed(tensors[0], tensors[1], int(match.group(2)))
        if found is not None:
            return found
    kinds = {dtype(tensor.dtype) for tensor in tensors[:2]}
    return (
        RuntimeError(f"operands must have the same dtype, but got {' and '.join(sorted(kinds))}")
        if len(kinds) > 1
        else None
    )


def _index(x: Any) -> Optional[RuntimeError]:
    if x.dtype in (torch.int64, torch.int32):
        return None
    return RuntimeError(f"Expected tensor for argument #1 'indices' to be Long or Int, but got {x.dtype}")


def _transposed(x: Any, weight: Any, space: int) -> Optional[RuntimeError]:
    if x.dim() not in (space + 1, space + 2) or x.shape[x.dim() - space - 1] == weight.shape[0]:
        return None
    wanted = f"to have {int(weight.shape[0])} channels, but got {int(x.shape[x.dim() - space - 1])} channels instead"
    return RuntimeError(f"Given transposed=1, expected input{shape(x.shape)} {wanted}")


def _dimension(x: Any, dim: Any) -> Optional[RuntimeError]:
    if not isinstance(dim, int) or isinstance(dim, bool) or -max(x.dim(), 1) <= dim < max(x.dim(), 1):
        return None
    span = f"[{-x.dim()}, {x.dim() - 1}]"
    return RuntimeError(f"Dimension out of range (expected to be in range of {span}, but got {dim})")
