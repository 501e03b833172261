"""Real PyTorch against the fixtures of classes that nobody builds: each is built and called here, in several ways.

What is correct runs in the way that is written here. A mistake raises in all of them, at the line that is annotated,
and after any of its fixes no more in all of them.
"""

import shutil
import sys

import pytest
import pytest_asyncio

from harness import FIXTURES
from harness.annotations import read
from harness.faults import Faults
from harness.truth import Truth
from metalens.engine.engine import Engine
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings
from test_truth import mend

pytestmark = pytest.mark.torch

RUNNING = {
    "nobody_builds": (
        "Equal(4, 4)(torch.zeros(2, 4))",
        "Bottleneck(16, 4)(torch.zeros(2, 16, 8, 8))",
        "Tokens(8)(torch.zeros(2, 16, 8))",
        "Decoder(16, 4)(torch.zeros(2, 16, 8, 8), torch.zeros(2, 56, 16, 16))",
        "Double().double()(torch.zeros(2, 5, dtype=torch.double))",
        "Around(nn.Linear(4, 8), 4)",
        "Child(4)(torch.zeros(2, 4))",
        "Choice(4, wide=True)(torch.zeros(2, 4))",
        "Loss(3)({'logits': torch.zeros(2, 2, 3)}, [(0, 1)])",
    ),
    "nobody_builds_with_records": (
        "Pairs(N(n_embed=9, d_embed=8, d_hidden=7, n_layers=2, d_out=3, n_cells=2))"
        "(N(premise=torch.ones(5, 2).long(), hypothesis=torch.ones(4, 2).long()))",
        "Conditioned()(torch.zeros(2, 3, 8, 8), torch.zeros(2, 5))",
        "Captions(8, 7, 9)(torch.zeros(2, 8), torch.ones(2, 5).long(), [6, 4])",
    ),
    "nobody_builds_with_options": (
        "Merge(8, 'join')(torch.zeros(2, 8), torch.zeros(2, 8))",
        "Pooled(8, 'largest')(torch.zeros(2, 3, 16, 16))",
        "Stack(Narrow, 8)(torch.zeros(2, 3, 16, 16))",
        "Heads(Sizes(12))(torch.zeros(2, 5, 12))",
        "Fixed()(torch.zeros(2, 3, 48, 48))",
    ),
    "nobody_builds_from_parts": ("Conditioned()((torch.zeros(2, 4, 9), torch.zeros(2, 640, 9)))",),
    "nobody_builds_from_lists": ("Crossing([5, 7], 4, (9,), [0.1, 0.2])(torch.zeros(3, 2).long())",),
}
RAISING = {
    "nobody_builds_flows": {
        "Flow": (
            "Flow(20, 8, 3)((torch.zeros(2, 20, 64), torch.zeros(2, 400)))",
            "Flow(5, 4, 2)((torch.zeros(1, 5, 9), torch.zeros(1, 12)))",
        ),
    },
    "nobody_builds_as_written": {
        "Block": ("Block(8, 2)", "Block(64, 1)"),
    },
    "nobody_builds": {
        "Generator": (
            "Generator(5, 2)(torch.zeros(2, 5, 1, 1))",
            "Generator(8, 8)(torch.zeros(2, 8, 4, 4))",
        ),
        "Residual": ("Residual(3)(torch.zeros(2, 3, 8, 8))", "Residual(7)(torch.zeros(1, 7, 64, 32))"),
        "Split": ("Split(8)(torch.zeros(2, 8))", "Split(6, 2)(torch.zeros(2, 3, 6))"),
        "Block": ("Block(8)(torch.zeros(2, 32))", "Block(3)(torch.zeros(2, 5, 3))"),
    },
    "nobody_builds_with_records": {
        "Pairs": (
            "Pairs(N(n_embed=9, d_embed=8, d_proj=7, d_out=3))"
            "(N(premise=torch.ones(2, 5).long(), hypothesis=torch.ones(2, 4).long()))",
            "Pairs(N(n_embed=9, d_embed=8, d_proj=6, d_out=2))"
            "(N(premise=torch.ones(2, 5, 4).long(), hypothesis=torch.ones(2, 5, 4).long()))",
        ),
    },
    "nobody_builds_with_options": {
        "Merge": (
            "Merge(8, 'add')(torch.zeros(2, 8), torch.zeros(2, 8))",
            "Merge(5, 'average')(torch.zeros(2, 3, 5), torch.zeros(2, 3, 5))",
        ),
        "Pooled": (
            "Pooled(8, 'average')(torch.zeros(2, 3, 16, 16))",
            "Pooled(5, 'largest')(torch.zeros(2, 3, 64, 32))",
        ),
        "Stack": ("Stack(Narrow, 8)(torch.zeros(2, 3, 16, 16))", "Stack(Narrow, 5)(torch.zeros(2, 3, 8, 8))"),
        "Feed": ("Feed(Sizes(8))(torch.zeros(2, 8))", "Feed(Sizes(8, 16))(torch.zeros(2, 3, 8))"),
        "Fixed": ("Fixed()(torch.zeros(2, 3, 48, 48))", "Fixed(64, 8)(torch.zeros(2, 3, 64, 64))"),
    },
    "nobody_builds_from_parts": {
        "Conditioned": (
            "Conditioned()((torch.zeros(2, 4, 9), torch.zeros(2, 640, 9)))",
            "Conditioned(3, 80)((torch.zeros(1, 3, 5), torch.zeros(1, 80, 5)))",
        ),
    },
    "nobody_builds_from_lists": {
        "Crossing": (
            "Crossing([5, 7], 4, (9,), [0.1, 0.2])(torch.zeros(3, 2).long())",
            "Crossing([5, 7, 9], 6, [8, 8], (0.1, 0.2))(torch.zeros(2, 3).long())",
        ),
    },
}
CORRECT = [(name, way) for name, ways in RUNNING.items() for way in ways]
MISTAKES = [(name, cls, ways) for name, classes in RAISING.items() for cls, ways in classes.items()]


