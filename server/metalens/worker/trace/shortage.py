"""Drawing from a memory that a rehearsal has hardly begun to fill: what would be too little is enough."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable
from typing import Any

from metalens.worker.load.inventions import ROUNDS, invented

STAND_IN = True


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for what draws at random: owner, name, value."""
    found: list[tuple[Any, str, Any]] = [(random, "sample", _sample(random.sample))]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        draws = numpy.random
        found += [(draws, "randint", _randint(draws.randint)), (draws, "choice", _choice(draws.choice))]
    return found


def _sample(real: Callable[..., Any]) -> Callable[..., Any]:
    def sample(population: Any, k: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(population, k, *args, **kwargs)
        except ValueError:
            items = list(population)
            if not items or k < 0:
                raise
            invented(ROUNDS)
            return [items[at % len(items)] for at in range(k)]

    return sample


def _randint(real: Callable[..., Any]) -> Callable[..., Any]:
    def randint(low: Any, high: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(low, high, *args, **kwargs)
        except ValueError:
            if type(low) is not int or type(high) not in (int, type(None)):
                raise
            invented(ROUNDS)
            if args or kwargs:
                return real(0, 1, *args, **kwargs)
            return next(places)  # who is not content with one place asks for another one

    places = itertools.count()
    return randint


def _choice(real: Callable[..., Any]) -> Callable[..., Any]:
    def choice(a: Any, size: Any = None, replace: Any = True, *args: Any, **kwargs: Any) -> Any:
        try:
            return real(a, size, replace, *args, **kwargs)
        except ValueError:
            if replace:
                raise
            result = real(a, size, True, *args, **kwargs)
            invented(ROUNDS)
            return result

    return choice
