"""Command lines that the workspace itself holds: launch configurations of the editor."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from metalens.workspace.documents import Unreadable, Workspace

# A comment, or a string (which may hold what looks like one), or a comma before a closing bracket.
_COMMENTS = re.compile(r'"(?:\\\\.|[^"\\\\])*"|//[^\n]*|/\*.*?\*/|,(?=\s*[\]}])', re.DOTALL)


def command_lines(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """The arguments of each program that `.vscode/launch.json` starts, by absolute path; the first one counts."""
    try:
        text = workspace.text(str(workspace.root / ".vscode" / "launch.json"))
        data = json.loads(_COMMENTS.sub(lambda found: found[0] if found[0][0] == '"' else "", text))
        entries = data["configurations"]
    except (Unreadable, ValueError, KeyError, TypeError):
        return {}
    lines: dict[str, tuple[str, ...]] = {}
    for entry in entries if isinstance(entries, list) else ():
        program, arguments = _program(workspace, entry)
        if program and arguments:
            lines.setdefault(program, arguments)
    return lines


def _program(workspace: Workspace, entry: Any) -> tuple[str, tuple[str, ...]]:
    program, arguments = (entry.get("program"), entry.get("args")) if isinstance(entry, dict) else (None, None)
    if isinstance(arguments, str):
        arguments = shlex.split(arguments)
    if not isinstance(program, str) or not isinstance(arguments, list):
        return "", ()
    root = str(workspace.root)
    for name in ("${workspaceFolder}", "${workspaceRoot}", "${cwd}"):
        program = program.replace(name, root)
    return str((workspace.root / program).resolve()), tuple(str(item) for item in arguments)
