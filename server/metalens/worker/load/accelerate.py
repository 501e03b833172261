"""Hugging Face's accelerate in one process on one device: what is prepared stays what it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import Unknown

STAND_IN = True


def _none(*args: Any, **kwargs: Any) -> None:
    """What is done for the world outside is not done."""


def _first(value: Any = None, *args: Any, **kwargs: Any) -> Any:
    """What was given, as it was."""
    return value


def _nothing_different(*args: Any, **kwargs: Any) -> Any:
    """A context in which nothing is different."""
    return contextlib.nullcontext()


def _share(value: Any = None, *args: Any, **kwargs: Any) -> Any:
    """A context with the share of the one process: everything."""
    return contextlib.nullcontext(value)


def _each(function: Any = None, *args: Any, **kwargs: Any) -> Any:
    """A decorator for one of the processes, with options or without."""
    return function if callable(function) else _first


_METHODS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            "prepare_model prepare_data_loader prepare_optimizer prepare_scheduler unwrap_model skip_first_batches "
            "gather gather_for_metrics reduce pad_across_processes"
        ).split(),
        _first,
    ),
    **dict.fromkeys(
        (
            "backward print log init_trackers end_training wait_for_everyone save save_model save_state load_state "
            "register_for_checkpointing free_memory clear set_trigger"
        ).split(),
        _none,
    ),
    **dict.fromkeys(
        ("accumulate autocast no_sync join_uneven_inputs main_process_first local_main_process_first profile").split(),
        _nothing_different,
    ),
    **dict.fromkeys("on_main_process on_local_main_process on_last_process on_process on_local_process".split(), _each),
}


class Accelerator:
    """The only process, on whatever device there is."""

    takes_unknown = True
    is_main_process = is_local_main_process = is_last_process = sync_gradients = True
    num_processes, process_index, local_process_index = 1, 0, 0
    use_distributed = optimizer_step_was_skipped = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.mixed_precision = kwargs.get("mixed_precision") or "no"
        self.gradient_accumulation_steps = kwargs.get("gradient_accumulation_steps", 1)
        self.device = torch.device("cpu")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _METHODS.get(name) or Unknown(f"accelerator.{name}")

    def prepare(self, *args: Any, **kwargs: Any) -> Any:
        """The one that was given, or all of them."""
        return args[0] if len(args) == 1 else args

    prepare.takes_unknown = True  # type: ignore[attr-defined]

    def get_state_dict(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        """The state of a model that was prepared."""
        return model.state_dict()

    def clip_grad_norm_(self, *args: Any, **kwargs: Any) -> Any:
        """The norm of gradients that nobody computed."""
        return torch.zeros(())

    clip_grad_norm_.takes_unknown = True  # type: ignore[attr-defined]


for _method in (_none, _first, _nothing_different, _share, _each):
    _method.takes_unknown = True  # type: ignore[attr-defined, union-attr]

_KNOWN: dict[str, dict[str, Any]] = {
    "accelerate": {"Accelerator": Accelerator, "skip_first_batches": _first},
    "accelerate.accelerator": {"Accelerator": Accelerator},
    "accelerate.utils": {"set_seed": _none},
}


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds; None for a module without conveniences."""
    return _KNOWN.get(name)
