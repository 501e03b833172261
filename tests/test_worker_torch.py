"""The real worker, started as the engine starts it: torch is imported once, and the user's interpreter stays clean."""

import asyncio
from importlib.metadata import version
from pathlib import Path

import pytest

from host_harness import DEADLINE, hosting
from metalens.engine.worker import SCRIPT
from metalens.protocol.messages import Caller, Report, Run, Target

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif("sys.platform != 'linux'", reason="looks for processes in /proc"),
]

MODEL = """\
import sys, threading
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        print("path", sys.path)
        print("modules", sorted({"pygls", "jedi", "lsprotocol"} & set(sys.modules)))
        print("threads", threading.active_count(), torch.get_num_threads())
        self.fc = nn.Linear(4, width)

    def forward(self, x):
        return self.fc(x)

net = Net(16)
net(torch.randn(2, 4))
"""


def run_of(id: int, root: Path, text: str) -> Run:
    file = str(root / "net.py")
    target = Target(file, "Net", 4)
    return Run(id, str(root), (str(root),), (Caller(file),), (target,), overlay={file: text}, traces=(file,))


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.parametrize("fork", [True, False])
async def test_a_model_is_run(tmp_path, fork):
    async with hosting(fork, tmp_path, script=SCRIPT) as host:
        ready = await asyncio.wait_for(host.worker.start(), 5 * DEADLINE)
        assert (ready.torch, ready.mode) == (version("torch"), "fork" if fork else "standby")
        for id in range(1, 4):
            report = await host.worker.run(run_of(id, tmp_path, MODEL))
            assert isinstance(report, Report), report
            (context,) = [context for context in report.contexts if context.qualname == "Net"]
            assert (context.status, context.output and context.output.shape) == ("traced", (2, 16)), report
        printed = dict(line.split(" ", 1) for line in report.output.splitlines())
        assert printed["modules"] == "[]"
        assert printed["threads"] == "1 1"
        assert not [entry for entry in eval(printed["path"]) if "metalens" in entry]
        if fork:
            assert threads_of(host.leader()) == 1
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("fork", [True, False])
async def test_global_settings_do_not_reach_the_next_run(tmp_path, fork):
    spoiled = MODEL + "torch.set_default_dtype(torch.float64)\nnn.Linear.forward = None\n"
    async with hosting(fork, tmp_path, script=SCRIPT) as host:
        await asyncio.wait_for(host.worker.start(), 5 * DEADLINE)
        for id, text in enumerate((spoiled, MODEL), 1):
            report = await asyncio.wait_for(host.worker.run(run_of(id, tmp_path, text)), 5 * DEADLINE)
            assert isinstance(report, Report), report
        (context,) = [context for context in report.contexts if context.qualname == "Net"]
        assert (context.status, context.output and context.output.dtype) == ("traced", "f32"), report
