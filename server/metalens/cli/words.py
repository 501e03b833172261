"""How the command line writes shapes, counts and where things come from."""

from __future__ import annotations

from metalens.cli.paths import relative
from metalens.protocol.messages import Context
from metalens.protocol.values import Evidence, Value


def value_text(value: Value) -> str:
    """`[32, 20]` for a tensor, with its dtype in front when that is not f32; containers as Python writes them."""
    if value.kind == "tensor":
        sizes = ", ".join("?" if size < 0 else str(size) for size in value.shape)
        return f"{'' if value.dtype == 'f32' else value.dtype}[{sizes}]"
    if value.kind == "dict":
        pairs = zip(value.keys, value.items, strict=False)
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in pairs) + "}"
    if value.kind in ("tuple", "list"):
        inner = ", ".join(value_text(item) for item in value.items)
        return f"({inner})" if value.kind == "tuple" else f"[{inner}]"
    return value.text or "?"


def counted(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def provenance(evidence: Evidence) -> str:
    """`call site train.py:12`: the kind of evidence and, where known, its place, one-based as people read it."""
    if evidence.location is None:
        return evidence.source
    return f"{evidence.source} {relative(evidence.location.file)}:{evidence.location.range.start.line + 1}"


def built_with(context: Context) -> str:
    """How a class was built and called, and who says so: `Net(10), x: [32, 10] from call site train.py:12`."""
    name = context.qualname.rpartition(".")[2]
    if context.arguments is None:
        return ""
    told = f"{name}({context.arguments.text})"
    if context.inputs is None:
        return f"{told} from {provenance(context.arguments)}"
    origins = dict.fromkeys((provenance(context.arguments), provenance(context.inputs)))
    return f"{told}, input {context.inputs.text} from {' and '.join(origins)}"
