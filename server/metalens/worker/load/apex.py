"""NVIDIA's apex where it is not installed: mixed precision and fused layers, which have the shapes of torch's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Optional

import torch

STAND_IN = True


def _initialize(models: Any, optimizers: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Models and optimizers as they are."""
    return models if optimizers is None else (models, optimizers)


@contextlib.contextmanager
def _scale_loss(loss: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
    yield loss


def _model(module: Any, *args: Any, **kwargs: Any) -> Any:
    return module


def _parameters(optimizer: Any) -> Iterator[Any]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _adam(params: Any, lr: float = 1e-3, *args: Any, **kwargs: Any) -> Any:
    return torch.optim.Adam(params, lr=lr)


class SyncBatchNorm(torch.nn.modules.batchnorm._BatchNorm):
    """Of one process, for inputs of any rank."""

    def _check_input_dim(self, input: Any) -> None:
        """Each is welcome."""


for _function in (_initialize, _scale_loss, _model, _adam):
    _function.takes_unknown = True  # type: ignore[attr-defined, union-attr]

_AMP = {
    **{"initialize": _initialize, "scale_loss": _scale_loss, "master_params": _parameters},
    **dict.fromkeys(("register_half_function", "register_float_function", "init"), _model),
}
_PARALLEL = {"DistributedDataParallel": _model, "convert_syncbn_model": _model, "SyncBatchNorm": SyncBatchNorm}
_NORMS = {"FusedLayerNorm": torch.nn.LayerNorm, "MixedFusedLayerNorm": torch.nn.LayerNorm}
_KNOWN: dict[str, dict[str, Any]] = {
    "apex.amp": _AMP,
    "apex.parallel": _PARALLEL,
    "apex.normalization": _NORMS,
    "apex.normalization.fused_layer_norm": _NORMS,
    "apex.optimizers": dict.fromkeys(("FusedAdam", "FusedLAMB", "FusedSGD", "FusedNovoGrad"), _adam),
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without any."""
    return _KNOWN.get(name)
