"""A listener for those who wait for `check`: it hears what broke on our side."""

from __future__ import annotations

from metalens.engine.result import Result
from metalens.engine.worker import WorkerState


class Faults:
    """`texts` should stay empty."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def result(self, result: Result) -> None:
        pass

    def state(self, state: WorkerState, detail: str) -> None:
        pass

    def fault(self, text: str) -> None:
        self.texts.append(text)
