"""What to paste into a bug report."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from metalens import __version__
from metalens.lsp.session import Session

LIBRARIES = ("pygls", "lsprotocol", "jedi", "parso")


def debug_information(session: Session | None) -> str:
    """Markdown on versions, the interpreter, the worker and how long things took."""
    lines = [
        "# Metalens",
        "",
        f"- metalens {__version__}, server in Python {platform.python_version()} ({sys.executable})",
        f"- {', '.join(f'{name} {_version(name)}' for name in LIBRARIES)}",
        f"- {platform.platform()}",
    ]
    if session is not None:
        lines += [*_worker(session), *_files(session)]
    return "\n".join(lines) + "\n"


def _worker(session: Session) -> list[str]:
    interpreter, ready = session.interpreter, session.engine.ready if session.engine else None
    health, message, _ = session.status.summary(session.results.values())
    return [
        f"- status: {health}, {'; '.join(message.splitlines())}",
        f"- workspace: {session.workspace.root if session.workspace else 'none'}",
        f"- interpreter: {interpreter.path} ({interpreter.source})" if interpreter else "- interpreter: none",
        f"- worker: torch {ready.torch}, mode {ready.mode}, ready after {ready.seconds:.1f} s"
        if ready
        else "- worker: not ready",
        f"- containment: {_containment(ready.mode) if ready else 'nothing runs'}",
        f"- limits: {session.settings.timeout:g} s, {session.settings.memory} MiB",
    ]


def _containment(mode: str) -> str:
    layers = ["audit hook", "resource limits", "deadline"]
    if mode == "fork":
        layers.insert(0, "one process per run")
    if sys.platform == "linux":
        layers += ["Landlock and seccomp where the kernel has them"]
    return ", ".join(layers)


def _files(session: Session) -> list[str]:
    timings = session.engine.timings() if session.engine else {}
    if not timings:
        return []
    rows = [
        f"| {file} | {timing.plan * 1000:.0f} ms | {timing.first * 1000:.0f} ms | {timing.total * 1000:.0f} ms |"
        for file, timing in sorted(timings.items())
    ]
    return ["", "| file | plan | first result | all |", "|:--|--:|--:|--:|", *rows]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "(bundled)"
