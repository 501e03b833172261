"""Optimizers: they change values alone, so that one is made in any case, whatever is known of what it gets."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import Unknown, contains_unknown

_RATE = 0.1  # a learning rate that is not known


def patches() -> Iterator[tuple[Any, str, Any]]:
    """Owner, name, value."""
    optimizer = torch.optim.Optimizer
    kinds = {kind for kind in vars(torch.optim).values() if isinstance(kind, type) and issubclass(kind, optimizer)}
    for kind in sorted(kinds, key=lambda kind: kind.__name__):
        if "__init__" in vars(kind):
            yield kind, "__init__", _building(vars(kind)["__init__"])
        yield kind, "step", _step
    yield optimizer, "takes_unknown", True
    yield optimizer, "zero_grad", _nothing


def _building(build: Callable[..., None]) -> Callable[..., None]:
    """A constructor that makes do with what it is told."""

    @functools.wraps(build)
    def built(self: Any, params: Any, *args: Any, **kwargs: Any) -> None:
        if contains_unknown(params):
            params = [torch.nn.Parameter(torch.zeros(1))]
        if args and isinstance(args[0], Unknown):
            args = (_RATE, *args[1:])
        if isinstance(kwargs.get("lr"), Unknown):
            kwargs["lr"] = _RATE
        first = next((place for place, value in enumerate(args) if contains_unknown(value)), len(args))
        build(self, params, *args[:first], **{key: item for key, item in kwargs.items() if not contains_unknown(item)})

    return built


def _step(optimizer: Any, closure: Optional[Callable[[], Any]] = None) -> Any:
    """Only the closure of an optimizer that has one shows anything: the model's call."""
    return closure() if closure is not None else None


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None
