"""The process of one run: it locks itself in, performs, answers and is gone."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from os import _exit
from typing import NoReturn

from metalens.protocol.messages import Report, Run
from metalens.worker.host.containment import Room, die_with_parent
from metalens.worker.host.descriptors import close_all_but, hide
from metalens.worker.host.frames import write
from metalens.worker.host.work import answer


def be_child(
    run: Run, perform: Callable[[Run], Report], room: Room, parent: int, secret: bytes, answers: int, output: int
) -> NoReturn:
    """In a process just forked: do the run, write the answer behind the secret to `answers`, prints to `output`."""
    status = 1
    try:
        os.setsid()
        die_with_parent(parent)
        os.dup2(output, 1)
        os.dup2(output, 2)
        answers = hide(answers)
        close_all_but({answers, room.ruleset})
        with suppress(OSError):
            os.chdir(run.root)
        gc.enable()
        room.enter(run.memory, int(run.timeout) + 2)
        if room.ruleset >= 0:
            os.close(room.ruleset)
        frame = answer(run, perform)
        flush()
        write(answers, secret + frame)
        status = 0
    finally:
        _exit(status)


def flush() -> None:
    """Hand on what was printed and is still held back by Python."""
    for stream in (sys.stdout, sys.stderr):
        # The user's code may have closed or replaced them.
        with suppress(Exception):
            stream.flush()
