"""An engine on the current folder for as long as a command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from metalens.engine.engine import Engine
from metalens.engine.result import Result
from metalens.engine.worker import WorkerState
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import choose_interpreter
from metalens.workspace.settings import Settings


@dataclass(frozen=True)
class Choice:
    """What the user decided about the worker: its interpreter (empty: chosen for them) and whether it may fork."""

    python: str = ""
    fork: bool = True


class Faults:
    """Listens for what broke on our side; results are read from what `check` returns."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def result(self, result: Result) -> None:
        """Nothing to do."""

    def fault(self, text: str) -> None:
        """Remember it, once."""
        if text not in self.texts:
            self.texts.append(text)

    def state(self, state: WorkerState, detail: str) -> None:
        """Nothing to do."""


@asynccontextmanager
async def engine_for(workspace: Workspace, choice: Choice, faults: Faults) -> AsyncIterator[Engine]:
    """A started engine, stopped at the end. Raises NoInterpreter or WorkerUnusable."""
    interpreter = choose_interpreter(workspace.root, choice.python)
    engine = Engine(workspace, Settings(fork=choice.fork), interpreter, listener=faults)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.stop()
