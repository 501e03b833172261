"""Hybrid execution: weights and activations are meta tensors, small constants stay real, devices do not matter.

Every torch function that Python code calls passes through `Hybrid`. Values that only a real run would know are invented
and the run is tainted from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import torch
from torch.overrides import TorchFunctionMode

from metalens.worker.load import inventions
from metalens.worker.load.unknown import Unknown, UnknownError
from metalens.worker.trace import casting, masks, recurrent, shortcuts
from metalens.worker.trace.devices import devices
from metalens.worker.trace.operands import (
    Function,
    forget,
    is_in_place,
    is_mixed,
    is_unwritten,
    mapped,
    name_of,
    numel_of,
    tensor_of,
    tensors_in,
    to_meta,
    zeros_of,
)

# Random floats stay real up to this size (a coin flip), other constants up to that (masks, position tables).
_REAL_RANDOM, _REAL_CONSTANT, _REAL_INDEX = 16, 4096, 1 << 17
_FALLBACK_LIMIT = 1 << 22
_CERTAIN = frozenset(("matmul", "__matmul__", "mm", "spmm", "mv", "addmm"))  # of sparse matrices: the shape is known


class Limit(Exception):
    """We cannot go on; the user's code is not at fault. The text is a calm sentence."""


class Hybrid(TorchFunctionMode):
    """The mode under which user code runs.

    `on_taint(reason)` hears of each invented value; `on_error(function, args, kwargs, error)` of each torch function
    that raised for the user's sake; `suspicion(function, args, kwargs)` tells of a call that went well on meta tensors
    and would raise on real ones.
    """

    def __init__(
        self,
        on_taint: Callable[[str], None],
        on_error: Callable[[Function, tuple[Any, ...], dict[str, Any], BaseException], None],
        suspicion: Callable[[Function, tuple[Any, ...], dict[str, Any]], Optional[Exception]] = lambda *call: None,
    ) -> None:
        super().__init__()
        self.suspicion = suspicion
        self.on_taint = on_taint
        self.on_error = on_error

    def settle(self) -> None:
        """Make this the one mode at work again, after an interruption at a moment when torch had put it aside."""
        while torch._C._len_torch_function_stack():
            torch._C._pop_torch_function_stack()
        torch._C._push_on_torch_function_stack(self)

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Optional[dict[str, Any]] = None
    ) -> Any:
        """Run one torch function."""
        if casting.is_active():
            return casting.cast(self._run, func, args, kwargs or {})
        return self._run(func, args, kwargs or {})

    def _run(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        shortcut = shortcuts.RULES.get(func)
        if shortcut is not None:
            result = shortcut(args, kwargs)
            if result is not None:
                return result
        special = SPECIAL.get(func)
        try:
            if special is not None:
                return special(self, func, args, kwargs)
            return self.checked(func, args, kwargs)
        except (Limit, UnknownError):
            raise
        except Exception as error:  # noqa: BLE001 - torch raises any type; what it means is decided in rescue
            return self.rescue(func, args, kwargs, error)

    def checked(
        self,
        func: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: Optional[tuple[tuple[Any, ...], dict[str, Any]]] = None,
    ) -> Any:
        """The result of a call, unless a real device would have refused what was `given` (else the arguments)."""
        result = func(*args, **kwargs)
        if is_unwritten(result, args, kwargs):
            self._written(func, args)
            result = func(*mapped(to_meta, args), **mapped(to_meta, kwargs))
        error = self.suspicion(func, *(given or (args, kwargs)))
        if error is not None:
            raise error
        return result

    def _written(self, func: Function, args: tuple[Any, ...]) -> None:
        """A constant into which computed values are written is none from then on."""
        if is_in_place(func) and not (args and forget(args[0])):
            self.on_taint(f"{name_of(func)} writes computed values into a constant")

    def rescue(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
        """Try what a real device would have allowed; else report the error and raise it."""
        text = str(error)
        mixed = is_mixed(args, kwargs)
        if mixed:
            self._written(func, args)
            try:
                return self.checked(func, mapped(to_meta, args), mapped(to_meta, kwargs), (args, kwargs))
            except Exception as second:  # noqa: BLE001 - as above
                error, text = second, str(second)
        if isinstance(error, NotImplementedError) or "meta" in text.lower() or "aten::" in text:
            return self.on_cpu(func, args, kwargs, text)
        # What meta tensors stumble over may be not what a real device refuses.
        error = self.suspicion(func, args, kwargs) or error
        self.on_error(func, args, kwargs, error)
        raise error

    def on_cpu(self, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> Any:
        """Run an operator that meta tensors lack on zeros, if it is small, and forget the values."""
        tensors = list(tensors_in((args, kwargs)))
        if sum(tensor.numel() for tensor in tensors) > _FALLBACK_LIMIT:
            raise Limit(f"{name_of(func)} does not run without values")
        if name_of(func) not in _CERTAIN:
            self.on_taint(f"{name_of(func)} needs values")
        try:
            result = func(*mapped(zeros_of, args), **mapped(zeros_of, kwargs))
        except Exception as error:
            raise Limit(f"{name_of(func)} does not run without values ({text.splitlines()[0][:80]})") from error
        return mapped(to_meta, result)

    def invented(self, reason: str) -> None:
        """Note that a value was made up."""
        self.on_taint(reason)


# ---------------------------------------------------------------- factories

_Special = Callable[[Hybrid, Function, tuple[Any, ...], "dict[str, Any]"], Any]


def _factory(limit: int) -> _Special:
    """A factory whose result is real up to `limit` elements."""

    def make(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        count = numel_of(args[:1] if func is torch.full else args, kwargs)
        real = 0 < count <= limit or (count == 0 and func is not torch.empty)
        kwargs = {**kwargs, "device": "cpu" if real else "meta"}
        kwargs.pop("pin_memory", None)
        if not real:
            kwargs.pop("generator", None)
        # Memory that nobody wrote must not decide anything.
        return (torch.zeros if real and func is torch.empty else func)(*args, **kwargs)

    return make


def _constant(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kwargs = {**kwargs, "device": "cpu"}
    kwargs.pop("pin_memory", None)
    data = args[0] if args else kwargs.get("data")
    if isinstance(data, torch.Tensor) and data.is_meta:
        dtype = kwargs.get("dtype")
        return data.to(dtype) if dtype else data
    if isinstance(data, (list, tuple)) and any(tensor.is_meta for tensor in tensors_in(data)):
        mode.invented("torch.tensor of values that are not known")
        return func(mapped(_zero_number, data), *args[1:], **kwargs)
    return tensor_of(func, *args, **kwargs)


def _zero_number(value: Any) -> Any:
    return 0 if isinstance(value, torch.Tensor) and value.dim() == 0 else value


def _sequence(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """arange, linspace and their like: real unless they are huge."""
    kwargs = {**{key: value for key, value in kwargs.items() if key != "out"}, "device": "meta"}
    args = tuple(_number(mode, part) for part in args)
    shape = func(*args, **kwargs)
    if shape.numel() > _REAL_INDEX:
        return shape
    return func(*args, **{**kwargs, "device": "cpu"})


def _number(mode: Hybrid, value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_meta:
        return _item(mode, torch.Tensor.item, (value,), {})
    return value


def _like(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kwargs = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory")}
    return func(*args, **kwargs)


# ---------------------------------------------------------------- devices and types


def _device(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return torch.device("cpu")


def _itself(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # What is copied to another device keeps its strides only if it fills its place in memory.
    gaps = devices.present and func is torch.Tensor.cuda and not _is_dense(args[0])
    return args[0].contiguous() if gaps else args[0]


def _is_dense(tensor: torch.Tensor) -> bool:
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(tensor.stride(), tensor.shape) if size > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def _to(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`x.to(...)` changes the dtype only."""
    wanted = [part for part in (*args[1:], *kwargs.values()) if isinstance(part, (torch.dtype, torch.Tensor))]
    if not wanted:
        return args[0]
    dtype = wanted[0] if isinstance(wanted[0], torch.dtype) else wanted[0].dtype
    return args[0].to(dtype)


def _type(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`x.type(...)` with a dtype, a name or a legacy tensor type."""
    wanted = args[1] if len(args) > 1 else kwargs.get("dtype")
    if wanted is None:
        return func(*args, **kwargs)
    if isinstance(wanted, torch.dtype):
        return args[0].to(wanted)
    name = wanted if isinstance(wanted, str) else f"{wanted.__module__}.{wanted.__name__}"
    return args[0].to(_LEGACY.get(name.rsplit(".", 1)[-1], torch.float32))


_LEGACY = {
    "FloatTensor": torch.float32,
    "DoubleTensor": torch.float64,
    "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16,
    "LongTensor": torch.int64,
    "IntTensor": torch.int32,
    "ShortTensor": torch.int16,
    "CharTensor": torch.int8,
    "ByteTensor": torch.uint8,
    "BoolTensor": torch.bool,
}

# ---------------------------------------------------------------- values


def _item(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = args[0]
    if not value.is_meta:
        return func(*args, **kwargs)
    if value.numel() != 1:
        # As on a CPU: only one element can become a number.
        return func(torch.zeros(value.shape), *args[1:], **kwargs)
    return func(_made_up(mode, func, value, 1), *args[1:], **kwargs)


def _truth(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not any(tensor.is_meta for tensor in tensors_in((args, kwargs))):
        return func(*args, **kwargs)
    mode.invented(f"{name_of(func)} of a computed tensor")
    return False


def _real_copy(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """tolist, numpy: numbers in place of what was computed."""
    value = args[0]
    if not value.is_meta:
        return func(*args, **kwargs)
    if value.numel() > _FALLBACK_LIMIT:
        raise Limit(f"{name_of(func)}() of a large computed tensor")
    return func(_made_up(mode, func, value, 0), *args[1:], **kwargs)


def _made_up(mode: Hybrid, func: Function, value: torch.Tensor, number: int) -> torch.Tensor:
    """This number in place of each that was computed, unless they are whole: sizes are divided by those."""
    made: float = number
    if value.dtype == torch.bool:
        mode.invented(f"{name_of(func)}() of a computed tensor")
    elif value.is_floating_point() or value.is_complex():
        made = inventions.fraction(number, mode.invented)
    else:
        made = inventions.whole_number(mode.invented)
    return torch.full(value.shape, made, dtype=value.dtype, device="cpu")


def _text(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = args[0]
    return f"tensor(..., size={tuple(value.shape)})" if value.is_meta else func(*args, **kwargs)


def _index(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`x[mask]`: a real mask is turned into indices, which is exact; a computed one is taken to leave nothing out.

    Of one computed place it does not matter which it is: any item has the same shape.
    """
    keys = args[1] if isinstance(args[1], tuple) else (args[1],)
    owner = args[0]
    if len(args) > 2 and isinstance(args[2], Unknown) and forget(owner):
        args = (*args[:2], 0)  # whatever is written there
    if not any(isinstance(key, torch.Tensor) for key in keys):
        return func(*args, **kwargs)
    new: list[Any] = []
    for key in keys:
        if isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8) and key.dim() > 0:
            if key.is_meta and func is torch.Tensor.__setitem__ and _fits_any(args[2]):
                key = torch.ones(key.shape, dtype=torch.bool)
            elif key.is_meta:
                left = min(inventions.left_out(mode.invented), key.numel() - 1)
                key = torch.arange(key.numel()).view(key.shape) >= left
            new.extend(key.nonzero(as_tuple=True))
        elif _is_place(key) and func is torch.Tensor.__getitem__:
            owner = to_meta(owner)
            new.append(0)
        else:
            new.append(key)
    if func is torch.Tensor.__setitem__ and any(key.is_meta for key in tensors_in(keys)) and not forget(owner):
        mode.invented("a constant is written to at computed places")
    key_index = tuple(new) if isinstance(args[1], tuple) or len(new) != 1 else new[0]
    return mode.checked(func, (owner, key_index, *args[2:]), kwargs)


def _fits_any(value: Any) -> bool:
    """Whether a value can be written to any number of places."""
    return not isinstance(value, torch.Tensor) or not value.dim()


def _is_place(key: Any) -> bool:
    """Whether a key is one whole number that was computed."""
    whole = isinstance(key, torch.Tensor) and key.is_meta and not key.dim()
    return whole and not (key.is_floating_point() or key.is_complex() or key.dtype == torch.bool)


def _nothing(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return None


def _grads(mode: Hybrid, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    inputs = kwargs.get("inputs", args[1] if len(args) > 1 else ())
    wanted = [inputs] if isinstance(inputs, torch.Tensor) else inputs
    # Nothing requires a gradient during a run, and nothing is what stands in for a tensor that does not.
    return tuple(torch.empty_like(tensor) if tensor.numel() else Unknown("a gradient") for tensor in wanted)


def _special_functions() -> dict[Any, _Special]:
    tensor = torch.Tensor
    table: dict[Any, _Special] = {}
    for name in ("empty", "rand", "randn"):
        table[getattr(torch, name)] = _factory(_REAL_RANDOM)
    for name in ("zeros", "ones", "eye", "full"):
        table[getattr(torch, name)] = _factory(_REAL_CONSTANT)
    table[torch.normal] = _like
    for name in ("randint", "randperm"):
        table[getattr(torch, name)] = _sequence
    for name in ("arange", "linspace", "logspace", "hann_window", "hamming_window", "tril_indices", "triu_indices"):
        table[getattr(torch, name)] = _sequence
    for name in ("tensor", "as_tensor", "scalar_tensor", "asarray"):
        table[getattr(torch, name)] = _constant
    for name in ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"):
        table[getattr(torch, name)] = _like
    for name in ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"):
        table[getattr(tensor, name)] = _like
    table[tensor.device.__get__] = _device
    table.update(
        {getattr(tensor, name): _itself for name in ("cuda", "cpu", "pin_memory", "requires_grad_", "share_memory_")}
    )
    table[tensor.to], table[tensor.type] = _to, _type
    table.update({getattr(tensor, name): _item for name in ("item", "__int__", "__float__", "__index__")})
    table.update({getattr(tensor, name): _truth for name in ("__bool__", "__contains__")})
    table[torch.equal] = table[torch.allclose] = table[tensor.equal] = table[tensor.allclose] = _truth
    table.update({getattr(tensor, name): _real_copy for name in ("tolist", "numpy", "__array__")})
    table.update({getattr(tensor, name): _text for name in ("__repr__", "__format__")})
    table[tensor.__getitem__] = table[tensor.__setitem__] = _index
    table[tensor.backward] = table[torch.autograd.backward] = _nothing
    table[torch.autograd.grad] = _grads
    table.update({**recurrent.RULES, **masks.RULES})
    return table


SPECIAL: dict[Any, _Special] = _special_functions()
