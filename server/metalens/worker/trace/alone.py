"""Targets that no caller explained: built with their defaults, run on probed inputs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any, Optional

from metalens.worker.load.unknown import UnknownError
from metalens.worker.trace import probe
from metalens.worker.trace.declared import run_declared
from metalens.worker.trace.hybrid import Limit
from metalens.worker.trace.invent import inventions
from metalens.worker.trace.modes import asks_for_mode, in_use
from metalens.worker.trace.observe import Observer, Seen
from metalens.worker.trace.provenance import conflict, layer_conflict
from metalens.worker.trace.tracer import Tracer

_ALIKE = 3  # further models of a class that are called like the first
_PLACEHOLDERS: tuple[Any, ...] = (None, (), "", 0)


@dataclass(frozen=True)
class Alone:
    """A class that could not be built alone, and why: `failed` tells whether its own code raised."""

    reason: str
    failed: bool = False


def needs_nothing(cls: type) -> bool:
    """Whether a class can be built without arguments, as far as its signature tells."""
    try:
        parts = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(part.default is not part.empty or part.kind in (2, 4) for part in parts)


def build_alone(cls: type, observer: Observer) -> Optional[Alone]:
    """Build a class with its defaults; None when that worked (the observer has seen it)."""
    try:
        every = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return Alone("its constructor has no readable signature")
    parameters = [part for part in every if part.kind not in (2, 4)]
    required = [part.name for part in parameters if part.default is part.empty]
    if required:
        return None if _invent(cls, observer) else Alone(f"needs {', '.join(required)}")
    takes_any = len(every) != len(parameters)
    observer.build_source, observer.assumed = "default", takes_any or has_placeholders(cls)
    observer.tracer.mended = ""
    try:
        cls()
    except (UnknownError, Limit) as error:
        return Alone(str(error))
    except Exception as error:  # noqa: BLE001 - the user's constructor may raise anything
        if not every:
            observer.tracer.on_failure(error)
            return Alone(f"{type(error).__name__}: {error}"[:200], failed=True)
        observer.tracer.on_refusal(error)
        if not parameters:
            return Alone(f"it takes any arguments, and needs some ({type(error).__name__}: {error})"[:200])
        return Alone(f"its defaults alone do not build it ({type(error).__name__}: {error})"[:200])
    finally:
        observer.build_source, observer.assumed = "call site", False
    return None


def _invent(cls: type, observer: Observer) -> bool:
    """Build a class with made-up arguments; whether one set of them worked."""
    tracer = observer.tracer
    for kwargs in inventions(cls):
        observer.build_source, observer.assumed = "invented", True
        before = len(observer.seen)
        tracer.mended = ""
        try:
            cls(**kwargs)
        except Exception as error:  # noqa: BLE001 - our arguments need not please the user's constructor
            tracer.on_refusal(error)
            del observer.seen[before:]
            continue
        finally:
            observer.build_source, observer.assumed = "call site", False
        return True
    return False


def has_placeholders(cls: type) -> bool:
    """Whether a default of the constructor looks as if it waits for a real value."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(
        part.default is not part.empty and (part.default in _PLACEHOLDERS if _plain(part.default) else not part.default)
        for part in parameters
        if part.kind not in (2, 4)
    )


def _plain(value: Any) -> bool:
    return isinstance(value, (int, str, tuple, type(None))) and not isinstance(value, bool)


def run_alike(observer: Observer) -> None:
    """Call models that were built and left uncalled as another one of their class was called: that shows their parts.

    The inputs are the user's own, but meant for another model, so that such a run proves nothing.
    """
    called: dict[type, Seen] = {}
    for seen in observer.seen:
        if seen.returned and seen.source == "call site" and seen.called is not None:
            called.setdefault(type(seen.built.module), seen)
    left: dict[type, int] = {}
    for seen in list(observer.seen):
        cls = type(seen.built.module)
        like = called.get(cls)
        if like is None or like.called is None or not seen.done or seen.called is not None or seen.source == "parent":
            continue
        left[cls] = left.get(cls, 0) + 1
        if left[cls] > _ALIKE:
            continue
        observer.tracer.mended = "the inputs are those of another call of this class"
        try:
            seen.built.module(*like.called.args, **like.called.kwargs)
        except Exception:  # noqa: BLE001 - those inputs need not suit this model
            continue


