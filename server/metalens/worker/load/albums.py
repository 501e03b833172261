"""albumentations where it is not installed: what its transforms make of the sizes of pictures that are arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Optional

import torch

from metalens.worker.load import arrays
from metalens.worker.load.unknown import Unknown

STAND_IN = True

_NO_PICTURES = frozenset(("bboxes", "keypoints", "labels", "class_labels", "category_ids", "label_fields"))


class Transform:
    """Gives back what it gets; kinds of transforms change `picture` (an array, height and width first)."""

    takes_unknown = True

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args, self.options = args, options

    def __call__(self, *args: Any, force_apply: bool = False, **data: Any) -> dict[str, Any]:
        """Every picture and mask of the data, transformed; the rest as it is."""
        return {key: value if key in _NO_PICTURES else self._each(key, value) for key, value in data.items()}

    def picture(self, array: Any, is_mask: bool) -> Any:
        """The picture as it is."""
        return array

    def _each(self, key: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._each(key, part) for part in value]
        return self.picture(value, "mask" in key) if len(getattr(value, "shape", ())) > 1 else value

    def _told(self, at: int, *names: str) -> Any:
        """An argument by its place or by one of its names; None if it was not given."""
        given = next((self.options[name] for name in names if name in self.options), None)
        return given if given is not None or at >= len(self.args) else self.args[at]


class Sized(Transform):
    """Gives pictures of one size: `height, width`, or `size` in newer versions."""

    first = 0

    def size(self, height: int, width: int) -> tuple[Any, Any]:
        """What comes out for so much."""
        pair = self._told(self.first, "size")
        if isinstance(pair, (tuple, list)):
            return pair[0], pair[1]
        return self._told(self.first, "height"), self._told(self.first + 1, "width")

    def picture(self, array: Any, is_mask: bool) -> Any:
        """An array of the size, its channels kept."""
        size = self.size(int(array.shape[0]), int(array.shape[1]))
        if not all(type(part) is int for part in size):
            return Unknown("the size of a transformed picture")
        return arrays.numpy().zeros((*size, *array.shape[2:]), array.dtype)


class _SizedCrop(Sized):
    first = 1


class _Window(Sized):
    def size(self, height: int, width: int) -> tuple[Any, Any]:
        left, top, right, bottom = (self._told(at, name) for at, name in enumerate(_CORNERS))
        return min((bottom or height), height) - (top or 0), min((right or width), width) - (left or 0)


class _Scaled(Sized):
    longest = False

    def size(self, height: int, width: int) -> tuple[Any, Any]:
        wanted = self._told(0, "max_size")
        wanted = wanted[0] if isinstance(wanted, (list, tuple)) else wanted
        if not isinstance(wanted, int):
            return wanted, wanted
        side = max(height, width) if self.longest else min(height, width)
        return round(height * wanted / side), round(width * wanted / side)


class _Longest(_Scaled):
    longest = True


class _Padded(Sized):
    def size(self, height: int, width: int) -> tuple[Any, Any]:
        found = []
        for at, (side, name) in enumerate(((height, "height"), (width, "width"))):
            least, divisor = self._told(at, f"min_{name}"), self.options.get(f"pad_{name}_divisor")
            if isinstance(divisor, int):
                found.append(-(-side // divisor) * divisor)
            else:
                found.append(max(side, 1024 if least is None else least))
        return found[0], found[1]


class _Floats(Transform):
    def picture(self, array: Any, is_mask: bool) -> Any:
        return array if is_mask else array.astype("float32")


class _Tensors(Transform):
    def picture(self, array: Any, is_mask: bool) -> Any:
        if len(array.shape) == 2:
            return torch.from_numpy(array if is_mask else array[None])
        turn = not is_mask or self.options.get("transpose_mask")
        return torch.from_numpy(array.transpose(2, 0, 1) if turn else array)


class _Functions(Transform):
    def picture(self, array: Any, is_mask: bool) -> Any:
        function: Optional[Callable[..., Any]] = self._told(1 if is_mask else 0, "mask" if is_mask else "image")
        return function(array) if callable(function) and not isinstance(function, Unknown) else array


class Compose(Transform):
    """Transforms one after another. What is not known of them changes colours only."""

    def __call__(self, *args: Any, force_apply: bool = False, **data: Any) -> dict[str, Any]:
        """What the last one gives."""
        for transform in self._chosen(self._told(0, "transforms") or ()):
            if transform is not None and not isinstance(transform, Unknown):
                data = transform(**data)
        return data

    def _chosen(self, transforms: Iterable[Any]) -> Iterable[Any]:
        return transforms


class _OneOf(Compose):
    def _chosen(self, transforms: Iterable[Any]) -> Iterable[Any]:
        return list(transforms)[:1]


_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_HELD: dict[str, Any] = {
    **{"Compose": Compose, "ReplayCompose": Compose, "Sequential": Compose, "SomeOf": Compose},
    **{"OneOf": _OneOf, "OneOrOther": _OneOf, "BasicTransform": Transform, "Lambda": _Functions},
    **{name: Sized for name in ("Resize", "CenterCrop", "RandomCrop", "RandomResizedCrop", "CropNonEmptyMaskIfExists")},
    **{"RandomSizedCrop": _SizedCrop, "RandomSizedBBoxSafeCrop": Sized, "Crop": _Window},
    **{"SmallestMaxSize": _Scaled, "LongestMaxSize": _Longest, "PadIfNeeded": _Padded},
    **{"Normalize": _Floats, "ToFloat": _Floats, "ToTensorV2": _Tensors, "ToTensor": _Tensors},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module of another package."""
    return _HELD if name.partition(".")[0] == "albumentations" else None
