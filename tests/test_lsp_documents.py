"""Documents in a session where nothing of the user's runs: what is open, edited, half-typed, closed."""

from __future__ import annotations

import pytest
import pytest_lsp
from lsprotocol import types

from harness.session import Editor, EditorClient, server_config

pytestmark = pytest.mark.asyncio(loop_scope="module")

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 20)
"""


@pytest_lsp.fixture(config=server_config(), scope="module")
async def client(lsp_client: EditorClient, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("documents")
    await Editor(lsp_client, root).begin({"trusted": False})
    lsp_client.root = root
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: EditorClient) -> Editor:
    client.published.clear()
    return Editor(client, client.root)


async def test_without_trust_classes_are_found_and_nothing_runs(editor: Editor):
    editor.open("trust.py", NET + "\nopen('ran', 'w')\n")
    assert await editor.diagnostics("trust.py") == []
    (lens,) = await editor.lenses("trust.py")
    assert lens.command
    assert lens.command.title == "not run: this workspace is not trusted"
    status = await editor.status(lambda status: status.quiescent)
    assert (status.health, status.message) == ("ok", "static only\nnot run: this workspace is not trusted")
    assert not (editor.root / "ran").exists()


async def test_a_text_that_does_not_parse_keeps_the_server_answering(editor: Editor):
    editor.open("parse.py", NET)
    await editor.diagnostics("parse.py")
    for typed in ("def forward(self, x", "(", "\n        return self.fc(", '"""', "\n"):
        editor.replace_all("parse.py", editor.texts["parse.py"] + typed)
        await editor.diagnostics("parse.py")
        assert await editor.hover_at("parse.py", "class |Net") == "**Net** · not run: this workspace is not trusted"


async def test_while_the_text_is_newer_than_the_result_only_unchanged_lines_are_answered(editor: Editor):
    editor.open("newer.py", NET)
    await editor.diagnostics("newer.py")
    editor.replace("newer.py", "from torch", "# a line more\nfrom torch")
    line = editor.texts["newer.py"].split("\n").index("class Net(nn.Module):")
    assert await editor.hover("newer.py", line, 7)
    editor.replace("newer.py", "class Net", "class Other")
    stale = await editor.hover("newer.py", line, 7)
    assert "**Net**" not in stale


async def test_edits_behind_astral_characters_land_where_they_were_meant(editor: Editor):
    editor.open("astral.py", f"'😀𐐀'; x = 1\n{NET}")
    await editor.diagnostics("astral.py")
    editor.replace("astral.py", "; x = 1", "; y = '😀'")
    editor.replace("astral.py", "class Net", "class Model")
    await editor.diagnostics("astral.py")
    assert await editor.hover_at("astral.py", "class |Model") == "**Model** · not run: this workspace is not trusted"


async def test_edits_right_after_opening_are_not_lost(editor: Editor):
    editor.open("quick.py", NET)
    for name in ("A", "B", "C"):
        editor.replace("quick.py", "class ", f"class {name}")
    await editor.diagnostics("quick.py")
    assert (await editor.hover_at("quick.py", "class |CBANet")).startswith("**CBANet**")


async def test_a_closed_file_loses_its_diagnostics(editor: Editor):
    editor.open("closed.py", NET)
    await editor.diagnostics("closed.py")
    editor.close("closed.py")
    params = await editor.client.until(
        lambda: next((p for p in editor.client.published if p.version is None and not p.diagnostics), None)
    )
    assert params.uri == editor.uri("closed.py")
    assert await editor.lenses("closed.py") == []


async def test_other_documents_are_left_alone(editor: Editor):
    for uri, language in (("untitled:Untitled-1", "python"), (editor.uri("notes.md"), "markdown")):
        document = types.TextDocumentItem(uri, language, 1, NET)
        editor.client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        lenses = await editor.client.text_document_code_lens_async(
            types.CodeLensParams(types.TextDocumentIdentifier(uri))
        )
        assert not lenses
    editor.open("ours.py", NET)
    await editor.diagnostics("ours.py")
    assert {params.uri for params in editor.client.published} == {editor.uri("ours.py")}


async def test_debug_information(editor: Editor):
    text = await editor.client.protocol.send_request_async("metalens/debugInformation", None)
    assert "pygls 2" in text
    assert f"workspace: {editor.root}" in text


async def test_unknown_and_foolish_messages_hurt_nothing(editor: Editor):
    editor.open("foolish.py", NET)
    await editor.diagnostics("foolish.py")
    editor.client.protocol.notify("metalens/unheardOf", {"a": 1})
    assert await editor.hover("foolish.py", 9999, 9999) == ""
    assert await editor.hover("other.py", 0, 0) == ""
    assert editor.client.messages == []
