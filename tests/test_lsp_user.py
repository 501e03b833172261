"""What a user touches in an editor, over real standard input and output: silencing, fixing all, pinning."""

from __future__ import annotations

import pytest
import pytest_lsp
from lsprotocol import types

from harness.session import Editor, EditorClient, server_config

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

WRONG = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(10, 20)
        self.linear2 = nn.Linear(30, 5)

    def forward(self, x):
        x = torch.relu(self.linear1(x))
        return self.linear2(x)


print(Net()(torch.randn(32, 10)).shape)
"""


@pytest_lsp.fixture(config=server_config(), scope="module")
async def client(lsp_client: EditorClient, tmp_path_factory: pytest.TempPathFactory):
    lsp_client.root = tmp_path_factory.mktemp("project")
    text = '[tool.metalens.rules]\nlinear-in-features = "information"\nindex-rage = "off"\n'
    (lsp_client.root / "pyproject.toml").write_text(text, encoding="utf-8")
    options = {"rules": {"linear-in-features": "off"}}
    await Editor(lsp_client, lsp_client.root).begin(options)
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: EditorClient) -> Editor:
    return Editor(client, client.root)


def complete(found: list[types.Diagnostic]) -> bool:
    """The fixes have been tried."""
    return bool(found) and all(diagnostic.data for diagnostic in found)


async def test_a_mistake_is_silenced_and_told_of_once_it_is_mended(editor: Editor):
    editor.open("silenced.py", WRONG)
    (diagnostic,) = await editor.diagnostics("silenced.py", complete)
    offered = await editor.actions("silenced.py", diagnostic)
    silence = next(action for action in offered if action.title == "Ignore linear-in-features on this line")
    assert not silence.is_preferred
    silenced = editor.apply("silenced.py", silence)
    assert await editor.diagnostics("silenced.py", lambda found: not found) == []
    assert silenced.text == WRONG.replace("linear2(x)", "linear2(x)  # metalens: ignore[linear-in-features]")

    editor.replace("silenced.py", "nn.Linear(30, 5)", "nn.Linear(20, 5)")
    (unused,) = await editor.diagnostics("silenced.py", complete)
    assert (unused.code, unused.severity) == ("unused-ignore", types.DiagnosticSeverity.Warning)
    assert list(unused.tags or ()) == [types.DiagnosticTag.Unnecessary]
    (remove,) = await editor.actions("silenced.py", unused)
    mended = editor.apply("silenced.py", remove)
    assert mended.text == WRONG.replace("nn.Linear(30, 5)", "nn.Linear(20, 5)")
    assert await editor.diagnostics("silenced.py", lambda found: not found) == []


async def test_the_workspace_has_the_last_word_on_levels_and_is_told_what_it_got_wrong(editor: Editor):
    def of_settings() -> list[types.Diagnostic]:
        uri = editor.uri("pyproject.toml")
        return [item for params in editor.client.published if params.uri == uri for item in params.diagnostics]

    (complaint,) = await editor.client.until(of_settings)
    assert complaint.message == "rules.index-rage: there is no rule index-rage; did you mean index-range?"
    assert complaint.range.start.line == 2
    editor.open("levels.py", WRONG)
    (diagnostic,) = await editor.diagnostics("levels.py", bool)
    assert diagnostic.severity is types.DiagnosticSeverity.Information


THREE = WRONG.replace("return self.linear2(x)", "return self.linear3(self.linear2(x))").replace(
    "\n    def forward", "        self.linear3 = nn.Linear(7, 2)  # metalens: ignore[cat-dim]\n\n    def forward"
)


async def test_all_of_a_file_is_fixed_at_once(editor: Editor):
    editor.open("three.py", THREE)
    found = await editor.diagnostics("three.py", lambda found: len(found) == 3 and complete(found))
    offered = await editor.actions("three.py", found[0], types.CodeActionKind.SourceFixAll)
    (action,) = offered
    assert action.kind == "source.fixAll.metalens"
    assert action.edit  # this client cannot ask for it later
    action.edit = None
    resolved = await editor.client.code_action_resolve_async(action)
    fixed = editor.apply("three.py", resolved)
    assert fixed.text == THREE.replace("(30", "(20").replace("(7", "(5").replace("  # metalens: ignore[cat-dim]", "")
    assert await editor.diagnostics("three.py", lambda found: not found) == []
    assert await editor.actions("three.py", found[0], types.CodeActionKind.SourceFixAll) == []
    assert (await editor.client.code_action_resolve_async(action)).edit is None, "of a text that is no more"


MANY = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 5)

    def forward(self, x):
        return self.fc(x)


Net(10)(torch.randn(32, 10))
Net(20)(torch.randn(32, 20))
"""


async def test_another_context_is_chosen_and_one_is_pinned(editor: Editor):
    editor.open("many.py", MANY)

    async def lenses() -> list[str]:
        return [lens.command.title for lens in await editor.lenses("many.py") if lens.command]

    await editor.diagnostics("many.py")
    first = "built as Net(10) from line 14 · input x [32, 10] from line 14 · +1 more"
    assert await lenses() == ["55 params · 220 B · x [32, 10] → [32, 5]", first]
    uri = editor.uri("many.py")
    listed = await editor.client.protocol.send_request_async("metalens/contexts", {"uri": uri, "name": "Net"})
    assert [(way["label"], way["arguments"], way["inputs"]) for way in listed] == [
        ("Net(10)", "10", "x=[32, 10]"),
        ("Net(20)", "20", "x=[32, 20]"),
    ]

    use = types.ExecuteCommandParams("metalens.useContext", arguments=[uri, "Net", 1])
    await editor.client.workspace_execute_command_async(use)
    assert await lenses() == [
        "105 params · 420 B · x [32, 20] → [32, 5]",
        "built as Net(20) from line 15 · input x [32, 20] from line 15 · +1 more",
    ]
    assert "**Net** · 105 params" in await editor.hover_at("many.py", "class |Net")

    pin = types.ExecuteCommandParams("metalens.pinContext", arguments=[uri, "Net", "30", "x=[8, 30]"])
    await editor.client.workspace_execute_command_async(pin)
    (edit,) = await editor.client.until(lambda: editor.client.edits)
    scene = editor.apply("many.py", types.CodeAction("Pin", edit=edit))
    assert "# metalens: args 30\nclass Net" in scene.text
    assert "    # metalens: input x=[8, 30]\n    def forward" in scene.text
    assert await editor.diagnostics("many.py") == []
    assert (await lenses())[1] == "built as Net(30) from line 5 · input x [8, 30] from line 11 · +2 more"
