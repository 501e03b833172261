"""Where stand-ins say that they made a size up, so that what rests on it is never called a mistake."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PICTURE_SIZES = "the sizes of images that are not here"
PICTURE_CHANNELS = "the channels of images that are not here"
ANNOTATIONS = "the annotations of images that are not here"
WORDS = "the words of a text that is not here"
LISTS = "the lines of a list that is not here"
SOUND_LENGTHS = "the lengths of sounds that are not here"
VIDEO_LENGTHS = "the lengths of videos that are not here"
SOUND_CHANNELS = "the channels of sounds that are not here"
OLDER_STFT = "the pairs of numbers of an stft of older torch"
SIZES = "the sizes that data decides"
COLUMNS = "the columns of a table that is not here"
ROUNDS = "the rounds before a model learns"
NUMBERS = "the whole numbers that a model computes"
FRACTIONS = "the numbers that a model computes"
_PICTURED = (PICTURE_SIZES, PICTURE_CHANNELS, ANNOTATIONS, VIDEO_LENGTHS)
_DATA = (*_PICTURED, WORDS, LISTS, SOUND_LENGTHS, SOUND_CHANNELS, COLUMNS, SIZES)
VARIED = (*_DATA, OLDER_STFT, ROUNDS, NUMBERS, FRACTIONS)
"""What may be supposed to be otherwise than it is made up; of what is in pairs the shape is known."""

_COMPUTED = 7  # sizes are divided by such numbers, and parts are as long
_LEFT_OUT = 3
_SHARES = (0.25, 0.6, 2.5)  # of a computed number some share may be taken, or it may be one
_STEP = 8  # what divides a size divides another one as well


@dataclass(frozen=True)
class Supposed:
    """What data that is not here is taken to be, and which of what is made up somebody `asked` for.

    Pictures have this size. `more` is by how much what can be counted (objects in a picture, letters and words, samples
    of a sound, what a model computes) differs from what is usual. `rare` gives pictures one channel and sounds two.
    """

    width: int
    height: int
    more: int
    rare: bool = False
    asked: set[str] = field(default_factory=set)


_listeners: list[Callable[[str], None]] = []
_supposed: list[Supposed] = []


def listen(listener: Callable[[str], None]) -> None:
    """From now on `listener(reason)` hears of each invented size, and nobody else."""
    _listeners[:] = [listener]


def invented(reason: str) -> None:
    """Tell that a size was made up, and what it stands for."""
    if _supposed and reason in VARIED:
        _supposed[-1].asked.add(reason)
        return
    for listener in _listeners:
        listener(reason)


def graver(before: str, reason: str) -> str:
    """Of two reasons to doubt the one to keep: the first, unless that speaks of data that can be supposed otherwise."""
    if not before or not reason:
        return before or reason
    return reason if before.startswith(VARIED) and not reason.startswith(VARIED) else before


def whole_number(made_up: Callable[[str], None]) -> int:
    """What stands for a whole number that a model computes; unless it is supposed, `made_up(reason)` is told so."""
    if _supposed:
        _supposed[-1].asked.add(NUMBERS)
        return 1 + _COMPUTED * _supposed[-1].more
    made_up(f"{NUMBERS} are made up")
    return 1


def fraction(usual: float, made_up: Callable[[str], None]) -> float:
    """What stands for a number that a model computes; unless it is supposed, `made_up(reason)` is told so."""
    if _supposed:
        _supposed[-1].asked.add(NUMBERS)
        return (usual, *_SHARES)[_supposed[-1].more % (1 + len(_SHARES))]
    made_up(f"{FRACTIONS} are made up")
    return usual


def left_out(made_up: Callable[[str], None]) -> int:
    """How many items a mask leaves out that a model computes; unless it is supposed, `made_up(reason)` is told so."""
    if _supposed:
        _supposed[-1].asked.add(NUMBERS)
        return _LEFT_OUT * _supposed[-1].more
    made_up(f"{NUMBERS} are made up")
    return 0


def size_of_data(usual: int) -> int:
    """A size that data decides: the usual one, unless another one is supposed."""
    return usual + _STEP * more()


def picture_extent(width: int, height: int) -> tuple[int, int]:
    """Width and height of a picture that is not here: those that are usual, unless others are supposed."""
    return (_supposed[-1].width, _supposed[-1].height) if _supposed else (width, height)


def picture_channels() -> int:
    """How many channels a picture has that is not here."""
    return 1 if _supposed and _supposed[-1].rare else 3


def is_rare() -> bool:
    """Whether pictures and sounds have other channels than usual, because that is supposed."""
    return bool(_supposed) and _supposed[-1].rare


def sound_channels() -> int:
    """How many channels a sound has that is not here."""
    return 2 if _supposed and _supposed[-1].rare else 1


def more() -> int:
    """How many more than usual there are of things that are counted."""
    return _supposed[-1].more if _supposed else 0


@contextlib.contextmanager
def supposing(supposed: Supposed) -> Iterator[None]:
    """In the body this is so, as if it were known."""
    _supposed.append(supposed)
    try:
        yield
    finally:
        _supposed.pop()
