"""How the server is: one headline and one line of detail for a status item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from metalens.engine.result import Result, explained
from metalens.engine.worker import WorkerState
from metalens.features.words import counted
from metalens.protocol.messages import Ready
from metalens.workspace.interpreters import Interpreter


@dataclass
class Status:
    """What the status is told from. `idle` is why nothing of the user's runs, if so; `fault` what broke on our side."""

    idle: str = ""
    fault: str = ""
    state: WorkerState | None = None
    ready: Ready | None = None
    interpreter: Interpreter | None = None

    def summary(self, results: Iterable[Result]) -> tuple[str, str, bool]:
        """Health, message (a headline, then lines of detail), and whether nothing is under way."""
        if self.fault:
            return "error", f"not working\n{self.fault}", True
        if self.idle:
            return "ok", f"static only\n{self.idle}", True
        if self.ready is None:
            return "ok", "importing torch…", False
        models = [model for result in results for model in result.models]
        missing = sum(not explained(model) for model in models)
        headline = f"{missing} of {len(models)} not built" if missing else counted(len(models), "model")
        detail = " · ".join(part for part in (f"torch {self.ready.torch}", self._where(), self._doing()) if part)
        return "warning" if missing else "ok", f"{headline}\n{detail}", self.state is not WorkerState.BUSY

    def _where(self) -> str:
        return self.interpreter.source if self.interpreter else ""

    def _doing(self) -> str:
        return "worker busy" if self.state is WorkerState.BUSY else "worker idle"
