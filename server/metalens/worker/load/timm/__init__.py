"""The parts of timm that models are built of, for where it is not installed: `module(name)` holds what a module has."""

from __future__ import annotations

from typing import Any, Optional

from metalens.worker.load.timm import layers, registry, training, transformer

STAND_IN = True

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _config(url: str = "", **options: Any) -> dict[str, Any]:
    """What timm writes beside a published model."""
    sizes = {"num_classes": 1000, "input_size": (3, 224, 224), "pool_size": None, "crop_pct": 0.9}
    return {"url": url, **sizes, "interpolation": "bicubic", "mean": MEAN, "std": STD, **options}


_LAYERS = {"timm.layers", "timm.models.layers"}
_FILES = ("activations", "drop", "format", "helpers", "mlp", "norm", "patch_embed", "trace_utils", "weight_init")
_CONSTANTS = {
    **{"IMAGENET_DEFAULT_MEAN": MEAN, "IMAGENET_DEFAULT_STD": STD},
    **{"IMAGENET_INCEPTION_MEAN": (0.5, 0.5, 0.5), "IMAGENET_INCEPTION_STD": (0.5, 0.5, 0.5)},
}
_HELD: dict[str, dict[str, Any]] = {
    **{name: layers.HELD for place in _LAYERS for name in (place, *(f"{place}.{file}" for file in _FILES))},
    "timm.models.efficientnet_blocks": layers.HELD,
    "timm.models.vision_transformer": {**layers.HELD, **transformer.HELD, "_cfg": _config},
    **dict.fromkeys(("timm", "timm.models", "timm.models.registry", "timm.models.factory"), registry.HELD),
    "timm.data": {**_CONSTANTS, **training.DATA},
    **dict.fromkeys(("timm.data.mixup", "timm.data.transforms_factory"), training.DATA),
    **dict.fromkeys(("timm.loss", "timm.loss.cross_entropy"), training.LOSSES),
    **dict.fromkeys(("timm.utils", "timm.utils.metrics"), training.UTILITIES),
    "timm.data.constants": _CONSTANTS,
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without parts."""
    return _HELD.get(name)
