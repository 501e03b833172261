"""What timm's training scripts use beside models: losses, transforms, mixed images."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from metalens.worker.load.unknown import Unknown, UnknownError
from metalens.worker.load.vision import TRANSFORMS

STAND_IN = True


class LabelSmoothingCrossEntropy(nn.Module):
    """Of logits [B, classes] and class numbers [B]."""

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, x: Any, target: Any) -> Any:
        """A number."""
        return nn.functional.cross_entropy(x, target, label_smoothing=self.smoothing)


class SoftTargetCrossEntropy(nn.Module):
    """Of logits and probabilities, both [B, classes]."""

    def forward(self, x: Any, target: Any) -> Any:
        """A number."""
        return torch.sum(-target * nn.functional.log_softmax(x, dim=-1), dim=-1).mean()


class Mixup:
    """Images mixed with those of the same batch, and probabilities of their classes [B, classes]."""

    def __init__(self, *args: Any, num_classes: Any = 1000, mode: str = "batch", **options: Any) -> None:
        self.num_classes, self.mixup_enabled = num_classes, True

    def __call__(self, x: Any, target: Any) -> tuple[Any, Any]:
        """The images in the same shape."""
        if isinstance(self.num_classes, Unknown):
            raise UnknownError("the number of classes is not known")
        return x, x.new_empty((target.shape[0], int(self.num_classes)))


def create_transform(input_size: Any, is_training: bool = False, *args: Any, **options: Any) -> Any:
    """From a picture to a tensor of the size [height, width], [channels, height, width] or an edge's length."""
    if isinstance(input_size, Unknown):
        raise UnknownError("the size of images is not known")
    edges = tuple(input_size[-2:]) if isinstance(input_size, (tuple, list)) else (input_size, input_size)
    return TRANSFORMS["Compose"]([TRANSFORMS["Resize"](edges), TRANSFORMS["ToTensor"]()])


def accuracy(output: Any, target: Any, topk: Any = (1,)) -> list[Any]:
    """In percent, among the best so many."""
    return [output.new_empty(()) for _ in topk]


LOSSES: dict[str, Any] = {kind.__name__: kind for kind in (LabelSmoothingCrossEntropy, SoftTargetCrossEntropy)}
DATA: dict[str, Any] = {"Mixup": Mixup, "create_transform": create_transform}
UTILITIES: dict[str, Any] = {"accuracy": accuracy}
