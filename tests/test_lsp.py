"""The server over real standard input and output: how a session begins, what is promised, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types

from harness.session import Editor, EditorClient, capabilities, client_range, server_config

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 20)
"""
STATIC = {"trusted": False}
UNITS = {
    types.PositionEncodingKind.Utf8: "utf-8",
    types.PositionEncodingKind.Utf16: "utf-16-le",
    types.PositionEncodingKind.Utf32: "utf-32-le",
}


@pytest_lsp.fixture(config=server_config())
async def client(lsp_client: EditorClient):
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: EditorClient, tmp_path: Path) -> Editor:
    return Editor(client, tmp_path)


async def test_what_the_server_promises(editor: Editor):
    """A golden test: every promise is made on purpose."""
    answer = await editor.begin(STATIC)
    promised = answer.capabilities
    sync = promised.text_document_sync
    assert isinstance(sync, types.TextDocumentSyncOptions)
    assert (sync.open_close, sync.change) == (True, types.TextDocumentSyncKind.Incremental)
    assert promised.hover_provider
    assert promised.code_lens_provider == types.CodeLensOptions(resolve_provider=False)
    fixes = types.CodeActionOptions(("quickfix", "source.fixAll.metalens"), resolve_provider=True)
    assert promised.code_action_provider == fixes
    commands = ("metalens.restartWorker", "metalens.useContext", "metalens.pinContext")
    assert promised.execute_command_provider == types.ExecuteCommandOptions(commands)
    assert not (promised.completion_provider or promised.definition_provider or promised.diagnostic_provider)


async def test_an_interpreter_that_does_not_exist_is_a_fault_and_the_server_lives(editor: Editor):
    await editor.begin({"interpreter": "/nowhere/python"})
    editor.open("net.py", NET)
    assert await editor.diagnostics("net.py") == []
    status = await editor.status(lambda status: status.health == "error")
    assert "/nowhere/python" in status.message
    assert [lens.command.title for lens in await editor.lenses("net.py") if lens.command] == [
        "not run: there is no interpreter to run it with"
    ]


@pytest.mark.parametrize("encoding", UNITS)
async def test_positions_are_in_the_units_that_were_negotiated(editor: Editor, encoding: types.PositionEncodingKind):
    answer = await editor.begin(STATIC, capabilities(encoding))
    assert answer.capabilities.position_encoding == encoding
    scene = editor.open("net.py", NET.replace("class Net", "class 𐐀et"))
    await editor.diagnostics("net.py")
    (lens,) = await editor.lenses("net.py")
    assert lens.range == client_range(scene, "𐐀et", UNITS[encoding])


async def test_without_a_folder_that_of_the_file_is_served(client: EditorClient, tmp_path: Path):
    await client.initialize_session(types.InitializeParams(capabilities=capabilities(), initialization_options=STATIC))
    editor = Editor(client, tmp_path)
    editor.open("net.py", NET)
    await editor.diagnostics("net.py")
    assert len(await editor.lenses("net.py")) == 1


async def test_settings_can_change_while_the_server_runs(editor: Editor):
    await editor.begin(STATIC)
    editor.open("net.py", NET)
    await editor.diagnostics("net.py")
    settings = {"metalens": {"codeLens": {"enable": False}}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    assert await editor.lenses("net.py") == []


def test_a_client_that_disappears_ends_the_server(tmp_path: Path):
    config = server_config()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(config.server_command, env=config.server_env, **pipes)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}).encode()
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"Content-Length")
    process.stdin.close()
    process.wait(timeout=20)
    process.stdout.close()


def test_what_prints_cannot_get_into_the_protocol():
    code = "import os; from metalens.lsp import server; "
    code += "server.MetalensServer.start_io = lambda *given: os.write(1, b'stray'); "
    done = subprocess.run(
        [sys.executable, "-c", f"{code} server.serve()"],
        capture_output=True,
        env=server_config().server_env,
        stdin=subprocess.DEVNULL,
        timeout=20,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"stray")
