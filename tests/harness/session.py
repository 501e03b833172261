"""An editor at the other end of a real server: opens and edits files, and waits for what the server says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, default_converter, register_lsp_features

import metalens
from harness.results import Scene

DEADLINE = 60.0
STATUS = "experimental/serverStatus"


class EditorClient(LanguageClient):
    """pytest-lsp's client, and everything that was published, in order."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        self.published: list[types.PublishDiagnosticsParams] = []
        self.statuses: list[Any] = []
        self.edits: list[types.WorkspaceEdit] = []
        self.news = asyncio.Event()
        features = {
            **DEFAULT_CLIENT_FEATURES,
            types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS: _published,
            types.WORKSPACE_CODE_LENS_REFRESH: _refreshed,
            types.CLIENT_REGISTER_CAPABILITY: _registered,
            types.WORKSPACE_APPLY_EDIT: _edited,
            STATUS: _status,
        }
        register_lsp_features(self, features)

    async def until(self, found: Callable[[], Any]) -> Any:
        """Wait until something is found among the news."""

        async def wait() -> Any:
            while not (result := found()):
                self.news.clear()
                await self.news.wait()
            return result

        return await asyncio.wait_for(wait(), DEADLINE)


def _published(client: EditorClient, params: types.PublishDiagnosticsParams) -> None:
    client.published.append(params)
    client.news.set()


def _status(client: EditorClient, params: Any) -> None:
    client.statuses.append(params)
    client.news.set()


def _refreshed(client: EditorClient, params: None) -> None:
    client.news.set()


def _edited(client: EditorClient, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
    client.edits.append(params.edit)
    client.news.set()
    return types.ApplyWorkspaceEditResult(applied=True)


def _registered(client: EditorClient, params: types.RegistrationParams) -> None:
    client.news.set()


def server_config() -> ClientServerConfig:
    """The server as an editor starts it, from the sources under test."""
    sources = str(Path(metalens.__file__).parent.parent)
    return ClientServerConfig(
        server_command=[sys.executable, "-m", "metalens", "server"],
        client_factory=EditorClient,
        server_env={**os.environ, "PYTHONPATH": sources},
    )


def capabilities(*encodings: types.PositionEncodingKind, progress: bool = True) -> types.ClientCapabilities:
    """What a capable editor says of itself."""
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=list(encodings) or None),
        window=types.WindowClientCapabilities(work_done_progress=progress),
        workspace=types.WorkspaceClientCapabilities(
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
        ),
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                related_information=True, version_support=True, code_description_support=True, data_support=True
            ),
        ),
        experimental={"serverStatusNotification": True},
    )


