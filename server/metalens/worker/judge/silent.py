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
_WITH_DIM = frozenset(["softmax", "log_softmax", "softmin", "sort"])
_CLASSES = frozenset(["cross_entropy", "nll_loss"])
_NARROW = (torch.int32, torch.int16, torch.int8)
_SELECTS = frozenset(["index_select", "index_add", "index_copy", "index_fill"])

WATCHED = (
    _MATRICES
    | _WITH_DIM
    | _CLASSES
    | _SELECTS
    | {"embedding", "binary_cross_entropy"}
    | {f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)}
)


def suspicion(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Exception]:
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
        return _target(tensors[0], tensors[1]) if len(tensors) > 1 else None
    if name == "embedding":
        return _index(tensors[0])
    if name in _SELECTS:
        bound = {**dict(zip(("input", "dim", "index"), args)), **kwargs}
        return _vector(bound.get("index"), name)
    if name == "binary_cross_entropy":
        others = [dtype(t.dtype) for t in tensors[1:2] if t.dtype != tensors[0].dtype]
        return RuntimeError(f"Found dtype {others[0]} but expected {dtype(tensors[0].dtype)}") if others else None
    match = _CONVOLUTIONS.fullmatch(name)
    if len(tensors) > 1 and match is not None:
        found = _weight(tensors[1], int(match.group(2)))
        if found is None and match.group(1):
            found = _transposed(tensors[0], tensors[1], int(match.group(2))) or _outgrown(args, kwargs)
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


def _target(scores: Any, target: Any) -> Optional[RuntimeError]:
    """A target of class indices that is too narrow for them, or that does not lie over the scores of a map."""
    if target.dtype in _NARROW:
        return RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype}")
    if target.is_floating_point() or scores.dim() < 3 or target.dim() != scores.dim() - 1:
        return None
    if tuple(target.shape) == (*scores.shape[:1], *scores.shape[2:]):
        return None
    return RuntimeError(f"size mismatch (got input: {shape(scores.shape)}, target: {shape(target.shape)})")


def _vector(index: Any, name: str) -> Optional[Exception]:
    if not isinstance(index, torch.Tensor) or index.dim() < 2:
        return None
    return IndexError(f"{name}(): Index is supposed to be a vector, but got {index.dim()}-D")


def _outgrown(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[RuntimeError]:
    """What a transposed convolution adds at one edge is less than a step between its inputs or its kernel's points."""
    names = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    bound = {"stride": 1, "output_padding": 0, "dilation": 1, **dict(zip(names, args)), **kwargs}
    added, *steps = (bound[name] for name in ("output_padding", "stride", "dilation"))
    added, *steps = (value if isinstance(value, (tuple, list)) else (value,) * 3 for value in (added, *steps))
    if all(pad < max(step) for pad, *step in zip(added, *steps)):
        return None
    return RuntimeError("output padding must be smaller than either stride or dilation")


def _weight(weight: Any, space: int) -> Optional[RuntimeError]:
    if weight.dim() == space + 2:
        return None
    return RuntimeError(f"expected a {space + 2}-D weight, but got {weight.dim()}-D {shape(weight.shape)}")


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
