"""The process of one run: it locks itself in, waits for the run, performs, answers and is gone."""

from __future__ import annotations

import gc
import os
import select
import sys
from contextlib import suppress
from dataclasses import dataclass
from os import _exit
from typing import NoReturn

from metalens.protocol.codec import decode
from metalens.worker.host.containment import Room, die_with_parent
from metalens.worker.host.descriptors import close_all_but, hide
from metalens.worker.host.frames import read_body, write
from metalens.worker.host.work import Loaded, answer

# When runs follow each other faster than this (seconds), they do not wait for preparations.
PAUSE = 0.03


@dataclass(frozen=True)
class Pipes:
    """A child's ends: the run comes from `request`, the answer goes to `answer` behind `secret`, prints to `output`."""

    request: int
    answer: int
    output: int
    secret: bytes


def be_child(loaded: Loaded, room: Room, memory: int, seconds: int, parent: int, pipes: Pipes) -> NoReturn:
    """In a process just forked: be ready for a run of that much memory (MiB) and processor time, and do it."""
    status = 1
    try:
        os.setsid()
        die_with_parent(parent)
        os.dup2(pipes.output, 1)
        os.dup2(pipes.output, 2)
        request, answers = hide(pipes.request), hide(pipes.answer)
        close_all_but({request, answers, room.ruleset})
        gc.enable()
        room.enter(memory, seconds)
        if room.ruleset >= 0:
            os.close(room.ruleset)
        if not select.select([request], [], [], PAUSE)[0]:
            # Memory shared with the parent is copied page by page when it is first touched; better now than in the run.
            with suppress(Exception):
                loaded.warm()
        body = read_body(request)
        os.close(request)
        if body is not None:
            run = decode(body)
            with suppress(OSError):
                os.chdir(run.root)
            frame = answer(run, loaded.perform)
            flush()
            write(answers, pipes.secret + frame)
            status = 0
    finally:
        _exit(status)


def flush() -> None:
    """Hand on what was printed and is still held back by Python."""
    for stream in (sys.stdout, sys.stderr):
        # The user's code may have closed or replaced them.
        with suppress(Exception):
            stream.flush()
