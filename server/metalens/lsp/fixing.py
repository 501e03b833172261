"""Fixing all of a file at once: a source action, which is worked out when the editor asks for its edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metalens.engine.edits import differences
from metalens.engine.engine import Engine
from metalens.engine.mending import mend
from metalens.engine.result import Result
from metalens.features.heard import heard
from metalens.protocol.messages import Edit
from metalens.workspace.documents import Workspace

FIX_ALL = "source.fixAll.metalens"
TITLE = "Fix all that Metalens can mend in this file"


async def edits_of_all(engine: Engine, workspace: Workspace, file: str, levels: Mapping[str, str]) -> tuple[Edit, ...]:
    """The edits after which nothing in the file can be mended any more. Raises WorkerUnusable.

    Everything is tried on a copy of the texts; what the engine of the editor follows meanwhile stays as it is.
    """
    copy = workspace.copy()
    beside = engine.beside(copy)
    laid: set[str] = set()

    async def look(files: Sequence[str], texts: Mapping[str, str]) -> list[Result]:
        for changed in laid - texts.keys():
            copy.open(changed, workspace.text(changed), 0)
        for changed, text in texts.items():
            copy.open(changed, text, 0)
        laid.update(texts)
        return [heard(await beside.check(file), levels) for file in files]

    try:
        mended = await mend([file], look, workspace.text)
    finally:
        await beside.stop()
    return tuple(
        edit for changed, text in mended.texts.items() for edit in differences(changed, workspace.text(changed), text)
    )