@pytest.fixture(scope="module")
def truth():
    with Truth() as truth:
        yield truth


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine():
    engine = Engine(Workspace(FIXTURES), Settings(), Interpreter(sys.executable, "tests"), listener=Faults())
    await engine.start()
    yield engine
    await engine.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(engine):
    """What is found in each of the files."""
    return {name: (await engine.check(str(FIXTURES / "mistakes" / f"{name}.py"))).findings for name in RAISING}


def in_way(path, way, truth):
    """The outcome of a file with one more line: a class is built and called."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\nimport torch\nfrom types import SimpleNamespace as N\n{way}\n")
    return truth.run(path)


@pytest.mark.parametrize(("name", "way"), CORRECT)
def test_what_is_correct_runs(name, way, truth, tmp_path):
    copy = shutil.copy(FIXTURES / "correct" / f"{name}.py", tmp_path / "model.py")
    assert in_way(copy, way, truth).error == ""


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "name",
    [
        "nobody_builds_with_options",
        "nobody_builds_with_records",
        "nobody_builds_from_parts",
        "nobody_builds_from_lists",
    ],
)
async def test_what_is_correct_is_found_to_run(name, engine):
    result = await engine.check(str(FIXTURES / "correct" / f"{name}.py"))
    left = [model.cls.qualname for model in result.models if all(one.status != "traced" for one in model.contexts)]
    assert result.models
    assert left == []


@pytest.mark.parametrize(("name", "cls", "ways"), MISTAKES)
def test_a_mistake_raises_in_every_way(name, cls, ways, truth, tmp_path):
    source = FIXTURES / "mistakes" / f"{name}.py"
    annotated = read(source.read_bytes().decode())
    lines = {number: line for line, number in annotated.code_lines().items()}
    told = {lines[item.line] for item in annotated.annotations if item.kind == "error"}
    for way in ways:
        copy = shutil.copy(source, tmp_path / "model.py")
        outcome = in_way(copy, way, truth)
        assert outcome.error
        assert told & {line for file, line in outcome.lines if file == str(copy)}, way


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("name", "cls", "ways"), MISTAKES)
async def test_every_fix_mends_it(name, cls, ways, truth, told, tmp_path):
    (finding,) = [finding for finding in told[name] if finding.model == cls]
    assert finding.fixes
    for fix in finding.fixes:
        errors = []
        for way in ways:
            copy = shutil.copy(FIXTURES / "mistakes" / f"{name}.py", tmp_path / f"{name}.py")
            mend(tmp_path, fix)
            errors.append(in_way(copy, way, truth).error)
        assert "" in errors, fix.title
