"""How counts, bytes and shapes are written, everywhere alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from metalens.protocol.messages import Fix, Parameter
from metalens.protocol.values import Value

UNKNOWN = -1
MOST_ITEMS = 4
MOST_SHOWN = 48

_BITS = {"bool": 8, "c64": 64, "c128": 128}


def counted(number: int, noun: str) -> str:
    """`1 layer`, `12 layers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def params(number: int) -> str:
    """`4,458 params`, `2.18 M params`: exact below a million, then three digits."""
    return f"{short(number)} param" if number == 1 else f"{short(number)} params"


def short(number: int) -> str:
    """`4,458`, `2.18 M`, `7.24 B`."""
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if number >= size:
            return f"{_three_digits(number / size)} {unit}"
    return f"{number:,}"


def size(number: int) -> str:
    """Bytes in binary units: `512 B`, `8.3 MiB`."""
    if number < 1024:
        return f"{number} B"
    scaled = float(number)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        scaled /= 1024
        if scaled < 1024 or unit == "TiB":
            break
    return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.1f} {unit}"


def share(part: int, whole: int) -> str:
    """`3.4 %`, `96 %`; empty when there is no whole."""
    if not whole:
        return ""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def fix_title(fix: Fix) -> str:
    """What a fix changes and what will be: `Change in_features of fc1 to 8192; forward then gives [32, 10]`."""
    given = shape(fix.gives) if fix.gives is not None else ""
    return f"{fix.title}; forward then gives {given}" if 2 < len(given) <= MOST_SHOWN else fix.title


def dimensions(sizes: Iterable[int], names: tuple[str, ...] = ()) -> str:
    """`[B, 3, 32, 32]`: a dimension's name where it has one, `?` where nothing is known."""
    parts = [
        (names[index] if index < len(names) else "") or ("?" if number == UNKNOWN else str(number))
        for index, number in enumerate(sizes)
    ]
    return f"[{', '.join(parts)}]"


def shape(value: Value) -> str:
    """A value in one short text; tensors as `[B, 10]`, with the dtype in front only if it is not f32."""
    if value.kind == "tensor":
        text = dimensions(value.shape, value.dims)
        return text if value.dtype in ("f32", "") else f"{value.dtype}{text}"
    if value.kind == "dict":
        pairs = [f"{key}: {shape(item)}" for key, item in zip(value.keys, value.items, strict=False)]
        return "{" + _listed(pairs) + "}"
    if value.kind in ("tuple", "list"):
        items = [shape(item) for item in value.items]
        if len(items) > 1 and len(set(items)) == 1:
            return f"{len(items)}× {items[0]}"
        opening, closing = ("(", ")") if value.kind == "tuple" else ("[", "]")
        return opening + _listed(items) + closing
    return value.text


def parameter_shape(parameter: Parameter) -> str:
    """A parameter's shape as numbers; its own dtype in front only if it is not f32."""
    text = dimensions(parameter.shape)
    return text if parameter.dtype in ("f32", "") else f"{parameter.dtype}{text}"


def elements(sizes: Iterable[int]) -> int:
    """How many elements a tensor of these sizes has."""
    return math.prod(sizes)


def item_bytes(dtype: str) -> int:
    """The bytes of one element: 4 for `f32`, 2 for `bf16`, 1 for `bool`."""
    digits = re.match(r"[a-z]+(\d+)", dtype)
    return max((_BITS.get(dtype) or int(digits[1] if digits else 32)) // 8, 1)


def total(parameters: Iterable[Parameter]) -> int:
    """How many numbers these parameters hold."""
    return sum(elements(parameter.shape) for parameter in parameters)


def total_bytes(parameters: Iterable[Parameter]) -> int:
    """How many bytes these parameters take."""
    return sum(elements(parameter.shape) * item_bytes(parameter.dtype) for parameter in parameters)


def code(text: str) -> str:
    """Text as inline code; backticks and line ends in it cannot break out."""
    return f"`{' '.join(text.replace('`', chr(0x2019)).split())}`" if text else ""


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _three_digits(number: float) -> str:
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _listed(parts: list[str]) -> str:
    shown = parts if len(parts) <= MOST_ITEMS else [*parts[: MOST_ITEMS - 1], "…"]
    return ", ".join(shown)
