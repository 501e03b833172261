"""The whole path over real standard input and output: a model is opened, understood, mended, broken again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types

from harness.results import Scene
from harness.session import Editor, EditorClient, capabilities, client_range, server_config

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

MLP = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(10, 20)
        self.linear2 = nn.Linear(20, 5)

    def forward(self, x):
        x = torch.relu(self.linear1(x))
        return self.linear2(x)


net = Net()
x = torch.randn(32, 10)
print(net(x).shape)
"""

WRONG = MLP.replace("nn.Linear(20, 5)", "nn.Linear(30, 5)")

CNN = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(x)


print(Net()(torch.randn(8, 3, 32, 32)).shape)
"""


def complete(found: list[types.Diagnostic]) -> bool:
    """The fixes have been tried."""
    return bool(found) and all(diagnostic.data for diagnostic in found)


def none(found: list[types.Diagnostic]) -> bool:
    return not found


@pytest_lsp.fixture(config=server_config(), scope="module")
async def client(lsp_client: EditorClient, tmp_path_factory: pytest.TempPathFactory):
    lsp_client.root = tmp_path_factory.mktemp("project")
    await Editor(lsp_client, lsp_client.root).begin({"execution": {"timeout": 3}})
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: EditorClient) -> Editor:
    client.published.clear()
    return Editor(client, client.root)


async def ready(editor: Editor, name: str, words: str = "params") -> None:
    """Wait until the file was analysed: its class has a lens with these words."""

    async def seen() -> bool:
        return any(lens.command and words in lens.command.title for lens in await editor.lenses(name))

    editor.client.news.clear()  # before asking, so that no news is missed
    while not await seen():
        await editor.client.until(editor.client.news.is_set)
        editor.client.news.clear()


async def test_hover_on_the_layers_of_a_perceptron(editor: Editor):
    editor.open("mlp.py", MLP)
    await ready(editor, "mlp.py")
    for at in ("self.|linear1(x)", "self.|linear1 = nn"):
        text = await editor.hover_at("mlp.py", at)
        assert "**Linear**(in_features=10, out_features=20, bias=True)" in text
        assert "`weight [20, 10] = out_features × in_features`" in text
        assert "`bias [20] = out_features`" in text
        assert "`y = x Wᵀ + b`" in text
        assert "A batch of 32 changes the activations, never the parameters." in text
        assert "`[32, 10]` → `[32, 20]`" in text
    assert "**[32, 20]** f32" in await editor.hover_at("mlp.py", "return self.linear2(|x)")
    assert "**[32, 10]** f32" in await editor.hover_at("mlp.py", "self.linear1(|x)")
    net = await editor.hover_at("mlp.py", "class |Net")
    assert "**Net** · 325 params · 1.3 KiB" in net
    assert "`x [32, 10]` → `[32, 5]`" in net
    assert "built as Net() from line 16" in net
    lens, built = await editor.lenses("mlp.py")
    assert lens.command
    assert lens.command.title == "325 params · 1.3 KiB · x [32, 10] → [32, 5]"
    assert built.command
    assert built.command.title == "built as Net() from line 16 · input x [32, 10] from line 18"
    assert await editor.diagnostics("mlp.py") == []


async def test_a_linear_layer_that_does_not_fit_is_found_and_mended(editor: Editor):
    scene = editor.open("wrong.py", WRONG)
    (diagnostic,) = await editor.diagnostics("wrong.py", complete)
    assert diagnostic.severity is types.DiagnosticSeverity.Error
    assert (diagnostic.source, diagnostic.code) == ("metalens", "linear-in-features")
    assert diagnostic.range == client_range(scene, "self.linear2(x)")
    assert len(diagnostic.message) <= 100
    assert all(word in diagnostic.message for word in ("linear2", "30", "20"))
    assert diagnostic.code_description
    assert diagnostic.code_description.href.endswith("/rules/linear-in-features.md")
    related = {item.location.range.start.line for item in diagnostic.related_information or ()}
    assert {scene.line_of("nn.Linear(30, 5)"), scene.line_of("nn.Linear(10, 20)")} <= related

    offered = await editor.actions("wrong.py", diagnostic)
    assert len([action for action in offered if action.is_preferred]) == 1
    best = offered[0]
    assert best.is_preferred
    assert list(best.diagnostics or ()) == [diagnostic]
    mended = editor.apply("wrong.py", best)
    assert await editor.diagnostics("wrong.py", none) == []
    assert mended.text == WRONG.replace("nn.Linear(30, 5)", "nn.Linear(20, 5)")
    assert "mat1 and mat2" not in await editor.hover_at("wrong.py", "self.|linear2(x)")


async def test_channels_that_do_not_fit_are_found(editor: Editor):
    scene = editor.open("cnn.py", CNN)
    (diagnostic,) = await editor.diagnostics("cnn.py", bool)
    assert diagnostic.code == "conv-in-channels"
    assert diagnostic.range == client_range(scene, "self.conv2(x)")
    assert all(word in diagnostic.message for word in ("conv2", "32", "16", "conv1"))
    lens, _ = await editor.lenses("cnn.py")
    assert lens.command
    assert lens.command.title.endswith(f"fails at line {scene.line_of('self.conv2(x)') + 1}")


async def test_a_mistake_comes_and_goes_while_one_types(editor: Editor):
    editor.open("typed.py", MLP)
    await editor.diagnostics("typed.py", none)
    for wrong in ("30", "40"):
        editor.replace("typed.py", "nn.Linear(20, 5)", f"nn.Linear({wrong}, 5)")
        (diagnostic,) = await editor.diagnostics("typed.py", bool)
        assert wrong in diagnostic.message
        editor.replace("typed.py", f"nn.Linear({wrong}, 5)", "nn.Linear(20, 5)")
        assert await editor.diagnostics("typed.py", none) == []


async def test_a_mistake_behind_astral_characters_is_marked_where_it_is(editor: Editor):
    text = WRONG.replace("return self.linear2(x)", "y = ('😀', '𐐀'); return self.linear2(x)")
    scene = editor.open("astral.py", text)
    (diagnostic,) = await editor.diagnostics("astral.py", bool)
    assert diagnostic.range == client_range(scene, "self.linear2(x)")
    place = diagnostic.range.start
    assert "linear2" in await editor.hover("astral.py", place.line, place.character + len("self."))


async def test_files_that_use_a_model_follow_its_edits(editor: Editor):
    head, tail = MLP.split("net = Net()")
    editor.open("model.py", head)
    editor.open("use.py", f"import torch\nfrom model import Net\n\nnet = Net(){tail}")
    await editor.diagnostics("use.py", none)
    await ready(editor, "model.py", "x [32, 10] → [32, 5]")
    editor.replace("model.py", "nn.Linear(20, 5)", "nn.Linear(30, 5)")

    def names_the_caller(found: list[types.Diagnostic]) -> bool:
        related = found[0].related_information if found else None
        return any(item.location.uri == editor.uri("use.py") for item in related or ())

    (diagnostic,) = await editor.diagnostics("model.py", names_the_caller)
    assert diagnostic.code == "linear-in-features"


BLOCK = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x):
        return self.conv(x)
"""
HOUSE = """\
import torch
from block import Block
from torch import nn


class House(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block(3, 8)
        self.second = Block(16, 4)

    def forward(self, x):
        x = self.first(x)
        return self.second(x)


House()(torch.randn(2, 3, 32, 32))
"""


