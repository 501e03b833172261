"""Hybrid execution that remembers, once a substitute is about, what each operation made its tensors of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Optional

import torch

from metalens.worker.trace.hybrid import Hybrid
from metalens.worker.trace.tracer import Tracer

_PARTS = 64


class Following(Hybrid):
    """The mode of a run, telling its tracer of everything; `saw` hears of each call while nothing has failed."""

    def __init__(self, tracer: Tracer, suspicion: Callable[..., Optional[Exception]], saw: Callable[..., None]) -> None:
        super().__init__(tracer.taint, tracer.torch_error, suspicion)
        self.facts = tracer.facts
        self.saw = saw

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run one torch function."""
        result = super().__torch_function__(func, types, args, kwargs)
        if self.facts.recovered:
            self._follow(func, (*args, *(kwargs or {}).values()), result)
        else:
            self.saw(func, args, kwargs or {}, result)
        return result

    def _follow(self, func: Any, args: tuple[Any, ...], result: Any) -> None:
        inputs = tuple(_tensors(args))
        for tensor in _tensors((result,)):
            if not any(tensor is other for other in inputs):
                self.facts.followed.setdefault(id(tensor), (func, inputs))
                self.facts.alive.append(tensor)


def _tensors(values: tuple[Any, ...]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (part for part in value[:_PARTS] if isinstance(part, torch.Tensor))
