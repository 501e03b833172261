"""Packages that read pictures and videos as arrays, where they are not installed: what keeps shapes true."""

from __future__ import annotations

from typing import Any, Optional

from metalens.worker.load import arrays
from metalens.worker.load.cameras import is_view
from metalens.worker.load.inventions import (
    PICTURE_CHANNELS,
    PICTURE_SIZES,
    VIDEO_LENGTHS,
    invented,
    more,
    picture_channels,
    picture_extent,
)
from metalens.worker.load.unknown import Unknown

STAND_IN = True
_FRAMES = 64


def _imread(file: Any, mode: Any = 1, *args: Any, **kwargs: Any) -> Any:
    invented(PICTURE_SIZES)
    width, height = picture_extent(500, 375)
    plain = mode == 0 or (isinstance(mode, int) and mode < 0 and picture_channels() == 1)
    return arrays.numpy().zeros((height, width) if plain else (height, width, 3), "uint8")


def _read_as_it_is(file: Any = "", *args: Any, **kwargs: Any) -> Any:
    if isinstance(file, str) and is_view(file):
        picture = _imread(file)
        return arrays.numpy().zeros((*picture.shape[:2], 4), "uint8")
    invented(PICTURE_CHANNELS)
    return _imread(file, -1)


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


def _scaled(image: Any, output_shape: Any = None, *args: Any, **kwargs: Any) -> Any:
    """scikit-image's `resize`: height and width, and floats."""
    if isinstance(image, Unknown) or isinstance(output_shape, Unknown):
        return Unknown("a picture in another size")
    rest = image.shape[len(output_shape) :]
    return arrays.numpy().zeros((*(int(size) for size in output_shape), *rest))


def _grey(image: Any, *args: Any, **kwargs: Any) -> Any:
    return image if isinstance(image, Unknown) else arrays.numpy().zeros(image.shape[:2])


def _floats(image: Any, *args: Any, **kwargs: Any) -> Any:
    return image if isinstance(image, Unknown) else arrays.numpy().zeros(image.shape)


def _affine(src: Any, dst: Any, *args: Any) -> Any:
    """The 2 x 3 matrix that takes three points to three others."""
    numpy = arrays.numpy()
    if isinstance(src, Unknown) or isinstance(dst, Unknown):
        return numpy.eye(2, 3)
    points = numpy.concatenate([numpy.asarray(src, float), numpy.ones((3, 1))], axis=1)
    return numpy.linalg.lstsq(points, numpy.asarray(dst, float), rcond=None)[0].T


def _matrix(rows: int) -> Any:
    return lambda *args, **kwargs: arrays.numpy().eye(rows, 3)


class _Video:
    """The frames of a video, or of a camera; how many there are counts where they end."""

    def __init__(self, *args: Any) -> None:
        self._left = _FRAMES + more()

    def read(self, *args: Any) -> tuple[bool, Any]:
        """Whether there is another frame, and it."""
        self._left -= 1
        if self._left >= 0:
            return True, _imread("")
        invented(VIDEO_LENGTHS)
        return False, None

    retrieve = read

    def get(self, code: Any) -> float:
        """The width, the height, the frames in a second, or their number."""
        if code == _FRAME_COUNT:
            invented(VIDEO_LENGTHS)
            return float(_FRAMES + more())
        if code in (_FRAME_WIDTH, _FRAME_HEIGHT):
            invented(PICTURE_SIZES)
            return float(picture_extent(500, 375)[code - _FRAME_WIDTH])
        return 25.0

    def isOpened(self) -> bool:  # noqa: N802 - the package's name
        """Always."""
        return True

    def grab(self) -> bool:
        """Whether there is another frame."""
        return self._left > 0

    def set(self, *args: Any) -> bool:
        """As it is."""
        return True

    def release(self) -> None:
        """Nothing is open."""


_FRAME_WIDTH, _FRAME_HEIGHT, _FRAME_COUNT = 3, 4, 7
_COLOURS = {"COLOR_BGR2RGB": 4, "COLOR_RGB2BGR": 4, "COLOR_BGR2GRAY": 6, "COLOR_RGB2GRAY": 7, "COLOR_GRAY2BGR": 8}
_COLOURS.update(COLOR_GRAY2RGB=8, COLOR_BGR2HSV=40, COLOR_RGB2HSV=41, COLOR_BGR2LAB=44, COLOR_RGB2LAB=45)
_COLOURS.update(COLOR_HSV2BGR=54, COLOR_HSV2RGB=55, COLOR_LAB2BGR=56, COLOR_LAB2RGB=57, COLOR_BGR2YCrCb=36)
_COLOURS.update(COLOR_YCrCb2BGR=38, COLOR_BGR2YUV=82, COLOR_YUV2BGR=84, COLOR_BGR2HLS=52, COLOR_HLS2BGR=60)
_CV: dict[str, Any] = {
    **_COLOURS,
    "imread": _imread,
    "imdecode": _imread,
    "resize": _resized,
    "cvtColor": _coloured,
}
_CV.update(dict.fromkeys("flip GaussianBlur medianBlur blur addWeighted filter2D".split(), _first))
_CV.update(warpAffine=_warped, warpPerspective=_warped, copyMakeBorder=_framed)
_CV.update(getAffineTransform=_affine, invertAffineTransform=_matrix(2), getRotationMatrix2D=_matrix(2))
_CV.update(getPerspectiveTransform=_matrix(3))
_CV.update(IMREAD_GRAYSCALE=0, IMREAD_COLOR=1, INTER_NEAREST=0, INTER_LINEAR=1, INTER_CUBIC=2, INTER_AREA=3)
_CV.update(VideoCapture=_Video, CAP_PROP_FRAME_WIDTH=_FRAME_WIDTH, CAP_PROP_FRAME_HEIGHT=_FRAME_HEIGHT)
_CV.update(CAP_PROP_FPS=5, CAP_PROP_FRAME_COUNT=_FRAME_COUNT)
_READS = {"imread": _read_as_it_is}
_MODULES: dict[str, dict[str, Any]] = {
    "cv2": _CV,
    "imageio": _READS,
    "imageio.v2": _READS,
    "imageio.v3": _READS,
    "skimage.io": _READS,
    "skimage.transform": {"resize": _scaled},
    "skimage.color": {"rgb2gray": _grey, **dict.fromkeys("rgb2lab lab2rgb rgb2hsv hsv2rgb rgb2yuv".split(), _floats)},
    "skimage": {"img_as_float": _floats, "img_as_float32": _floats},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without pictures."""
    return _MODULES.get(name)
