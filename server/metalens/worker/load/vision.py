"""Transforms of torchvision, without images: what changes sizes, and what makes tensors."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import is_rare
from metalens.worker.load.pictures import Picture, pictured
from metalens.worker.load.told import tell
from metalens.worker.load.unknown import UnknownError

STAND_IN = True


class InterpolationMode(enum.Enum):
    """How pixels are made up, which changes no size."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def _pair(size: Any) -> Optional[tuple[int, int]]:
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None


def _sized(image: Any, height: int, width: int, made_up: bool = False) -> Any:
    if isinstance(image, Picture):
        return Picture(width, height, image.channels, made_up, image.any_mode)
    if isinstance(image, torch.Tensor):
        return image.new_empty((*image.shape[:-2], height, width))
    raise UnknownError("an image is not known")


def _extent(image: Any) -> tuple[int, int]:
    if isinstance(image, Picture):
        width, height = image.extent()
        return height, width
    if isinstance(image, torch.Tensor):
        return int(image.shape[-2]), int(image.shape[-1])
    raise UnknownError("an image is not known")


def _resize(size: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    def apply(image: Any) -> Any:
        wanted = _pair(size)
        if wanted is not None:
            return _sized(image, *wanted)
        edge = int(size[0] if isinstance(size, (list, tuple)) else size)
        height, width = _extent(image)
        made_up = isinstance(image, Picture) and image.made_up
        if height <= width:
            return _sized(image, edge, int(edge * width / height), made_up)
        return _sized(image, int(edge * height / width), edge, made_up)

    return apply


def _crop(size: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    edge = size[0] if isinstance(size, (list, tuple)) and len(size) == 1 else size
    height, width = _pair(edge) or (int(edge), int(edge))
    return lambda image: _sized(image, height, width)


def _pad(padding: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    parts = [padding] * 4 if isinstance(padding, int) else list(padding) * (4 // len(padding))

    def apply(image: Any) -> Any:
        height, width = _extent(image)
        made_up = isinstance(image, Picture) and image.made_up
        return _sized(image, height + parts[1] + parts[3], width + parts[0] + parts[2], made_up)

    return apply


def _to_tensor(kind: torch.dtype) -> Callable[..., Callable[[Any], Any]]:
    """A transform that makes tensors (C, H, W) of pictures and of arrays (H, W) or (H, W, C), their bytes a `kind`."""

    def apply(image: Any) -> Any:
        if isinstance(image, Picture):
            return image.tensor(kind)
        if isinstance(image, torch.Tensor) or not hasattr(image, "__array_interface__"):
            return image
        tensor = torch.from_numpy(image if image.ndim > 2 else image[:, :, None]).permute(2, 0, 1).contiguous()
        return tensor.to(kind) if tensor.dtype is torch.uint8 else tensor

    return lambda *args: apply


def _to_dtype(dtype: Any = torch.float32, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    known = isinstance(dtype, torch.dtype)
    return lambda image: image.to(dtype) if known and isinstance(image, torch.Tensor) else image


def _grayscale(num_output_channels: int = 1, *args: Any) -> Callable[[Any], Any]:
    def apply(image: Any) -> Any:
        if isinstance(image, Picture):
            return Picture(*image.extent(), num_output_channels, image.made_up)
        return image.new_empty((*image.shape[:-3], num_output_channels, *image.shape[-2:]))

    return apply


def _normalize(mean: Any = (), std: Any = (), *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    def apply(image: Any) -> Any:
        count = len(mean) if isinstance(mean, (list, tuple)) else 1
        if isinstance(image, torch.Tensor) and count not in (1, int(image.shape[-3])):
            means, channels = torch.zeros(count)[:, None, None], int(image.shape[-3])
            if is_rare():
                return image - means  # a picture that is supposed to be grey, and may have as many channels
            try:
                image.clone().sub_(means)  # as torchvision has it, which raises; older versions let it pass
            except RuntimeError as error:
                have = f"{channels} channel{'s' * (channels > 1)}"
                tell(error, f"Normalize has {count} means, the images have {have} ({list(image.shape)})")
        return image

    return apply


class Transform(torch.nn.Module):  # type: ignore[misc]
    """A transform that is a module, as most of torchvision's are: it may stand in a Sequential.

    It is data all the same: neither its construction nor its call counts as one of a model.
    """

    make: Callable[..., Callable[[Any], Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """As for any object."""
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.change = type(self).make(*args, **kwargs)

    def __call__(self, image: Any) -> Any:
        """The image after it."""
        return self.change(image)


class Compose:
    """Transforms one after another."""

    def __init__(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        """The image after all of them."""
        for transform in self.transforms:
            image = transform(image)
        return image


class OneOf(Compose):
    """One of several transforms: the first."""

    def __call__(self, image: Any) -> Any:
        """The image after it."""
        return self.transforms[0](image)


def _same(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda image: image


def _lambda(function: Any) -> Any:
    return function


def _to_picture(*args: Any) -> Callable[[Any], Any]:
    return pictured


def _crops(count: int) -> Callable[..., Any]:
    return lambda size, *args, **kwargs: lambda image: tuple(_crop(size)(image) for _ in range(count))


def _box(image: Any, top: Any, left: Any, height: int, width: int, *size: Any, **kwargs: Any) -> Any:
    cut = _sized(image, int(height), int(width))
    return _resize(kwargs.get("size", *size[:1]))(cut) if size or "size" in kwargs else cut


def _function(make: Callable[..., Any]) -> Callable[..., Any]:
    """A transform as a function of the image and its options."""
    return lambda image, *args, **kwargs: make(*args, **kwargs)(image)


TRANSFORMS: dict[str, Any] = {
    "Compose": Compose,
    "RandomOrder": Compose,
    "RandomChoice": OneOf,
    "ToTensor": _to_tensor(torch.float32),
    "PILToTensor": _to_tensor(torch.uint8),
    "Lambda": _lambda,
    "ToPILImage": _to_picture,
    "InterpolationMode": InterpolationMode,
}
_MODULES: dict[str, Callable[..., Callable[[Any], Any]]] = {
    "RandomApply": Compose,
    "Resize": _resize,
    "Scale": _resize,
    "CenterCrop": _crop,
    "RandomCrop": _crop,
    "RandomResizedCrop": _crop,
    "RandomSizedCrop": _crop,
    "Pad": _pad,
    "ToImage": _to_tensor(torch.uint8),
    "Grayscale": _grayscale,
    "Normalize": _normalize,
    "ToDtype": _to_dtype,
    "ConvertImageDtype": _to_dtype,
    "FiveCrop": _crops(5),
    "TenCrop": _crops(10),
    **dict.fromkeys(
        (
            "RandomHorizontalFlip RandomVerticalFlip RandomRotation ColorJitter "
            "RandomErasing RandomAffine GaussianBlur RandomPerspective RandomGrayscale AutoAugment RandAugment "
            "TrivialAugmentWide RandomInvert RandomSolarize RandomPosterize RandomEqualize RandomAutocontrast "
            "RandomAdjustSharpness AugMix"
        ).split(),
        _same,
    ),
}
TRANSFORMS.update(
    {
        name: type(name, (Transform,), {"make": staticmethod(make), "__module__": __name__})
        for name, make in _MODULES.items()
    }
)
FUNCTIONS: dict[str, Any] = {
    "InterpolationMode": InterpolationMode,
    "resize": _function(_resize),
    "center_crop": _function(_crop),
    "pad": _function(_pad),
    "to_tensor": _function(_to_tensor(torch.float32)),
    "pil_to_tensor": _function(_to_tensor(torch.uint8)),
    "to_pil_image": _function(_to_picture),
    "to_grayscale": _function(_grayscale),
    "rgb_to_grayscale": _function(_grayscale),
    "normalize": _function(_normalize),
    "convert_image_dtype": _function(_to_dtype),
    "to_dtype": _function(_to_dtype),
    "five_crop": _function(_crops(5)),
    "ten_crop": _function(_crops(10)),
    "crop": _box,
    "resized_crop": _box,
    "get_image_size": lambda image: [*_extent(image)[::-1]],
}
FUNCTIONS.update(
    {
        name: _function(_same)
        for name in (
            "hflip vflip rotate affine perspective gaussian_blur adjust_brightness adjust_contrast adjust_saturation "
            "adjust_hue adjust_gamma adjust_sharpness autocontrast equalize invert posterize solarize erase"
        ).split()
    }
)


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without conveniences."""
    if name in ("torchvision.transforms", "torchvision.transforms.v2"):
        return TRANSFORMS
    if name in ("torchvision.transforms.functional", "torchvision.transforms.v2.functional"):
        return FUNCTIONS
    if name == "torchvision.utils":
        return {"save_image": lambda *args, **kwargs: None, "make_grid": _grid}
    return None


def _grid(images: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(images, torch.Tensor):
        raise UnknownError("images are not known")
    return images[0]
