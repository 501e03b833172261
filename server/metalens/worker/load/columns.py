"""Columns and rows of tables that stand in for those of pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from metalens.worker.load import arrays
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_PARTS = "year month day hour minute second dayofweek day_of_week dayofyear day_of_year weekofyear week quarter".split()


class Stamp:
    """A moment."""

    year, month, day, hour, minute, second, dayofweek, dayofyear, week, quarter = 2016, 7, 1, 0, 0, 0, 4, 183, 26, 3

    def weekday(self) -> int:
        """A Friday."""
        return 4

    isoweekday = weekday


class Series:
    """One column: `values` is an array, or None for moments, of which there are `rows`."""

    def __init__(self, values: Any, rows: int, name: Any = None) -> None:
        self._values, self._rows, self.name = values, rows, name

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values) if self._values is not None else iter([Stamp()] * self._rows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._values is None and name in _PARTS:
            return Series(arrays.numpy().ones(self._rows), self._rows, name)
        return Unknown(f"a column's {name}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Its rows."""
        return (self._rows,)

    @property
    def values(self) -> Any:
        """The array; moments stay as they are."""
        return self if self._values is None else self._values

    def to_numpy(self, *args: Any, **kwargs: Any) -> Any:
        """The array."""
        return self.values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self._values is None:
            raise UnknownError("moments are no numbers")
        return arrays.numpy().asarray(self._values, dtype)

    def tolist(self) -> list[Any]:
        """The values."""
        return list(self)

    to_list = tolist

    @property
    def dt(self) -> Series:
        """The parts of moments."""
        return Series(None, self._rows, self.name)

    @property
    def str(self) -> Any:
        """Texts are not known."""
        return Unknown("the texts of a column")

    @property
    def iloc(self) -> Picker:
        """By position."""
        return Picker(self._picked)

    loc = iloc

    def isocalendar(self) -> Series:
        """Weeks of moments."""
        return Series(None, self._rows, self.name)

    def weekday(self) -> Series:
        """Days of moments."""
        return Series(arrays.numpy().ones(self._rows), self._rows, self.name)

    def __getitem__(self, key: Any) -> Any:
        return self._picked(key)

    def _picked(self, key: Any) -> Any:
        if isinstance(key, slice):
            rows = len(range(self._rows)[key])
            return Series(None if self._values is None else self._values[key], rows, self.name)
        if self._values is None:
            return Stamp() if isinstance(key, int) else Unknown("moments")
        if isinstance(key, Unknown):
            return Unknown("an item of a column")
        return self._values[key]

    def apply(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """What a function makes of each value, told from the first one."""
        if not self._rows:
            raise UnknownError("a column without rows")
        first = function(next(iter(self)))
        if not isinstance(first, (int, float, arrays.numpy().number)):
            return Unknown("what was made of a column")
        return Series(arrays.numpy().full(self._rows, first), self._rows, self.name)

    map = apply

    def astype(self, *args: Any, **kwargs: Any) -> Series:
        """The same shape in another type."""
        return self

    copy = fillna = reset_index = astype

    def _calculated(self, other: Any) -> Any:
        if isinstance(other, Unknown) or self._values is None:
            return Unknown("a calculated column")
        return Series(arrays.numpy().zeros(self._rows), self._rows, self.name)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _calculated

    def _compared(self, other: Any) -> Any:
        return Unknown("a comparison of a column")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compared  # type: ignore[assignment, unused-ignore]
    __hash__ = object.__hash__


class Picker:
    """`iloc` and `loc`."""

    def __init__(self, pick: Callable[[Any], Any]) -> None:
        self._pick = pick

    def __getitem__(self, key: Any) -> Any:
        return self._pick(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        return None


class Columns:
    """The names of columns."""

    def __init__(self, names: tuple[Any, ...]) -> None:
        self._names = names

    def __getitem__(self, key: Any) -> Any:
        return Columns(self._names[key]) if isinstance(key, slice) else self._names[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: Any) -> bool:
        return name in self._names

    def tolist(self) -> list[Any]:
        """The names."""
        return list(self._names)

    to_list = tolist

    @property
    def values(self) -> list[Any]:
        """The names."""
        return list(self._names)


class Row:
    """One row: values by name."""

    def __init__(self, parts: dict[Any, Any], values: Any) -> None:
        self._parts, self.values = parts, values

    def __getitem__(self, key: Any) -> Any:
        return list(self._parts.values())[key] if isinstance(key, (int, slice)) else self._parts[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parts:
            raise AttributeError(name)
        return self._parts[name]

    def __len__(self) -> int:
        return len(self._parts)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return arrays.numpy().asarray(self.values, dtype)
