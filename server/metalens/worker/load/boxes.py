"""Boxes, as torchvision's operators treat them, and what it says of tracing: for where it is not installed."""

from __future__ import annotations

from typing import Any, Optional

import torch

from metalens.worker.load.unknown import Unknown

STAND_IN = True


def _area(boxes: Any) -> Any:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _iou(first: Any, second: Any, *args: Any, **kwargs: Any) -> Any:
    corner, end = torch.max(first[:, None, :2], second[:, :2]), torch.min(first[:, None, 2:], second[:, 2:])
    inner = (end - corner).clamp(min=0)
    inter = inner[..., 0] * inner[..., 1]
    return inter / (_area(first)[:, None] + _area(second) - inter)


def _same(boxes: Any, *args: Any, **kwargs: Any) -> Any:
    return boxes


def _kept(*args: Any, **kwargs: Any) -> Unknown:
    return Unknown("the boxes that are kept")


_BOXES: dict[str, Any] = {
    "box_area": _area,
    **dict.fromkeys(("box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"), _iou),
    **dict.fromkeys(("box_convert", "clip_boxes_to_image"), _same),
    **dict.fromkeys(("nms", "batched_nms", "remove_small_boxes"), _kept),
}
_MODULES = {
    "torchvision": {"_is_tracing": lambda: False},
    "torchvision.ops.boxes": _BOXES,
    "torchvision.ops": _BOXES,
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without boxes."""
    return _MODULES.get(name)
