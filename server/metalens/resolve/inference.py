"""What jedi infers where following names is not enough. The only file that knows jedi.

jedi is slow at times, has no deadline and wants to be called from one thread: it works in a thread of its own, is
waited for briefly, and what comes too late is there the next time.
"""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from metalens.protocol.values import Position
from metalens.workspace.documents import Unreadable, Workspace

WAIT_SECONDS = 1.0
_MAX_CHARACTERS = 400_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferredClass:
    """A class: its file, the zero-based line of its `class` statement, its full dotted name."""

    file: str
    line: int
    name: str


@dataclass(frozen=True)
class _Question:
    root: Path
    file: str
    text: str
    position: Position


class _Thread:
    """Answers questions one after the other; starts with the first."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[_Question, Future[tuple[InferredClass, ...]]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, question: _Question) -> Future[tuple[InferredClass, ...]]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="metalens-inference", daemon=True)
            self._thread.start()
        future: Future[tuple[InferredClass, ...]] = Future()
        self._waiting.put((question, future))
        return future

    def _work(self) -> None:
        while True:
            question, future = self._waiting.get()
            try:
                future.set_result(_answer(question))
            except Exception:  # noqa: BLE001 - jedi reads the user's code and fails in many ways; no class is found then
                _log.debug("jedi failed on %s", question.file, exc_info=True)
                future.set_result(())


_THREAD = _Thread()
_ANSWERS: WeakKeyDictionary[Workspace, dict[tuple[str, str], tuple[str, Future[tuple[InferredClass, ...]]]]] = (
    WeakKeyDictionary()
)


def inferred_classes(workspace: Workspace, file: str, name: str, position: Position) -> tuple[InferredClass, ...]:
    """The classes that the name at this place may stand for; empty if that is not known in time."""
    answers = _ANSWERS.setdefault(workspace, {})
    stamp = workspace.stamp(file) or ""
    known = answers.get((file, name))
    if known is None or known[0] != stamp:
        try:
            text = workspace.text(file)
        except Unreadable:
            return ()
        if len(text) > _MAX_CHARACTERS:
            return ()
        known = (stamp, _THREAD.ask(_Question(workspace.root, file, text, position)))
        answers[(file, name)] = known
    wait([known[1]], timeout=WAIT_SECONDS)
    return known[1].result() if known[1].done() else ()


def _answer(question: _Question) -> tuple[InferredClass, ...]:
    import jedi  # type: ignore[import-untyped]  # noqa: PLC0415 - 15 MB that most workspaces never need

    project = jedi.Project(question.root, load_unsafe_extensions=False)
    script = jedi.Script(question.text, path=question.file, project=project)
    found = script.infer(question.position.line + 1, question.position.column)
    return tuple(
        InferredClass(str(item.module_path or ""), (item.line or 0) - 1, item.full_name or "")
        for item in found
        if item.type == "class"
    )
