"""Operations that only rearrange: view, permute, indexing, split, expand, unpacking."""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Optional

import torch

from metalens.worker.judge import words
from metalens.worker.judge.assertions import assertion_of
from metalens.worker.judge.case import Case, Mistake, layer_word
from metalens.worker.judge.source import source_of
from metalens.worker.judge.unpacking import unpacking_of

_INDEX = re.compile(
    r"index (-?\d+) (?:is out of bounds for dimension|out of range for tensor of size)"
    r"|INDICES element is out of DATA bounds, id=(-?\d+)|index out of range in self()"
)
_EXPANDED = re.compile(
    r"expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\) at non-singleton dimension (\d+)"
)


def unpacking(case: Case) -> Optional[Mistake]:
    """`B, C, H = x.shape` with another number of names than dimensions."""
    found = unpacking_of(case.failure, case.facts)
    if found is None:
        return None
    source = source_of(case.facts, case.location.file)
    head = f"{source.text_of(found.statement.targets[0])} = {source.text_of(found.statement.value)}"
    names = words.plural(found.names, "name")
    if found.shape is not None:
        tail = f"{names} for {words.plural(len(found.shape), 'dim')} {words.shape(found.shape)}"
    elif found.values is not None:
        tail = f"{names} for {words.plural(found.values, 'value')}"
    else:
        tail = f"{names} for more values"
    message = words.fit(f"{head}: {tail}", f"{source.text_of(found.statement.value)}: {tail}", f"unpacking: {tail}")
    return Mistake("unpack-rank", message, expected=found.names, given=found.values)


def assertion(case: Case) -> Optional[Mistake]:
    """A condition on sizes that the user's own module checks, and that does not hold."""
    found = assertion_of(case.failure, case.facts)
    if found is None:
        return None
    under_way = case.failure.modules[-1].module if case.failure.modules else None
    word = layer_word(case, under_way) if under_way is not None else case.failure.model
    verb = "asserts" if found.asserted else "refuses"
    test = found.source.text_of(found.test)
    decided = found.source.text_of(found.decided)
    message = words.fit(
        f"{word} {verb} {test}: {found.what}", f"{word} {verb} {decided}: {found.what}", f"{word}: {found.what}"
    )
    return Mistake("size-assertion", message)


def item(case: Case) -> Optional[Mistake]:
    """`x.shape[3]` of a tensor with fewer dimensions; an item that a layer's tuple of outputs does not have."""
    if case.name != "getitem" or not isinstance(case.failure.args[0], tuple):
        return None
    values, key = case.failure.args
    many = f"{words.plural(len(values), 'value')}"
    if isinstance(values, torch.Size):
        many = f"{words.plural(len(values), 'dim')} {words.shape(values)}"
    message = words.fit(f"{_call_text(case)}: index {key} for {many}", f"index {key} for {many}")
    return Mistake("index-range", message, given=int(key), expected=len(values))


def view(case: Case) -> Optional[Mistake]:
    """view, reshape, unflatten: the numbers of elements differ, or the memory is not contiguous."""
    if case.name not in ("view", "reshape", "unflatten", "view_as", "reshape_as") or not case.tensors:
        return None
    x = case.tensors[0]
    head = _call_text(case)
    if "not compatible with input tensor's size and stride" in case.torch:
        message = words.fit(
            f"{head}: {words.shape(x.shape)} is not contiguous here; use reshape", f"{case.name}: use reshape"
        )
        return Mistake("view-contiguity", message, tensor=x)
    if case.name == "unflatten":
        return _unflatten(case, x, head)
    wanted = _sizes(case)
    total = math.prod(int(n) for n in x.shape)
    if not wanted or any(not isinstance(n, int) for n in wanted):
        return None
    known = math.prod(n for n in wanted if n != -1)
    shape = words.shape(x.shape)
    if -1 in wanted:
        message = f"{head}: {shape} has {total} elements, not a multiple of {known}"
        return Mistake(
            "reshape-numel",
            words.fit(message, f"{case.name}: {total} elements, not a multiple of {known}"),
            tensor=x,
            expected=known,
            given=total,
        )
    if x.dim() and wanted[0] == x.shape[0] and wanted[0] > 0 and len(wanted) > 1:
        each, want = total // wanted[0], known // wanted[0]
        message = words.fit(
            f"{head}: input has {each} elements per item, not {want}",
            f"{case.name}: {each} elements per item, not {want}",
        )
        return Mistake("reshape-numel", message, tensor=x, expected=want, given=each)
    message = words.fit(
        f"{head}: {shape} has {total} elements, not {known}", f"{case.name}: {total} elements, not {known}"
    )
    return Mistake("reshape-numel", message, tensor=x, expected=known, given=total)


