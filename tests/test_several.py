"""What follows from a mistake is not told again; what user code catches itself is no mistake; forward goes on."""

import sys
from textwrap import dedent, indent

import pytest
import pytest_asyncio

from harness.faults import Faults
from metalens.engine.engine import Engine
from metalens.workspace.documents import Workspace
from metalens.workspace.interpreters import Interpreter
from metalens.workspace.settings import Settings

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="session")]

HEAD = "import contextlib\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    engine = Engine(Workspace(root), Settings(), Interpreter(sys.executable, "tests"), listener=Faults())
    await engine.start()
    yield engine, root
    await engine.stop()


def net(layers: str, forward: str, *inputs: str) -> str:
    """A script with one model: its layers, the body of its forward, and what it is called with."""
    parameters = ", ".join("xyz"[: len(inputs)])
    return (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + indent(dedent(layers).strip(), " " * 8)
        + f"\n\n    def forward(self, {parameters}):\n"
        + indent(dedent(forward).strip(), " " * 8)
        + f"\n\n\nnet = Net()\nout = net({', '.join(inputs)})\n"
    )


async def check(served, name, text):
    engine, root = served
    path = root / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return await engine.check(str(path))


async def said(served, request, text):
    result = await check(served, request.node.name.partition("[")[0], text)
    return [finding.message for finding in result.findings]


async def test_forward_goes_on(served):
    text = net(
        "self.a = nn.Linear(4, 5)\nself.b = nn.Linear(6, 7)\nself.c = nn.Linear(8, 9)",
        "return self.c(self.b(self.a(x)))",
        "torch.randn(2, 4)",
    )
    result = await check(served, "goes_on", text)
    assert {finding.message for finding in result.findings} == {
        "b expects 6 input features, got 5 from a",
        "c expects 8 input features, got 7 from b",
    }
    ((context, *_),) = [model.contexts for model in result.models]
    assert (context.status, context.output.shape) == ("traced", (2, 9))


CONSEQUENCES = {
    "not flattened": (
        "self.conv = nn.Conv2d(1, 4, 3)\nself.fc = nn.Linear(4 * 6 * 6, 10)\nself.norm = nn.BatchNorm1d(10)",
        "x = self.fc(self.conv(x))\nb, n = x.shape\nreturn self.norm(x)",
        "torch.randn(2, 1, 8, 8)",
    ),
    "a norm between": (
        "self.a = nn.Conv2d(3, 17, 3)\nself.n = nn.BatchNorm2d(16)\nself.b = nn.Conv2d(16, 8, 3)",
        "return self.b(self.n(self.a(x)))",
        "torch.randn(2, 3, 8, 8)",
    ),
    "one producer of two": (
        "self.a = nn.Linear(4, 30)\nself.b = nn.Linear(20, 3)\nself.c = nn.Linear(20, 5)",
        "x = self.a(x)\nreturn self.b(x), self.c(x)",
        "torch.randn(2, 4)",
    ),
    "one input of two": (
        "self.b = nn.Linear(20, 3)\nself.c = nn.Linear(20, 5)",
        "return self.b(x), self.c(x)",
        "torch.randn(2, 4)",
    ),
    "swapped sizes": (
        "self.a = nn.Linear(50, 320)\nself.b = nn.Linear(50, 10)",
        "return self.b(self.a(x))",
        "torch.randn(2, 320)",
    ),
    "another layer in its place": (
        "self.a = nn.Linear(4, 128)\nself.b = nn.Linear(128, 2)",
        "x = self.b(x)\nreturn self.b(torch.relu(x))",
        "torch.randn(2, 4)",
    ),
    "a loop": (
        "self.layers = nn.ModuleList(nn.Linear(20, 30) for _ in range(4))",
        "for layer in self.layers:\n    x = layer(x)\nreturn x",
        "torch.randn(2, 20)",
    ),
    "turned operands": (
        "self.q = nn.Linear(8, 6)\nself.k = nn.Linear(8, 6)\nself.out = nn.Linear(6, 8)",
        "weights = torch.softmax(self.q(x) @ self.k(x), -1)\nreturn self.out(weights @ x) + x",
        "torch.randn(2, 5, 8)",
    ),
    "numbers of a doubtful shape": (
        "self.fc = nn.Linear(8, 6)",
        "x = x + y\nb, n = x.shape\nreturn self.fc(torch.zeros(b, n))",
        "torch.randn(2, 8)",
        "torch.randn(2, 9)",
    ),
    "unpacking": (
        "self.fc = nn.Linear(8, 6)",
        "b, c, h = x.shape\nreturn self.fc(x.view(b, h * c)), x.permute(0, 2, 1)",
        "torch.randn(2, 8)",
    ),
    "one name": (
        "dim = 16\nself.a = nn.Linear(4, 32)\nself.b = nn.Linear(dim, 7)\nself.c = nn.Linear(dim * 2, 9)",
        "return self.b(self.a(x)), self.c(torch.cat([self.a(x), self.a(x)], 1))",
        "torch.randn(2, 4)",
    ),
    "one stride, two heads": (
        "self.a = nn.Conv2d(1, 4, 3, stride=2)\nself.h1 = nn.Linear(4 * 6 * 6, 2)\nself.h2 = nn.Linear(4 * 3 * 3, 2)",
        "x = self.a(x)\nreturn self.h1(x.flatten(1)), self.h2(F.max_pool2d(x, 2).flatten(1))",
        "torch.randn(2, 1, 8, 8)",
    ),
}


