"""How sizes, shapes, dtypes and names are written in messages. Every message fits one line of 100 characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

LIMIT = 100

_DTYPES = {
    "float": "f",
    "bfloat": "bf",
    "int": "i",
    "uint": "u",
    "complex": "c",
}


def shape(sizes: Iterable[Any]) -> str:
    """`[2, 3, 32, 32]` for any iterable of sizes."""
    return "[" + ", ".join(str(int(size)) for size in sizes) + "]"


def dtype(value: Any) -> str:
    """`f16`, `bf16`, `i64`, `bool` for a torch dtype."""
    text = str(value).replace("torch.", "")
    match = re.fullmatch(r"([a-z]+)(\d+)", text)
    if match is None or match.group(1) not in _DTYPES:
        return text
    return _DTYPES[match.group(1)] + match.group(2)


def product(sizes: Iterable[int]) -> str:
    """`128·8·8`."""
    return "·".join(str(int(size)) for size in sizes)


def plural(count: int, noun: str) -> str:
    """`1 dim`, `2 dims`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def fit(*variants: str) -> str:
    """The first variant that fits into a message; the last one, cut, if none does."""
    for variant in variants:
        if len(variant) <= LIMIT:
            return variant
    return variants[-1][: LIMIT - 1] + "…"


def within(head: str, *tails: str) -> str:
    """`head` with the first of `tails` that still fits, or `head` alone."""
    return fit(*(head + tail for tail in tails), head)


def first_line(text: str) -> str:
    """The first line of an error text, without the words that only speak to PyTorch's own developers."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    line = line.replace("torch.Size(", "").replace("])", "]") if "torch.Size(" in line else line
    return re.sub(r"\s+", " ", line).rstrip(".")


def function_name(function: Any) -> str:
    """The plain name of a torch function: `add` for `Tensor.__iadd__`, `add_`, `torch.add`; "" for None."""
    name = str(getattr(function, "__name__", "") or "")
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
        plain = {"getitem": "getitem", "setitem": "setitem", "get": "", "rpow": "pow", "ipow": "pow"}.get(name)
        if plain is not None:
            return plain
        name = _REFLECTED.get(name, name)
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


_REFLECTED = {
    prefix + name: name
    for prefix in ("r", "i")
    for name in ("add", "sub", "mul", "truediv", "matmul", "mod", "floordiv")
}

_SYMBOLS = {"add": "+", "sub": "-", "rsub": "-", "mul": "*", "truediv": "/", "div": "/", "matmul": "@"}


def symbol(name: str) -> str:
    """The operator that stands for a function: `+` for `add`; "" where there is none."""
    return _SYMBOLS.get(name, "")


def listing(values: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]
