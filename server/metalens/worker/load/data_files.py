"""Packages that read, describe and scale data, where they are not installed: only what keeps shapes true."""

from __future__ import annotations

import re
from typing import Any, Optional

from metalens.worker.load import arrays, tables
from metalens.worker.load.columns import Series, Stamp
from metalens.worker.load.inventions import PICTURE_SIZES, invented, picture_channels, picture_extent
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


# ---------------------------------------------------------------- pictures as arrays


def _imread(file: Any, mode: Any = 1, *args: Any, **kwargs: Any) -> Any:
    invented(PICTURE_SIZES)
    width, height = picture_extent(500, 375)
    plain = mode == 0 or (isinstance(mode, int) and mode < 0 and picture_channels() == 1)
    return arrays.numpy().zeros((height, width) if plain else (height, width, 3), "uint8")


def _resized(image: Any, dsize: Any = None, *args: Any, **kwargs: Any) -> Any:
    if isinstance(image, Unknown) or not isinstance(dsize, (tuple, list)):
        return Unknown("a picture in another size")
    # One channel loses its dimension.
    channels = image.shape[2:] if image.shape[2:] != (1,) else ()
    return arrays.numpy().zeros((int(dsize[1]), int(dsize[0]), *channels), image.dtype)


def _first(image: Any, *args: Any, **kwargs: Any) -> Any:
    return image


def _warped(image: Any, matrix: Any = None, dsize: Any = None, *args: Any, **kwargs: Any) -> Any:
    return _resized(image, dsize)


def _framed(image: Any, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0, *args: Any, **kw: Any) -> Any:
    height, width = image.shape[:2]
    return arrays.numpy().zeros((height + top + bottom, width + left + right, *image.shape[2:]), image.dtype)


def _coloured(image: Any, code: Any = None, *args: Any, **kwargs: Any) -> Any:
    if isinstance(image, Unknown) or code not in _COLOURS.values():
        return Unknown("a picture in other colours")
    names = {name for name, value in _COLOURS.items() if value == code}
    if any(name.endswith("2GRAY") for name in names):
        return image[:, :, 0]
    return arrays.numpy().zeros((*image.shape[:2], 3), image.dtype) if image.ndim == 2 else image


_COLOURS = {"COLOR_BGR2RGB": 4, "COLOR_RGB2BGR": 4, "COLOR_BGR2GRAY": 6, "COLOR_RGB2GRAY": 7, "COLOR_GRAY2BGR": 8}
_COLOURS.update(COLOR_GRAY2RGB=8, COLOR_BGR2HSV=40, COLOR_RGB2HSV=41, COLOR_BGR2LAB=44, COLOR_RGB2LAB=45)
_COLOURS.update(COLOR_HSV2BGR=54, COLOR_HSV2RGB=55, COLOR_LAB2BGR=56, COLOR_LAB2RGB=57, COLOR_BGR2YCrCb=36)
_COLOURS.update(COLOR_YCrCb2BGR=38, COLOR_BGR2YUV=82, COLOR_YUV2BGR=84, COLOR_BGR2HLS=52, COLOR_HLS2BGR=60)
_PICTURES: dict[str, Any] = {
    **_COLOURS,
    "imread": _imread,
    "imdecode": _imread,
    "resize": _resized,
    "cvtColor": _coloured,
}
_PICTURES.update(dict.fromkeys("flip GaussianBlur medianBlur blur addWeighted filter2D".split(), _first))
_PICTURES.update(warpAffine=_warped, warpPerspective=_warped, copyMakeBorder=_framed)
_PICTURES.update(IMREAD_GRAYSCALE=0, IMREAD_COLOR=1, INTER_NEAREST=0, INTER_LINEAR=1, INTER_CUBIC=2, INTER_AREA=3)


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
    "cv2": _PICTURES,
    "datasets": {"load_dataset": _load_dataset},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without conveniences."""
    return _MODULES.get(name)
