"""Choices that a script leaves open, rehearsed by the real worker."""

import asyncio
from dataclasses import replace

import pytest

from host_harness import DEADLINE, hosting
from metalens.engine.worker import SCRIPT
from metalens.plan.plan import plan_file
from metalens.protocol.messages import Caller, Report
from metalens.workspace.settings import Settings
from trees import tree

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif("sys.platform != 'linux'", reason="looks for processes in /proc"),
]

NETS = """\
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(4, width)

    def forward(self, x):
        return self.fc(x)


class Wide(Small):
    pass


class Odd(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(5, width)

    def forward(self, x):
        return self.fc(x)
"""

TRAIN = """\
import argparse, json
import torch
import nets
import state

parser = argparse.ArgumentParser()
parser.add_argument("--config", default="a.json")
parser.add_argument("--model", default="Small")
parser.add_argument("--width", type=int, default=0)
args = parser.parse_args()
state.calls.append(args.model)
with open(args.config) as stream:
    config = json.load(stream)
model = getattr(nets, args.model)(args.width or config["width"] * len(state.calls))
model(torch.randn(2, 4))
"""

FILES = {
    "pkg/nets.py": NETS,
    "pkg/train.py": TRAIN,
    "pkg/state.py": "calls = []\n",
    "pkg/a.json": '{"width": 8}',
    "run.sh": "cd pkg\npython train.py --model Wide --old 3\n",
}


async def reports(host, root, file="pkg/nets.py", callers=None):
    found = plan_file(tree(root, FILES), Settings(), str(root / file))
    run = next(run for run in found.runs[found.telling :] if run.callers[0].file.endswith("train.py"))
    report = await asyncio.wait_for(host.worker.run(replace(run, id=1, callers=callers or run.callers)), DEADLINE)
    assert isinstance(report, Report), report
    return report


def seen(report, name):
    return {(c.status, c.grade, c.output and c.output.shape) for c in report.contexts if c.qualname == name}


async def test_a_choice_that_nobody_wrote_down_shows_shapes_and_finds_nothing(tmp_path):
    async with hosting(True, tmp_path, script=SCRIPT) as host:
        report = await reports(host, tmp_path)
        # The file of the default lies beside the script, and each command line finds the workspace's modules fresh.
        assert seen(report, "Small") == {("traced", "clean", (2, 8))}
        assert {(status, grade) for status, grade, _ in seen(report, "Odd")} == {("instantiated", "mended")}
        assert report.findings == ()


async def test_a_command_line_that_is_written_down_may_find_mistakes(tmp_path):
    file = str(tmp_path / "pkg" / "train.py")
    lines = [
        Caller(file, ("--model", "Odd", "--width", "6")),
        Caller(file, ("--model", "Wide", "--width", "x", "--old")),
    ]
    async with hosting(True, tmp_path, script=SCRIPT) as host:
        report = await reports(host, tmp_path, callers=tuple(lines))
        assert [finding.code for finding in report.findings] == ["linear-in-features"]
        # What the parser refuses is left out: the defaults stay.
        assert seen(report, "Small") == {("traced", "clean", (2, 8))}
