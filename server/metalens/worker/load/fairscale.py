"""fairscale's layers that are split between devices, where it is not installed: on one device they are torch's own."""

from __future__ import annotations

from typing import Any, Optional

from torch import nn

STAND_IN = True


class ColumnParallelLinear(nn.Linear):
    """All columns."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *args: Any, **options: Any) -> None:
        super().__init__(in_features, out_features, bias)


class RowParallelLinear(ColumnParallelLinear):
    """All rows."""


class ParallelEmbedding(nn.Embedding):
    """All of it."""

    def __init__(self, num_embeddings: int, embedding_dim: int, *args: Any, **options: Any) -> None:
        super().__init__(num_embeddings, embedding_dim)


def _one(*args: Any, **kwargs: Any) -> int:
    return 1


def _zero(*args: Any, **kwargs: Any) -> int:
    return 0


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


_KNOWN: dict[str, dict[str, Any]] = {
    "layers": {
        "ColumnParallelLinear": ColumnParallelLinear,
        "RowParallelLinear": RowParallelLinear,
        "ParallelEmbedding": ParallelEmbedding,
        "VocabParallelEmbedding": ParallelEmbedding,
    },
    "initialize": {
        "get_model_parallel_world_size": _one,
        "get_model_parallel_rank": _zero,
        "initialize_model_parallel": _nothing,
        "model_parallel_is_initialized": _one,
    },
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without any."""
    folder, _, last = name.rpartition(".")
    return _KNOWN.get(last) if folder == "fairscale.nn.model_parallel" else None
