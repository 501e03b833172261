"""Parts of torch.distributed that need many processes or are slow to import: what they are in one process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Optional

import torch

STAND_IN = True


def bare(cls: type, module: Any) -> Any:
    """A new wrapper of a module, without a word of its options to whoever watches modules being made."""
    make: Any = torch.nn.Module.__new__
    return make(cls) if make is object.__new__ else make(cls, module)


class Wrapped(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """A model in a wrapper for training: calls and unknown attributes go to `module`, as if nobody stood between."""

    takes_unknown = True

    def __new__(cls, module: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The bare object; options of wrappers need not be known."""
        return bare(cls, module)

    def __init__(self, module: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.module = module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A call of the model."""
        return self.module(*args, **kwargs)

    def no_sync(self) -> Any:
        """A context in which nothing is different."""
        return contextlib.nullcontext()


class FullyShardedDataParallel(Wrapped):
    """A model that keeps all of its parameters."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)

    def clip_grad_norm_(self, *args: Any, **kwargs: Any) -> Any:
        """The norm of gradients that nobody computed."""
        return torch.zeros(())

    @staticmethod
    def set_state_dict_type(*args: Any, **kwargs: Any) -> None:
        """States of models are not looked at."""

    @staticmethod
    def state_dict_type(*args: Any, **kwargs: Any) -> Any:
        """As above."""
        return contextlib.nullcontext()


class _AnyModule(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, torch.nn.Module)


class FSDPModule(metaclass=_AnyModule):
    """What `fully_shard` makes of any module."""


class Mesh:
    """A mesh of devices with one device in it."""

    ndim = 1
    shape = (1,)

    def __getitem__(self, name: Any) -> Mesh:
        return self

    def get_rank(self) -> int:
        """The first and only one."""
        return 0

    def get_local_rank(self, *args: Any) -> int:
        """The first and only one."""
        return 0

    def get_group(self, *args: Any) -> None:
        """The group of all."""

    def size(self, *args: Any) -> int:
        """One device."""
        return 1


def same(module: Any = None, *args: Any, **kwargs: Any) -> Any:
    """What distributes a model gives it back whole."""
    return module


def _fully_shard(module: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The module, whole, with the methods that it would get from its sharding; they change nothing here."""
    for name in _OF_SHARDED if isinstance(module, torch.nn.Module) else ():
        module.__dict__.setdefault(name, _nothing)
    return module


same.takes_unknown = _fully_shard.takes_unknown = True  # type: ignore[attr-defined]


def _mesh(*args: Any, **kwargs: Any) -> Mesh:
    return Mesh()


# ---------------------------------------------------------------- remote calls, made here


class Future:
    """The result of a call that has ended."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    value = wait

    def then(self, callback: Callable[[Any], Any]) -> Future:
        """The result of a call with this future."""
        return Future(callback(self))


class _Proxy:
    """Calls methods of an object; `wrap` says what becomes of their results."""

    def __init__(self, target: Any, wrap: Callable[[Any], Any]) -> None:
        self._target, self._wrap = target, wrap

    def __getattr__(self, name: str) -> Any:
        # `forward` is called as a model is, so that it is seen.
        plain = name == "forward" and isinstance(self._target, torch.nn.Module)
        method = self._target if plain else getattr(self._target, name)
        return lambda *args, **kwargs: self._wrap(method(*args, **kwargs))


class RRef:
    """A reference to a value that is here."""

    def __init__(self, value: Any = None, type_hint: Any = None) -> None:
        self._value = value

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def to_here(self, *args: Any) -> Any:
        """The value."""
        return self._value

    local_value = to_here

    def owner(self) -> Worker:
        """This process."""
        return Worker()

    def owner_name(self) -> str:
        """Its name."""
        return Worker.name

    def is_owner(self) -> bool:
        """This process has the value."""
        return True

    def confirmed_by_owner(self) -> bool:
        """As it is here."""
        return True

    def rpc_sync(self, *args: Any) -> Any:
        """Methods that give their results."""
        return _Proxy(self._value, lambda value: value)

    def rpc_async(self, *args: Any) -> Any:
        """Methods that give futures."""
        return _Proxy(self._value, Future)

    def remote(self, *args: Any) -> Any:
        """Methods that give references."""
        return _Proxy(self._value, RRef)


class Worker:
    """The only process of a group."""

    name = "worker0"
    id = 0


def _rpc_sync(to: Any, func: Any, args: Any = None, kwargs: Any = None, timeout: Any = None) -> Any:
    return func(*(args or ()), **(kwargs or {}))


def _rpc_async(to: Any, func: Any, args: Any = None, kwargs: Any = None, timeout: Any = None) -> Any:
    return Future(_rpc_sync(to, func, args, kwargs))


def _remote(to: Any, func: Any, args: Any = None, kwargs: Any = None, timeout: Any = None) -> Any:
    return RRef(_rpc_sync(to, func, args, kwargs))


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _worker(*args: Any) -> Worker:
    return Worker()


RPC: dict[str, Any] = {
    "init_rpc": _nothing,
    "shutdown": _nothing,
    "rpc_sync": _rpc_sync,
    "rpc_async": _rpc_async,
    "remote": _remote,
    "RRef": RRef,
    "get_worker_info": _worker,
}


@contextlib.contextmanager
def gradient_context() -> Iterator[int]:
    """The context of a backward pass over processes: its number."""
    yield 0


_OF_SHARDED = (
    "reshard",
    "unshard",
    "set_is_last_backward",
    "set_modules_to_backward_prefetch",
    "set_modules_to_forward_prefetch",
    "set_requires_all_reduce",
    "set_requires_gradient_sync",
    "set_reshard_after_backward",
    "set_reshard_after_forward",
)
_SHARDED = {
    "FullyShardedDataParallel": FullyShardedDataParallel,
    "FSDPModule": FSDPModule,
    "fully_shard": _fully_shard,
    "register_fsdp_forward_method": _nothing,
}
_KNOWN: dict[str, dict[str, Any]] = {
    "torch.distributed.fsdp": _SHARDED,
    "torch.distributed.fsdp.fully_sharded_data_parallel": _SHARDED,
    "torch.distributed._composable.fsdp": _SHARDED,
    "torch.distributed.tensor.parallel": {"parallelize_module": same},
    "torch.distributed.tensor": {"distribute_module": same, "distribute_tensor": same, "init_device_mesh": _mesh},
    "torch.distributed._tensor": {"distribute_module": same, "distribute_tensor": same, "DeviceMesh": Mesh},
    "torch.distributed._tensor.device_mesh": {"init_device_mesh": _mesh, "DeviceMesh": Mesh},
    "torch.distributed.device_mesh": {"init_device_mesh": _mesh},
}
_SLOW: tuple[str, ...] = (
    "torch.distributed.fsdp",
    "torch.distributed.tensor",
    "torch.distributed._tensor",
    "torch.distributed._composable",
    "torch.distributed.checkpoint",
    "torch.distributed.optim",
)


def replaces(name: str) -> bool:
    """Whether a module of torch is not worth its import, and stands in for itself."""
    return name.startswith(_SLOW) and name not in sys.modules


def module(name: str) -> Optional[dict[str, Any]]:
    """What the stand-in of this module holds, beyond Unknowns; None for a module without conveniences."""
    return _KNOWN.get(name)


def known_names() -> dict[str, dict[str, Any]]:
    """All that stands in, by module."""
    return _KNOWN
