"""Tables (pandas, where it is not installed): known by their file, by the name of their data set, or made up.

A table of a file in the workspace holds what the file holds. That of a data set known by name has its columns and rows,
and zeros. Of any other, columns are made on demand, with an invented number of rows, which is told to `inventions`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from typing import Any, Optional

from metalens.worker.load import arrays
from metalens.worker.load.columns import Columns, Picker, Row, Series, Stamp
from metalens.worker.load.inventions import invented
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True
_INVENTED_ROWS = 20_000
_MOST_BYTES = 4 << 20
_MOST_CELLS = 1 << 26
_ETT = ("date", "HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")


def _numbered(count: int) -> tuple[str, ...]:
    return ("date", *(str(index) for index in range(count - 1)), "OT")


# data set: rows, columns
_KNOWN: dict[str, tuple[int, tuple[str, ...]]] = {
    "ETTh1": (17420, _ETT),
    "ETTh2": (17420, _ETT),
    "ETTm1": (69680, _ETT),
    "ETTm2": (69680, _ETT),
    "weather": (52696, _numbered(21)),
    "electricity": (26304, _numbered(321)),
    "traffic": (17544, _numbered(862)),
    "exchange_rate": (7588, _numbered(8)),
    "national_illness": (966, _numbered(7)),
}
_DATES = ("date", "time", "datetime", "timestamp")


class DataFrame:
    """A table. `columns` by name; `known` are their names in order, None where nobody knows them."""

    def __init__(self, data: Any = None, index: Any = None, columns: Any = None, *args: Any, **kwargs: Any) -> None:
        state: tuple[dict[Any, Any], Optional[tuple[Any, ...]], int] = _given(data, columns)
        self._set(*state)

    def _set(self, data: dict[Any, Any], known: Optional[tuple[Any, ...]], rows: int, made_up: bool = False) -> None:
        vars(self).update(_data=data, _known=known, _rows=rows, _made_up=made_up)

    def _with(self, known: Optional[tuple[Any, ...]], rows: Optional[slice] = None) -> DataFrame:
        made = DataFrame.__new__(DataFrame)
        count = self._rows if rows is None else len(range(self._rows)[rows])
        data = {name: part if rows is None else part[rows] for name, part in self._data.items()}
        made._set(data, known, count, self._made_up)
        return made

    # ------------------------------------------------------------ what is there

    @property
    def columns(self) -> Any:
        """The names of its columns."""
        return Unknown("the columns of a table that is not here") if self._known is None else Columns(self._known)

    @property
    def shape(self) -> Any:
        """Rows and columns."""
        return (len(self), len(self._known) if self._known is not None else Unknown("a number of columns"))

    @property
    def index(self) -> Any:
        """The numbers of its rows."""
        return range(len(self))

    def __len__(self) -> int:
        self._tell()
        return int(self._rows)

    def _tell(self) -> None:
        if self._made_up:
            invented("the rows of a table that is not here")

    def column(self, name: Any) -> Series:
        """The column of that name. KeyError if there is none."""
        self._tell()
        known = self._data.get(name)
        if known is not None:
            return known  # type: ignore[no-any-return, unused-ignore]
        if self._known is not None and name not in self._known:
            raise KeyError(name)
        values = None if str(name).lower() in _DATES else arrays.numpy().zeros(self._rows)
        made = self._data[name] = Series(values, self._rows, name)
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._known is not None and name in self._known:
            return self.column(name)
        return Unknown(f"a table's {name}")

    @property
    def values(self) -> Any:
        """All numbers, as an array."""
        if self._known is None:
            return Unknown("the values of a table that is not here")
        numpy = arrays.numpy()
        self._tell()
        if self._rows * len(self._known) > _MOST_CELLS:
            return Unknown("the values of a large table")
        parts = [self._data[name].values for name in self._known if name in self._data]
        if not parts or any(getattr(part, "dtype", None) == "O" or isinstance(part, Series) for part in parts):
            return numpy.zeros((self._rows, len(self._known)))
        return numpy.stack([numpy.asarray(self.column(name).values) for name in self._known], axis=1)

    def to_numpy(self, *args: Any, **kwargs: Any) -> Any:
        """As `values`."""
        return self.values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        values = self.values
        if isinstance(values, Unknown):
            raise UnknownError("the values of a table that is not here")
        return values if dtype is None else values.astype(dtype)

    # ------------------------------------------------------------ parts

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._with(self._known, key)
        if isinstance(key, (list, tuple, Columns)):
            names = tuple(key)
            if any(isinstance(name, Unknown) for name in names):
                return Unknown("columns of a table")
            missing = [name for name in names if self._known is not None and name not in self._known]
            if missing:
                raise KeyError(missing[0])
            return self._with(names)
        if isinstance(key, (str, int)):
            return self.column(key)
        return Unknown("rows of a table")

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, (str, int)):
            return
        if isinstance(value, (int, float)):
            value = arrays.numpy().full(self._rows, value)
        if not isinstance(value, Series):
            value = Series(None if isinstance(value, Unknown) else arrays.numpy().asarray(value), self._rows, key)
        self._data[key] = value
        if self._known is not None and key not in self._known:
            vars(self)["_known"] = (*self._known, key)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "columns" and self._known is not None:
            names = tuple(value)
            self._set({new: self.column(old) for new, old in zip(names, self._known)}, names, self._rows, self._made_up)
        elif self._known is not None and name in self._known:
            self[name] = value

    @property
    def iloc(self) -> Picker:
        """By position."""
        return Picker(self._at)

    @property
    def loc(self) -> Picker:
        """By name."""
        return Picker(self._named)

    def _at(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(columns, slice) and columns == slice(None):
            return self._with(self._known, rows) if isinstance(rows, slice) else self._row(rows)
        if self._known is None or isinstance(columns, Unknown):
            return Unknown("parts of a table that is not here")
        if isinstance(columns, int):
            column = self.column(self._known[columns])
            return column[rows]
        names = self._known[columns] if isinstance(columns, slice) else tuple(self._known[index] for index in columns)
        part = self._with(names)
        return part._with(names, rows) if isinstance(rows, slice) else part._row(rows)

    def _named(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if rows == slice(None) and not isinstance(columns, slice):
            return self[list(columns) if isinstance(columns, (tuple, Columns)) else columns]
        if isinstance(rows, int) and isinstance(columns, str):
            return self.column(columns)[rows]
        return self._at(key) if isinstance(rows, int) and columns == slice(None) else Unknown("parts of a table")

    def _row(self, index: Any) -> Any:
        if self._known is None or not isinstance(index, int):
            return Unknown("a row of a table")
        made = {name: self.column(name)[index] for name in self._known}
        numbers = [value if isinstance(value, (int, float)) else 0.0 for value in made.values()]
        return Row(made, arrays.numpy().asarray(numbers))

    def drop(self, labels: Any = None, axis: Any = 0, index: Any = None, columns: Any = None, **kwargs: Any) -> Any:
        """Without some columns; without some rows nobody knows how many are left."""
        dropped = columns if columns is not None else labels if axis in (1, "columns") else None
        if dropped is None or isinstance(dropped, Unknown):
            return Unknown("a table without some rows")
        names = {dropped} if isinstance(dropped, (str, int)) else set(dropped)
        left = None if self._known is None else tuple(name for name in self._known if name not in names)
        made = self._with(left)
        if not kwargs.get("inplace"):
            return made
        vars(self).update(vars(made))
        return None

    def _same(self, *args: Any, **kwargs: Any) -> Any:
        return None if kwargs.get("inplace") else self._with(self._known)

    copy = fillna = astype = sort_values = reset_index = interpolate = ffill = bfill = _same

    def head(self, count: int = 5) -> DataFrame:
        """The first rows."""
        return self._with(self._known, slice(count))

    def to_csv(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is written."""

    def info(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is told."""

    def iterrows(self) -> Iterator[tuple[int, Any]]:
        """Rows with their numbers."""
        return ((index, self._row(index)) for index in range(len(self)))


def _given(data: Any, columns: Any) -> tuple[dict[Any, Any], Optional[tuple[Any, ...]], int]:
    numpy = arrays.numpy()
    if isinstance(data, DataFrame):
        return dict(data._data), data._known, data._rows
    if isinstance(data, Unknown) or isinstance(columns, Unknown) or data is None:
        raise UnknownError("the data of a table is not known")
    if isinstance(data, dict):
        parts = {name: numpy.asarray(value) for name, value in data.items() if not isinstance(value, Unknown)}
        if len(parts) != len(data) or any(part.ndim != 1 for part in parts.values()):
            raise UnknownError("the data of a table is not known")
    else:
        array = numpy.asarray(data)
        if array.ndim == 1:
            array = array[:, None]
        names = tuple(columns) if columns is not None else tuple(range(array.shape[1]))
        parts = {name: array[:, index] for index, name in enumerate(names)}
    rows = max((len(part) for part in parts.values()), default=0)
    return {name: Series(part, rows, name) for name, part in parts.items()}, tuple(parts), rows


# ---------------------------------------------------------------- tables from files


def named(name: str) -> Any:
    """The table of a data set that is known by its name; Unknown for any other."""
    rows, columns = _KNOWN.get(name, (0, ()))
    return _table(rows, columns) if columns else Unknown(f"the data set {name}")


def _table(rows: int, known: Optional[tuple[str, ...]], made_up: bool = False) -> DataFrame:
    made = DataFrame.__new__(DataFrame)
    made._set({}, known, rows, made_up)
    return made


_PLAIN = {"sep", "delimiter", "header", "encoding", "engine", "dtype", "low_memory", "parse_dates", "names", "usecols"}


def read_csv(file: Any = None, sep: Any = ",", *args: Any, **options: Any) -> Any:
    """The table in a file, or what is known of one that is not here."""
    if isinstance(file, Unknown) or args or not options.keys() <= _PLAIN:
        return Unknown("a table")
    try:
        path = os.fspath(file)
    except TypeError:
        return Unknown("a table")
    separator = options.get("delimiter") or sep
    names, wanted = options.get("names"), options.get("usecols")
    if os.path.isfile(path):
        here = _read(path, separator, has_header=options.get("header", "infer") is not None and names is None)
        if here is None or isinstance(here, Unknown):
            return Unknown("the table in a file")
        if names is not None:
            here.columns = list(names)
        return here if wanted is None else here[list(wanted)]
    stem = os.path.splitext(os.path.basename(path))[0]
    known = _KNOWN.get(stem)
    if known is not None and not names and wanted is None:
        return _table(*known)
    listed: Any = wanted or names
    columns = tuple(listed) if listed else None
    return _table(_INVENTED_ROWS, columns, made_up=True)


def _read(path: str, separator: Any, has_header: bool) -> Any:
    numpy = arrays.numpy()
    if os.path.getsize(path) > _MOST_BYTES or not isinstance(separator, str) or len(separator) != 1:
        return None
    with open(path, newline="", encoding="utf-8", errors="replace") as stream:
        lines = [line for line in csv.reader(stream, delimiter=separator) if line]
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        return None
    names: Any = tuple(lines[0]) if has_header else tuple(range(len(lines[0])))
    rows = lines[1:] if has_header else lines
    made = DataFrame.__new__(DataFrame)
    data = {}
    for name, cells in zip(names, zip(*rows) if rows else [()] * len(names)):
        values: Any
        try:
            values = numpy.asarray([float(cell) if cell else float("nan") for cell in cells])
        except ValueError:
            values = None if str(name).lower() in _DATES else numpy.asarray(cells, object)
        data[name] = Series(values, len(rows), name)
    made._set(data, names, len(rows))
    return made


def moments(values: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`to_datetime`, `DatetimeIndex`: as many moments as there are values."""
    if isinstance(values, (Series, list)) or hasattr(values, "shape"):
        return Series(None, len(values), getattr(values, "name", None))
    return Stamp() if isinstance(values, str) else Unknown("moments")