def dims(case: Case) -> Optional[Mistake]:
    """permute with the wrong count of dimensions; a dimension that does not exist; an index beyond its size."""
    if not case.tensors:
        return None
    x, head = case.tensors[0], _call_text(case)
    shape = words.shape(x.shape)
    if case.name == "permute" and "number of dimensions" in case.torch:
        wanted = len(_sizes(case))
        message = words.fit(f"{head} names {words.plural(wanted, 'dim')}, got {x.dim()}-D {shape}")
        return Mistake("dim-count", message, tensor=x, expected=wanted, given=int(x.dim()))
    match = re.search(
        r"Dimension out of range \(expected to be in range of \[(-?\d+), (-?\d+)\], but got (-?\d+)\)", case.torch
    )
    if match is not None:
        bad = match.group(3)
        message = words.fit(
            f"{head}: dim {bad} is out of range for {x.dim()}-D {shape}",
            f"{case.name}: dim {bad} is out of range for {x.dim()}-D {shape}",
        )
        return Mistake("dim-range", message, tensor=x, given=int(bad), expected=int(match.group(2)))
    match = _INDEX.search(case.torch)
    if match is not None:
        index = match.group(1) or match.group(2) or ""
        which = f"index {index}" if index else "an index"
        message = words.fit(f"{head}: {which} is out of range for {shape}", f"{which} is out of range for {shape}")
        return Mistake("index-range", message, tensor=x, given=int(index) if index else None)
    if "too many indices" in case.torch:
        message = words.fit(
            f"{head}: more indices than dims, {shape} has {x.dim()}", f"more indices than dims: {shape} has {x.dim()}"
        )
        return Mistake("dim-count", message, tensor=x, given=int(x.dim()))
    return None


def indexed(case: Case) -> Optional[Mistake]:
    """gather and scatter: an index with another number of dimensions than the tensor."""
    if "Index tensor must have the same number of dimensions" not in case.torch or len(case.tensors) < 2:
        return None
    x, index = case.tensors[:2]
    head = f"{case.name} expects a {x.dim()}-D index, got {index.dim()}-D {words.shape(index.shape)}"
    message = words.within(head, f" for {words.shape(x.shape)}")
    return Mistake("input-rank", message, tensor=index, other=x, expected=int(x.dim()), given=int(index.dim()))


def split(case: Case) -> Optional[Mistake]:
    """split with sizes that do not add up."""
    match = re.search(
        r"sum exactly to (\d+) \(input tensor's size at dimension (-?\d+)\), but got split_sizes=\[([\d, -]*)\]",
        case.torch,
    )
    if match is None or not case.tensors:
        return None
    total, dim = int(match.group(1)), int(match.group(2))
    sizes = [int(size) for size in match.group(3).split(",") if size.strip()]
    text = " + ".join(map(str, sizes)) if len(sizes) <= 5 else "…"
    x = case.tensors[0]
    message = words.fit(
        f"split into {text} = {sum(sizes)}, but dim {dim % x.dim()} of {words.shape(x.shape)} is {total}",
        f"split into {sum(sizes)}, but dim {dim} is {total}",
    )
    return Mistake("split-sizes", message, tensor=x, dim=dim % x.dim(), expected=sum(sizes), given=total, exact=True)


