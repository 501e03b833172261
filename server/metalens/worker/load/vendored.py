"""Normalisation that repositories copy in, or fetch by hand: synchronised batch norm, and one with its activation.

On one device all of it has the shapes, parameters and buffers of torch's batch norm.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

STAND_IN = True


class ABN(torch.nn.BatchNorm2d):  # type: ignore[misc]
    """Batch norm and its activation, for inputs of any rank."""

    def __init__(self, num_features: int, *args: Any, activation: Any = "leaky_relu", **options: Any) -> None:
        options = {name: value for name, value in options.items() if name in ("eps", "momentum", "affine")}
        super().__init__(num_features, **options)
        self.activation = activation

    def _check_input_dim(self, input: Any) -> None:
        """Each is welcome."""


_SYNCHRONISED = {
    **{f"SynchronizedBatchNorm{rank}": getattr(torch.nn, f"BatchNorm{rank}") for rank in ("1d", "2d", "3d")},
    "DataParallelWithCallback": torch.nn.DataParallel,
    "convert_model": lambda module: module,
    "patch_replication_callback": lambda parallel: None,
}
_WITH_ACTIVATION = dict.fromkeys(("ABN", "InPlaceABN", "InPlaceABNSync"), ABN)
# By the last part of a module's name: each repository has the package elsewhere.
_KNOWN: dict[str, dict[str, Any]] = {"sync_batchnorm": _SYNCHRONISED, "inplace_abn": _WITH_ACTIVATION}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module, or of the part of the package that it is, holds; None for any other."""
    return next((_KNOWN[part] for part in name.split(".") if part in _KNOWN), None)
