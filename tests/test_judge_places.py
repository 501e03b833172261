"""Where the squiggle goes, and what is said beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

torch = pytest.importorskip("torch")

from judging import find  # noqa: E402 - needs torch
from metalens.protocol.values import Evidence, Location, Position, Range  # noqa: E402

pytestmark = pytest.mark.torch

Placed = Callable[[str], list[str]]


@pytest.fixture
def placed(tmp_path: Path) -> Placed:
    """The text under the squiggle, then the related places: `line: text: message`."""

    def place(text: str) -> list[str]:
        text = textwrap.dedent(text)
        finding = find(text, tmp_path / "script.py")
        assert finding is not None
        said = [_shown(text, finding.location)]
        return said + [f"{_shown(text, part.location)}: {part.message}" for part in finding.related]

    return place


def _shown(text: str, location: Location) -> str:
    start, end = location.range.start, location.range.end
    line = text.splitlines()[start.line]
    return f"{start.line + 1}: {line[start.column : end.column if end.line == start.line else len(line)]}"


FLAGSHIP = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv2 = nn.Conv2d(3, 128, 3, padding=1)
            self.pool = nn.MaxPool2d(2)
            self.fc1 = nn.Linear(4096, 256)

        def forward(self, x):
            x = self.pool(F.relu(self.conv2(x)))
            x = x.flatten(1)
            return F.relu(self.fc1(x))

    Net()(torch.randn(2, 3, 16, 16))
"""


def test_the_call_of_the_layer(placed: Placed) -> None:
    assert placed(FLAGSHIP) == snapshot(
        [
            "12: self.fc1(x)",
            "7: 4096: in_features=4096 declared here",
            "11: x.flatten(1): x.flatten(1) made [2, 8192] from [2, 128, 8, 8]",
            "10: self.conv2(x): conv2 made [2, 128, 16, 16]",
            "5: 128: out_channels=128 declared here",
        ]
    )


def test_a_shared_block_is_the_callers_matter(placed: Placed) -> None:
    script = """
        class Block(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(dim, dim), nn.ReLU())

            def forward(self, x):
                return self.net(x)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Linear(5, 20)
                self.block = Block(10)

            def forward(self, x):
                return self.block(self.stem(x))

        Net()(torch.randn(2, 5))
    """
    assert placed(script) == snapshot(
        [
            "17: self.block(self.stem(x))",
            "5: dim: in_features=10 declared here",
            "17: self.stem(x): stem made [2, 20]",
            "13: 20: out_features=20 declared here",
        ]
    )


def test_a_block_that_contradicts_itself(placed: Placed) -> None:
    script = """
        class Block(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.up = nn.Linear(dim, 4 * dim)
                self.down = nn.Linear(3 * dim, dim)

            def forward(self, x):
                return self.down(self.up(x))

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = Block(10)

            def forward(self, x):
                return self.block(x)

        Net()(torch.randn(2, 10))
    """
    assert placed(script) == snapshot(
        [
            "9: self.down(self.up(x))",
            "6: 3 * dim: in_features=30 declared here",
            "9: self.up(x): block.up made [2, 40]",
            "5: 4 * dim: out_features=40 declared here",
        ]
    )


