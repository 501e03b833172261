"""torch.distributed without other processes: one process, whose rank is 0, and wrappers that wrap nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import torch

from metalens.worker.load import distributed

STAND_IN = True
_Patch = tuple[Any, str, Any]
_ENVIRONMENT = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_WORLD_SIZE": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}
_SILENT = (
    "barrier monitored_barrier broadcast broadcast_object_list all_reduce all_reduce_coalesced reduce all_gather "
    "all_gather_coalesced all_gather_into_tensor gather reduce_scatter reduce_scatter_tensor scatter all_to_all "
    "all_to_all_single send isend recv irecv destroy_process_group"
)


class _Work:
    """An operation between processes that has ended."""

    def wait(self, *args: Any) -> bool:
        """It has ended."""
        return True

    is_completed = is_success = wait


def patches() -> list[_Patch]:
    """What stands in for the length of a run: owner, name, value."""
    found = [*_group_patches(), *_wrapper_patches(), *_environment_patches()]
    for name, values in distributed.known_names().items():
        module = sys.modules.get(name)
        found += [(module, key, value) for key, value in values.items() if module is not None and hasattr(module, key)]
    return found


def _group_patches() -> list[_Patch]:
    state = {"started": False}

    def start(*args: Any, **kwargs: Any) -> None:
        state["started"] = True

    def work(*args: Any, async_op: bool = False, **kwargs: Any) -> Any:
        return _Work() if async_op else None

    def stop(*args: Any, **kwargs: Any) -> None:
        state["started"] = False

    def gather_objects(objects: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        if objects:
            objects[0] = value

    def always(value: Any) -> Callable[..., Any]:
        return lambda *args, **kwargs: value

    values: dict[str, Any] = {name: work for name in _SILENT.split()}
    values.update(
        init_process_group=start,
        destroy_process_group=stop,
        is_initialized=lambda: state["started"],
        get_rank=always(0),
        get_node_local_rank=always(0),
        get_world_size=always(1),
        get_backend=always("gloo"),
        new_group=always(None),
        all_gather_object=gather_objects,
        gather_object=lambda value, objects=None, *args, **kwargs: gather_objects(objects, value),
        init_device_mesh=lambda *args, **kwargs: distributed.Mesh(),
    )
    owners = [sys.modules.get(name) for name in ("torch.distributed", "torch.distributed.distributed_c10d")]
    rpc, autograd = sys.modules.get("torch.distributed.rpc"), sys.modules.get("torch.distributed.autograd")
    found = [(owner, name, value) for owner in owners for name, value in values.items() if hasattr(owner, name)]
    found += [(rpc, name, value) for name, value in distributed.RPC.items() if hasattr(rpc, name)]
    if autograd is not None:
        found += [(autograd, "context", distributed.gradient_context), (autograd, "backward", always(None))]
    return found


def _wrapper_patches() -> list[_Patch]:
    """The wrappers of data parallel training, changed in place: whoever has imported one has this one."""

    def build(wrapper: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        torch.nn.Module.__init__(wrapper)
        wrapper.module = module
        wrapper.device_ids, wrapper.dim = [], 0

    def new(cls: type, module: Any = None, *args: Any, **kwargs: Any) -> Any:
        return distributed.bare(cls, module)

    def call(wrapper: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper.module(*args, **kwargs)

    def train(wrapper: Any, mode: bool = True) -> Any:
        return torch.nn.Module.train(wrapper, mode)

    def no_sync(wrapper: Any) -> Any:
        return contextlib.nullcontext()

    def whole(cls: type, module: Any, process_group: Any = None) -> Any:
        return module

    ours = {
        "takes_unknown": True,
        "__new__": staticmethod(new),
        "__init__": build,
        "__call__": call,
        "forward": call,
        "train": train,
    }
    single, many = torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel
    found: list[_Patch] = [(owner, name, value) for owner in (single, many) for name, value in ours.items()]
    found += [(many, "no_sync", no_sync), (torch.nn.SyncBatchNorm, "convert_sync_batchnorm", classmethod(whole))]
    return found


def _environment_patches() -> list[_Patch]:
    """`os.environ["RANK"]` can be read; whether it is set is told truly, so that nobody believes in many processes."""
    environment = type(os.environ)
    read = environment.__getitem__

    def item(variables: Any, key: Any) -> Any:
        try:
            return read(variables, key)
        except KeyError:
            if key in _ENVIRONMENT:
                return _ENVIRONMENT[key]
            raise

    def get(variables: Any, key: Any, default: Any = None) -> Any:
        try:
            return read(variables, key)
        except KeyError:
            return default

    def contains(variables: Any, key: Any) -> bool:
        try:
            read(variables, key)
        except KeyError:
            return False
        return True

    return [(environment, "__getitem__", item), (environment, "get", get), (environment, "__contains__", contains)]
