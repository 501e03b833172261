"""Annotated images in the format of COCO, where neither the images nor their annotations are on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

import torch

from metalens.worker.load import arrays
from metalens.worker.load.inventions import ANNOTATIONS, PICTURE_SIZES, invented, more, picture_extent
from metalens.worker.load.pictures import Picture
from metalens.worker.load.unknown import Unknown

STAND_IN = True
_IMAGES, _OBJECTS, _CATEGORIES = 64, 3, 80
_WIDTH, _HEIGHT = 640, 480
_OUTLINE = [10.0, 10.0, 110.0, 10.0, 110.0, 90.0, 10.0, 90.0]


def _objects() -> int:
    """How many objects each image has."""
    return _OBJECTS + more()


def _annotation(image: int, number: int) -> dict[str, Any]:
    return {
        "id": image * _objects() + number,
        "image_id": image,
        "category_id": number + 1,
        "bbox": [10.0, 10.0, 100.0, 80.0],
        "area": 8000.0,
        "iscrowd": 0,
        "segmentation": [list(_OUTLINE)],
        "keypoints": [1] * 51,
        "num_keypoints": 17,
        "caption": "A picture of something.",
    }


def _ids(wanted: Any, every: Iterable[int]) -> list[int]:
    if isinstance(wanted, int):
        return [wanted]
    return list(wanted) if isinstance(wanted, (list, tuple, set)) and len(wanted) else list(every)


class Annotations:
    """pycocotools' `COCO`: images with a few objects each."""

    takes_unknown = True

    def __init__(self, annotation_file: Any = None) -> None:
        self.cats = {number: {"id": number, "name": f"thing {number}"} for number in range(1, _CATEGORIES + 1)}

    @property
    def imgs(self) -> dict[int, dict[str, Any]]:
        """The images by their ids."""
        invented(PICTURE_SIZES)
        width, height = picture_extent(_WIDTH, _HEIGHT)
        named = {"height": height, "width": width}
        return {number: {"id": number, "file_name": f"{number:012}.jpg", **named} for number in range(_IMAGES)}

    @property
    def anns(self) -> dict[int, dict[str, Any]]:
        """All annotations by their ids."""
        invented(ANNOTATIONS)
        made = [_annotation(image, number) for image in range(_IMAGES) for number in range(_objects())]
        return {item["id"]: item for item in made}

    @property
    def imgToAnns(self) -> dict[int, list[dict[str, Any]]]:  # noqa: N802 - the names are pycocotools'
        """The annotations of each image."""
        anns = list(self.anns.values())
        return {image: anns[image * _objects() : (image + 1) * _objects()] for image in range(_IMAGES)}

    def getImgIds(self, *args: Any, **kwargs: Any) -> list[int]:  # noqa: N802
        """The ids of images."""
        return list(range(_IMAGES))

    def getCatIds(self, *args: Any, **kwargs: Any) -> list[int]:  # noqa: N802
        """The ids of categories."""
        return list(self.cats)

    def getAnnIds(self, imgIds: Any = (), *args: Any, **kwargs: Any) -> list[int]:  # noqa: N802, N803
        """The ids of the annotations of images."""
        images = _ids(imgIds, range(_IMAGES))
        return [image * _objects() + number for image in images for number in range(_objects())]

    def loadAnns(self, ids: Any = ()) -> list[dict[str, Any]]:  # noqa: N802
        """Annotations by ids."""
        anns = self.anns
        return [anns[item] for item in _ids(ids, anns)]

    def loadImgs(self, ids: Any = ()) -> list[dict[str, Any]]:  # noqa: N802
        """Images by ids."""
        images = self.imgs
        return [images[item] for item in _ids(ids, images)]

    def loadCats(self, ids: Any = ()) -> list[dict[str, Any]]:  # noqa: N802
        """Categories by ids."""
        return [self.cats[item] for item in _ids(ids, self.cats)]

    def annToMask(self, annotation: Any) -> Any:  # noqa: N802
        """The mask of an object."""
        invented(PICTURE_SIZES)
        return arrays.numpy().zeros(picture_extent(_WIDTH, _HEIGHT)[::-1], "uint8")


class CocoDetection(torch.utils.data.Dataset):  # type: ignore[type-arg, misc]
    """torchvision's: an image and the list of its annotations."""

    takes_unknown = True

    def __init__(self, root: Any = None, *args: Any, **kwargs: Any) -> None:
        given = {**dict(zip(("annFile", "transform", "target_transform", "transforms"), args)), **kwargs}
        self.root, self.coco = root, Annotations(given.get("annFile"))
        self.ids = self.coco.getImgIds()
        self.transform, self.target_transform = given.get("transform"), given.get("target_transform")
        self.transforms = given.get("transforms")

    __init__.takes_unknown = True  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self.ids)

    def _load_image(self, id: int) -> Any:
        return Picture(*picture_extent(_WIDTH, _HEIGHT), made_up=True)

    def _load_target(self, id: int) -> Any:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index: int) -> Any:
        image, target = self._load_image(self.ids[index]), self._load_target(self.ids[index])
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


class CocoCaptions(CocoDetection):
    """An image and its captions."""

    def _load_target(self, id: int) -> Any:
        return [item["caption"] for item in super()._load_target(id)]


class _Encoded(tuple):  # type: ignore[type-arg]
    """Masks in the form that pycocotools keeps: how many there are, and their height and width."""


def _encode(outlines: Any, height: Any, width: Any, *args: Any) -> Any:
    return _Encoded((len(outlines), height, width))


def _decode(encoded: Any, *args: Any) -> Any:
    if not isinstance(encoded, _Encoded):
        return Unknown("a mask")
    count, height, width = encoded
    return arrays.numpy().zeros((height, width, count), "uint8")


_MODULES: dict[str, dict[str, Any]] = {
    "pycocotools.coco": {"COCO": Annotations},
    "pycocotools.mask": {"frPyObjects": _encode, "decode": _decode, "merge": lambda masks, *args: masks},
    "torchvision.datasets": {"CocoDetection": CocoDetection, "CocoCaptions": CocoCaptions},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without annotated images."""
    return _MODULES.get(name)


_OBJECT = (
    "<object><name>person</name><pose>Frontal</pose><truncated>0</truncated><difficult>0</difficult><bndbox>"
    "<xmin>{0}</xmin><ymin>{0}</ymin><xmax>{1}</xmax><ymax>{1}</ymax></bndbox></object>"
)


def annotation() -> str:
    """What Pascal VOC writes of a picture that is not here, with some objects in it."""
    invented(ANNOTATIONS)
    width, height = picture_extent(500, 375)
    objects = "".join(_OBJECT.format(20 + at, 120 + at) for at in range(2 + more()))
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><folder>VOC</folder><filename>0.jpg</filename>{size}{objects}</annotation>"
