"""The two numbers that disagree where an operation failed, read from what went in and from PyTorch's own words."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, Optional

import torch

from metalens.worker.trace.facts import Raised


class Sides(NamedTuple):
    """`given` and `wanted` disagree. `divides`: it is enough if `wanted` divides `given`."""

    given: int
    wanted: int
    divides: bool = False

    @property
    def agree(self) -> bool:
        """Whether these two would do."""
        return self.given == self.wanted or (self.divides and self.wanted > 0 and self.given % self.wanted == 0)


_PAIRS = tuple(
    re.compile(text)
    for text in (
        r"size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\)",
        r"shapes cannot be multiplied \(\d+x(?P<a>\d+) and (?P<b>\d+)x\d+\)",
        r"same reduction dim, but got \[(?:\d+, )*(?P<a>\d+)\] X \[(?P<b>\d+)",
        r"to have (?P<b>\d+) channels, but got (?P<a>\d+)",
        r"num_features \((?P<b>\d+)\), but got: (?P<a>\d+)",
        r"running_mean should contain (?P<a>\d+) elements not (?P<b>\d+)",
        r"expected input with shape \[\*, (?:\d+, )*(?P<b>\d+)\], but got input of size\[(?:\d+, )*(?P<a>\d+)\]",
        r"expanded size of the tensor \((?P<b>\d+)\) must match the existing size \((?P<a>\d+)\)",
        r"equal to input_size\. Expected (?P<b>\d+), got (?P<a>\d+)",
        r"embedding dimension of (?P<b>\d+), but got (?P<a>\d+)",
        r"has size (?P<a>\d+) for operand \d+ which does not broadcast with previously seen size (?P<b>\d+)",
        r"[Ss]hape mismatch, (?P<a>\d+) != (?P<b>\d+)",
        r"xpected size (?P<b>\d+) but got size (?P<a>\d+)",
        r"expected (?P<b>\d+) in dimension \d+ but got (?P<a>\d+)",
        r"index (?P<a>\d+) is out of bounds for dimension \d+ with size (?P<b>\d+)",
        r"(?:not enough|too many) values to unpack \(expected (?P<b>\d+)(?:, got (?P<a>\d+))?\)",
        r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)",
    )
)
_PARTS = tuple(
    re.compile(text)
    for text in (
        r"can't divide axis of length (?P<a>\d+) in chunks of (?P<b>\d+)",
        r"divisible by num_groups, but got input of shape \[\d+, (?P<a>\d+).*num_groups=(?P<b>\d+)",
    )
)
_LISTS = (
    r"Expected hidden\S* size \(([\d, ]+)\), got \[([\d, ]+)\]",
    r"batch2 tensor to be: \[([\d, ]+)\] but got: \[([\d, ]+)\]",
    r"output with shape \[([\d, ]+)\] doesn't match the broadcast shape \[([\d, ]+)\]",
)


def sides_of(error: BaseException, raised: Optional[Raised], call: Any) -> Optional[Sides]:
    """What disagrees; None where that is not told by two numbers. `call` is the innermost module call under way."""
    text = str(error)
    if raised is not None:
        found = _of_function(raised)
        if found is not None:
            return found
    for pattern in _PAIRS:
        match = pattern.search(text)
        if match and match.group("a"):
            return Sides(int(match.group("a")), int(match.group("b")))
    for pattern in _PARTS:
        match = pattern.search(text)
        if match:
            return Sides(int(match.group("a")), int(match.group("b")), True)
    for form in _LISTS:
        match = re.search(form, text)
        if match:
            return _first_difference(_numbers(match.group(2)), _numbers(match.group(1)))
    wanted = getattr(call.module, "num_features", None) if call is not None else None
    if isinstance(wanted, int) and call.args and isinstance(call.args[0], torch.Tensor) and call.args[0].dim() > 1:
        return _unequal(int(call.args[0].shape[1]), wanted)
    return None


def _of_split(x: torch.Tensor, raised: Raised) -> Optional[Sides]:
    sizes = [size for size in raised.args[1] if type(size) is int]
    dim = raised.kwargs.get("dim", raised.args[2] if len(raised.args) > 2 else 0)
    told = len(sizes) == len(raised.args[1]) and type(dim) is int and -x.dim() <= dim < x.dim()
    return _unequal(int(x.shape[dim]), sum(sizes)) if told else None


def _of_function(raised: Raised) -> Optional[Sides]:
    name = str(getattr(raised.function, "__name__", "")).strip("_")
    tensors = [part for part in (*raised.args, *raised.kwargs.values()) if isinstance(part, torch.Tensor)]
    if not tensors:
        return _of_joined(raised) if name in ("cat", "concat", "stack") else None
    x = tensors[0]
    if name == "linear" and len(tensors) > 1 and x.dim():
        return _unequal(int(x.shape[-1]), int(tensors[1].shape[-1]))
    if name.startswith("conv") and len(tensors) > 1 and tensors[1].dim() > 2 and x.dim() >= tensors[1].dim() - 1:
        weight = tensors[1].shape
        groups = raised.args[6] if len(raised.args) > 6 and isinstance(raised.args[6], int) else 1
        wanted = int(weight[0]) if "transpose" in name else int(weight[1]) * groups
        return _unequal(int(x.shape[x.dim() - len(weight) + 1]), wanted)
    if name == "batch_norm" and len(tensors) > 1 and x.dim() > 1:
        return _unequal(int(x.shape[1]), int(tensors[1].shape[0]))
    if name in ("layer_norm", "rms_norm") and len(raised.args) > 1 and isinstance(raised.args[1], (tuple, list)):
        return _first_difference(list(map(int, x.shape)), list(map(int, raised.args[1])))
    if name.startswith("split") and len(raised.args) > 1 and isinstance(raised.args[1], (tuple, list)):
        return _of_split(x, raised)
    if name.startswith("max_unpool") and len(tensors) > 1:
        return _first_difference(list(map(int, x.shape)), list(map(int, tensors[1].shape)))
    if name in _BINARY and len(tensors) > 1:
        return _of_operands(x, tensors[1])
    if name in ("view", "reshape"):
        return _of_view(x, raised.args[1:])
    return None


_BINARY = frozenset("add sub mul div truediv iadd isub imul itruediv radd rsub rmul where maximum minimum".split())


def _of_operands(left: torch.Tensor, right: torch.Tensor) -> Optional[Sides]:
    for one, other in zip(reversed(left.shape), reversed(right.shape)):
        if one != other and 1 not in (one, other):
            return Sides(int(one), int(other))
    return None


def _of_view(x: torch.Tensor, sizes: tuple[Any, ...]) -> Optional[Sides]:
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    if not sizes or not all(isinstance(size, int) for size in sizes) or sizes.count(-1) > 1:
        return None
    total, known = x.numel(), math.prod(size for size in sizes if size != -1)
    if x.dim() and sizes[0] == x.shape[0] and sizes[0] > 0:
        total, known = total // sizes[0], known // sizes[0]
    elif -1 in sizes and x.dim() > 1 and x.shape[0]:
        total //= int(x.shape[0])  # that a batch may be a multiple of anything does not make it fit
    return _unequal(total, known, -1 in sizes)


def _of_joined(raised: Raised) -> Optional[Sides]:
    parts = raised.args[0] if raised.args else raised.kwargs.get("tensors")
    dim = raised.args[1] if len(raised.args) > 1 else raised.kwargs.get("dim", 0)
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, torch.Tensor) for part in parts):
        return None
    for other in parts[1:]:
        if other.dim() != parts[0].dim() or not isinstance(dim, int) or not other.dim():
            return None
        left, right = list(map(int, parts[0].shape)), list(map(int, other.shape))
        if getattr(raised.function, "__name__", "") != "stack":
            left[dim % len(left)] = right[dim % len(right)] = 0
        found = _first_difference(right, left)
        if found is not None:
            return found
    return None


def _first_difference(given: list[int], wanted: list[int]) -> Optional[Sides]:
    for one, other in zip(reversed(given), reversed(wanted)):
        if one != other:
            return Sides(one, other)
    return None


def _unequal(given: int, wanted: int, divides: bool = False) -> Optional[Sides]:
    sides = Sides(given, wanted, divides)
    return None if sides.agree else sides


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


_NUMBER = re.compile(r"(?<![A-Za-z])-?\d+(?!-?D\b)")


def masked(error: BaseException) -> str:
    """The words of an error without its numbers."""
    return type(error).__name__ + ": " + _NUMBER.sub("#", str(error))[:200]
