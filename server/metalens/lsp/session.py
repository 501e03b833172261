"""What lives between initialize and shutdown: the workspace, the engine, and the latest result of each open file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.workspace import PositionCodec

from metalens.engine.engine import Engine
from metalens.engine.lines import shift_between
from metalens.engine.mending import together
from metalens.engine.result import Result
from metalens.engine.worker import WorkerState, WorkerUnusable
from metalens.features.actions import actions
from metalens.features.heard import at_levels, heard
from metalens.features.hover import hover
from metalens.features.lenses import Lens, lenses
from metalens.features.problems import SOURCE, problem, problems
from metalens.lsp.choosing import OPTION, Choices
from metalens.lsp.client import Client
from metalens.lsp.convert import Converter, path_of, uri_of_path
from metalens.lsp.elsewhere import Elsewhere
from metalens.lsp.fixing import FIX_ALL, TITLE, edits_of_all
from metalens.lsp.news import News
from metalens.lsp.status import Status
from metalens.lsp.text import changed, from_client, range_from_client
from metalens.protocol.messages import Edit
from metalens.protocol.values import Position
from metalens.workspace.documents import Unreadable, Workspace
from metalens.workspace.interpreters import Interpreter, NoInterpreter, choose_interpreter
from metalens.workspace.project import Project, project_file, read_project
from metalens.workspace.settings import Settings, read_settings

NOT_TRUSTED = "not run: this workspace is not trusted"
QUIET = 0.1
PATIENCE = 5.0
SWITCHED_OFF = "not run: switched off in the settings"

log = logging.getLogger(__name__)


@dataclass
class Session:
    """One client's session. It hears of results from the engine, and answers from the latest ones."""

    client: Client
    codec: PositionCodec
    root: Path | None
    options: Mapping[str, object]
    settings: Settings = field(default_factory=Settings)
    status: Status = field(default_factory=Status)
    results: dict[str, Result] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    workspace: Workspace | None = None
    engine: Engine | None = None
    interpreter: Interpreter | None = None
    _uris: dict[str, str] = field(default_factory=dict)
    _lenses: dict[str, tuple[Lens, ...]] = field(default_factory=dict)
    _elsewhere: Elsewhere = field(default_factory=Elsewhere)
    _news: News = field(default_factory=News)
    _telling: asyncio.TimerHandle | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    # ------------------------------------------------------------ life

    def begin(self) -> None:
        """Read the settings and, if the folder is known, start the engine: torch is imported while the user reads."""
        self.choices.offered = bool(self.options.get(OPTION))
        self._read_settings()
        if self.root is not None:
            self._begin_engine(self.root)

    async def end(self) -> None:
        """End the engine and its worker."""
        for task in self._tasks:
            task.cancel()
        if self.engine is not None:
            await self.engine.stop()

    async def restart_worker(self) -> None:
        """A fresh worker; everything open is analysed again."""
        self.status.fault = ""
        if self.engine is not None:
            try:
                await self.engine.restart()
            except WorkerUnusable as problem:
                self.fault(str(problem))

    def configure(self, options: Mapping[str, object]) -> None:
        """The user changed settings; an engine with other ones takes the place of this one."""
        given = {name: value for name, value in options.items() if value not in ("", None, [])}
        before = self.settings
        self.options = {**self.options, **given}
        self._read_settings()
        if self.settings == before or self.workspace is None:
            return
        if self.engine is not None:
            self._spawn(self.engine.stop())
        self._begin_engine(self.workspace.root)
        self._again()
        self.client.refresh_lenses()

    # ------------------------------------------------------------ documents

    def opened(self, document: types.TextDocumentItem) -> None:
        """A document is open in the editor."""
        file = path_of(document.uri)
        if file is None or not (document.language_id == "python" or file.endswith(".py")):
            return
        if self.workspace is None:
            self._begin_engine(Path(file).parent)
        self._uris[file] = document.uri
        self._take(file, document.text, document.version)

    def edited(
        self, document: types.VersionedTextDocumentIdentifier, changes: Sequence[types.TextDocumentContentChangeEvent]
    ) -> None:
        """A document has a new text."""
        file = self._open_file(document.uri)
        if file and self.workspace:
            self._take(file, changed(self.codec, self.workspace.text(file), changes), document.version)

    def closed(self, uri: str) -> None:
        """A document is no longer open: what is on the disk counts, and its diagnostics go."""
        file = self._open_file(uri)
        if file and self.workspace and self.engine:
            self.workspace.close(file)
            self.engine.close(file)
            del self._uris[file]
            self.results.pop(file, None)
            self._lenses.pop(file, None)
            self.client.publish(uri, None, [])
            self._tell_elsewhere()
            self.engine.changed_on_disk([file])

    def watched(self, changes: Iterable[types.FileEvent]) -> None:
        """Files changed outside the editor; what is open here has its own text."""
        if self.engine is None or self.workspace is None:
            return
        outside = [(change, path_of(change.uri)) for change in changes]
        files = [(change.type, file) for change, file in outside if file and file not in self._uris]
        settings = project_file(self.workspace)
        if any(file == settings for _, file in files):
            self._tell_elsewhere()
            self.engine.refresh()
        elif any(kind is not types.FileChangeType.Changed for kind, _ in files):
            self.engine.refresh()
        elif files:
            self.engine.changed_on_disk(file for _, file in files)

    # ------------------------------------------------------------ answers

    def hover(self, uri: str, position: types.Position) -> types.Hover | None:
        """What is known here; of a line that changed since the latest result, nothing."""
        file, result = self._latest(uri)
        if result is None or self.workspace is None or not self.settings.hover:
            return None
        text = self.workspace.text(file)
        place = from_client(self.codec, text, position)
        shift = shift_between(result.text, text)
        line = shift.older(place.line)
        if line is None:
            return None
        found = hover(result, Position(line, place.column))
        if found is None:
            return None
        shown = self._converter().hover(text, found)
        moved = shift.newer_range(found.range)
        shown.range = self._converter().range(text, moved) if moved else None
        return shown

    def lenses(self, uri: str) -> list[types.CodeLens]:
        """A lens above each class whose line has not changed since the latest result."""
        file, result = self._latest(uri)
        if result is None or self.workspace is None or not self.settings.code_lens:
            return []
        text = self.workspace.text(file)
        shift = shift_between(result.text, text)
        moved = ((lens, shift.newer_range(lens.range)) for lens in self._shown_lenses(result))
        return [self._converter().lens(uri, text, replace(lens, range=place)) for lens, place in moved if place]

    def contexts(self, uri: str, name: str) -> list[dict[str, object]]:
        """The ways in which a class was built, the one that is shown first."""
        _, result = self._latest(uri)
        return self.choices.listed(result, name) if result else []

    def use_context(self, uri: str, name: str, index: int) -> None:
        """Show a class as in this one of its contexts, as long as the session lasts."""
        file, result = self._latest(uri)
        if result is not None:
            self.results[file] = self.choices.use(result, name, index)
            self.client.refresh_lenses()

    async def pin_context(self, uri: str, name: str, arguments: str, inputs: str) -> None:
        """Write a pin beside a class; nothing, while the text is newer than what is known."""
        file, result = self._latest(uri)
        if result is not None and self.workspace and result.text == self.workspace.text(file):
            edits = self.choices.pinned(result, name, arguments, inputs)
            await self.client.apply(f"Pin {name}", self._edit(edits))

    async def settled(self, uri: str) -> None:
        """Wait a moment until what is known is of the newest text, and all of its fixes were tried."""
        file = path_of(uri) or ""
        await self._news.until(lambda: self._is_settled(file), PATIENCE)

    def actions(self, uri: str, wanted: types.Range, shown: Sequence[types.Diagnostic]) -> list[types.CodeAction]:
        """The quick fixes of the findings in a range; none while the text is newer than the result."""
        file, result = self._latest(uri)
        if result is None or self.workspace is None or result.text != self.workspace.text(file):
            return []
        converter, found = self._converter(), []
        for action in actions(result, range_from_client(self.codec, result.text, wanted)):
            place = converter.range(result.text, action.finding.location.range)
            mended = [d for d in shown if (d.source, d.code, d.range) == (SOURCE, action.finding.code, place)]
            found.append(converter.action(action, mended, self._edit(action.fix.edits)))
        return found

    def source_actions(self, uri: str) -> list[types.CodeAction]:
        """To fix all, where anything can be; its edit is worked out on demand, if the client can ask for that."""
        file, result = self._latest(uri)
        if result is None or self.workspace is None or result.text != self.workspace.text(file):
            return []
        repairs = together([result])
        action = types.CodeAction(TITLE, kind=FIX_ALL, data={"uri": uri, "version": result.version})
        if not self.client.asks_for_edits():
            action.edit = self._edit(tuple(edit for repair in repairs for edit in repair.fix.edits))
        return [action] if repairs else []

    async def resolve(self, action: types.CodeAction) -> types.CodeAction:
        """The action to fix all with its edit; without one, if the text has changed since it was offered."""
        data = action.data if isinstance(action.data, Mapping) else {}
        file = self._open_file(str(data.get("uri", "")))
        if file and self.workspace and self.engine and self.workspace.version(file) == data.get("version"):
            edits = await edits_of_all(self.engine, self.workspace, file, self._levels())
            if self.workspace.version(file) == data.get("version"):
                action.edit = self._edit(edits)
        return action

    # ------------------------------------------------------------ what the engine tells

    def result(self, result: Result) -> None:
        """Keep the result, and show its problems and lenses."""
        if self.workspace is None or result.file not in self._uris:
            return
        if result.version != self.workspace.version(result.file):
            return
        result = self.choices.applied(heard(result, self._levels(), self._text_or_nothing))
        self.results[result.file] = result
        self._news.tell()
        if not result.problem:
            self.status.fault = ""
        converter = self._converter()
        found = [converter.diagnostic(result.text, problem) for problem in problems(result)]
        self.client.publish(self._uris[result.file], result.version, found)
        self._tell_elsewhere()
        shown = self._shown_lenses(result)
        if shown != self._lenses.get(result.file):
            self._lenses[result.file] = shown
            self.client.refresh_lenses()
        self._show_status()

    def fault(self, text: str) -> None:
        """Our side broke: status and log, never a squiggle."""
        if text != self.status.fault:
            log.error("%s", text)
        self.status.fault = text
        self.client.end(text)
        self._show_status()

    def state(self, state: WorkerState, detail: str) -> None:
        """The worker's state changed."""
        at_work = state in (WorkerState.READY, WorkerState.BUSY)
        log.log(logging.DEBUG if at_work else logging.INFO, "worker %s %s", state.value, detail)
        self.status.state = state
        if state is WorkerState.STARTING:
            self.client.begin("Metalens: importing torch")
        elif at_work:
            self.client.end("torch is ready")
        elif state is WorkerState.FAILED:
            self.client.end(detail)
        self._show_status()

    # ------------------------------------------------------------ within

    def _read_settings(self) -> None:
        self.settings, complaints = read_settings(self.options)
        for complaint in complaints:
            log.warning("settings: %s", complaint)

    def _shown_lenses(self, result: Result) -> tuple[Lens, ...]:
        """The lenses of one class stand side by side."""
        return (*lenses(result), *self.choices.lenses(result))

    def _levels(self) -> dict[str, str]:
        """What is told in the workspace counts more than what is told in the editor."""
        project = read_project(self.workspace) if self.workspace else Project()
        return {**self.settings.rules, **project.rules}

    def _tell_elsewhere(self) -> None:
        """Show what is not understood in the settings, and the errors of files that are not open, where they stand."""
        if self.workspace is None:
            return
        told = [*read_project(self.workspace).complaints, *(item for r in self.results.values() for item in r.settings)]
        told = [*at_levels(told, self._levels()), *(item for r in self.results.values() for item in r.elsewhere)]
        for file, findings in self._elsewhere.changes(told, self._uris):
            text, converter = self._text_or_nothing(file), self._converter()
            self.client.publish(self._uri(file), None, [converter.diagnostic(text, problem(each)) for each in findings])

    def _begin_engine(self, root: Path) -> None:
        self.workspace = self.workspace or Workspace(root)
        idle = "" if self.options.get("trusted", True) else NOT_TRUSTED
        if not self.settings.enable:
            idle = SWITCHED_OFF
        self.interpreter, self.status = None, Status(idle=idle)
        if not idle:
            try:
                self.interpreter = choose_interpreter(self.workspace.root, self.settings.interpreter)
                self.status.interpreter = self.interpreter
                log.info("models run in %s (%s)", self.interpreter.path, self.interpreter.source)
            except NoInterpreter as problem:
                idle = "not run: there is no interpreter to run it with"
                self.fault(str(problem))
        self.engine = Engine(self.workspace, self.settings, self.interpreter, listener=self, idle=idle)
        if not idle:
            self._spawn(self._start_engine(self.engine))
        self._tell_elsewhere()
        self._show_status()

    async def _start_engine(self, engine: Engine) -> None:
        try:
            await engine.start()
        except WorkerUnusable as problem:
            self.fault(str(problem))
            return
        self.status.ready = engine.ready
        self._show_status()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _again(self) -> None:
        if self.engine is not None:
            for file in self._uris:
                self.engine.touch(file)

    def _take(self, file: str, text: str, version: int) -> None:
        if self.workspace and self.engine:
            self.workspace.open(file, text, version)
            self.engine.touch(file)

    def _open_file(self, uri: str) -> str | None:
        file = path_of(uri)
        return file if file in self._uris else None

    def _is_settled(self, file: str) -> bool:
        result = self.results.get(file)
        return not (result and self.workspace) or (result.complete and result.text == self.workspace.text(file))

    def _latest(self, uri: str) -> tuple[str, Result | None]:
        file = path_of(uri) or ""
        return file, self.results.get(file)

    def _converter(self) -> Converter:
        return Converter(self.codec, self._text_or_nothing, self._uri, self._version)

    def _edit(self, edits: tuple[Edit, ...]) -> types.WorkspaceEdit:
        converter = self._converter()
        return converter.workspace_edit(edits) if self.client.takes_versioned_edits() else converter.plain_edit(edits)

    def _text_or_nothing(self, file: str) -> str:
        if file in self.results:
            return self.results[file].text
        try:
            return self.workspace.text(file) if self.workspace else ""
        except Unreadable:
            return ""

    def _uri(self, file: str) -> str:
        return self._uris.get(file) or uri_of_path(file)

    def _version(self, file: str) -> int | None:
        return self.workspace.version(file) if self.workspace else None

    def _show_status(self) -> None:
        """Tell it once things are quiet for a moment: a key stroke is many runs, and nobody reads that fast."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(QUIET, self._tell_status)

    def _tell_status(self) -> None:
        self._telling = None
        health, message, quiescent = self.status.summary(self.results.values())
        self.client.status(health, message, quiescent=quiescent)