def expand(case: Case) -> Optional[Mistake]:
    """expand and repeat; an assignment to a slice of another shape."""
    if not case.tensors:
        return None
    x = case.tensors[0]
    match = _EXPANDED.search(case.torch)
    if match is not None:
        want, got, dim = (int(group) for group in match.groups())
        if case.name == "setitem":
            value = case.tensors[-1]
            message = f"assignment: dim {dim} is {want} on the left, {got} on the right ({words.shape(value.shape)})"
            return Mistake("expand-size", words.fit(message), tensor=value, dim=min(dim, value.dim() - 1))
        message = words.fit(
            f"{_call_text(case)}: dim {dim} is {got}, cannot become {want} ({words.shape(x.shape)})",
            f"{case.name}: dim {dim} is {got}, cannot become {want}",
        )
        return Mistake("expand-size", message, tensor=x, expected=want, given=got)
    if case.name in ("expand", "repeat", "expand_as") and (
        "Number of dimensions" in case.torch or "number of sizes" in case.torch
    ):
        message = words.fit(
            f"{_call_text(case)}: fewer sizes than dims, {words.shape(x.shape)} has {x.dim()}",
            f"{case.name}: fewer sizes than dims of {words.shape(x.shape)}",
        )
        return Mistake("expand-size", message, tensor=x, expected=int(x.dim()), given=len(_sizes(case)))
    return None


def rearrange(case: Case) -> Optional[Mistake]:
    """einops: a pattern that does not fit its tensor."""
    match = re.search(r"Error while processing (\w+?)-reduction pattern \"(.*?)\"", case.torch)
    if match is None:
        return None
    pattern = re.sub(r"\s+", " ", match.group(2))
    size = re.search(r"Input tensor shape: torch\.Size\(\[([\d, ]*)\]\)", case.torch)
    shape = f"[{size.group(1)}]" if size else "the tensor"
    reason = case.torch.strip().splitlines()[-1].strip().rstrip(".")
    message = words.fit(
        f"'{pattern}' does not fit {shape}: {reason}",
        f"'{pattern}' does not fit {shape}",
        f"pattern does not fit {shape}: {reason}",
        f"pattern does not fit {shape}",
    )
    return Mistake("reshape-numel", message)


def _unflatten(case: Case, x: Any, head: str) -> Optional[Mistake]:
    match = re.search(
        r"Provided sizes \[([\d, -]+)\] don't multiply up to the size of dim (-?\d+) \((\d+)\)", case.torch
    )
    if match is None:
        return None
    wanted = math.prod(int(n) for n in match.group(1).split(",") if int(n) != -1)
    message = words.fit(f"{head}: dim {match.group(2)} has {match.group(3)} elements, not {wanted}")
    return Mistake("reshape-numel", message, tensor=x, expected=wanted, given=int(match.group(3)))


def _sizes(case: Case) -> list[Any]:
    values = list(case.failure.args[1:])
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = list(values[0])
    if len(values) == 1 and hasattr(values[0], "shape"):
        values = list(values[0].shape)
    return [int(value) if isinstance(value, int) else value for value in values]


def _call_text(case: Case) -> str:
    """`view(B, 4096)` as it is written, or with the values if that is too long."""
    node = case.node()
    source = source_of(case.facts, case.location.file)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        args = ", ".join(source.text_of(arg) for arg in (*node.args, *(k for k in node.keywords)))
        if len(args) <= 30:
            return f"{node.func.attr}({args})"
    if isinstance(node, ast.Subscript) and len(source.text_of(node)) <= 30:
        return source.text_of(node)
    if case.name in ("getitem", "setitem"):
        return "index"
    values = ", ".join(str(value) for value in _sizes(case))
    return f"{case.name}({values})" if len(values) <= 30 else case.name
