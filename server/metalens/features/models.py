"""Finding one's way in a Result: the class at a place, its layers as a tree, its parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from metalens.engine.result import Model, Result
from metalens.features.source import Source, contains, read_source
from metalens.features.words import total
from metalens.protocol.messages import Context, Finding, Layer, Parameter
from metalens.protocol.values import Evidence, Position

OPAQUE = frozenset({"MultiheadAttention"})
"""Layers of torch that hold others as a detail."""

_WORDS = {"default": "defaults", "invented": "assumed values", "probe": "a size that works", "pin": "your settings"}


@dataclass(frozen=True)
class Node:
    """A layer and those inside it."""

    layer: Layer
    children: tuple[Node, ...]


def simple_name(qualname: str) -> str:
    """`Net` for `make.<locals>.Net`."""
    return qualname.rpartition(".")[2]


def class_at(result: Result, position: Position) -> Model | None:
    """The class whose name in its `class` statement is at this place."""
    return next((model for model in result.models if contains(model.cls.name, position)), None)


def class_around(result: Result, source: Source, line: int) -> Model | None:
    """The innermost class whose body holds this line, if it is a module class."""
    header = source.header_above(line, "class")
    return next((model for model in result.models if model.cls.line == header), None)


def class_named(result: Result, name: str) -> Model | None:
    """The class of this name in this file; the last one, as Python has it."""
    return next((model for model in reversed(result.models) if simple_name(model.cls.qualname) == name), None)


def best(model: Model) -> Context | None:
    """The context with the best evidence, if any of it was built."""
    return next((context for context in model.contexts if context.status in ("traced", "instantiated", "failed")), None)


def why_not(model: Model, result: Result) -> str:
    """Calm words for a class of which nothing was built."""
    return next((context.reason for context in model.contexts if context.reason), result.problem)


def find_layer(context: Context, path: str) -> Layer | None:
    """The layer with this dotted path, or the one that an attribute of this name holds."""
    exact = next((layer for layer in context.layers if layer.name == path), None)
    return exact or next((layer for layer in context.layers if layer.attribute == path and "." not in layer.name), None)


def children(context: Context, path: str) -> tuple[Layer, ...]:
    """The layers right below a path; the layers below it that have no known parent count as such."""
    prefix = f"{path}." if path else ""
    holder = find_layer(context, path) if path else None
    if holder and holder.type in OPAQUE:
        return ()
    inside = [layer for layer in context.layers if layer.name.startswith(prefix) and layer.name != path]
    names = {layer.name for layer in inside}
    return tuple(layer for layer in inside if not any(above in names for above in _above(layer.name)))


def leaves(context: Context) -> tuple[Layer, ...]:
    """The layers that do the work: those with nothing inside, and torch's own composed ones as a whole."""
    holders = {above for layer in context.layers for above in _above(layer.name)}
    opaque = {layer.name for layer in context.layers if layer.type in OPAQUE}
    return tuple(
        layer
        for layer in context.layers
        if (layer.name not in holders or layer.name in opaque) and not opaque.intersection(_above(layer.name))
    )


def fails_at(result: Result, model: Model) -> Finding | None:
    """The first mistake in the class's own code, or in its own run."""
    source = read_source(result.text)
    last = source.block_end(model.cls.line)
    return next(
        (
            finding
            for finding in result.findings
            if finding.severity == "error"
            and (finding.model == model.cls.qualname or model.cls.line <= finding.location.range.start.line < last)
        ),
        None,
    )


def parameters_of(context: Context, layer: Layer) -> tuple[Parameter, ...]:
    """A layer's parameters with all of those inside it, each once."""
    inside = tuple(item for item in context.parameters if item.name.startswith(f"{layer.name}."))
    return inside or layer.parameters


def is_shared(context: Context, layer: Layer) -> bool:
    """Whether a layer's parameters are those of a layer that was counted before (tied weights)."""
    counted = any(item.name.startswith(f"{layer.name}.") for item in context.parameters)
    return bool(layer.parameters and context.parameters) and not counted


def parameter_count(context: Context, layer: Layer) -> int:
    """How many numbers a layer learns, with the layers inside it."""
    return total(parameters_of(context, layer))


def place(evidence: Evidence, result: Result) -> str:
    """Where evidence comes from: `train.py:41`, `line 41` of the same file, `defaults`."""
    if evidence.location is None:
        return _WORDS.get(evidence.source, evidence.source)
    line = evidence.location.range.start.line + 1
    return f"line {line}" if evidence.location.file == result.file else f"{Path(evidence.location.file).name}:{line}"


def construction(context: Context) -> str:
    """`Net(num_classes=10)`."""
    name = simple_name(context.qualname)
    text = context.arguments.text if context.arguments else ""
    return text if re.match(rf"{re.escape(name)}\(.*\)$", text, re.DOTALL) else f"{name}({text})"


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