async def test_an_error_in_a_file_that_is_not_open_is_shown_there_until_it_goes(editor: Editor):
    (editor.root / "house.py").write_text(HOUSE)
    editor.open("block.py", BLOCK)
    (diagnostic,) = await editor.diagnostics("house.py", bool)
    assert diagnostic.range == client_range(Scene(HOUSE, "house.py"), "self.second(x)")
    assert diagnostic.message == "second.conv expects 16 input channels, got 8 from first.conv"
    editor.client.published.clear()
    editor.replace("block.py", "nn.Conv2d(inputs, ", "nn.LazyConv2d(")
    assert await editor.diagnostics("house.py") == []


HOSTILE = {
    "prints": "print('Content-Length: 5\\r\\n\\r\\nhello', flush=True)\nimport os\nos.write(1, b'Content-Length: 1')\n",
    "exits": "import sys\nsys.exit(3)\n",
    "exits_at_once": "import os\nos._exit(3)\n",
    "raises": "raise RuntimeError('no')\n",
    "loops": "while True:\n    pass\n",
    "recurses": "def f():\n    f()\nf()\n",
    "does_not_parse": "def f(:\n",
    "misses_a_package": "import a_package_that_is_nowhere\n",
    "writes": "open('written', 'w').write('x')\n",
}


@pytest.mark.parametrize("trouble", HOSTILE)
async def test_hostile_code_ends_in_a_status_and_the_server_answers_on(editor: Editor, trouble: str):
    name = f"{trouble}.py"
    editor.open(name, MLP + "\n" + HOSTILE[trouble])
    await editor.diagnostics(name)
    editor.replace(name, HOSTILE[trouble], "\n")
    await editor.diagnostics(name, none)
    await ready(editor, name)
    assert "weight [20, 10]" in await editor.hover_at(name, "self.|linear1(x)")
    assert not (editor.root / "written").exists()
    assert editor.client.messages == []
    editor.close(name)


async def test_the_worker_can_be_restarted(editor: Editor):
    editor.open("restarted.py", MLP)
    await ready(editor, "restarted.py")
    await editor.client.workspace_execute_command_async(types.ExecuteCommandParams("metalens.restartWorker"))
    editor.replace("restarted.py", "nn.Linear(20, 5)", "nn.Linear(30, 5)")
    await editor.diagnostics("restarted.py", complete)
    text = await editor.client.protocol.send_request_async("metalens/debugInformation", None)
    assert "worker: torch 2" in text
    assert str(editor.root / "restarted.py") in text


async def test_the_status_counts_models_and_names_torch(editor: Editor):
    status = await editor.status(lambda status: "torch" in status.message and status.quiescent)
    headline, detail = status.message.split("\n")
    assert "model" in headline or "not built" in headline
    assert detail.startswith("torch 2")


# ---------------------------------------------------------------- sessions of their own


def children_of(pid: int) -> Iterator[int]:
    """The process ids of all descendants, where the system tells."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    for child in map(int, path.read_text().split() if path.exists() else ()):
        yield child
        yield from children_of(child)


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("progress", [True, False])
async def test_the_import_of_torch_is_shown_and_nothing_is_left_behind(tmp_path: Path, progress: bool):
    client = await server_config().start()
    assert isinstance(client, EditorClient)
    editor = Editor(client, tmp_path)
    await editor.begin(client=capabilities(progress=progress))
    editor.open("wrong.py", WRONG)
    await editor.diagnostics("wrong.py", complete)
    reports = [report for token in client.progress_reports.values() for report in token]
    if progress:
        assert [report.kind for report in reports] in (["begin", "end"], [])
    else:
        assert reports == []
    assert client._server
    left = list(children_of(client._server.pid))
    if sys.platform == "linux":
        assert left
    await client.shutdown_session()
    await client.stop()
    assert [pid for pid in left if _alive(pid)] == []


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
