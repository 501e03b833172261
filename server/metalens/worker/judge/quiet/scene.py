"""What the ideas of this room work with: a torch function that was called, and marks on the tensors that it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Optional

import torch

from metalens.protocol.messages import Fix
from metalens.protocol.values import Location
from metalens.worker.judge.case import Case, Mistake
from metalens.worker.trace.facts import Facts


@dataclass(frozen=True)
class Call:
    """A torch function that was called and went well. `name` is its plain name (`softmax` for `Tensor.softmax`)."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    facts: Facts

    def argument(self, place: int, *names: str) -> Any:
        """The argument at `place`, or given by one of the names; None if there is none."""
        if place < len(self.args):
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)

    @property
    def tensors(self) -> tuple[Any, ...]:
        """The tensors among the arguments, in order."""
        return tuple(part for part in (*self.args, *self.kwargs.values()) if isinstance(part, torch.Tensor))


@dataclass(frozen=True)
class Scene(Case):
    """A call that went well, looked at as if it had failed. `output` is what the outermost model then returned."""

    output: Any = None


@dataclass(frozen=True)
class Quiet:
    """What an idea found: the mistake in words, and candidates that would mend it.

    One `cause` is told once, at the first place where it shows; without one, each place is a mistake of its own.
    """

    mistake: Mistake
    fixes: tuple[Fix, ...] = ()
    cause: Optional[Location] = None
    severity: str = "warning"


Tell = Callable[[Scene], Optional[Quiet]]
"""Asked when the run is over, with names and outputs known: None if the call was as it should be after all."""


class Marks:
    """What is known of tensors beyond their shapes. Marked tensors are kept alive, so that ids stay true."""

    def __init__(self) -> None:
        self._marks: dict[int, tuple[Any, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._marks)

    def put(self, tensor: Any, mark: Any) -> None:
        """Remember something of a tensor; what was known of it before is forgotten."""
        self._marks[id(tensor)] = (tensor, mark)

    def of(self, tensor: Any, kind: type) -> Any:
        """The mark of this kind on a tensor, or None."""
        found = self._marks.get(id(tensor))
        return found[1] if found is not None and isinstance(found[1], kind) else None


Idea = tuple[frozenset[str], Callable[[Call, Marks], Optional[Tell]]]
"""The names of the functions that an idea looks at, and what it asks of each call."""


def history(facts: Facts, tensor: Any) -> Iterator[tuple[Any, Any]]:
    """A tensor and those that it was made of, always by way of the first input, each with its origin (or None)."""
    seen: set[int] = set()
    while tensor is not None and id(tensor) not in seen:
        seen.add(id(tensor))
        origin = facts.origin_of(tensor)
        yield tensor, origin
        inputs = origin.inputs if origin is not None else ()
        tensor = next((part for part in inputs if not isinstance(part, torch.nn.Parameter)), None)


def batch_of(scene: Scene) -> Optional[int]:
    """The batch that the outermost model was called with: the first size of its only tensor that has one."""
    for call in scene.failure.modules[:1]:
        tensors = [part for part in (*call.args, *call.kwargs.values()) if isinstance(part, torch.Tensor)]
        if tensors and all(part.dim() > 1 and part.shape[0] == tensors[0].shape[0] for part in tensors):
            return int(tensors[0].shape[0])
    return None
