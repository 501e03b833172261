"""Looks on while models run, asks the ideas about each torch function, and tells what they found in the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Optional

from metalens.protocol.messages import Finding
from metalens.protocol.values import Location
from metalens.worker.judge import words
from metalens.worker.judge.blame import related_to
from metalens.worker.judge.judge import notes
from metalens.worker.judge.quiet import batch, elementwise, layout, losses, mixing, single
from metalens.worker.judge.quiet.annotations import untrue
from metalens.worker.judge.quiet.comments import stale
from metalens.worker.judge.quiet.registration import unregistered
from metalens.worker.judge.quiet.scene import Call, Idea, Marks, Scene, Tell
from metalens.worker.judge.quiet.unused import unused
from metalens.worker.judge.repair.edits import preferred_first
from metalens.worker.trace.facts import Failure, Frame
from metalens.worker.trace.failures import arguments_evidence, inputs_evidence, root_of
from metalens.worker.trace.observe import Observer
from metalens.worker.trace.tracer import Tracer

_IDEAS: tuple[Idea, ...] = (
    *losses.IDEAS,
    *elementwise.IDEAS,
    *batch.IDEAS,
    *layout.IDEAS,
    *mixing.IDEAS,
    *single.IDEAS,
)
_MOST = 200
_MOST_FIXES = 4


class Watch:
    """The suspicions of one run."""

    def __init__(self, tracer: Tracer, observer: Observer) -> None:
        self._tracer = tracer
        self._observer = observer
        self._marks = Marks()
        self._asked: dict[str, tuple[Callable[[Call, Marks], Optional[Tell]], ...]] = {}
        self._suspects: list[tuple[Failure, Tell]] = []

    def saw(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A torch function was called and went well."""
        name = words.function_name(function)
        ideas = self._asked.get(name)
        if ideas is None:
            ideas = self._asked[name] = tuple(idea for names, idea in _IDEAS if name in names)
        if not ideas or len(self._suspects) >= _MOST:
            return
        call = Call(name, args, kwargs, result, self._tracer.facts)
        try:
            for idea in ideas:
                tell = idea(call, self._marks)
                suspect = self._failure(function, call) if tell is not None else None
                if tell is not None and suspect is not None:
                    self._suspects.append((suspect, tell))
        except Exception as error:  # noqa: BLE001 - tensors may be of the user's own classes; his run must go on
            sys.stderr.write(f"metalens could not look at {name}: {error!r}\n")

    @contextlib.contextmanager
    def looking_away(self) -> Iterator[None]:
        """What happens in the body is forgotten."""
        kept = self._marks, self._suspects
        self._marks, self._suspects = Marks(), []
        try:
            yield
        finally:
            self._marks, self._suspects = kept

    def findings(self) -> tuple[Finding, ...]:
        """One for each mistake and place, in the order in which they were met."""
        found: dict[tuple[Any, ...], Finding] = {}
        for finding in (*self._told(), *self._built()):
            found.setdefault((finding.location.file, finding.location.range, finding.code), finding)
        return tuple(found.values())

    def _built(self) -> Iterable[Finding]:
        """What is seen on the models that were built."""
        try:
            yield from unregistered(self._observer, self._tracer.facts)
            # What fails is another matter: a layer may be idle because of it.
            if not self._tracer.facts.recovered:
                yield from unused(self._observer, self._tracer.facts)
                yield from stale(self._tracer, self._observer)
                yield from untrue(self._tracer, self._observer)
        except Exception as error:  # noqa: BLE001 - the user's classes may answer our questions in any way
            sys.stderr.write(f"metalens could not judge what was built: {error!r}\n")

    def _told(self) -> Iterable[Finding]:
        causes: set[Location] = set()
        for failure, tell in self._suspects:
            try:
                finding = _finding(self._scene(failure), tell, causes)
            except Exception as error:  # noqa: BLE001 - as above
                sys.stderr.write(f"metalens could not judge a quiet call: {error!r}\n")
                continue
            if finding is not None:
                yield finding

    def _failure(self, function: Any, call: Call) -> Optional[Failure]:
        """The call as rules look at one that failed; None if the run is no proof of anything."""
        tracer, observer = self._tracer, self._observer
        location = tracer.location()
        if location is None or tracer.mended or tracer.fixed or observer.call_source == "probe":
            return None
        modules = tuple(tracer.modules)
        root = root_of(modules, observer)
        seen = observer.by_id.get(id(root.module)) if root is not None else None
        # Of what a script does by itself, a loop that was cut short may have left something out.
        if tracer.cut if seen is None else seen.assumed or seen.mended:
            return None
        return Failure(
            error=RuntimeError("nothing was raised"),
            function=function,
            args=call.args,
            kwargs=call.kwargs,
            frames=(Frame(location, "", None),),
            modules=modules,
            grade="clean",
            model=type(root.module).__qualname__ if root is not None else "",
            arguments=arguments_evidence(seen) if seen is not None else None,
            inputs=inputs_evidence(root, "call site") if root is not None else None,
        )

    def _scene(self, failure: Failure) -> Scene:
        root = root_of(failure.modules, self._observer)
        seen = self._observer.by_id.get(id(root.module)) if root is not None else None
        output = seen.output if seen is not None and seen.called is root and seen.returned else None
        return Scene(failure, self._tracer.facts, "", output)


def _finding(scene: Scene, tell: Tell, causes: set[Location]) -> Optional[Finding]:
    quiet = tell(scene)
    if quiet is None or quiet.cause in causes:
        return None
    if quiet.cause is not None:
        causes.add(quiet.cause)
    mistake = quiet.mistake
    return Finding(
        code=mistake.code,
        severity=quiet.severity,
        message=mistake.message,
        location=scene.location,
        model=scene.failure.model,
        related=related_to(scene, mistake),
        notes=notes(scene, mistake),
        fixes=preferred_first(list(quiet.fixes), _MOST_FIXES),
    )
