"""Models that several tests of features look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.results import FILE, Scene, Seen, batch, context, linear
from metalens.engine.result import Result
from metalens.features.hover import hover
from metalens.protocol.messages import Context, Expression, Finding, Fix, Report
from metalens.protocol.values import Evidence, Position, Range, Value

MLP = Scene('''\
import torch
from torch import nn


class Net(nn.Module):
    """Has a self.fc1 in its docstring."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


net = Net()
print(net(torch.randn(32, 10)))
''')


def mlp(**given: object) -> Result:
    made = context(
        MLP,
        "Net",
        **{
            "layers": [linear("fc1", 10, 20), linear("fc2", 20, 5)],
            "arguments": MLP.evidence("Net()", "call site", "Net()"),
            "inputs": MLP.evidence("x [B, 10]", "call site", "net(torch"),
            "output": batch(5),
            **given,
        },
    )
    expressions = (
        _name("x):", batch(10)),
        MLP.seen("self.fc1(x)", batch(20)),
        MLP.seen("torch.relu(self.fc1(x))", batch(20)),
        MLP.seen("self.fc2(x)", batch(5)),
        _name("x = torch", batch(20)),
        _name("x))", batch(10)),
        _name("x)\n\n", batch(20)),
    )
    return replace(MLP.result(Seen((made,), (), expressions).report()), torch="2.13.0")


def _name(at: str, value: Value) -> Expression:
    place = MLP.find(at).start
    return Expression(Range(place, Position(place.line, place.column + 1)), (value,))


def text_at(result: Result, scene: Scene, at: str, nth: int = 1) -> str:
    found = hover(result, scene.at(at, nth))
    assert found is not None, f"nothing at {at}"
    return found.markdown


NET = Scene("""\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(10, 20)

    def forward(self, x):
        return self.fc(x)
""")


def built(scene: Scene = NET, **given: object) -> Context:
    arguments = Evidence("Net()", "call site")
    return context(scene, "Net", [linear("fc", 10, 20)], **{"arguments": arguments, **given})


def finding(scene: Scene = NET, fixes: Sequence[Fix] = ()) -> Finding:
    return Finding("linear-in-features", "error", "wrong", scene.location("self.fc(x)"), "Net", fixes=tuple(fixes))


def report(*contexts: Context, findings: Sequence[Finding] = (), files: Sequence[str] = (FILE,)) -> Report:
    return replace(Seen(contexts, tuple(findings)).report(), files=tuple(files))
