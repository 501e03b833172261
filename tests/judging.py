"""Runs a small script on the meta device and hands its first failure to `judge`, as tracing does."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from metalens.protocol.messages import Finding
from metalens.protocol.values import Evidence, Location, Position, Range
from metalens.worker.judge import judge
from metalens.worker.judge.case import Case
from metalens.worker.judge.judge import explain
from metalens.worker.judge.replay import replay
from metalens.worker.trace.facts import Built, Facts, Failure, Frame, ModuleCall, Origin


@dataclass
class Recording:
    """What a run of a script left: its facts and its first failure."""

    facts: Facts
    failure: Failure | None


def record(text: str, file: Path, *, grade: str = "clean", inputs: Evidence | None = None) -> Recording:
    """Run a script on the meta device, remembering what judging needs."""
    file.write_text(text, encoding="utf-8")
    name = str(file)
    facts = Facts(sources={name: text})
    recorder = _Recorder(name, facts)
    namespace: dict[str, Any] = {"__name__": "__main__", "torch": torch, "nn": nn, "F": nn.functional}
    failure = None
    try:
        with recorder.installed(), torch.device("meta"), recorder:
            exec(compile(text, name, "exec"), namespace)
    except Exception as error:  # noqa: BLE001 - the script may fail in any way
        failure = recorder.failure(error, grade, inputs)
    recorder.name_modules()
    return Recording(facts, failure)


def find(text: str, file: Path, **options: Any) -> Finding | None:
    """The finding of a script's first failure; None if there is no failure or it is none of the user's."""
    recording = record(text, file, **options)
    failure = recording.failure
    if failure is None or judge(failure, recording.facts) is None:
        return None
    # Not what judge said: an error of ours on the way there should be seen.
    torch_said = replay(failure, recording.facts)
    assert torch_said is not None
    return explain(Case(failure, recording.facts, torch_said))


def said(file: Path, text: str) -> str:
    """`code: message` of a script's finding, after comparing PyTorch's words with a run of the script on a CPU."""
    finding = find(text, file)
    assert finding is not None
    assert len(finding.message) <= 100
    assert finding.torch == on_cpu(text)
    return f"{finding.code}: {finding.message}"


def on_cpu(text: str) -> str:
    """What PyTorch says when the script runs on a CPU."""
    names = {"torch": torch, "nn": nn, "F": nn.functional}
    with torch.no_grad(), pytest.raises(Exception) as caught:
        exec(text, names)
    return str(caught.value)


def net(layers: str, forward: str, inputs: str) -> str:
    """A script with one small model: the lines of its constructor and of its forward, and its inputs."""
    lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += [f"        {line}" for line in layers.splitlines()]
    lines += ["    def forward(self, x, y=None):"]
    lines += [f"        {line}" for line in forward.splitlines()]
    return "\n".join([*lines, "net = Net()", f"net({inputs})", ""])


class _Recorder(TorchFunctionMode):
    def __init__(self, file: str, facts: Facts) -> None:
        super().__init__()
        self.file = file
        self.facts = facts
        self.calls: list[ModuleCall] = []
        self.failed: tuple[Any, tuple[Any, ...], dict[str, Any]] | None = None
        self.frames: tuple[Frame, ...] = ()
        self.stack: tuple[ModuleCall, ...] = ()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        try:
            result = function(*args, **kwargs)
        except Exception:
            if self.failed is None:
                self.failed = (function, args, kwargs)
            raise
        frame = self.user_frame(sys._getframe(1))
        if frame is not None:
            self.facts.alive.append((args, result))
            inputs = tuple(_tensors((args, kwargs)))
            for tensor in _tensors(result):
                if not any(tensor is other for other in inputs):
                    origin = Origin(self.place(frame), function, self.layer(), inputs)
                    self.facts.origins[id(tensor)] = origin
        return result

    def layer(self) -> Any:
        module = self.calls[-1].module if self.calls else None
        own = type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential)
        return module if own else None

    @contextmanager
    def installed(self) -> Iterator[None]:
        call, init = nn.Module.__call__, nn.Module.__init__

        def calling(module: Any, *args: Any, **kwargs: Any) -> Any:
            outer = sys._getframe(1)
            location = self.place(outer) if outer.f_code.co_filename == self.file else None
            self.calls.append(ModuleCall(module, args, kwargs, location))
            try:
                return call(module, *args, **kwargs)
            except Exception:
                self.stack = self.stack or tuple(self.calls)
                raise
            finally:
                self.calls.pop()

        def building(module: Any, *args: Any, **kwargs: Any) -> None:
            init(module, *args, **kwargs)
            self.built(module, sys._getframe(1))

        nn.Module.__call__, nn.Module.__init__ = calling, building
        try:
            yield
        finally:
            nn.Module.__call__, nn.Module.__init__ = call, init

    def built(self, module: Any, frame: Any) -> None:
        arguments: dict[str, Any] = {}
        while frame is not None and frame.f_code.co_name == "__init__":
            if next(iter(frame.f_locals.values()), None) is not module:
                break
            values = inspect.getargvalues(frame)
            arguments = {name: values.locals[name] for name in values.args[1:] if name in values.locals}
            frame = frame.f_back
        user = frame is not None and frame.f_code.co_filename == self.file
        location = self.place(frame) if user else None
        self.facts.built[id(module)] = Built(module, type(module), (), arguments, location)

    def failure(self, error: Exception, grade: str, inputs: Evidence | None) -> Failure:
        frames = []
        step = error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == self.file:
                owner = step.tb_frame.f_locals.get("self")
                frames.append(
                    Frame(self.place(step.tb_frame, step.tb_lasti), step.tb_frame.f_code.co_name, owner and type(owner))
                )
            step = step.tb_next
        function, args, kwargs = self.failed or (None, (), {})
        model = next((type(c.module).__name__ for c in self.stack), "")
        return Failure(error, function, args, kwargs, tuple(frames), self.stack, grade, model, inputs=inputs)

    def name_modules(self) -> None:
        modules = [built.module for built in self.facts.built.values()]
        held = {id(child) for module in modules for child in module.children()}
        for root in (module for module in modules if id(module) not in held):
            for name, module in root.named_modules():
                self.facts.names.setdefault(id(module), name)

    def user_frame(self, frame: Any) -> Any:
        while frame is not None and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        return frame

    def place(self, frame: Any, last: int | None = None) -> Location:
        at = (frame.f_lasti if last is None else last) // 2
        line, end_line, column, end_column = list(frame.f_code.co_positions())[at]
        start, end = self.column(line, column), self.column(end_line, end_column)
        return Location(self.file, Range(Position(line - 1, start), Position(end_line - 1, end)))

    def column(self, line: int, offset: int) -> int:
        text = self.facts.sources[self.file].splitlines()[line - 1]
        return len(text.encode()[:offset].decode())


def _tensors(value: Any) -> Iterator[Any]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
