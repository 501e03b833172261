"""The world that user code meets during a run: no devices, no files of weights, no training, one batch per loader."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

import torch
import torch.utils.checkpoint
import torch.utils.data
from torch.nn import Module

from metalens.worker.load import backbones
from metalens.worker.load.unknown import Unknown, UnknownError, contains_unknown
from metalens.worker.trace import (
    archives,
    casting,
    command_line,
    devices,
    downloads,
    exports,
    files,
    older,
    optimizers,
    processes,
    queues,
    raw_data,
    shortage,
    sockets,
    temporary,
)
from metalens.worker.trace.folders import patches as folder_patches
from metalens.worker.trace.operands import to_meta
from metalens.worker.trace.parallel import patches as parallel_patches
from metalens.worker.trace.stores import patches as store_patches

STAND_IN = True
_Patch = tuple[Any, str, Any]
_DIFFERENT = 4  # items of a batch that are really made
_DEEP = 4  # containers within containers of an item
_SMALL = 4096  # elements of a batch that stays as it is


@contextlib.contextmanager
def world() -> Iterator[None]:
    """Put the stand-ins in place for the length of a run."""
    patches = [
        *_module_patches(),
        *_torch_patches(),
        (time, "sleep", lambda *args: None),
        *command_line.patches(),
        *raw_data.patches(),
        *older.patches(),
        *casting.patches(),
        *files.patches(),
        *archives.patches(),
        *temporary.patches(),
        *shortage.patches(),
        *sockets.patches(),
        *downloads.patches(),
        *exports.patches(),
        *processes.patches(),
        *queues.patches(),
        *devices.patches(),
        *optimizers.patches(),
    ]
    before = [(owner, name, owner.__dict__[name] if name in vars(owner) else None) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _module_patches() -> list[_Patch]:
    new, to, register = torch.nn.Parameter.__new__, Module.to, Module.register_buffer

    def parameter(cls: type, data: Any = None, requires_grad: bool = True) -> Any:
        if isinstance(data, torch.Tensor) and type(data) is torch.Tensor and not data.is_meta:
            data = to_meta(data)
        return new(cls, data, requires_grad)

    def move(module: Any, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(part, (torch.dtype, torch.Tensor)) for part in (*args, *kwargs.values())):
            kept = [part for part in (*args, *kwargs.values()) if isinstance(part, (torch.dtype, torch.Tensor))]
            dtype = kept[0] if isinstance(kept[0], torch.dtype) else kept[0].dtype
            return to(module, dtype)
        return module

    def buffer(module: Any, name: str, tensor: Any, persistent: bool = True) -> None:
        # Running statistics of torch's own layers are no constants.
        if type(module).__module__.startswith("torch.") and isinstance(tensor, torch.Tensor):
            tensor = to_meta(tensor)
        register(module, name, tensor, persistent)

    def itself(module: Any, *args: Any, **kwargs: Any) -> Any:
        return module

    def materialize(tensor: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        with torch._C.DisableTorchFunction():
            tensor.data = torch.empty(shape, device="meta", dtype=dtype or tensor.data.dtype)
        tensor.__class__ = tensor.cls_to_become

    def keys(module: Any, *args: Any, **kwargs: Any) -> Any:
        return torch.nn.modules.module._IncompatibleKeys([], [])

    keys.takes_unknown = True  # type: ignore[attr-defined]
    patches: list[_Patch] = [
        (torch.nn.Parameter, "__new__", staticmethod(parameter)),
        (Module, "to", move),
        (Module, "register_buffer", buffer),
        (Module, "load_state_dict", keys),
        (torch.nn.parameter.UninitializedTensorMixin, "materialize", materialize),
    ]
    patches += [(Module, name, itself) for name in ("cuda", "cpu", "share_memory", "compile")]
    for name, function in vars(torch.nn.init).items():
        if name.endswith("_") and not name.startswith("_") and callable(function):
            patches.append((torch.nn.init, name, _initialiser(name)))
    return patches


def _initialiser(name: str) -> Callable[..., Any]:
    """An initialiser that fills nothing, but refuses what torch refuses."""

    def fill(*args: Any, **kwargs: Any) -> Any:
        tensor = args[0] if args else kwargs.get("tensor")
        if (
            isinstance(tensor, torch.Tensor)
            and tensor.dim() < 2
            and name.startswith(("xavier", "kaiming", "orthogonal"))
        ):
            torch.nn.init._calculate_fan_in_and_fan_out(tensor)
        return tensor

    return fill


def _torch_patches() -> list[_Patch]:
    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    def compiled(model: Any = None, **kwargs: Any) -> Any:
        return model if model is not None else (lambda function: function)

    def unknown(what: str) -> Callable[..., Any]:
        def loaded(*args: Any, **kwargs: Any) -> Any:
            return Unknown(what, loaded=True)

        loaded.takes_unknown = True  # type: ignore[attr-defined]
        return loaded

    def checkpoint(function: Any, *args: Any, **kwargs: Any) -> Any:
        ours = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop")
        return function(*args, **{key: value for key, value in kwargs.items() if key not in ours})

    patches: list[_Patch] = [
        # What a distribution asks of its parameters it asks of their values.
        (torch.distributions.Distribution, "_validate_args", False),
        (torch, "load", unknown("torch.load(...)")),
        (torch, "save", nothing),
        (torch, "compile", compiled),
        (torch, "set_default_device", nothing),
        (torch.hub, "load", backbones.hub),
        (torch.hub, "list", unknown("torch.hub.list(...)")),
        (torch.hub, "load_state_dict_from_url", unknown("downloaded weights")),
        (torch.futures, "wait_all", lambda futures: [future.wait() for future in futures]),
        (torch.utils.checkpoint, "checkpoint", checkpoint),
        (torch.utils.data, "DataLoader", Loader),
        (torch.utils.data.dataloader, "DataLoader", Loader),
    ]
    norms = [(torch.nn.utils, name, _norm) for name in ("clip_grad_norm_", "clip_grad_value_")]
    return [*patches, *norms, *parallel_patches(), *store_patches(), *folder_patches()]


def _norm(*args: Any, **kwargs: Any) -> torch.Tensor:
    return torch.zeros(())


class Loader:
    """A DataLoader of one batch, made in this process from the first items of its dataset."""

    def __init__(self, dataset: Any, batch_size: Optional[int] = 1, *args: Any, **kwargs: Any) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.batch_sampler = kwargs.get("batch_sampler")
        self.sampler = kwargs.get("sampler")
        self.drop_last = kwargs.get("drop_last", False)
        self.num_workers = 0
        self.collate_fn = kwargs.get("collate_fn") or _collated

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __len__(self) -> int:
        if isinstance(self.dataset, Unknown) or isinstance(self.batch_size, Unknown):
            raise UnknownError("the length of a dataset is not known")
        size = self.batch_size or 1
        return max(1, (len(self.dataset) + size - 1) // size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, Unknown) or isinstance(self.batch_size, Unknown):
            raise UnknownError("a dataset is not known")
        if isinstance(self.dataset, torch.utils.data.IterableDataset):
            items = [item for item, _ in zip(self.dataset, range(self.batch_size or 1))]
        elif self.batch_size is None:
            yield self.dataset[0]
            return
        else:
            count = self._count(int(self.batch_size))
            items = [self.dataset[index] for index in range(min(count, _DIFFERENT))]
            items += items[-1:] * (count - len(items))
        yield _light(self.collate_fn(items))

    def _count(self, most: int) -> int:
        try:
            return min(most, len(self.dataset))
        except UnknownError:  # a dataset whose items nobody could count has enough of them
            return most


def _collated(items: list[Any]) -> Any:
    """As torch's own; a part of the items that is not known stays so."""
    first = items[0]
    if not contains_unknown(items[:_DIFFERENT], _DEEP):
        return torch.utils.data.default_collate(items)
    if type(first) in (tuple, list) and all(type(item) is type(first) for item in items):
        return [_collated(list(parts)) for parts in zip(*items)]
    if type(first) is dict and all(type(item) is dict for item in items):
        return {key: _collated([item.get(key) for item in items]) for key in first}
    return Unknown("a part of a batch")


def _light(batch: Any) -> Any:
    """A batch whose large float tensors went to the meta device, where models are."""
    if isinstance(batch, torch.Tensor):
        return to_meta(batch) if batch.is_floating_point() and batch.numel() > _SMALL else batch
    if type(batch) in (list, tuple):
        return type(batch)(_light(part) for part in batch)
    if type(batch) is dict:
        return {key: _light(part) for key, part in batch.items()}
    return batch
