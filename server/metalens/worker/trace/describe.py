"""Live objects as plain values: tensors, parameters, layers, call texts."""

from __future__ import annotations

import inspect
from typing import Any, Optional

import torch

from metalens.protocol.messages import Parameter
from metalens.protocol.values import Value
from metalens.worker.trace.operands import is_lazy

_NAMES = {
    torch.float32: "f32",
    torch.float64: "f64",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "b8",
    torch.complex64: "c64",
    torch.complex128: "c128",
}
DTYPES = {"bool": torch.bool, **{name: dtype for dtype, name in _NAMES.items() if dtype is not torch.bool}}
_MOST_ITEMS = 8


def dtype_name(dtype: torch.dtype) -> str:
    """PyTorch's own short spelling (`f32`), `bool` for booleans."""
    if dtype is torch.bool:
        return "bool"
    return _NAMES.get(dtype, str(dtype).replace("torch.", ""))


def value_of(item: Any, depth: int = 3) -> Value:
    """Anything as a Value; containers down to a depth."""
    if isinstance(item, torch.Tensor) and not is_lazy(item):
        return Value("tensor", tuple(int(size) for size in item.shape), dtype_name(item.dtype))
    if isinstance(item, torch.Size):
        return Value("other", text=str(list(item)))
    if depth and isinstance(item, (tuple, list)):
        kind = "tuple" if isinstance(item, tuple) else "list"
        return Value(kind, items=tuple(value_of(part, depth - 1) for part in item[:_MOST_ITEMS]))
    if depth and isinstance(item, dict):
        pairs = list(item.items())[:_MOST_ITEMS]
        keys = tuple(str(key)[:40] for key, _ in pairs)
        return Value("dict", items=tuple(value_of(part, depth - 1) for _, part in pairs), keys=keys)
    if isinstance(item, (int, float, bool, str, type(None))):
        return Value("other", text=repr(item)[:60])
    return Value("other", text=type(item).__name__)


def short(item: Any, limit: int = 60) -> str:
    """A value as the source of a call would show it."""
    if isinstance(item, torch.Tensor):
        return shape_text(item)
    if isinstance(item, type) or inspect.isroutine(item):
        return str(getattr(item, "__name__", "function"))
    if isinstance(item, torch.nn.Module):
        return f"{type(item).__name__}(...)"
    if isinstance(item, torch.dtype):
        return str(item)
    if isinstance(item, (list, tuple)):
        inner = ", ".join(short(part, 20) for part in item[:6]) + (", ..." if len(item) > 6 else "")
        text = f"[{inner}]" if isinstance(item, list) else f"({inner}{',' if len(item) == 1 else ''})"
    elif isinstance(item, dict):
        inner = ", ".join(f"{key!r}: {short(part, 20)}" for key, part in list(item.items())[:4])
        text = "{" + inner + (", ..." if len(item) > 4 else "") + "}"
    elif isinstance(item, (int, float, bool, str, bytes, type(None))):
        text = repr(item)
    else:
        text = f"{type(item).__name__}(...)"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def shape_text(tensor: torch.Tensor) -> str:
    """`f32[2, 3]` as `[2, 3]`, other dtypes with their prefix."""
    sizes = "[" + ", ".join(str(int(size)) for size in tensor.shape) + "]"
    name = dtype_name(tensor.dtype)
    return sizes if name == "f32" else name + sizes


def call_text(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """`Net(10, hidden=20)`."""
    parts = [short(part) for part in args] + [f"{key}={short(part)}" for key, part in kwargs.items()]
    return f"{name}({', '.join(parts)})"


def inputs_text(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """`x [32, 10], mask bool[32]`."""
    try:
        names = [name for name, part in inspect.signature(module.forward).parameters.items() if part.kind < 2]
    except (TypeError, ValueError):
        names = []
    parts = []
    for index, item in enumerate(args):
        parts.append(f"{names[index]} {short(item)}" if index < len(names) else short(item))
    parts += [f"{key} {short(item)}" for key, item in kwargs.items()]
    return ", ".join(parts)


def parameters_of(module: Any) -> tuple[Parameter, ...]:
    """All parameters by dotted name, each once."""
    return tuple(_parameter(name, item) for name, item in torch.nn.Module.named_parameters(module))


def own_parameters(module: Any) -> tuple[Parameter, ...]:
    """The parameters that this module itself holds."""
    return tuple(_parameter(name, item) for name, item in torch.nn.Module.named_parameters(module, recurse=False))


def buffers_of(module: Any) -> tuple[Parameter, ...]:
    """All buffers by dotted name."""
    return tuple(_parameter(name, item) for name, item in torch.nn.Module.named_buffers(module))


def _parameter(name: str, item: Any) -> Parameter:
    if is_lazy(item):
        return Parameter(name, (), dtype_name(item.dtype), ("?",))
    return Parameter(name, tuple(int(size) for size in item.shape), dtype_name(item.dtype))


def one_line(module: Any) -> str:
    """torch's own repr of a layer on one line, without its children."""
    try:
        extra = module.extra_repr()
    except Exception:  # noqa: BLE001 - extra_repr may be the user's own code
        extra = ""
    text = f"{type(module).__name__}({extra})"
    return " ".join(text.split())[:200]


def first_line(error: Optional[BaseException]) -> str:
    """An error as one short line: `ValueError: bad depth`."""
    if error is None:
        return ""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
