"""What functions over images, signals and volumes give: pools, shuffles and interpolations, where their call failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from metalens.worker.trace.guess import Guess, Guesses, Window, all_of, each, same, shape_of


def pooled(x: Any, space: int, window: Window) -> Guess:
    """A pool: its space does not fit, all else stays."""
    shape = shape_of(x)
    if x.dim() not in (space + 1, space + 2):
        return same(x, all_of(x))
    lead = shape[:-space]
    return Guess((*lead, *window.over(shape[-space:])), frozenset(range(len(lead), x.dim())), x.dtype)


def adapted(x: Any, space: int, size: Any) -> Guess:
    """A pool to a size that is given."""
    shape = shape_of(x)
    if x.dim() not in (space + 1, space + 2):
        return same(x, all_of(x))
    sizes = (wanted if wanted is not None else old for wanted, old in zip(each(size, space), shape[-space:]))
    return Guess((*shape[:-space], *sizes), frozenset(), x.dtype)


def shuffled(x: Any, factor: int) -> Guess:
    """A pixel shuffle: the channels are in doubt."""
    shape = shape_of(x)
    sizes = (*shape[:-3], max(1, shape[-3] // factor**2), shape[-2] * factor, shape[-1] * factor)
    return Guess(sizes, frozenset((x.dim() - 3,)), x.dtype)


def unshuffled(x: Any, factor: int) -> Guess:
    """The inverse of a pixel shuffle: the space is in doubt."""
    shape = shape_of(x)
    sizes = (*shape[:-3], shape[-3] * factor**2, max(1, shape[-2] // factor), max(1, shape[-1] // factor))
    return Guess(sizes, frozenset((x.dim() - 2, x.dim() - 1)), x.dtype)


def padded(x: Any, amounts: Any) -> Guess:
    """Padding of the last dimensions, the last one first; those are in doubt."""
    sizes = list(shape_of(x))
    for place in range(min(len(amounts) // 2, x.dim())):
        sizes[-1 - place] = max(1, sizes[-1 - place] + amounts[2 * place] + amounts[2 * place + 1])
    return Guess(tuple(sizes), frozenset(range(max(0, x.dim() - len(amounts) // 2), x.dim())), x.dtype)


def _pad(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    return padded(args[0], args[1] if len(args) > 1 else kwargs["pad"])


def _pool(space: int) -> Rule:
    def rule(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
        bound = {**dict(zip(("input", "kernel_size", "stride", "padding"), args)), **kwargs}
        kernel = each(bound["kernel_size"], space)
        stride = bound.get("stride")
        strides = kernel if stride is None or stride == [] else each(stride, space)
        window = Window(kernel, strides, each(bound.get("padding", 0), space), each(bound.get("dilation", 1), space))
        return pooled(bound["input"], space, window)

    return rule


def _adaptive(space: int) -> Rule:
    def rule(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
        return adapted(args[0], space, args[1] if len(args) > 1 else kwargs["output_size"])

    return rule


def _pixels(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    return shuffled(args[0], args[1] if len(args) > 1 else kwargs["upscale_factor"])


def _unpixels(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Guesses:
    return unshuffled(args[0], args[1] if len(args) > 1 else kwargs["downscale_factor"])


def _interpolated(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Optional[Guess]:
    bound = {**dict(zip(("input", "size", "scale_factor"), args)), **kwargs}
    x, size, scale = bound["input"], bound.get("size"), bound.get("scale_factor")
    if x.dim() < 3:
        return None
    space = x.dim() - 2
    if size is not None:
        return Guess((*shape_of(x)[:2], *each(size, space)), frozenset(range(x.dim())), x.dtype)
    factors = each(scale, space)
    sizes = (int(old * factor) for old, factor in zip(shape_of(x)[2:], factors))
    return Guess((*shape_of(x)[:2], *sizes), frozenset(range(x.dim())), x.dtype)


Rule = Callable[["tuple[Any, ...]", "dict[str, Any]"], Guesses]
OF_SPACE: dict[str, Rule] = {
    **{f"{kind}_pool{space}d": _pool(space) for kind in ("max", "avg", "lp") for space in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{space}d": _adaptive(space) for kind in ("max", "avg") for space in (1, 2, 3)},
    "pad": _pad,
    "pixel_shuffle": _pixels,
    "pixel_unshuffle": _unpixels,
    "interpolate": _interpolated,
}