def test_elements_of_a_sequential(placed: Placed) -> None:
    script = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(
                    nn.Linear(8, 20),
                    nn.ReLU(),
                    nn.Linear(30, 4),
                )

            def forward(self, x):
                return self.net(x)

        Net()(torch.randn(2, 8))
    """
    assert placed(script) == snapshot(
        [
            "8: nn.Linear(30, 4)",
            "8: 30: in_features=30 declared here",
            "12: self.net(x): net.0 made [2, 20]",
            "6: 20: out_features=20 declared here",
        ]
    )


def test_the_odd_one_of_three_elements(placed: Placed) -> None:
    script = """
        model = nn.Sequential(
            nn.Conv2d(3, 32, 3),
            nn.BatchNorm2d(64),
            nn.Conv2d(64, 8, 3),
        )
        model(torch.randn(1, 3, 8, 8))
    """
    assert placed(script) == snapshot(
        [
            "3: nn.Conv2d(3, 32, 3)",
            "4: 64: num_features=64 declared here",
            "7: model(torch.randn(1, 3, 8, 8)): model[0] made [1, 32, 6, 6]",
            "3: 32: out_channels=32 declared here",
        ]
    )


def test_elements_from_a_loop(placed: Placed) -> None:
    script = """
        layers = []
        for width in (8, 16):
            layers.append(nn.Linear(8, 4))
        model = nn.Sequential(*layers)
        model(torch.randn(2, 8))
    """
    assert placed(script) == snapshot(
        [
            "6: model(torch.randn(2, 8))",
            "4: 8: in_features=8 declared here",
            "4: 4: out_features=4 declared here",
        ]
    )


def test_input_of_the_script(placed: Placed) -> None:
    script = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1 = nn.Conv2d(3, 8, 3)

            def features(self, x):
                return self.conv1(x)

            def forward(self, x):
                return self.features(x)

        Net()(torch.randn(1, 1, 28, 28))
    """
    assert placed(script) == snapshot(
        [
            "8: self.conv1(x)",
            "5: 3: in_channels=3 declared here",
            "13: torch.randn(1, 1, 28, 28): torch.randn(1, 1, 28, 28) made [1, 1, 28, 28]",
        ]
    )


def test_both_operands(placed: Placed) -> None:
    script = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.left = nn.Linear(8, 6)
                self.right = nn.Linear(8, 5)

            def forward(self, x):
                return self.left(x) + self.right(x)

        Net()(torch.randn(2, 8))
    """
    assert placed(script) == snapshot(
        [
            "9: self.left(x) + self.right(x)",
            "9: self.right(x): right made [2, 5]",
            "6: 5: out_features=5 declared here",
            "9: self.left(x): left made [2, 6]",
            "5: 6: out_features=6 declared here",
        ]
    )


def test_a_chain_over_several_lines_begins_at_the_failing_part(placed: Placed) -> None:
    script = """
        class Net(nn.Module):
            def forward(self, x):
                return (
                    x.transpose(1, 2)
                    .reshape(2, 7)
                    .mean(1)
                )

        Net()(torch.randn(2, 3, 4))
    """
    assert placed(script) == snapshot(
        ["6: reshape(2, 7)", "10: torch.randn(2, 3, 4): torch.randn(2, 3, 4) made [2, 3, 4]"]
    )


def test_a_layer_inside_a_layer_of_torch(placed: Placed) -> None:
    script = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Embedding(9, 32)
                self.encoder = nn.TransformerEncoderLayer(64, 4)

            def forward(self, x):
                return self.encoder(self.embed(x))

        Net()(torch.zeros(5, 2, dtype=torch.long))
    """
    assert placed(script) == snapshot(
        [
            "9: self.encoder(self.embed(x))",
            "9: self.embed(x): embed made [5, 2, 32]",
            "5: 32: embedding_dim=32 declared here",
        ]
    )


def test_columns_count_code_points(placed: Placed) -> None:
    script = """
        größe, naïve = nn.Linear(3, 4), "ü"; größe(torch.randn(2, 5))
    """
    finding = placed(script)
    assert finding[1] == snapshot("2: 3: in_features=3 declared here")


def test_evidence_is_named(tmp_path: Path) -> None:
    place = Location(str(tmp_path / "train.py"), Range(Position(4, 0), Position(4, 9)))
    finding = find(
        textwrap.dedent(FLAGSHIP), tmp_path / "script.py", inputs=Evidence("x [2, 3, 16, 16]", "call site", place)
    )
    assert finding is not None
    assert finding.related[-1].location == place
    assert finding.related[-1].message == "called here with x [2, 3, 16, 16]"
    assert finding.model == "Net"
    assert finding.severity == "error"
    assert finding.notes == ("The tensor here is [2, 8192].", "Called with x [2, 3, 16, 16] (call site).")
