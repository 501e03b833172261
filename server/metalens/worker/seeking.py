"""Of a thorough run, the last part: the classes that nothing explained, each searched for what it runs with."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import torch

from metalens.protocol.messages import Run, Target
from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace import collect
from metalens.worker.trace.alone import build_alone, needs_nothing
from metalens.worker.trace.deadline import OutOfTime, deadline
from metalens.worker.trace.hybrid import Hybrid, Limit
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.rehearse import Stage
from metalens.worker.trace.seek import rests_on_sizes, seek

# Seconds of computing that the search for one class may take, after which it is interrupted, and that it gets at least.
_SECONDS, _HARD, _LEAST = 7.0, 18.0, 2.0
_SHARE = 0.9
_ROOT = 0.6  # of the time for a part the model around it may take this


def seek_all(run: Run, stage: Stage, observer: Observer, mode: Hybrid, began: float) -> None:
    """Search for what the targets run with that still did not run. `began` is the process time of the run's begin."""
    # A model that fails shows what is wrong with its parts, each of which may well run by itself.
    targets = sorted(run.targets, key=lambda target: _is_part(target, observer))
    for at, target in enumerate(targets):
        left = run.timeout * _SHARE - (time.process_time() - began)
        if left <= 0:
            return
        share = max(left / (len(targets) - at), min(left, _LEAST))
        with contextlib.suppress(OutOfTime, Limit), deadline(min(left, _HARD)):
            try:
                _seek(target, stage, observer, min(share, _SECONDS))
            except (OutOfTime, Limit):
                raise
            except BaseException as error:  # noqa: BLE001 - whatever ends this class leaves the others alone
                stage.problems.setdefault(target.file, f"its code ended with {type(error).__name__}")
        mode.settle()


def _instances(target: Target, observer: Observer) -> list[Seen]:
    return [seen for seen in observer.seen if collect.is_of(seen, target.file, target.qualname)]


def _is_part(target: Target, observer: Observer) -> bool:
    instances = _instances(target, observer)
    return bool(instances) and all(seen.root is not None for seen in instances)


def _is_cut_short(seen: Seen) -> bool:
    """Whether its call ended because something was not known, which says nothing of it."""
    return isinstance(seen.ended, (UnknownError, Limit, OutOfTime))


def _waits(seen: Seen) -> bool:
    """Whether a model was built by code, and never called."""
    return seen.done and seen.called is None and (seen.is_own or rests_on_sizes(seen))


def _seek(target: Target, stage: Stage, observer: Observer, seconds: float) -> None:
    cls: Any = stage.class_named(target.file, target.qualname)
    if not isinstance(cls, type) or not issubclass(cls, torch.nn.Module):
        return
    instances = _instances(target, observer)
    judged = (seen for seen in instances if seen.called is not None and seen.is_own and not _is_cut_short(seen))
    clean = any(seen.call_source != "probe" and not seen.call_mended for seen in judged)
    # What ran with made-up arguments says little of those that code gives.
    given = any(seen.done and seen.is_own for seen in instances)
    if clean or any(seen.returned and (seen.is_own or not given) for seen in instances):
        return
    root = next((seen.root for seen in instances if seen.root is not None and _waits(seen.root)), None)
    if root is not None and root.file != target.file:
        # What is wrong with a part may show only in the model that was built of it, though that stands in another file.
        began = time.process_time()
        seek(root.built.cls, root, observer, seconds * _ROOT)
        seconds -= time.process_time() - began
        if any(seen.returned for seen in _instances(target, observer)):
            return
    if not instances and needs_nothing(cls) and build_alone(cls, observer) is None:
        instances = _instances(target, observer)
    instances.sort(key=lambda seen: (not seen.done, seen.assumed, not seen.is_own, bool(seen.mended)))
    seek(cls, instances[0] if instances else None, observer, seconds)
