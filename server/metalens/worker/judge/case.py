"""One failure as the rules look at it: the layer under way, the operation, its tensors, their names in the source."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.protocol.values import Location
from metalens.worker.judge import torchkind, words
from metalens.worker.judge.lineage import Lineage, lineage_of
from metalens.worker.judge.source import source_of, text_at
from metalens.worker.trace.facts import Facts, Failure, ModuleCall


@dataclass(frozen=True)
class Mistake:
    """What a rule found.

    `code` and `message` are shown. The rest is what blame and repair go by, where it applies: `layer` with the
    constructor `argument` that holds `expected`; the operand `tensor` whose dimension `dim` is `given` instead; and
    `other`, the operand on the other side. `exact` tells that the dimension must be `expected` though no argument is.
    """

    code: str
    message: str
    layer: Any = None
    argument: str = ""
    expected: Optional[int] = None
    given: Optional[int] = None
    tensor: Any = None
    dim: int = 0
    other: Any = None
    other_dim: int = 0
    exact: bool = False


@dataclass(frozen=True)
class Case:
    """A failure with PyTorch's own words, and short cuts to what rules ask for."""

    failure: Failure
    facts: Facts
    torch: str

    @property
    def name(self) -> str:
        """The plain name of the function that failed; "" for a Python-level error."""
        return words.function_name(self.failure.function)

    @property
    def call(self) -> Optional[ModuleCall]:
        """The innermost module call under way."""
        return self.failure.modules[-1] if self.failure.modules else None

    @property
    def layer(self) -> Any:
        """The layer of torch.nn that was being called; None if the user's own forward failed."""
        return self.call.module if self.call is not None and torchkind.is_layer(self.call.module) else None

    @property
    def input(self) -> Any:
        """The first tensor that the layer (or the function) was called with."""
        if self.layer is not None and self.call is not None:
            for value in (*self.call.args, *self.call.kwargs.values()):
                if isinstance(value, torch.Tensor):
                    return value
        return self.tensors[0] if self.tensors else None

    @property
    def tensors(self) -> tuple[Any, ...]:
        """The tensors among the function's arguments, in order, those in lists included."""
        found: list[Any] = []
        _collect((self.failure.args, self.failure.kwargs), found)
        return tuple(found)

    def constructor_values(self, name: str) -> dict[str, Any]:
        """The arguments of the torch constructor that refused them, `name` among them, from its frame."""
        step, found = self.failure.error.__traceback__, dict(self.failure.names)
        while step is not None:
            if step.tb_frame.f_code.co_name == "__init__" and name in step.tb_frame.f_locals:
                found = step.tb_frame.f_locals
            step = step.tb_next
        return found

    @property
    def call_location(self) -> Optional[Location]:
        """Where user code calls the layer itself; None if torch does (an element of an nn.Sequential)."""
        return own_location(self.failure, len(self.failure.modules) - 1)

    @property
    def location(self) -> Location:
        """The innermost user expression."""
        return self.failure.frames[-1].location

    def word(self) -> str:
        """What people call the layer under way: `fc1`, `blocks.0.attn`, `model[0]`."""
        return layer_word(self, self.layer) if self.layer is not None else ""

    def source(self, limit: int = 40) -> str:
        """The text of the failing expression, if it is short enough to be quoted."""
        text = text_at(self.facts, self.location)
        return text if len(text) <= limit else ""

    def node(self) -> Optional[ast.AST]:
        """The failing expression, or the statement where it is an `x += y`."""
        source = source_of(self.facts, self.location.file)
        statement = source.statement_at(self.location.range.start.line)
        if isinstance(statement, ast.AugAssign) and source.range_of(statement) == self.location.range:
            return statement
        return source.node_at(self.location.range)

    def lineage(self, tensor: Any, dim: int) -> Lineage:
        """Where a dimension got its size."""
        return lineage_of(self.facts, tensor, dim)

    def why(self, tensor: Any, dim: int) -> tuple[str, ...]:
        """Endings of a message that tell where a size comes from, the best first."""
        found = self.lineage(tensor, dim)
        full = f" ({words.shape(tensor.shape)})"
        if found.arithmetic:
            return (f" ({found.arithmetic} after {found.how})", full)
        if found.layer is not None and self.facts.name_of(found.layer):
            name = layer_word(self, found.layer)
            return (f" from {name}", full)
        return (full,)


def own_location(failure: Failure, place: int) -> Optional[Location]:
    """Where the module call at `place` stands in user code; None if the module around it made the call."""
    if place < 0:
        return None
    location = failure.modules[place].location
    if place and failure.modules[place - 1].location == location:
        return None
    return location


def layer_word(case: Case, module: Any) -> str:
    """The name of a layer for people, short enough for a message."""
    name = case.facts.name_of(module)
    places = name.split(".")
    if name and not all(place.isdigit() for place in places):
        return shorten(name)
    if len(places) > 1 and case.failure.modules:
        root = _called(case, case.failure.modules[0].location)
        return root + "".join(f"[{place}]" for place in places) if root else name
    callee = _callee(case, module)
    if callee and not name:
        return callee
    holder = _holder(case, module)
    if name and holder:
        return f"{holder}[{name}]"
    kind = type(module).__name__
    return f"layer {name} ({kind})" if name else kind


def shorten(name: str, limit: int = 36) -> str:
    """A dotted name without its first parts where it is too long."""
    parts = name.split(".")
    while len(".".join(parts)) > limit and len(parts) > 2:
        parts = parts[1:]
    return ".".join(parts)


def _callee(case: Case, module: Any) -> str:
    for place, call in enumerate(case.failure.modules):
        if call.module is module:
            return _called(case, own_location(case.failure, place))
    return ""


def _holder(case: Case, module: Any) -> str:
    for call in case.failure.modules:
        if any(child is module for child in call.module.children()):
            return _called(case, call.location) or case.facts.name_of(call.module)
    for call in case.failure.modules[:1]:
        return _called(case, call.location)
    return ""


def _called(case: Case, location: Optional[Location]) -> str:
    if location is None:
        return ""
    node = source_of(case.facts, location.file).call_at(location.range)
    if node is None or not isinstance(node.func, (ast.Name, ast.Attribute)):
        return ""
    text = source_of(case.facts, location.file).text_of(node.func)
    return text[5:] if text.startswith("self.") else text if len(text) <= 24 else ""


def _collect(value: Any, found: list[Any]) -> None:
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
