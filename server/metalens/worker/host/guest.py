"""A process that does one run after another, for systems without a safe fork: `__main__.py --guest`.

Its host writes a secret and then requests to descriptor 0. It gets every frame behind the secret on descriptor 1; and
on descriptor 2, where prints go as well, the secret once more for every frame, so that it knows which prints belong to
which.
"""

from __future__ import annotations

import faulthandler
import os
from contextlib import suppress

from metalens.protocol.codec import decode, encode
from metalens.protocol.messages import Ready, Unusable
from metalens.worker.host import containment
from metalens.worker.host.child import flush
from metalens.worker.host.descriptors import hide
from metalens.worker.host.frames import SECRET, read, read_body, write
from metalens.worker.host.snapshot import Snapshot
from metalens.worker.host.work import Work, answer, load

# The host ends a run in time. Should it be gone, the process ends itself, even out of a loop in C.
GRACE = 5.0


def be_guest(work: Work, requests: int, answers: int) -> None:
    """Serve until the host goes away, or until a run left something behind that cannot be put right."""
    secret = read(requests, SECRET)
    if secret is None:
        return
    containment.die_with_parent(os.getppid())
    prints = hide(os.dup(2))

    def say(frame: bytes) -> None:
        flush()
        write(prints, secret)
        write(answers, secret + frame)

    loaded = load(work)
    if isinstance(loaded, Unusable):
        say(encode(loaded))
        return
    ready = encode(Ready(loaded.torch, "standby", 0.0))
    say(ready)
    room = containment.prepare()
    contained = False
    while True:
        body = read_body(requests)
        if body is None:
            return
        run = decode(body)
        if not contained:
            room.enter(run.memory)
            contained = True
        before = Snapshot()
        with suppress(OSError):
            os.chdir(run.root)
        with suppress(RuntimeError):  # no thread to be had
            faulthandler.dump_traceback_later(run.patience + GRACE, exit=True)
        frame = answer(run, loaded.perform)
        faulthandler.cancel_dump_traceback_later()
        say(frame)
        dirt = before.restore()
        say(encode(Unusable(dirt)) if dirt else ready)
