"""Datasets of torchvision without images, known by their names."""

from __future__ import annotations

from typing import Any, Optional

import torch

from metalens.worker.load import arrays
from metalens.worker.load.inventions import invented, picture_extent
from metalens.worker.load.pictures import Picture, opened
from metalens.worker.load.unknown import Unknown

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


class KnownDataset(torch.utils.data.Dataset):  # type: ignore[type-arg, misc]
    """A dataset of torchvision by its name: items have its shape and went through the user's transforms."""

    shape = (3, 224, 224, 10)
    made_up = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        calls = [part for part in args if callable(part)]
        self.transform = kwargs.get("transform", calls[0] if calls else None)
        self.target_transform = kwargs.get("target_transform")
        self.imgs = self.samples = [(f"{index}.png", 0) for index in range(256)]
        self.loader = kwargs.get("loader") or self._picture
        self.train = bool(kwargs.get("train", args[1] if len(args) > 1 and isinstance(args[1], bool) else True))

    def __getattr__(self, name: str) -> Any:
        # Made when somebody asks for it: all images at once, and their labels.
        if name in ("data", "train_data", "test_data"):
            return self._images()
        if name in ("targets", "labels", "train_labels", "test_labels"):
            labels = [index % (self.shape[3] or 1) for index in range(len(self))]
            return torch.tensor(labels) if self.shape[0] == 1 else labels
        raise AttributeError(name)

    def _images(self) -> Any:
        channels, height, width, _ = self.shape
        if self.made_up or height > 32:
            return Unknown("the images of a data set")
        if channels == 1:
            return torch.empty((len(self), height, width), dtype=torch.uint8, device="meta")
        numpy = arrays.numpy()
        first = type(self).__name__ == "SVHN"
        shape = (channels, height, width) if first else (height, width, channels)
        return numpy.broadcast_to(numpy.zeros((), "uint8"), (len(self), *shape))

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
        data = vars(self).get("data")
        if data is not None:
            return len(data)
        return (50000 if self.shape[0] == 3 else 60000) if self.train else 10000

    def _picture(self, path: Any) -> Picture:
        channels, height, width, _ = self.shape
        width, height = picture_extent(width, height) if self.made_up else (width, height)
        return Picture(width, height, channels, self.made_up)

    _picture.takes_unknown = True  # type: ignore[attr-defined]

    def __getitem__(self, index: int) -> Any:
        classes = self.shape[3]
        image: Any = self.loader(self.samples[int(index) % len(self.samples)][0])
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


class DatasetFolder(KnownDataset):
    """Files of any kind, read by the user's own function."""

    shape = (3, 375, 500, 10)
    made_up = True

    def __init__(self, root: Any, loader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(root, *args[1:], **{**kwargs, "loader": loader})


class VisionDataset(torch.utils.data.Dataset):  # type: ignore[type-arg, misc]
    """What datasets of the user's own are derived from."""

    def __init__(
        self, root: Any = None, transforms: Any = None, transform: Any = None, target_transform: Any = None
    ) -> None:
        self.root, self.transforms = root, transforms
        self.transform, self.target_transform = transform, target_transform


def _read(path: Any) -> Picture:
    return opened(path).convert("RGB")


_read.takes_unknown = True  # type: ignore[attr-defined]
_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def _ends(name: str, endings: Any = _ENDINGS) -> bool:
    return name.lower().endswith(endings if isinstance(endings, str) else tuple(endings))


def _listed(*args: Any, **kwargs: Any) -> list[tuple[str, int]]:
    return [(f"{index}.png", index % 10) for index in range(256)]


_BASES: dict[str, Any] = {"VisionDataset": VisionDataset, "DatasetFolder": DatasetFolder}
_FOLDER: dict[str, Any] = {
    **dict.fromkeys(("default_loader", "pil_loader", "accimage_loader"), _read),
    **dict.fromkeys(("has_file_allowed_extension", "is_image_file"), _ends),
    **_BASES,
    "make_dataset": _listed,
    "IMG_EXTENSIONS": _ENDINGS,
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without datasets."""
    if name == "torchvision.datasets":
        return {**_BASES, **{key: dataset(key) for key in DATASETS}}
    if name == "torchvision.datasets.folder":
        return {**_FOLDER, "ImageFolder": dataset("ImageFolder")}
    return {"VisionDataset": VisionDataset} if name == "torchvision.datasets.vision" else None


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
