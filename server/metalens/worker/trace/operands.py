"""What a torch function is called with: tensors in lists and dictionaries, real ones and meta ones, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from metalens.worker.load.grids import Repeated

Function = Callable[..., Any]

_MANY = 1 << 22


def to_meta(value: Any) -> Any:
    """A tensor's twin on the meta device; anything else as it is. Parameters stay parameters."""
    if not isinstance(value, torch.Tensor) or is_lazy(value) or value.is_meta:
        return value
    twin = torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="meta")
    if isinstance(value, torch.nn.Parameter):
        return torch.nn.Parameter(twin, value.requires_grad)
    return twin


def forget(tensor: Any) -> bool:
    """Make a real tensor a meta tensor where it is; False if others look at its values, or torch cannot do so."""
    swap = getattr(torch.utils, "swap_tensors", None)  # since torch 2.3
    if not isinstance(tensor, torch.Tensor) or tensor._is_view() or swap is None:
        return isinstance(tensor, torch.Tensor) and tensor.is_meta
    if not tensor.is_meta:
        try:
            swap(tensor, to_meta(tensor))
        except RuntimeError:
            return False
    return True


def tensor_of(function: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
    """What a constructor makes of given numbers; of very many, a meta tensor: nobody decides anything by so many."""
    data = args[0] if args else None
    if isinstance(data, Repeated):
        row = function(data[:1], *args[1:], **kwargs)
        return torch.empty((len(data), *row.shape[1:]), dtype=row.dtype, device="meta")
    made = function(*args, **kwargs)
    return to_meta(made) if made.numel() > _MANY else made


def inputs_of(function: Any, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
    """The tensors that a call takes: that whose method it is, those among its arguments, and those in the first one."""
    owner = getattr(function, "__self__", None)
    first = args[0] if args and isinstance(args[0], (list, tuple)) else ()
    return tuple(part for part in (owner, *args, *first) if isinstance(part, torch.Tensor))


def is_lazy(tensor: Any) -> bool:
    """Whether a parameter or buffer waits for its first input to get a shape."""
    return isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin)


def zeros_of(value: Any) -> Any:
    """A real tensor of zeros in place of a meta tensor, the CPU in place of the meta device."""
    if isinstance(value, torch.Tensor) and value.is_meta:
        return torch.zeros(value.shape, dtype=value.dtype, device="cpu")
    if isinstance(value, torch.device) and value.type == "meta":
        return torch.device("cpu")
    return value


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """The value with each tensor (and each other leaf) of it changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        parts = [mapped(change, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if type(value) is dict:
        return {key: mapped(change, part) for key, part in value.items()}
    return change(value)


def tensors_in(value: Any) -> Any:
    """The tensors in lists, tuples and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def is_mixed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether meta tensors and real ones stand side by side."""
    devices = {tensor.is_meta for tensor in tensors_in((args, kwargs)) if not is_lazy(tensor)}
    return len(devices) == 2


def is_in_place(func: Function) -> bool:
    """Whether a function writes into its first argument."""
    name = str(getattr(func, "__name__", ""))
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__")) or name.startswith("__i")


def name_of(func: Function) -> str:
    """The plain name of a function."""
    return str(getattr(func, "__name__", func)).strip("_")


def numel_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The number of elements that a factory is asked for; 0 where that cannot be told."""
    size: Any = kwargs.get("size", args)
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        size = args[0]
    try:
        return math.prod(int(part) for part in size if isinstance(part, int))
    except TypeError:
        return 0


class _Asked(TorchFunctionMode):
    """Whether torch asks a mode what an index means; 2.1 does not."""

    seen = False

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run it."""
        self.seen = self.seen or func is torch.Tensor.__getitem__
        return func(*args, **(kwargs or {}))


with _Asked() as _asked:
    torch.zeros(1)[0]
INDEX_IS_UNSEEN = not _asked.seen


def is_unwritten(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a result is real although something that it was computed of is not.

    torch runs its meta kernel then, and leaves the memory of the result as it was. What only looks at real values is
    as real as they are.
    """
    if not isinstance(result, torch.Tensor) or result.is_meta or is_lazy(result) or result._is_view():
        return False
    return any(tensor.is_meta for tensor in tensors_in((args, kwargs)))