def run_alone(seen: Seen, observer: Observer, may_judge: bool) -> str:
    """Probe the forward of a built module. Gives the inputs that worked as text, or "".

    A contradiction inside the class is reported through the tracer's `on_failure` when `may_judge`.
    """
    tracer, module = observer.tracer, seen.built.module
    if run_declared(seen, observer):
        return ""

    def run(inputs: dict[str, Any]) -> Optional[BaseException]:
        tracer.mended = ""
        try:
            module(**inputs)
        except Exception as error:  # noqa: BLE001 - the user's forward may raise anything
            return error
        return None

    def blame(error: BaseException) -> Optional[tuple[Any, tuple[Any, ...]]]:
        raised = tracer.raised.get(id(error))
        return (raised.function, raised.args) if raised else None

    observer.call_source = "probe"
    try:
        attempt = probe.probe(module, run, blame)
        if attempt is None:
            return ""
        if attempt.error is None:
            if may_judge and asks_for_mode(module, observer):
                with in_use(module, tracer):
                    judge_attempt(replace(attempt, error=run(attempt.inputs())), run, tracer)
            return probe.text_of(attempt.specs)
        tracer.on_refusal(attempt.error)
        if may_judge:
            judge_attempt(attempt, run, tracer)
        return ""
    finally:
        observer.call_source = "call site"


def judge_attempt(attempt: probe.Attempt, run: probe.Run, tracer: Tracer) -> None:
    """Report the errors whose two sizes are both fixed by layers and stay the same for other inputs."""
    error = attempt.error
    sides = _conflict(error, tracer) if error is not None else None
    if error is None or sides is None:
        return
    for other in probe.variations(attempt.specs):
        again = run(probe.Attempt(other, None).inputs())
        if again is not None and _conflict(again, tracer) == sides and not tracer.mended:
            break
    else:
        return
    tracer.fixed = True
    try:
        if not _report_all(attempt, other, run, tracer):
            tracer.on_failure(error)
    finally:
        tracer.fixed = False


def _report_all(attempt: probe.Attempt, other: dict[str, Optional[probe.Spec]], run: probe.Run, tracer: Tracer) -> bool:
    """Run to the end in spite of such errors, and report those that stay with `other` inputs; whether there was one."""
    found: dict[tuple[Any, ...], BaseException] = {}
    for error in _errors(attempt.specs, run, tracer):
        found.setdefault(_key(error, tracer), error)  # a part that is called again is told where it was called first
    if tracer.mended or not found:
        return False
    stay = {_key(error, tracer) for error in _errors(other, run, tracer)}
    return any([tracer.recovery.confirm(error) for key, error in found.items() if key in stay])


def _errors(specs: dict[str, Optional[probe.Spec]], run: probe.Run, tracer: Tracer) -> list[BaseException]:
    """What fails on the way, with substitutes for all that is fixed by layers."""
    with tracer.recovery.trying(lambda error: _conflict(error, tracer) is not None) as errors:
        run(probe.Attempt(specs, None).inputs())
    return errors


def _key(error: BaseException, tracer: Tracer) -> tuple[Any, ...]:
    modules = tracer.under_way.get(id(error), ())
    return _conflict(error, tracer), id(modules[-1].module) if modules else None, *tracer.notes.get(id(error), ())[:1]


def _conflict(error: BaseException, tracer: Tracer) -> Optional[tuple[Any, ...]]:
    raised = tracer.raised.get(id(error))
    if raised is not None:
        return conflict(raised.function, raised.args, tracer.facts)
    modules = tracer.under_way.get(id(error), ())
    return layer_conflict(modules[-1].module, modules[-1].args, tracer.facts) if modules else None
