"""Random networks with one number changed: Metalens says that they fail exactly where real PyTorch fails.

`harness/networks.py` makes them up. `python -m harness.agreement --networks 2000` (in `tests/`, with `server/` on the
path) does the same for as many as one has time for.

What they are known to disagree about, and what is therefore not made up:

- A kernel, a stride or a number of groups of 0: some backends refuse it, others do not.
- A division by 0 in plain Python: it says nothing of shapes.
- Indices drawn at random that may or may not lie beyond a table: a promise cannot be made.
- Sizes in the thousands, which may take longer than a run is given.

And what may be met in some thousands of them: pieces taken along the batch leave one item, so that a batch norm further
down is told beside the mistake that it follows from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

TESTS = Path(__file__).parent
NETWORKS = 50
CHANGES = 4


@pytest.fixture(scope="module")
def judge():
    """A process that judges the networks of a seed."""
    command = [sys.executable, "-m", "harness.agreement", "--changes", str(CHANGES)]
    path = os.pathsep.join([str(TESTS.parent / "server"), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS, env=environment
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_metalens_and_pytorch_agree(seed, judge):
    judge.stdin.write(f"{seed}\n")
    judge.stdin.flush()
    for name, text, found in json.loads(judge.stdout.readline()):
        pytest.fail("\n".join([name, *found, "", text]))
