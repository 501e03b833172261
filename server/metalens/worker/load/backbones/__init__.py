"""The architectures that torchvision publishes, layer for layer, for where it is not installed.

They have the real names, sizes and order of layers, and no weights. `module(name)` gives what a module of torchvision
holds of them.
"""

from __future__ import annotations

import types
from typing import Any, Optional

from metalens.worker.load import vision
from metalens.worker.load.backbones import classic, compact, inception, parts, resnet, transformer
from metalens.worker.load.unknown import Unknown

STAND_IN = True


class Weights:
    """One published set of weights: what comes with it is known, the numbers are not."""

    def __init__(self, name: str, size: int, resized: int) -> None:
        self.name = name
        self._sizes = size, resized
        self.url = f"https://download.pytorch.org/models/{name}.pth"
        self.meta = {"categories": [str(index) for index in range(1000)], "min_size": (1, 1)}

    def transforms(self, *args: Any, **kwargs: Any) -> Any:
        """What makes an image ready for the model."""
        known, (size, resized) = vision.TRANSFORMS, self._sizes
        return vision.Compose([known["Resize"](resized), known["CenterCrop"](size), known["ToTensor"]()])

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The numbers themselves."""
        return Unknown("downloaded weights", loaded=True)


def _weights(name: str) -> Any:
    size, resized = (299, 342) if name.startswith("Inception") else (224, 256)
    sets = ("IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1", "DEFAULT")
    return types.SimpleNamespace(**{part: Weights(f"{name}.{part}", size, resized) for part in sets})


_FAMILIES = (resnet, classic, inception, compact, transformer)
_TITLES = (
    "ResNet ResNeXt Wide_ResNet VGG AlexNet SqueezeNet DenseNet GoogLeNet Inception MobileNet ShuffleNet MNASNet "
    "EfficientNet ViT ConvNeXt"
).split()


def _title(builder: str) -> str:
    """The name of the weights of a builder: `ResNet18` of `resnet18`, `VGG16_BN` of `vgg16_bn`."""
    for title in _TITLES:
        if builder.startswith(title.lower()):
            rest = builder[len(title) :]
            words = [part if "x" in part and part[0].isdigit() else part.capitalize() for part in rest.split("_")]
            return title + "_".join(words).replace("_Bn", "_BN").replace("x4d", "X4D").replace("x8d", "X8D")
    return builder


def _modules() -> dict[str, dict[str, Any]]:
    builders = {name: builder for family in _FAMILIES for name, builder in family.BUILDERS.items()}
    classes = {name: cls for family in _FAMILIES for name, cls in family.CLASSES.items()}
    weights = {f"{_title(name)}_Weights": _weights(_title(name)) for name in builders}
    made = {**builders, **classes, **weights}
    addresses = {"model_urls": {name: f"https://download.pytorch.org/models/{name}.pth" for name in builders}}

    def get_model(name: Any = None, *args: Any, **kwargs: Any) -> Any:
        return builders[name](*args, **kwargs) if name in builders else Unknown("a published model")

    get_model.takes_unknown = True  # type: ignore[attr-defined]
    found: dict[str, dict[str, Any]] = {
        "torchvision.models": {**made, "get_model": get_model, "list_models": lambda *given, **more: list(builders)},
        "torchvision.models._utils": {"IntermediateLayerGetter": parts.IntermediateLayerGetter},
        "torchvision.ops.misc": {name: getattr(parts, name) for name in parts.OPERATORS},
        "torchvision.ops": {name: getattr(parts, name) for name in parts.OPERATORS},
    }
    for family in _FAMILIES:
        for file in family.FILES:
            found[f"torchvision.models.{file}"] = {**made, **addresses, **family.CLASSES}
    return found


_found: dict[str, dict[str, Any]] = {}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without models."""
    if not name.startswith("torchvision."):
        return None
    if not _found:
        _found.update(_modules())
    return _found.get(name)


def hub(repository: Any, name: Any, *args: Any, **kwargs: Any) -> Any:
    """torch.hub: torchvision's models by their names; of any other repository nothing is known."""
    builders = module("torchvision.models") or {}
    if isinstance(repository, str) and repository.startswith("pytorch/vision") and isinstance(name, str):
        builder = builders.get(name)
        if builder is not None:
            return builder(*args, **kwargs)
    return Unknown("torch.hub.load(...)")
