"""Workspace files as they run when they are imported: read, rewritten and compiled once for many runs.

A process that lasts (the zygote, or one without fork) keeps them. Nothing of a file runs here.
"""

from __future__ import annotations

import ast
import os
import types
from contextlib import suppress
from dataclasses import dataclass

from metalens.worker.load.instrument import Table, instrument
from metalens.worker.load.parsing import parsed
from metalens.worker.load.sources import read_text
from metalens.worker.load.syntax import is_training_loop, without_messages

# Characters of source; what a process keeps of them is some forty times as large.
_MOST = 2_500_000


@dataclass(frozen=True)
class Page:
    """The code of a file with this text, and what its numbers stand for."""

    text: str
    table: Table
    code: types.CodeType


_pages: dict[str, Page] = {}
_size = 0


def page_of(text: str, file: str) -> Page:
    """The page of a file (its real path). Raises SyntaxError, ValueError or RecursionError if it is no Python."""
    global _size
    known = _pages.get(file)
    if known is not None and known.text == text:
        return known
    tree = parsed(text, file)
    # An imported module keeps everything but loops that train, which belong to a script.
    tree.body = [part for part in tree.body if not (isinstance(part, ast.For) and is_training_loop(part))]
    table = instrument(without_messages(tree), text)
    page = Page(text, table, compile(tree, file, "exec", dont_inherit=True))
    if _size + len(text) <= _MOST:
        _size += len(text) - (len(known.text) if known is not None else 0)
        _pages[file] = page
    return page


def read_ahead(file: str) -> None:
    """Have the page of a file on disk ready; one that cannot be had is left to the run that asks for it."""
    with suppress(OSError, SyntaxError, ValueError, RecursionError):
        page_of(read_text(file), os.path.realpath(file))
