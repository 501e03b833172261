"""Inputs that a model itself declares: timm's `default_cfg`, Lightning's `example_input_array`, `dummy_inputs`."""

from __future__ import annotations

from typing import Any, Optional

import torch

from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.operands import mapped, to_meta

_BATCH = 2

_Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def declares_inputs(seen: Seen) -> bool:
    """Whether a model says what it is to be called with."""
    return _inputs_of(seen.built.module) is not None


def _inputs_of(module: Any) -> Optional[_Inputs]:
    """Arguments of `forward` that an attribute of the module holds or describes; None without one."""
    for name in ("default_cfg", "pretrained_cfg"):
        config = _attribute(module, name)
        size = config.get("input_size") if isinstance(config, dict) else getattr(config, "input_size", None)
        if isinstance(size, (tuple, list)) and len(size) > 1 and all(type(part) is int and part > 0 for part in size):
            return (torch.empty((_BATCH, *size), device="meta"),), {}
    example = _attribute(module, "example_input_array")
    if isinstance(example, torch.Tensor):
        return (to_meta(example),), {}
    if isinstance(example, (tuple, list)) and example:
        return tuple(mapped(to_meta, part) for part in example), {}
    named = example if isinstance(example, dict) else _attribute(module, "dummy_inputs")
    if isinstance(named, dict) and named and all(isinstance(name, str) for name in named):
        return (), {name: mapped(to_meta, part) for name, part in named.items()}
    return None


def run_declared(seen: Seen, observer: Observer) -> bool:
    """Call a model that nobody calls with what it declares. Whether it ran; if not, what it declares may be stale."""
    module = seen.built.module
    found = _inputs_of(module)
    if found is None:
        return False
    done = {id(item) for item in observer.seen if item.returned}
    observer.tracer.mended = ""
    observer.call_source = "probe"
    try:
        module(*found[0], **found[1])
    except Exception:  # noqa: BLE001 - the user's forward may raise anything
        return False
    finally:
        observer.call_source = "call site"
    for item in observer.seen:
        if item.returned and id(item) not in done and item.call_source == "probe":
            item.call_source = "annotation" if item is seen else "parent"
    return True


def _attribute(module: Any, name: str) -> Any:
    try:
        return getattr(module, name, None)
    except Exception:  # noqa: BLE001 - it may be a property of the user's
        return None
