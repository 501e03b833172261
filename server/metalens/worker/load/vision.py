"""Image data without images: datasets that are known by name, transforms that change sizes, files that are not read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Optional

import torch

from metalens.worker.load.inventions import invented
from metalens.worker.load.unknown import Unknown, UnknownError

STAND_IN = True

# name: channels, height, width, classes (0: no class label)
DATASETS: dict[str, tuple[int, int, int, int]] = {
    "MNIST": (1, 28, 28, 10),
    "FashionMNIST": (1, 28, 28, 10),
    "KMNIST": (1, 28, 28, 10),
    "QMNIST": (1, 28, 28, 10),
    "EMNIST": (1, 28, 28, 47),
    "USPS": (1, 16, 16, 10),
    "CIFAR10": (3, 32, 32, 10),
    "CIFAR100": (3, 32, 32, 100),
    "SVHN": (3, 32, 32, 10),
    "STL10": (3, 96, 96, 10),
    "ImageNet": (3, 375, 500, 1000),
    "ImageFolder": (3, 375, 500, 10),
    "CelebA": (3, 218, 178, 0),
    "LSUN": (3, 256, 341, 10),
    "FakeData": (3, 224, 224, 10),
    "Food101": (3, 512, 512, 101),
    "Flowers102": (3, 500, 600, 102),
    "OxfordIIITPet": (3, 375, 500, 37),
}


# Their images or classes are what somebody's folder holds.
_VARYING = {"ImageNet", "ImageFolder", "LSUN", "Food101", "Flowers102", "OxfordIIITPet"}


class Picture:
    """Stands for a PIL image of a size (width, height); `made_up` tells that nobody knows its size."""

    def __init__(self, width: int, height: int, channels: int = 3, made_up: bool = False) -> None:
        self.made_up = made_up
        self._width, self._height = width, height
        self.channels = channels
        self.mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels, "RGB")

    def convert(self, mode: str = "RGB", *args: Any, **kwargs: Any) -> Picture:
        """The picture in another mode."""
        return Picture(
            self._width, self._height, channels={"L": 1, "1": 1, "RGB": 3, "RGBA": 4}.get(mode, 3), made_up=self.made_up
        )

    def resize(self, size: Sequence[int], *args: Any, **kwargs: Any) -> Picture:
        """The picture in another size (width, height)."""
        return Picture(int(size[0]), int(size[1]), self.channels)

    def crop(self, box: Sequence[int]) -> Picture:
        """The part of the picture in a box."""
        return Picture(int(box[2] - box[0]), int(box[3] - box[1]), self.channels)

    def transpose(self, *args: Any, **kwargs: Any) -> Picture:
        """The picture, with other colours or mirrored."""
        return self

    transpose.takes_unknown = True  # type: ignore[attr-defined]
    copy = filter = point = rotate = quantize = load = transpose

    def getbands(self) -> tuple[str, ...]:
        """The names of its channels."""
        return tuple(self.mode)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._tell()
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
            invented("the sizes of images that are not here")

    def tensor(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Channels, height, width."""
        self._tell()
        return torch.empty((self.channels, self._height, self._width), dtype=dtype, device="meta")


