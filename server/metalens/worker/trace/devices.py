"""Accelerators: there are none, unless a script ends without them; then it is run again as if there were."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

STAND_IN = True
_COUNT, _MEMORY = 8, 1 << 36
_SILENT = "set_device synchronize empty_cache manual_seed manual_seed_all reset_peak_memory_stats init ipc_collect"
_KINDS = "Float Double Half BFloat16 Byte Char Short Int Long Bool"
_NUMBERS = "memory_allocated max_memory_allocated memory_reserved max_memory_reserved current_device"


class WantsDevices(BaseException):
    """A script ended because it found no accelerator."""


@dataclass
class Lack:
    """Of something that is not here: `asked` tells that code looked for it, `present` that it is told of some."""

    asked: bool = False
    present: bool = False

    def begin(self, present: bool) -> None:
        """A script starts, where it is or where it is not."""
        self.asked, self.present = False, present

    def missed(self) -> bool:
        """Whether code that fails now may do so for want of it."""
        return self.asked and not self.present


devices = Lack()


def patches() -> list[tuple[Any, str, Any]]:
    """What stands in for questions about accelerators: owner, name, value."""

    def available(*args: Any, **kwargs: Any) -> bool:
        devices.asked = True
        return devices.present

    def count(*args: Any, **kwargs: Any) -> int:
        devices.asked = True
        return _COUNT if devices.present else 0

    def always(value: Any) -> Callable[..., Any]:
        return lambda *args, **kwargs: value

    properties = types.SimpleNamespace(name="an accelerator", total_memory=_MEMORY, major=9, minor=0)
    cuda: dict[str, Any] = {name: always(None) for name in _SILENT.split()}
    cuda.update({name: always(0) for name in _NUMBERS.split()})
    # Old code makes its tensors with these, and asks whether there is a device before it does.
    cuda.update({f"{kind}Tensor": getattr(torch, f"{kind}Tensor") for kind in _KINDS.split()})
    cuda.update(
        is_available=available,
        device_count=count,
        get_device_name=always(properties.name),
        get_device_properties=always(properties),
        get_device_capability=always((9, 0)),
        mem_get_info=always((_MEMORY, _MEMORY)),
        is_bf16_supported=always(True),
    )
    found = [(torch.cuda, name, value) for name, value in cuda.items() if hasattr(torch.cuda, name)]
    accelerator = getattr(torch, "accelerator", None)
    values = {
        "is_available": available,
        "device_count": count,
        "current_accelerator": always(torch.device("cuda")),
        "current_device_index": always(0),
        "set_device_index": always(None),
        "synchronize": always(None),
    }
    return [*found, *((accelerator, name, value) for name, value in values.items() if hasattr(accelerator, name))]
