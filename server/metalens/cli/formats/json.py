"""The JSON of `metalens check`, version 1: one object that only ever grows. Columns count UTF-16 units, as in LSP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from metalens.cli.outcome import Outcome, best
from metalens.cli.paths import relative
from metalens.cli.words import provenance
from metalens.engine.result import Model, Result
from metalens.features.words import fix_title, shape
from metalens.protocol.messages import Context, Edit, Finding, Fix, Parameter
from metalens.protocol.values import Evidence, Location, Position

VERSION = 1

Texts = Callable[[str], str]


def write_json(outcome: Outcome, texts: Texts, more: Mapping[str, object] = MappingProxyType({})) -> str:
    """The whole answer on one line. `texts` gives the text of a file by its absolute path; `more` is added as it is."""
    lines = _Lines(texts)
    data = {
        "version": VERSION,
        "diagnostics": [_diagnostic(finding, lines) for finding in outcome.findings],
        "models": [entry for result, model in outcome.models for entry in _model(result, model)],
        **more,
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class _Lines:
    """Turns our positions, in code points, into those of the answer."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def place(self, location: Location) -> dict[str, Any]:
        start, end = location.range.start, location.range.end
        span = {"start": self._position(location.file, start), "end": self._position(location.file, end)}
        return {"file": relative(location.file), "range": span}

    def _position(self, file: str, position: Position) -> dict[str, int]:
        if file not in self._lines:
            self._lines[file] = self._texts(file).split("\n")
        lines = self._lines[file]
        before = lines[position.line][: position.column] if position.line < len(lines) else ""
        beyond = max(0, position.column - len(before))
        return {"line": position.line, "character": len(before.encode("utf-16-le")) // 2 + beyond}


def _diagnostic(finding: Finding, lines: _Lines) -> dict[str, Any]:
    return {
        **lines.place(finding.location),
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "model": finding.model,
        "related": [{**lines.place(part.location), "message": part.message} for part in finding.related],
        "fixes": [_fix(fix, lines) for fix in finding.fixes],
    }


def _fix(fix: Fix, lines: _Lines) -> dict[str, Any]:
    return {"title": fix_title(fix), "edits": [_edit(edit, lines) for edit in fix.edits]}


def _edit(edit: Edit, lines: _Lines) -> dict[str, Any]:
    return {**lines.place(edit.location), "newText": edit.text}


def _model(result: Result, model: Model) -> list[dict[str, Any]]:
    contexts = model.contexts or (best(result, model),)
    return [_context(model, context) for context in contexts]


def _context(model: Model, context: Context) -> dict[str, Any]:
    return {
        "file": relative(model.cls.file),
        "line": model.cls.line,
        "name": model.cls.qualname,
        "status": context.status,
        "reason": context.reason,
        "grade": context.grade,
        "arguments": _evidence(context.arguments),
        "inputs": _evidence(context.inputs),
        "parameters": [_parameter(parameter) for parameter in context.parameters],
        "output": shape(context.output) if context.output else None,
        "seconds": round(context.seconds, 4),
    }


def _evidence(evidence: Evidence | None) -> dict[str, str] | None:
    if evidence is None:
        return None
    return {"text": evidence.text, "from": provenance(evidence)}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "shape": list(parameter.shape),
        "dims": list(parameter.dims),
        "dtype": parameter.dtype,
    }
