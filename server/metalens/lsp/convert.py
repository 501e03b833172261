"""Plain values of the features to protocol types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path, uri_scheme
from pygls.workspace import PositionCodec

from metalens.features.actions import Action
from metalens.features.hover import Hover
from metalens.features.lenses import Lens
from metalens.features.problems import SOURCE, Problem
from metalens.features.words import fix_title
from metalens.lsp.choosing import CHOOSE_CONTEXT
from metalens.lsp.text import range_to_client
from metalens.protocol.messages import Edit, Fix
from metalens.protocol.values import Location, Range

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


@dataclass(frozen=True)
class Converter:
    """Knows the texts that places speak of, and the client's names for files.

    `text_of` gives the text of a file or "" if it has none; `uri_of` the client's URI; `version_of` an open version.
    """

    codec: PositionCodec
    text_of: Callable[[str], str]
    uri_of: Callable[[str], str]
    version_of: Callable[[str], int | None]

    def range(self, text: str, place: Range) -> types.Range:
        """A range of this text."""
        return range_to_client(self.codec, text, place)

    def location(self, location: Location) -> types.Location:
        """A range of a file."""
        text = self.text_of(location.file)
        return types.Location(self.uri_of(location.file), self.range(text, location.range))

    def diagnostic(self, text: str, problem: Problem) -> types.Diagnostic:
        """A problem of a file with this text, its fixes in `data`."""
        related = [
            types.DiagnosticRelatedInformation(self.location(location), message)
            for location, message in problem.related
        ]
        return types.Diagnostic(
            range=self.range(text, problem.range),
            message=problem.message,
            severity=_SEVERITIES.get(problem.severity, types.DiagnosticSeverity.Information),
            code=problem.code,
            code_description=types.CodeDescription(problem.href) if problem.href else None,
            source=SOURCE,
            tags=[types.DiagnosticTag.Unnecessary] if problem.unnecessary else None,
            related_information=related or None,
            data={"fixes": [self._fix(fix) for fix in problem.fixes]} if problem.fixes else None,
        )

    def hover(self, text: str, hover: Hover) -> types.Hover:
        """A hover over this text."""
        content = types.MarkupContent(types.MarkupKind.Markdown, hover.markdown)
        return types.Hover(content, self.range(text, hover.range))

    def lens(self, uri: str, text: str, lens: Lens) -> types.CodeLens:
        """A lens; the command without a name makes it plain text."""
        command = types.Command(lens.text, CHOOSE_CONTEXT, arguments=[uri, lens.about])
        return types.CodeLens(self.range(text, lens.range), command if lens.about else types.Command(lens.text, ""))

    def action(
        self, action: Action, diagnostics: list[types.Diagnostic], edit: types.WorkspaceEdit
    ) -> types.CodeAction:
        """A quick fix, tied to those of the client's diagnostics that it mends."""
        return types.CodeAction(
            title=fix_title(action.fix),
            kind=types.CodeActionKind.QuickFix,
            diagnostics=diagnostics or None,
            is_preferred=action.fix.preferred or None,
            edit=edit,
        )

    def workspace_edit(self, edits: tuple[Edit, ...]) -> types.WorkspaceEdit:
        """Edits by file, tied to the versions in the editor."""
        changes = [
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(self.uri_of(file), self.version_of(file)),
                [self._text_edit(edit) for edit in edits if edit.location.file == file],
            )
            for file in dict.fromkeys(edit.location.file for edit in edits)
        ]
        return types.WorkspaceEdit(document_changes=list(changes))

    def plain_edit(self, edits: tuple[Edit, ...]) -> types.WorkspaceEdit:
        """Edits for a client that knows no versions."""
        files = dict.fromkeys(edit.location.file for edit in edits)
        return types.WorkspaceEdit(
            changes={
                self.uri_of(file): [self._text_edit(edit) for edit in edits if edit.location.file == file]
                for file in files
            }
        )

    def _text_edit(self, edit: Edit) -> types.TextEdit:
        return types.TextEdit(self.range(self.text_of(edit.location.file), edit.location.range), edit.text)

    def _fix(self, fix: Fix) -> dict[str, object]:
        """A fix as plain JSON for a diagnostic's data."""
        return {
            "title": fix_title(fix),
            "isPreferred": fix.preferred,
            "edits": [
                {
                    "uri": self.uri_of(edit.location.file),
                    "range": _plain_range(self.range(self.text_of(edit.location.file), edit.location.range)),
                    "newText": edit.text,
                }
                for edit in fix.edits
            ],
        }


def uri_of_path(file: str) -> str:
    """The URI of a file that the client never named."""
    return from_fs_path(file) or ""


def path_of(uri: str) -> str | None:
    """The path of a file on this machine; None for an untitled document, a notebook cell, or anything else."""
    return to_fs_path(uri) if uri_scheme(uri) == "file" else None


def _plain_range(place: types.Range) -> dict[str, dict[str, int]]:
    return {
        end: {"line": position.line, "character": position.character}
        for end, position in (("start", place.start), ("end", place.end))
    }
