"""PIL without PIL: pictures of a size, whose pixels nobody looks at."""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Sequence
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import (
    PICTURE_CHANNELS,
    PICTURE_SIZES,
    invented,
    picture_channels,
    picture_extent,
)
from metalens.worker.load.unknown import Unknown

STAND_IN = True
# Files of classes for each pixel have one channel.
_MASKS = re.compile(
    r"mask|labels?\b|annot|seg(?:mentation)?class|gtfine|ground_?truth|(?:^|[_/-])(?:gt|lbl|seg)(?:[_./-]|$)", re.I
)
_CHANNELS = {"1": 1, "L": 1, "P": 1, "I": 1, "F": 1, "LA": 2, "RGBA": 4, "CMYK": 4}


class Picture:
    """Stands for a PIL image of a size (width, height).

    `made_up` tells that nobody knows its size, `any_mode` that nobody knows how many channels it has.
    """

    def __init__(
        self, width: int, height: int, channels: int = 3, made_up: bool = False, any_mode: bool = False
    ) -> None:
        self.made_up, self.any_mode = made_up, any_mode
        self._width, self._height = width, height
        self.channels = channels
        self.mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels, "RGB")

    def convert(self, mode: str = "RGB", *args: Any, **kwargs: Any) -> Picture:
        """The picture in another mode."""
        return Picture(self._width, self._height, channels=_CHANNELS.get(mode or "RGB", 3), made_up=self.made_up)

    def resize(self, size: Sequence[int], *args: Any, **kwargs: Any) -> Picture:
        """The picture in another size (width, height)."""
        return Picture(int(size[0]), int(size[1]), self.channels, any_mode=self.any_mode)

    def crop(self, box: Sequence[int]) -> Picture:
        """The part of the picture in a box."""
        left, upper, right, lower = (round(part) for part in box)
        return Picture(right - left, lower - upper, self.channels, any_mode=self.any_mode)

    def transpose(self, method: Any = 0, *args: Any) -> Picture:
        """The picture mirrored or turned."""
        turned = method in (2, 4, 5, 6)
        width, height = (self._height, self._width) if turned else (self._width, self._height)
        return Picture(width, height, self.channels, self.made_up, self.any_mode)

    def rotate(self, angle: Any = 0, *args: Any, expand: Any = False, **kwargs: Any) -> Any:
        """The picture turned in its frame."""
        return Unknown("a turned picture") if expand else self

    def split(self) -> tuple[Picture, ...]:
        """Its channels."""
        return tuple(Picture(self._width, self._height, 1, self.made_up) for _ in range(self.channels))

    rotate.takes_unknown = True  # type: ignore[attr-defined]

    def getbands(self) -> tuple[str, ...]:
        """The names of its channels."""
        return tuple(self.mode) if self.channels > 1 else (self.mode,)

    def thumbnail(self, size: Sequence[int], *args: Any, **kwargs: Any) -> None:
        """Shrink it to fit into a size."""
        scale = min(1.0, size[0] / self._width, size[1] / self._height)
        self._width, self._height = round(self._width * scale), round(self._height * scale)

    def itself(self, *args: Any, **kwargs: Any) -> Picture:
        """What changes colours only, or nothing."""
        return self

    itself.takes_unknown = True  # type: ignore[attr-defined]
    copy = filter = point = quantize = load = __enter__ = itself

    def nothing(self, *args: Any, **kwargs: Any) -> None:
        """What shows, stores or paints it."""

    save = show = paste = putalpha = close = verify = __exit__ = nothing

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._tell_all()
        numpy = sys.modules["numpy"]  # which called this
        shape = (self._height, self._width) if self.channels == 1 else (self._height, self._width, self.channels)
        return numpy.zeros(shape, dtype or numpy.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        self._tell()
        return self.extent()

    @property
    def width(self) -> int:
        """Its width."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Its height."""
        return self.size[1]

    def extent(self) -> tuple[int, int]:
        """Width and height for what passes them on to another picture."""
        return self._width, self._height

    def _tell(self) -> None:
        if self.made_up:
            invented(PICTURE_SIZES)

    def _tell_all(self) -> None:
        self._tell()
        if self.any_mode:
            invented(PICTURE_CHANNELS)

    def tensor(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Channels, height, width."""
        self._tell_all()
        return torch.empty((self.channels, self._height, self._width), dtype=dtype, device="meta")


def opened(file: Any = "", *args: Any, **kwargs: Any) -> Picture:
    """The picture that a file holds."""
    named = isinstance(file, (str, os.PathLike)) and not isinstance(file, Unknown)
    channels = 1 if named and _MASKS.search(os.fspath(file)) else picture_channels()
    return Picture(*picture_extent(500, 375), channels, made_up=True, any_mode=True)


# Whatever the name of the file is, it holds a picture.
opened.takes_unknown = True  # type: ignore[attr-defined]


def pictured(array: Any, mode: Any = None) -> Any:
    """The picture that an array or a tensor (channels first) holds."""
    if isinstance(array, Picture):
        return array
    if isinstance(array, Unknown):
        return opened().convert(mode) if mode else opened()
    shape = [int(size) for size in getattr(array, "shape", ())]
    if len(shape) not in (2, 3):
        return Unknown("a picture of something that is not known")
    if isinstance(array, torch.Tensor) and len(shape) == 3:
        shape = [*shape[1:], shape[0]]
    channels = 1 if len(shape) == 2 else shape[2]
    return Picture(shape[1], shape[0], channels).convert(mode) if mode else Picture(shape[1], shape[0], channels)


pictured.takes_unknown = True  # type: ignore[attr-defined]


def _new(mode: Any = "RGB", size: Sequence[int] = (1, 1), *args: Any, **kwargs: Any) -> Picture:
    return Picture(int(size[0]), int(size[1])).convert(mode)


def _merged(mode: Any, bands: Sequence[Any]) -> Any:
    return bands[0].convert(mode)


def _same(image: Any, *args: Any, **kwargs: Any) -> Any:
    return image


def _blended(first: Any, second: Any, *args: Any, **kwargs: Any) -> Any:
    return first


class _Enhancer:
    """Changes colours, which nobody sees."""

    def __init__(self, image: Any) -> None:
        self.image = image

    def enhance(self, *args: Any) -> Any:
        """The same picture."""
        return self.image


_FILTERS: dict[str, Any] = dict(NEAREST=0, LANCZOS=1, ANTIALIAS=1, BILINEAR=2, BICUBIC=3, BOX=4, HAMMING=5)
_TURNS = "FLIP_LEFT_RIGHT FLIP_TOP_BOTTOM ROTATE_90 ROTATE_180 ROTATE_270 TRANSPOSE TRANSVERSE".split()
_TURNED = {name: index for index, name in enumerate(_TURNS)}
_IMAGE: dict[str, Any] = {
    **_FILTERS,
    **_TURNED,
    "Resampling": types.SimpleNamespace(**_FILTERS),
    "Transpose": types.SimpleNamespace(**_TURNED),
    "Image": Picture,
    "open": opened,
    "fromarray": pictured,
    "new": _new,
    "merge": _merged,
    "blend": _blended,
    "composite": _blended,
}
_OPERATIONS = "exif_transpose mirror flip autocontrast equalize invert posterize solarize".split()
_MODULES: dict[str, dict[str, Any]] = {
    "PIL.Image": _IMAGE,
    "PIL.ImageOps": {**{name: _same for name in _OPERATIONS}, "grayscale": lambda image: image.convert("L")},
    "PIL.ExifTags": {"TAGS": {274: "Orientation", 306: "DateTime"}, "GPSTAGS": {}},
    "PIL.ImageEnhance": {name: _Enhancer for name in ("Color", "Contrast", "Brightness", "Sharpness")},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without pictures."""
    return _MODULES.get(name)
