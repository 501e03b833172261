"""The language server on standard input and output: pygls, and thin handlers around a session."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from metalens import __version__
from metalens.lsp.choosing import CONTEXTS, PIN_CONTEXT, USE_CONTEXT
from metalens.lsp.client import Client, ClientLog
from metalens.lsp.convert import path_of
from metalens.lsp.debug import debug_information
from metalens.lsp.fixing import FIX_ALL
from metalens.lsp.session import Session

if TYPE_CHECKING:
    from pygls.server import ServerErrors

DEBUG_INFORMATION = "metalens/debugInformation"
RESTART_WORKER = "metalens.restartWorker"

_QUICK_FIX = types.CodeActionKind.QuickFix.value

log = logging.getLogger(__name__)


class MetalensServer(LanguageServer):
    """pygls' server with the session of its one client."""

    def __init__(self) -> None:
        super().__init__("metalens", __version__)
        self.session: Session | None = None

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """A defect of ours goes to the log: a message box would help nobody."""
        log.error("%s: %s", getattr(source, "__name__", source), error)


def serve() -> None:
    """Serve one client on standard input and output until it leaves.

    The protocol gets descriptors of its own first, so that nothing that prints can ever get into it.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    make_server().start_io(incoming, outgoing)


def make_server() -> MetalensServer:
    """A server with all of its handlers."""
    server = MetalensServer()
    _add_life(server)
    _add_documents(server)
    _add_answers(server)
    _add_commands(server)
    return server


def _add_life(server: MetalensServer) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        options = params.initialization_options
        server.session = Session(
            client=Client(server),
            codec=server.workspace.position_codec,
            root=_root(params),
            options=options if isinstance(options, Mapping) else {},
        )

    @server.feature(types.INITIALIZED)
    def initialized(params: types.InitializedParams) -> None:
        _log_to_client(server)
        if server.session:
            server.session.client.watch_files()
            server.session.begin()

    @server.feature(types.SHUTDOWN)
    async def shutdown(params: None) -> None:
        if server.session:
            await server.session.end()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configure(params: types.DidChangeConfigurationParams) -> None:
        if session := server.session:
            given = await session.client.configuration() if session.client.has_configuration() else params.settings
            if isinstance(given, Mapping):
                inner = given.get("metalens", given)
                session.configure(inner if isinstance(inner, Mapping) else {})


def _add_documents(server: MetalensServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        if server.session:
            server.session.opened(params.text_document)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def edited(params: types.DidChangeTextDocumentParams) -> None:
        if server.session:
            server.session.edited(params.text_document, params.content_changes)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        if server.session:
            server.session.closed(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def watched(params: types.DidChangeWatchedFilesParams) -> None:
        if server.session:
            server.session.watched(params.changes)


def _add_answers(server: MetalensServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        return server.session.hover(params.text_document.uri, params.position) if server.session else None

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))
    def lenses(params: types.CodeLensParams) -> list[types.CodeLens]:
        return server.session.lenses(params.text_document.uri) if server.session else []

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, FIX_ALL], resolve_provider=True),
    )
    async def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        session, uri, only = server.session, params.text_document.uri, params.context.only
        if session is None:
            return []
        await session.settled(uri)
        found = session.actions(uri, params.range, params.context.diagnostics) if _wants(only, _QUICK_FIX) else []
        return found + (session.source_actions(uri) if _wants(only, FIX_ALL) else [])

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(params: types.CodeAction) -> types.CodeAction:
        return await server.session.resolve(params) if server.session else params


def _add_commands(server: MetalensServer) -> None:
    @server.command(RESTART_WORKER)
    async def restart_worker() -> None:
        if server.session:
            await server.session.restart_worker()

    @server.command(USE_CONTEXT)
    def use_context(uri: str, name: str, index: int) -> None:
        if server.session:
            server.session.use_context(uri, name, index)

    @server.command(PIN_CONTEXT)
    async def pin_context(uri: str, name: str, arguments: str, inputs: str) -> None:
        if server.session:
            await server.session.pin_context(uri, name, arguments, inputs)

    @server.feature(CONTEXTS)
    def contexts(ls: MetalensServer, params: Any) -> list[dict[str, object]]:
        return ls.session.contexts(params.uri, params.name) if ls.session else []

    @server.feature(DEBUG_INFORMATION)
    def debug(ls: MetalensServer, params: object) -> str:
        return debug_information(ls.session)


def _wants(only: Sequence[str] | None, kind: str) -> bool:
    """Whether a client that asks for these kinds, or for all, asks for this one: `source` includes `source.fixAll`."""
    return not only or any(f"{kind}.".startswith(f"{wanted}.") or not wanted for wanted in only)


def _root(params: types.InitializeParams) -> Path | None:
    """The first folder that the client names; only one is served."""
    folders = [folder.uri for folder in params.workspace_folders or ()]
    uri = folders[0] if folders else params.root_uri
    path = path_of(uri) if uri else params.root_path
    return Path(path) if path else None


def _log_to_client(server: MetalensServer) -> None:
    ours = logging.getLogger("metalens")
    ours.setLevel(logging.INFO)
    ours.addHandler(ClientLog(server, asyncio.get_running_loop()))
