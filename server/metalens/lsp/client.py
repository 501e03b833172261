"""What this client can be told: capabilities, status, progress, log, refreshes."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping

from lsprotocol import types
from pygls.lsp.server import LanguageServer

SERVER_STATUS = "experimental/serverStatus"
PATIENCE = 0.5

log = logging.getLogger(__name__)

_LEVELS = {
    logging.DEBUG: types.MessageType.Debug,
    logging.INFO: types.MessageType.Info,
    logging.WARNING: types.MessageType.Warning,
    logging.ERROR: types.MessageType.Error,
}


class Client:
    """The editor's side of the wire. Everything here only sends, and only what the client said that it takes."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._progress: _Progress | None = None
        self._status: dict[str, object] = {}

    def status(self, health: str, message: str, *, quiescent: bool) -> None:
        """`ok`, `warning` or `error`, and one sentence; sent only when it says something new."""
        status: dict[str, object] = {"health": health, "quiescent": quiescent, "message": message}
        if status != self._status and self._takes_status():
            self._status = status
            self._server.protocol.notify(SERVER_STATUS, status)

    def begin(self, title: str) -> None:
        """Show that something lasts, if it really does: a client sees it after half a second."""
        if self._progress is None and self._can_show_progress():
            self._progress = _Progress(self._server, title)

    def end(self, message: str) -> None:
        """What lasted is over."""
        if self._progress is not None:
            progress, self._progress = self._progress, None
            progress.end(message)

    def publish(self, uri: str, version: int | None, diagnostics: list[types.Diagnostic]) -> None:
        """Replace the diagnostics of a document."""
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics, version))

    def refresh_lenses(self) -> None:
        """Ask for the lenses again."""
        workspace = self._server.client_capabilities.workspace
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self._server.workspace_code_lens_refresh(None)

    def watch_files(self) -> None:
        """Ask to hear of Python files, and of the settings among them, that change outside the editor."""
        workspace = self._server.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace else None
        if not watched or not watched.dynamic_registration:
            return
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob_pattern=pattern) for pattern in ("**/*.py", "pyproject.toml")]
        )
        registration = types.Registration("watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        self._server.client_register_capability(types.RegistrationParams([registration]))

    def takes_versioned_edits(self) -> bool:
        """Whether edits may name the version of the document that they mean."""
        workspace = self._server.client_capabilities.workspace
        return bool(workspace and workspace.workspace_edit and workspace.workspace_edit.document_changes)

    def asks_for_edits(self) -> bool:
        """Whether the edit of a code action may follow when the client wants to apply it."""
        documents = self._server.client_capabilities.text_document
        resolves = documents.code_action.resolve_support if documents and documents.code_action else None
        return resolves is not None and "edit" in resolves.properties

    async def apply(self, label: str, edit: types.WorkspaceEdit) -> None:
        """Ask the client to change documents."""
        await self._server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label))

    def has_configuration(self) -> bool:
        """Whether the client can be asked for its settings."""
        workspace = self._server.client_capabilities.workspace
        return bool(workspace and workspace.configuration)

    async def configuration(self) -> object:
        """The client's settings of this server."""
        items = [types.ConfigurationItem(section="metalens")]
        answer = await self._server.workspace_configuration_async(types.ConfigurationParams(items))
        return answer[0] if answer else None

    def _takes_status(self) -> bool:
        experimental = self._server.client_capabilities.experimental
        if isinstance(experimental, Mapping):
            return bool(experimental.get("serverStatusNotification"))
        return bool(getattr(experimental, "serverStatusNotification", False))

    def _can_show_progress(self) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and window.work_done_progress)


class _Progress:
    """One progress bar: asked for after a moment, begun when the client agreed, ended once."""

    def __init__(self, server: LanguageServer, title: str) -> None:
        self._server = server
        self._title = title
        self._token = str(uuid.uuid4())
        self._begun = False
        self._task = asyncio.create_task(self._begin())

    def end(self, message: str) -> None:
        self._task.cancel()
        if self._begun:
            self._server.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=message))

    async def _begin(self) -> None:
        await asyncio.sleep(PATIENCE)
        await self._server.work_done_progress.create_async(self._token)
        self._server.work_done_progress.begin(self._token, types.WorkDoneProgressBegin(self._title))
        self._begun = True


class ClientLog(logging.Handler):
    """Sends our log to the client's output panel, from any thread."""

    def __init__(self, server: LanguageServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.INFO)
        self._server = server
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record to the event loop; a loop that has ended needs no log."""
        level = next((kind for number, kind in sorted(_LEVELS.items()) if record.levelno <= number), None)
        params = types.LogMessageParams(level or types.MessageType.Error, self.format(record))
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._server.window_log_message, params)
