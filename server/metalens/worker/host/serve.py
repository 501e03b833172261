"""From the first byte to the last: which host serves, and how it says hello."""

from __future__ import annotations

import io
import platform
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from metalens.protocol.codec import GREETING, encode
from metalens.protocol.messages import VERSION, Ready, Starting, Unusable
from metalens.worker.host import containment
from metalens.worker.host.descriptors import private_streams
from metalens.worker.host.frames import write
from metalens.worker.host.guest import be_guest
from metalens.worker.host.standby import Standby
from metalens.worker.host.threads import count_threads
from metalens.worker.host.work import Work, load
from metalens.worker.host.zygote import Zygote


def serve(work: Work, script: str, arguments: Sequence[str]) -> None:
    """Be the worker process until the peer goes away. `script` is the file that was started, to start it again.

    `--no-fork` serves from persistent processes also where forking is safe; `--guest` is how those are started.
    """
    started = time.monotonic()
    requests, answers = private_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # By lines, so that what a run printed is known even when it is killed.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # A Ctrl-C is for the server, whose end is the end of requests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):  # the peer is gone, so nobody is left to serve
        if "--guest" in arguments:
            be_guest(work, requests, answers)
            return
        write(answers, GREETING + encode(Starting(VERSION, platform.python_version(), sys.executable)))
        reason = work.check()
        if reason:
            write(answers, encode(Unusable(reason)))
        elif "--no-fork" in arguments or not sys.platform.startswith("linux"):
            Standby([sys.executable, script, "--guest"], requests, answers).serve()
        else:
            _serve_forks(work, script, requests, answers, started)


def _serve_forks(work: Work, script: str, requests: int, answers: int, started: float) -> None:
    loaded = load(work)
    if isinstance(loaded, Unusable):
        write(answers, encode(loaded))
    elif count_threads() > 1:
        sys.stderr.write("importing torch started threads: runs are not forked\n")
        Standby([sys.executable, script, "--guest"], requests, answers).serve()
    else:
        room = containment.prepare()
        sys.stderr.write(f"runs are forked; contained by {', '.join(room.layers)}\n")
        sys.stderr.flush()
        write(answers, encode(Ready(loaded.torch, "fork", time.monotonic() - started)))
        Zygote(loaded, room, requests, answers).serve()