@dataclass
class Editor:
    """One session in one folder; `encoding` is that of the positions."""

    client: EditorClient
    root: Path
    texts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    initialized: types.InitializeResult | None = None

    async def begin(
        self, options: Mapping[str, Any] | None = None, client: types.ClientCapabilities | None = None
    ) -> types.InitializeResult:
        folder = types.WorkspaceFolder(self.root.as_uri(), self.root.name)
        self.initialized = await self.client.initialize_session(
            types.InitializeParams(
                capabilities=client or capabilities(),
                workspace_folders=[folder],
                initialization_options={"interpreter": sys.executable, **(options or {})},
            )
        )
        return self.initialized

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str) -> Scene:
        (self.root / name).write_text(text, encoding="utf-8")
        self.texts[name], self.versions[name] = text, 1
        document = types.TextDocumentItem(self.uri(name), "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        return Scene(text, str(self.root / name))

    def close(self, name: str) -> None:
        self.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(self.uri(name)))
        )

    def replace(self, name: str, old: str, new: str) -> Scene:
        """Edit as an editor does: one range, in UTF-16 units."""
        text = self.texts[name]
        start = text.index(old)
        place = types.Range(_position(text, start), _position(text, start + len(old)))
        self.texts[name] = text[:start] + new + text[start + len(old) :]
        self.versions[name] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name)),
                [types.TextDocumentContentChangePartial(range=place, text=new)],
            )
        )
        return Scene(self.texts[name], str(self.root / name))

    async def diagnostics(
        self, name: str, wanted: Callable[[list[types.Diagnostic]], bool] = lambda found: True
    ) -> list[types.Diagnostic]:
        """The published diagnostics of the newest version, or of a document that is not open, that are as wanted."""

        def find() -> list[list[types.Diagnostic]]:
            return [
                list(params.diagnostics)
                for params in self.client.published
                if (params.uri, params.version) == (self.uri(name), self.versions.get(name))
                and wanted(list(params.diagnostics))
            ]

        found: list[list[types.Diagnostic]] = await self.client.until(find)
        return found[-1]

    async def status(self, wanted: Callable[[Any], bool]) -> Any:
        """The latest status that is as wanted."""
        return await self.client.until(lambda: next((s for s in reversed(self.client.statuses) if wanted(s)), None))

    async def hover(self, name: str, line: int, character: int) -> str:
        """The text of a hover, empty where there is none."""
        found = await self.client.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(self.uri(name)), types.Position(line, character))
        )
        if found is None:
            return ""
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value

    async def hover_at(self, name: str, wanted: str) -> str:
        """The text of a hover where this text begins, or at `|` in it; for files without astral characters."""
        place = Scene(self.texts[name]).at(wanted)
        return await self.hover(name, place.line, place.column)

    async def lenses(self, name: str) -> list[types.CodeLens]:
        document = types.TextDocumentIdentifier(self.uri(name))
        return list(await self.client.text_document_code_lens_async(types.CodeLensParams(document)) or ())

    async def actions(
        self, name: str, diagnostic: types.Diagnostic, kind: str = types.CodeActionKind.QuickFix
    ) -> list[types.CodeAction]:
        context = types.CodeActionContext(diagnostics=[diagnostic], only=[kind])
        document = types.TextDocumentIdentifier(self.uri(name))
        params = types.CodeActionParams(document, diagnostic.range, context)
        found = await self.client.text_document_code_action_async(params)
        return [action for action in found or () if isinstance(action, types.CodeAction)]

    def apply(self, name: str, action: types.CodeAction) -> Scene:
        """Apply a fix of one file."""
        assert action.edit
        assert action.edit.document_changes
        (change,) = action.edit.document_changes
        assert isinstance(change, types.TextDocumentEdit)
        assert (change.text_document.uri, change.text_document.version) == (self.uri(name), self.versions[name])
        text = self.texts[name]
        for edit in sorted(change.edits, key=lambda edit: (edit.range.start.line, edit.range.start.character))[::-1]:
            start, end = (_offset(text, place) for place in (edit.range.start, edit.range.end))
            assert isinstance(edit, types.TextEdit)
            text = text[:start] + edit.new_text + text[end:]
        return self.replace_all(name, text)

    def replace_all(self, name: str, text: str) -> Scene:
        """Send the whole text, as clients may."""
        self.texts[name] = text
        self.versions[name] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.versions[name], self.uri(name)),
                [types.TextDocumentContentChangeWholeDocument(text=text)],
            )
        )
        return Scene(text, str(self.root / name))


def _offset(text: str, place: types.Position) -> int:
    """Of a position in a text without astral characters."""
    return sum(len(line) + 1 for line in text.split("\n")[: place.line]) + place.character


def _position(text: str, offset: int) -> types.Position:
    line = text.count("\n", 0, offset)
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    return types.Position(line, len(before.encode("utf-16-le")) // 2)


def client_range(scene: Scene, wanted: str, encoding: str = "utf-16-le") -> types.Range:
    """Where a text stands, in the units of an encoding."""
    place = scene.find(wanted)
    line = scene.text.split("\n")[place.start.line]
    width = {"utf-16-le": 2, "utf-8": 1, "utf-32-le": 4}[encoding]
    start, end = (len(line[:column].encode(encoding)) // width for column in (place.start.column, place.end.column))
    return types.Range(types.Position(place.start.line, start), types.Position(place.end.line, end))