@pytest.mark.parametrize("name", CONSEQUENCES)
async def test_a_consequence_is_not_told(served, request, name):
    messages = await said(served, request, net(*CONSEQUENCES[name]))
    assert len(messages) == 1, messages


INDEPENDENT = {
    "one name that would need two values": (
        "dim = 16\nself.a = nn.Linear(4, 32)\nself.b = nn.Linear(dim, 7)\nself.c = nn.Linear(dim * 4, 9)",
        "return self.b(self.a(x)), self.c(self.a(x + 1))",
        "torch.randn(2, 4)",
    ),
    "sizes that were read before a mistake": (
        "self.a = nn.Linear(8, 6)\nself.b = nn.Linear(5, 6)",
        "b, n = x.shape\nx = self.a(x)\nx = self.b(x)\nreturn x.view(b, 7)",
        "torch.randn(2, 8)",
    ),
}


@pytest.mark.parametrize("name", INDEPENDENT)
async def test_what_no_one_change_mends_is_told_twice(served, request, name):
    messages = await said(served, request, net(*INDEPENDENT[name]))
    assert len(messages) == 2, messages


CAUGHT = {
    "try": "try:\n    return self.fc(x)\nexcept RuntimeError:\n    return self.other(x)",
    "bare": "try:\n    x = self.fc(x)\nexcept:\n    x = self.other(x)\nreturn x",
    "suppress": "with contextlib.suppress(RuntimeError):\n    x = self.fc(x)\nreturn self.other(x)",
    "outside": "f = lambda: self.fc(x)\ntry:\n    return f()\nexcept Exception:\n    return self.other(x)",
}


@pytest.mark.parametrize("name", CAUGHT)
async def test_what_is_caught_is_no_mistake(served, request, name):
    text = net("self.fc = nn.Linear(4, 5)\nself.other = nn.Linear(6, 7)", CAUGHT[name], "torch.randn(2, 6)")
    assert await said(served, request, text) == []


async def test_a_try_that_catches_something_else_changes_nothing(served, request):
    forward = "try:\n    x = self.a(x)\nexcept KeyError:\n    pass\nreturn self.b(x)"
    text = net("self.a = nn.Linear(4, 5)\nself.b = nn.Linear(7, 8)", forward, "torch.randn(2, 6)")
    assert len(await said(served, request, text)) == 2


async def test_a_loop_of_mistakes_ends(served, request):
    layers = "self.parts = nn.ModuleList(nn.Linear(7, n) for n in range(10, 60))"
    text = net(layers, "for part in self.parts:\n    x = part(x)\nreturn x", "torch.randn(2, 6)")
    assert len(await said(served, request, text)) == 1


async def test_indexing_goes_on(served, request):
    forward = "first = x[:, 0, 0, 0]\nlast = y[:, 9]\nreturn self.fc(last), self.fc(z)"
    inputs = ("torch.randn(2, 4, 4)", "torch.randn(2, 8, 4)", "torch.randn(2, 5)")
    messages = await said(served, request, net("self.fc = nn.Linear(4, 5)", forward, *inputs))
    assert len(messages) == 3, messages


async def test_a_model_that_nobody_calls(served, request):
    text = net(
        """
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(9, 7, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 2)
        self.d = nn.Linear(3, 1)
        """,
        "x = F.relu(self.b(self.a(x)))\nreturn self.d(self.fc(torch.flatten(self.pool(x), 1)))",
        "torch.randn(2, 3, 8, 8)",
    ).partition("\n\n\nnet =")[0]
    messages = await said(served, request, text)
    heads = {message.split(",")[0] for message in messages}
    assert heads == {"b expects 9 input channels", "fc expects 6 input features", "d expects 3 input features"}


async def test_a_helper_outside_of_the_class(served, request):
    text = net("self.a = nn.Linear(4, 5)\nself.b = nn.Linear(6, 7)", "return helper(self, x)", "torch.randn(2, 3)")
    helper = "def helper(model, x):\n    x = model.a(x)\n    return model.b(x)\n\n\n"
    messages = await said(served, request, text.replace("class Net", helper + "class Net"))
    assert len(messages) == 2, messages