class KnownDataset(torch.utils.data.Dataset):  # type: ignore[type-arg, misc]
    """A dataset of torchvision by its name: items have its shape and went through the user's transforms."""

    shape = (3, 224, 224, 10)
    made_up = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        calls = [part for part in args if callable(part)]
        self.transform = kwargs.get("transform", calls[0] if calls else None)
        self.target_transform = kwargs.get("target_transform")
        self.imgs = self.samples = [(f"{index}.png", 0) for index in range(256)]
        self.targets = [0] * 256

    @property
    def classes(self) -> list[str]:
        """The names of its classes."""
        if self.made_up:
            invented("the classes of a folder that is not here")
        return [str(index) for index in range(self.shape[3])]

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The numbers of its classes."""
        return {name: index for index, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return 60000

    def __getitem__(self, index: int) -> Any:
        channels, height, width, classes = self.shape
        image: Any = Picture(width, height, channels, self.made_up)
        if self.transform is not None:
            image = self.transform(image)
        target: Any = int(index) % classes if classes else torch.zeros(40, dtype=torch.int64)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


def dataset(name: str) -> Any:
    """The stand-in class of a torchvision dataset; Unknown for a name that is not known."""
    if name not in DATASETS:
        return Unknown(f"torchvision.datasets.{name}")
    if name == "FakeData":
        return FakeData
    return type(name, (KnownDataset,), {"shape": DATASETS[name], "made_up": name in _VARYING})


class FakeData(KnownDataset):
    """Images of the size that was asked for."""

    def __init__(
        self, size: int = 1000, image_size: Any = (3, 224, 224), num_classes: int = 10, **options: Any
    ) -> None:
        self.shape = (*(int(part) for part in image_size), int(num_classes))  # type: ignore[assignment]
        self._size = size
        super().__init__(**options)

    def __len__(self) -> int:
        return self._size


# ---------------------------------------------------------------- transforms


def _pair(size: Any) -> Optional[tuple[int, int]]:
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None


def _sized(image: Any, height: int, width: int, made_up: bool = False) -> Any:
    if isinstance(image, Picture):
        return Picture(width, height, image.channels, made_up)
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


def _to_tensor(*args: Any) -> Callable[[Any], Any]:
    return lambda image: image.tensor() if isinstance(image, Picture) else image


def _pil_to_tensor(*args: Any) -> Callable[[Any], Any]:
    return lambda image: image.tensor(torch.uint8) if isinstance(image, Picture) else image


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
            # The text is torch's own for `image - mean[:, None, None]`.
            return image - torch.zeros(count)[:, None, None]
        return image

    return apply


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


TRANSFORMS: dict[str, Any] = {
    "Compose": Compose,
    "RandomApply": Compose,
    "RandomOrder": Compose,
    "RandomChoice": OneOf,
    "Resize": _resize,
    "Scale": _resize,
    "CenterCrop": _crop,
    "RandomCrop": _crop,
    "RandomResizedCrop": _crop,
    "RandomSizedCrop": _crop,
    "Pad": _pad,
    "ToTensor": _to_tensor,
    "PILToTensor": _pil_to_tensor,
    "ToImage": _to_tensor,
    "Grayscale": _grayscale,
    "Normalize": _normalize,
    "Lambda": _lambda,
    "ToPILImage": _same,
    "ConvertImageDtype": _same,
    "ToDtype": _same,
}
TRANSFORMS.update(
    {
        name: _same
        for name in (
            "RandomHorizontalFlip RandomVerticalFlip RandomRotation ColorJitter RandomErasing RandomAffine "
            "GaussianBlur RandomPerspective RandomGrayscale AutoAugment RandAugment TrivialAugmentWide RandomInvert "
            "RandomSolarize RandomPosterize RandomEqualize RandomAutocontrast RandomAdjustSharpness AugMix "
            "InterpolationMode"
        ).split()
    }
)


_SAME_SIZE = "solarize posterize equalize autocontrast invert mirror flip exif_transpose".split()


def _itself(image: Any, *args: Any, **kwargs: Any) -> Any:
    return image


class Enhanced:
    """A picture whose brightness, colour or sharpness will be changed."""

    def __init__(self, image: Any) -> None:
        self.image = image

    def enhance(self, factor: Any) -> Any:
        """The picture."""
        return self.image


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without conveniences."""
    if name in ("torchvision.transforms", "torchvision.transforms.v2"):
        return TRANSFORMS
    if name == "torchvision.datasets":
        return {key: dataset(key) for key in DATASETS}
    if name == "PIL.Image":
        return {
            "open": lambda *args, **kwargs: Picture(500, 375, made_up=True),
            "BICUBIC": 3,
            "BILINEAR": 2,
            "NEAREST": 0,
            "LANCZOS": 1,
        }
    if name == "PIL.ImageOps":
        return {**dict.fromkeys(_SAME_SIZE, _itself), "grayscale": lambda image: image.convert("L")}
    if name == "PIL.ImageEnhance":
        return dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), Enhanced)
    if name == "torchvision.utils":
        return {"save_image": lambda *args, **kwargs: None, "make_grid": _grid}
    return None


def _grid(images: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(images, torch.Tensor):
        raise UnknownError("images are not known")
    return images[0]
