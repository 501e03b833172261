"""Models that ask whether they are trained: run once more as if they were not, on what they were called with.

Every model that is trained is to be used, with inputs that look alike. The other way round nothing follows: a batch of
one is good enough for a model that only predicts.
"""

from __future__ import annotations

import contextlib
import types
from collections import Counter
from collections.abc import Iterator

import torch

from metalens.worker.trace.observe import Observer, Seen, class_file
from metalens.worker.trace.tracer import Tracer

_OF_A_CLASS = 2  # models of one class that are run so


def run_untrained(observer: Observer) -> None:
    """Report what fails in models that a caller ran in training, all of it known, and that do otherwise in use."""
    tracer = observer.tracer
    done: Counter[type] = Counter()
    for seen in list(observer.seen):
        module, call = seen.built.module, seen.called
        if call is None or not _may_judge(seen) or not asks_for_mode(module, observer):
            continue
        done[type(module)] += 1
        if done[type(module)] > _OF_A_CLASS:
            continue
        tracer.mended, observer.place = "", call.location
        try:
            with in_use(module, tracer):
                module(*call.args, **call.kwargs)
        except Exception as error:  # noqa: BLE001 - the user's forward may raise anything
            tracer.on_failure(error)
        finally:
            observer.place = None


@contextlib.contextmanager
def in_use(module: torch.nn.Module, tracer: Tracer) -> Iterator[None]:
    """In the body the model is not in training; then each part is again as the user left it."""
    before = [(part, part.training) for part in module.modules()]
    tracer.in_use = True
    try:
        module.eval()
        yield
    finally:
        tracer.in_use = False
        for part, training in before:
            part.training = training


def asks_for_mode(module: torch.nn.Module, observer: Observer) -> bool:
    """Whether a model is in training, and code of the workspace in it asks for that."""
    if not module.training:
        return False
    classes = {base for part in module.modules() for base in type(part).__mro__}
    return any(_asks(cls) for cls in classes if (file := class_file(cls)) is not None and observer.is_workspace(file))


def _asks(cls: type) -> bool:
    codes = (getattr(value, "__code__", None) for value in vars(cls).values())
    return any(isinstance(code, types.CodeType) and "training" in code.co_names for code in codes)


def _may_judge(seen: Seen) -> bool:
    """Whether it ran as a caller's own outermost model, with nothing in doubt."""
    inner = seen.root is not None and seen.root.returned
    return seen.returned and seen.is_own and not (inner or seen.call_mended or seen.call_source == "probe")
