"""Calls that failed in a run that proves nothing: made again by themselves, for what the class alone gets wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Optional

import torch

from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace import probe
from metalens.worker.trace.alone import judge_attempt
from metalens.worker.trace.facts import ModuleCall
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.observe import Observer, Seen


def judge_failed(instances: Iterable[Seen], observer: Observer) -> None:
    """Of the first one whose call failed on inputs in doubt: report what contradicts itself whatever the inputs are."""
    for seen in instances:
        if not _failed_in_doubt(seen):
            continue
        for item in (seen.root, seen):
            if item is not None and _failed_in_doubt(item):
                _judge(item, observer)
        return


def _failed_in_doubt(seen: Seen) -> bool:
    told = seen.ended is not None and not isinstance(seen.ended, (Limit, UnknownError))
    built = not seen.mended and not seen.assumed and seen.done
    return told and built and not seen.returned and bool(seen.call_mended)


def _judge(seen: Seen, observer: Observer) -> None:
    module, specs = seen.built.module, _specs_of(seen.called)
    if specs is None:
        return
    tracer = observer.tracer

    def run(inputs: dict[str, Any]) -> Optional[BaseException]:
        tracer.mended = ""
        try:
            module(**inputs)
        except Exception as error:  # noqa: BLE001 - the user's forward may raise anything
            return error
        return None

    observer.call_source = "probe"
    try:
        attempt = probe.Attempt(specs, None)
        error = run(attempt.inputs())
        if error is not None:
            judge_attempt(probe.Attempt(specs, error), run, tracer)
    finally:
        observer.call_source = "call site"


def _specs_of(call: Optional[ModuleCall]) -> Optional[dict[str, Optional[probe.Spec]]]:
    """The inputs of a call by name; None if one of them is no tensor."""
    if call is None:
        return None
    try:
        given = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs).arguments
    except (TypeError, ValueError):
        return None
    specs: dict[str, Optional[probe.Spec]] = {}
    for name, value in given.items():
        if value is not None and not isinstance(value, torch.Tensor):
            return None
        whole = value is not None and not value.is_floating_point()
        specs[name] = None if value is None else probe.Spec(tuple(value.shape), whole)
    return specs
