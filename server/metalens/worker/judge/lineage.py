"""Where a dimension of a tensor got its size: back through the operations that kept it, to the layer that set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.worker.judge import torchkind
from metalens.worker.judge.words import function_name, product
from metalens.worker.trace.facts import Facts, Origin

FACTORIES = frozenset(
    [
        "randn",
        "rand",
        "randint",
        "zeros",
        "ones",
        "empty",
        "full",
        "arange",
        "linspace",
        "eye",
        "tensor",
        "randperm",
        "normal",
        "as_tensor",
        "from_numpy",
    ]
)
RESHAPES = frozenset(["flatten", "view", "reshape", "view_as", "reshape_as", "unflatten"])
TURNS = frozenset(["permute", "transpose", "swapaxes", "swapdims", "t", "movedim", "rearrange", "mt"])
_STEPS = 400


@dataclass(frozen=True)
class Step:
    """One operation on the way: the tensor that it gave, and its origin."""

    tensor: Any
    origin: Origin


@dataclass(frozen=True)
class Lineage:
    """The end of the way back from one dimension.

    `layer` set the size, or is None: then `origin` is the operation where the trace ends (a factory such as
    `torch.randn`, or one that computes a new size), or None for an input. `tensor` and `dim` are where the size was
    set. `arithmetic` tells how it was composed (`128·8·8`, of `parts`) and `how` by which operation (`flatten`).
    `steps` come last first.
    """

    layer: Any
    origin: Optional[Origin]
    tensor: Any
    dim: int
    arithmetic: str = ""
    how: str = ""
    parts: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_factory(self) -> bool:
        """Whether the size was written down where the tensor was made (`torch.randn(1, 3, 8, 8)`)."""
        return self.origin is not None and self.layer is None and operation_of(self.origin) in FACTORIES


def operation_of(origin: Origin) -> str:
    """The plain name of what made a tensor: of a function, or of the layer that was called (`flatten`)."""
    if origin.module is not None:
        return type(origin.module).__name__.lower()
    return function_name(origin.function)


def lineage_of(facts: Facts, tensor: Any, dim: int) -> Lineage:
    """Follow dimension `dim` of `tensor` back to where its size was set."""
    arithmetic, how = "", ""
    parts: tuple[int, ...] = ()
    steps: list[Step] = []
    dim = dim % max(tensor.dim(), 1)
    for _ in range(_STEPS):
        origin = facts.origin_of(tensor)
        if origin is None:
            return Lineage(None, None, tensor, dim, arithmetic, how, parts, tuple(steps))
        steps.append(Step(tensor, origin))
        inputs = _data(origin, tensor)
        layer = origin.module if origin.module is not None and _sets(origin.module, tensor, dim) else None
        if layer is not None or not inputs or operation_of(origin) in FACTORIES:
            return Lineage(layer, origin, tensor, dim, arithmetic, how, parts, tuple(steps))
        name = operation_of(origin)
        joined = _joined(name, inputs, tensor, dim)
        if joined and not arithmetic:
            return Lineage(None, origin, tensor, dim, " + ".join(map(str, joined)), name, joined, tuple(steps))
        back = _back(name, inputs, tensor, dim)
        if back is None:
            return Lineage(None, origin, tensor, dim, arithmetic, how, parts, tuple(steps))
        source, first, merged = back
        if len(merged) > 1 and not arithmetic:
            trailing = first > 0 and dim == tensor.dim() - 1 and name in RESHAPES
            arithmetic, how, parts = product(merged), "flatten" if trailing else name, merged
        tensor, dim = source, first
    return Lineage(None, None, tensor, dim, arithmetic, how, parts, tuple(steps))


def split_from(lineage: Lineage) -> Optional[tuple[Any, int]]:
    """The tensor, and its dimension, that a reshape made this dimension and others of: heads, of a width."""
    origin, tensor = lineage.origin, lineage.tensor
    if origin is None or operation_of(origin) not in RESHAPES or not origin.inputs:
        return None
    source = origin.inputs[0]
    for dim in range(source.dim()):
        run = _merged(tuple(tensor.shape), tuple(source.shape), dim)
        if run is not None and run[1] > 1 and run[0] <= lineage.dim < sum(run):
            return source, dim
    return None


def producing_layer(facts: Facts, tensor: Any) -> Any:
    """The last torch.nn layer that this tensor came through, whatever it set; None if it came through none."""
    for _ in range(_STEPS):
        origin = facts.origin_of(tensor)
        if origin is None:
            return None
        if origin.module is not None:
            return origin.module
        inputs = _data(origin, tensor)
        if not inputs:
            return None
        tensor = inputs[0]
    return None


def root_of(facts: Facts, tensor: Any) -> tuple[Any, Optional[Origin]]:
    """The first tensor of a chain (an input or a factory's), and its origin if it has one."""
    for _ in range(_STEPS):
        origin = facts.origin_of(tensor)
        if origin is None:
            return tensor, None
        inputs = _data(origin, tensor)
        if not inputs:
            return tensor, origin
        tensor = inputs[0]
    return tensor, None


def _data(origin: Origin, tensor: Any) -> tuple[Any, ...]:
    return tuple(t for t in origin.inputs if not isinstance(t, torch.nn.Parameter) and t is not tensor)


def _sets(module: Any, tensor: Any, dim: int) -> bool:
    # Space is not set by a convolution's channels: only the channel dimension counts as set by it.
    return torchkind.width_dim(module, tensor.dim()) == dim


def _joined(name: str, inputs: tuple[Any, ...], tensor: Any, dim: int) -> tuple[int, ...]:
    if name not in ("cat", "concat", "concatenate", "hstack", "dstack") or len(inputs) < 2:
        return ()
    sizes = tuple(int(t.shape[dim]) for t in inputs if t.dim() == tensor.dim())
    same = all(t.shape[dim] == tensor.shape[dim] for t in inputs if t.dim() == tensor.dim())
    return sizes if sum(sizes) == tensor.shape[dim] and not same else ()


def _back(name: str, inputs: tuple[Any, ...], tensor: Any, dim: int) -> Optional[tuple[Any, int, tuple[int, ...]]]:
    """The input that a dimension comes from, the first of its dimensions there, and their sizes."""
    size = int(tensor.shape[dim])
    if name in ("matmul", "bmm", "mm", "linear") and len(inputs) > 1 and dim == tensor.dim() - 1:
        other = inputs[1]
        return (other, other.dim() - 1, (size,)) if other.dim() > 1 and other.shape[-1] == size else None
    if name not in TURNS:
        for other in inputs:
            if other.dim() == tensor.dim() and other.shape[dim] == size:
                return other, dim, (size,)
    source = inputs[0]
    if source.numel() == tensor.numel() and source.dim() != tensor.dim():
        merged = _merged(tuple(source.shape), tuple(tensor.shape), dim)
        if merged is not None:
            first, count = merged
            return source, first, tuple(int(n) for n in source.shape[first : first + count])
    if source.dim() == tensor.dim() and name not in TURNS:
        return None
    places = [i for i, n in enumerate(source.shape) if n == size]
    return (source, places[0], (size,)) if len(places) == 1 else None


def _merged(before: tuple[int, ...], after: tuple[int, ...], dim: int) -> Optional[tuple[int, int]]:
    """The run of dimensions of `before` (start, count) that became dimension `dim` of `after` in a reshape."""
    i = j = 0
    while i < len(before) and j < len(after):
        i_start, j_start = i, j
        left, right = before[i], after[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right and i < len(before):
                left, i = left * before[i], i + 1
            elif right < left and j < len(after):
                right, j = right * after[j], j + 1
            else:
                return None
        while j == len(after) and i < len(before) and before[i] == 1:
            i += 1
        if j_start <= dim < j:
            return (i_start, i - i_start) if j - j_start == 1 else None
    return None
