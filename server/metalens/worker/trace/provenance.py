"""Whether a size was decided by layers of the model alone: the ground on which a probed run may call a mistake.

A size is fixed if a layer declared it, or if it was made of fixed sizes by operators that depend on nothing else. What
may come from an input is not fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Optional

import torch

from metalens.worker.trace.facts import Facts, Origin

_DEPTH = 48
_TURNS = frozenset(("transpose", "permute", "swapaxes", "movedim", "t"))
_DROPPING = frozenset(("mean", "sum", "amax", "amin", "norm", "squeeze", "select", "__getitem__"))
_PARTS = frozenset(("__getitem__", "narrow", "chunk", "split"))
_Sides = Optional["tuple[Any, ...]"]


def conflict(function: Any, args: tuple[Any, ...], facts: Facts) -> _Sides:
    """The sizes that disagree in a failed call, if each is fixed; None if one may come from an input."""
    name = str(getattr(function, "__name__", ""))
    tensors = [part for part in args if isinstance(part, torch.Tensor)]
    if name == "cat":
        return _of_parts(args, facts)
    if not tensors or not tensors[0].dim():
        return None
    given = tensors[0]
    if name == "linear" and len(tensors) > 1:
        return _sides(given, -1, int(tensors[1].shape[-1]), facts)
    if name.startswith("conv") and len(tensors) > 1 and tensors[1].dim() == given.dim():
        weight = tensors[1].shape
        return _sides(given, 1, int(weight[0] if "transpose" in name else weight[1] * _groups(args)), facts)
    if name == "batch_norm" and len(tensors) > 1 and given.dim() > 1:
        return _sides(given, 1, int(tensors[1].shape[0]), facts)
    if name == "layer_norm" and len(args) > 1:
        return _sides(given, -1, int(args[1][-1]), facts)
    if name in ("add", "sub", "mul", "div", "add_", "mul_") and len(tensors) > 1:
        return _of_operands(tensors[0], tensors[1], facts)
    if name in ("matmul", "__matmul__", "bmm", "mm") and len(tensors) > 1 and min(t.dim() for t in tensors[:2]) > 1:
        left, right = tensors[:2]
        if fixed(left, -1, facts) and fixed(right, -2, facts):
            return int(left.shape[-1]), int(right.shape[-2])
    return None


def layer_conflict(module: Any, args: tuple[Any, ...], facts: Facts) -> _Sides:
    """As `conflict`, for a layer of torch that checks its input itself."""
    recurrent = isinstance(module, torch.nn.RNNBase)
    wanted = getattr(module, "input_size" if recurrent else "num_features", None)
    given = args[0] if args else None
    if not isinstance(wanted, int) or not isinstance(given, torch.Tensor) or given.dim() < 2:
        return None
    own = type(module).__module__.startswith("torch.nn")
    return _sides(given, -1 if recurrent else 1, wanted, facts) if own else None


def from_layers(values: Any, facts: Facts) -> bool:
    """Whether any tensor among these values, however they are nested, came out of a layer or rests on a parameter."""
    waiting, known = list(_tensors(values)), set[int]()
    while waiting:
        tensor = waiting.pop()
        if isinstance(tensor, torch.nn.Parameter):
            return True
        origin = facts.origin_of(tensor)
        if origin is not None and id(tensor) not in known:
            known.add(id(tensor))
            if origin.module is not None:
                return True
            waiting += origin.inputs
    return False


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for part in values:
            yield from _tensors(part)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


def fixed(tensor: torch.Tensor, dim: int, facts: Facts, depth: int = _DEPTH) -> bool:
    """Whether the size of a tensor at a dimension was decided by layers."""
    if isinstance(tensor, torch.nn.Parameter):
        return True
    origin = facts.origin_of(tensor)
    if origin is None or depth == 0 or not -tensor.dim() <= dim < tensor.dim():
        return False
    dim %= tensor.dim()
    size = int(tensor.shape[dim])
    declared = _declared(origin.module, dim, tensor.dim())
    if declared is not None:
        return declared == size
    name = str(getattr(origin.function, "__name__", ""))
    if name in ("cat", "concat"):
        return _joined(tensor, dim, origin, facts, depth)
    made = _of_weights(tensor, dim, origin, name)
    if made is not None:
        return fixed(*made, facts, depth - 1)
    if name in ("flatten", "view", "reshape") or type(origin.module).__name__ == "Flatten":
        return _merged(tensor, dim, origin, facts, depth)
    if name in _TURNS or (name in _DROPPING and origin.inputs and _is_part(tensor.shape, origin.inputs[0].shape)):
        source = origin.inputs[0]
        places = [place for place, other in enumerate(source.shape) if other == size]
        return bool(places) and all(fixed(source, place, facts, depth - 1) for place in places)
    if name in _PARTS and origin.inputs and origin.inputs[0].dim() == tensor.dim():
        return fixed(origin.inputs[0], dim, facts, depth - 1)  # so is a part of it, which its own code cuts out
    same = [part for part in origin.inputs if part.dim() == tensor.dim() and part.shape[dim] == size]
    return bool(same) and _passes(origin, name) and any(fixed(part, dim, facts, depth - 1) for part in same)


def _passes(origin: Origin, name: str) -> bool:
    """Whether an operator that keeps the rank keeps each dimension in its place."""
    return name not in _TURNS and name not in ("einsum", "rearrange", "matmul", "__getitem__")


def _of_weights(tensor: torch.Tensor, dim: int, origin: Origin, name: str) -> Optional[tuple[torch.Tensor, int]]:
    """The weights that give a dimension of the output its size, and which of theirs it is."""
    weights = origin.inputs[1] if len(origin.inputs) > 1 else None
    if weights is None or weights.dim() < 2:
        return None
    if name == "linear" and dim == tensor.dim() - 1:
        return weights, 0
    if name in ("conv1d", "conv2d", "conv3d") and dim == 1 and weights.dim() == tensor.dim():
        return weights, 0
    if name in ("matmul", "__matmul__", "mm", "bmm") and dim == tensor.dim() - 1:
        return weights, weights.dim() - 1
    return None


def _is_part(fewer: torch.Size, more: torch.Size) -> bool:
    """Whether some sizes are those of more dimensions, of which some are gone."""
    waiting = iter(more)
    return len(fewer) < len(more) and all(size in waiting for size in fewer)


def _joined(tensor: torch.Tensor, dim: int, origin: Origin, facts: Facts, depth: int) -> bool:
    parts = origin.inputs
    if not parts or any(part.dim() != tensor.dim() for part in parts):
        return False
    sizes = [int(part.shape[dim]) for part in parts]
    if sum(sizes) == int(tensor.shape[dim]):
        return all(fixed(part, dim, facts, depth - 1) for part in parts)
    return any(fixed(part, dim, facts, depth - 1) for part in parts)


def _merged(tensor: torch.Tensor, dim: int, origin: Origin, facts: Facts, depth: int) -> bool:
    """A last dimension made of all trailing dimensions of the input."""
    if dim != tensor.dim() - 1 or len(origin.inputs) != 1:
        return False
    source = origin.inputs[0]
    kept = tensor.dim() - 1
    if tuple(source.shape[:kept]) != tuple(tensor.shape[:kept]):
        return False
    if math.prod(source.shape[kept:]) != int(tensor.shape[dim]):
        return False
    return all(fixed(source, place, facts, depth - 1) for place in range(kept, source.dim()))


def _of_parts(args: tuple[Any, ...], facts: Facts) -> _Sides:
    parts = list(args[0]) if args and isinstance(args[0], (list, tuple)) else []
    dim = args[1] if len(args) > 1 and isinstance(args[1], int) else 0
    if len(parts) < 2 or not all(isinstance(part, torch.Tensor) for part in parts):
        return None
    first = parts[0]
    for other in parts[1:]:
        if other.dim() != first.dim():
            return None
        for place in range(first.dim()):
            if place != dim % first.dim() and first.shape[place] != other.shape[place]:
                both = fixed(first, place, facts) and fixed(other, place, facts)
                return (int(first.shape[place]), int(other.shape[place])) if both else None
    return None


def _of_operands(left: torch.Tensor, right: torch.Tensor, facts: Facts) -> _Sides:
    for place in range(1, min(left.dim(), right.dim()) + 1):
        one, other = int(left.shape[-place]), int(right.shape[-place])
        if one != other and 1 not in (one, other):
            return (one, other) if fixed(left, -place, facts) and fixed(right, -place, facts) else None
    return None


def _groups(args: tuple[Any, ...]) -> int:
    return args[6] if len(args) > 6 and isinstance(args[6], int) else 1


def _sides(given: torch.Tensor, dim: int, wanted: int, facts: Facts) -> _Sides:
    size = int(given.shape[dim])
    return (size, wanted) if size != wanted and fixed(given, dim, facts) else None


def _declared(module: Any, dim: int, rank: int) -> Optional[int]:
    """The size that a torch.nn layer gives this dimension of its output, if it says so."""
    if module is None or not type(module).__module__.startswith("torch.nn"):
        return None
    name = type(module).__name__
    if name.startswith("Adaptive") and dim >= 2:
        size = module.output_size
        wanted = size if isinstance(size, int) else size[dim - 2] if len(size) == rank - 2 else None
        return wanted if isinstance(wanted, int) else None
    if dim == rank - 1:
        for attribute in ("out_features", "embedding_dim"):
            value = getattr(module, attribute, None)
            if isinstance(value, int):
                return value
    if dim == 1:
        value = getattr(module, "out_channels", None)
        if isinstance(value, int):
            return value
    return None
