"""Packages that read, describe and scale data, where they are not installed: only what keeps shapes true."""

from __future__ import annotations

import re
from typing import Any, Optional

from metalens.worker.load import arrays, tables
from metalens.worker.load.columns import Series, Stamp
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True


# ---------------------------------------------------------------- frequencies


def _offset(name: str) -> type:
    return type(name, (), {})


_OFFSETS = {
    name: _offset(name) for name in "YearEnd QuarterEnd MonthEnd Week Day BusinessDay Hour Minute Second".split()
}
_LETTERS = dict(zip("y q m w d b h t s".split(), _OFFSETS))
_LETTERS.update({"a": "YearEnd", "min": "Minute", "ye": "YearEnd", "me": "MonthEnd", "qe": "QuarterEnd"})


def _to_offset(text: Any) -> Any:
    found = re.fullmatch(r"\d*([a-z]+)(-[a-z]+)?", str(text).lower()) if not isinstance(text, Unknown) else None
    name = _LETTERS.get(found[1]) if found else None
    return _OFFSETS[name]() if name else Unknown("a frequency")


# ---------------------------------------------------------------- scaling


class Scaler:
    """Gives back what it gets, as numbers in the same shape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.mean_ = self.scale_ = self.var_ = Unknown("what a scaler learned")

    def fit(self, data: Any, *args: Any, **kwargs: Any) -> Scaler:
        """Nothing is learned."""
        return self

    partial_fit = fit

    def transform(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """The same numbers."""
        return _numbers(data)

    fit_transform = inverse_transform = transform


class LabelEncoder(Scaler):
    """Labels as whole numbers; how many there are is known where the labels are."""

    def fit(self, data: Any, *args: Any, **kwargs: Any) -> LabelEncoder:
        """Remember the labels."""
        self.classes_ = Unknown("the labels of a table that is not here")
        return self

    def transform(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Zeros."""
        return _numbers(data) * 0

    def fit_transform(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Zeros."""
        return self.fit(data).transform(data)

    inverse_transform = transform


def _numbers(data: Any) -> Any:
    numpy = arrays.numpy()

    if isinstance(data, Unknown):
        return data
    array = numpy.asarray(data)
    return numpy.zeros(array.shape) if array.dtype.kind not in "fiub" else array.astype(float)


def _split(*arrays: Any, test_size: Any = None, train_size: Any = None, **options: Any) -> Any:
    """train_test_split: the first part and the rest of each."""
    found: list[Any] = []
    for array in arrays:
        if isinstance(array, Unknown):
            found += [array, array]
            continue
        count = len(array)
        test = test_size if test_size is not None else 0.25 if train_size is None else None
        if isinstance(test, Unknown) or isinstance(train_size, Unknown):
            raise UnknownError("the size of a part is not known")
        if test is None:
            test = count - train_size if isinstance(train_size, int) else 1.0 - train_size
        left = count - (test if isinstance(test, int) else -int(-count * test // 1))
        found += [_part(array, slice(left)), _part(array, slice(left, None))]
    return found


def _part(array: Any, rows: slice) -> Any:
    return array.iloc[rows] if isinstance(array, (tables.DataFrame, Series)) else array[rows]


# ---------------------------------------------------------------- published data sets


class _Split:
    """One part of a published data set."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"the data set's {name}")

    def to_pandas(self) -> Any:
        """Its table."""
        return tables.named(self._name)


def _load_dataset(path: Any = None, name: Any = None, *args: Any, split: Any = None, **kwargs: Any) -> Any:
    if not isinstance(name, str) or isinstance(tables.named(name), Unknown):
        return Unknown("a published data set")
    return _Split(name) if split is not None else {part: _Split(name) for part in ("train", "validation", "test")}


_SCALERS = {name: Scaler for name in "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler".split()}
_MODULES: dict[str, dict[str, Any]] = {
    "pandas": {
        "read_csv": tables.read_csv,
        "DataFrame": tables.DataFrame,
        "Series": Series,
        "to_datetime": tables.moments,
        "DatetimeIndex": tables.moments,
        "Timestamp": Stamp,
    },
    "pandas.tseries": {},
    "pandas.tseries.offsets": _OFFSETS,
    "pandas.tseries.frequencies": {"to_offset": _to_offset},
    "sklearn.preprocessing": {**_SCALERS, "LabelEncoder": LabelEncoder},
    "sklearn.model_selection": {"train_test_split": _split},
    "datasets": {"load_dataset": _load_dataset},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without conveniences."""
    return _MODULES.get(name)
