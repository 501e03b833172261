"""Spaces of observations and actions, where the package that has them is not installed. Arrays in them are zeros."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Optional

from metalens.worker.load import arrays
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True


def array(shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape."""
    numpy = arrays.numpy()

    return numpy.zeros(tuple(int(size) for size in shape), dtype or numpy.float32)


class Space:
    """A set of values; `shape` and `dtype` are those of one of them."""

    shape: Any = None
    dtype: Any = None

    def __init__(self, shape: Any = None, dtype: Any = None, seed: Any = None) -> None:
        self.shape = None if shape is None else tuple(shape)
        self.dtype = dtype

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def seed(self, seed: Any = None) -> list[Any]:
        """Values are always the same."""
        return [seed]

    def contains(self, value: Any) -> bool:
        """Whether a value is one of them, which is not looked at."""
        return True

    __contains__ = contains

    def sample(self, mask: Any = None) -> Any:
        """One of the values."""
        raise UnknownError("a value of a space")

    def batch(self, count: int) -> Space:
        """The space of so many values."""
        return Tuple([self] * count)


class Box(Space):
    """Arrays of one shape."""

    def __init__(self, low: Any = 0.0, high: Any = 1.0, shape: Any = None, dtype: Any = None, seed: Any = None) -> None:
        numpy = arrays.numpy()

        if isinstance(low, Unknown) or isinstance(high, Unknown) or isinstance(shape, Unknown):
            raise UnknownError("the shape of a space is not known")
        size = shape if shape is not None else getattr(low, "shape", None) or getattr(high, "shape", ())
        super().__init__(size, numpy.dtype(dtype or numpy.float32))
        self.low = numpy.broadcast_to(numpy.asarray(low, self.dtype), self.shape)
        self.high = numpy.broadcast_to(numpy.asarray(high, self.dtype), self.shape)

    def sample(self, mask: Any = None) -> Any:
        """Zeros."""
        return array(self.shape, self.dtype)

    def is_bounded(self, manner: str = "both") -> bool:
        """As far as anybody asks."""
        return True

    def batch(self, count: int) -> Space:
        """Arrays of so many of them."""
        numpy = arrays.numpy()

        low, high = (numpy.broadcast_to(bound, (count, *self.shape)) for bound in (self.low, self.high))
        return Box(low, high, dtype=self.dtype)


class Discrete(Space):
    """Whole numbers from `start` on, `n` of them."""

    def __init__(self, n: Any, seed: Any = None, start: int = 0) -> None:
        numpy = arrays.numpy()

        if isinstance(n, Unknown):
            raise UnknownError("the size of a space is not known")
        super().__init__((), numpy.dtype(numpy.int64))
        self.n, self.start = int(n), start

    def sample(self, mask: Any = None) -> Any:
        """The first."""
        numpy = arrays.numpy()

        return numpy.int64(self.start)

    def batch(self, count: int) -> Space:
        """So many choices at once."""
        return MultiDiscrete([self.n] * count)


class MultiDiscrete(Space):
    """Several choices at once."""

    def __init__(self, nvec: Any, dtype: Any = None, seed: Any = None, start: Any = None) -> None:
        numpy = arrays.numpy()

        self.nvec = numpy.asarray(nvec, numpy.int64)
        super().__init__(self.nvec.shape, numpy.dtype(dtype or numpy.int64))

    def __len__(self) -> int:
        return len(self.nvec)

    def __getitem__(self, index: Any) -> Any:
        part = self.nvec[index]
        return Discrete(part) if part.ndim == 0 else MultiDiscrete(part)

    def sample(self, mask: Any = None) -> Any:
        """The first of each."""
        return array(self.shape, self.dtype)

    def batch(self, count: int) -> Space:
        """So many of them."""
        return MultiDiscrete([self.nvec] * count)


class MultiBinary(Space):
    """Arrays of zeros and ones."""

    def __init__(self, n: Any, seed: Any = None) -> None:
        numpy = arrays.numpy()

        self.n = n
        super().__init__(tuple(n) if isinstance(n, (tuple, list)) else (int(n),), numpy.dtype(numpy.int8))

    def sample(self, mask: Any = None) -> Any:
        """Zeros."""
        return array(self.shape, self.dtype)


class Dict(Space):
    """Values by name."""

    def __init__(self, spaces: Any = None, seed: Any = None, **more: Any) -> None:
        super().__init__()
        self.spaces = {**dict(spaces or {}), **more}

    def __getitem__(self, key: Any) -> Any:
        return self.spaces[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.spaces)

    def __len__(self) -> int:
        return len(self.spaces)

    def keys(self) -> Iterable[Any]:
        """The names."""
        return self.spaces.keys()

    def values(self) -> Iterable[Any]:
        """The spaces."""
        return self.spaces.values()

    def items(self) -> Iterable[Any]:
        """Names and spaces."""
        return self.spaces.items()

    def get(self, key: Any, default: Any = None) -> Any:
        """The space of that name."""
        return self.spaces.get(key, default)

    def sample(self, mask: Any = None) -> Any:
        """A value for each name."""
        return {key: space.sample() for key, space in self.spaces.items()}

    def batch(self, count: int) -> Space:
        """So many for each name."""
        return Dict({key: space.batch(count) for key, space in self.spaces.items()})


class Tuple(Space):
    """Several values."""

    def __init__(self, spaces: Any, seed: Any = None) -> None:
        super().__init__()
        self.spaces = tuple(spaces)

    def __getitem__(self, index: Any) -> Any:
        return self.spaces[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.spaces)

    def __len__(self) -> int:
        return len(self.spaces)

    def sample(self, mask: Any = None) -> Any:
        """A value of each."""
        return tuple(space.sample() for space in self.spaces)


def flat_size(space: Any) -> int:
    """How many numbers a value has when it is made flat."""
    if isinstance(space, Discrete):
        return int(space.n)
    if isinstance(space, MultiDiscrete):
        return int(space.nvec.sum())
    if isinstance(space, (Dict, Tuple)):
        return sum(flat_size(part) for part in (space.values() if isinstance(space, Dict) else space.spaces))
    if isinstance(space, Space) and space.shape is not None:
        size = 1
        for part in space.shape:
            size *= part
        return int(size)
    raise UnknownError("the size of a space is not known")


def names() -> dict[str, Optional[type]]:
    """The classes by name."""
    kinds = (Space, Box, Discrete, MultiDiscrete, MultiBinary, Dict, Tuple)
    return {kind.__name__: kind for kind in kinds}
