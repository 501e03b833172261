"""What a worker process does, apart from how processes live and die."""

from __future__ import annotations

import builtins
import gc
import mmap
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

from metalens.protocol.codec import encode
from metalens.protocol.messages import Report, Run, Unusable
from metalens.worker.host.crashes import escaped

BALLAST = 32 * 1024 * 1024
# A run is short, and what it leaves goes with its process or is collected behind it; with Python's own 700, long files
# spend more time in the collector than on everything else.
_COLLECTION = 50_000


@dataclass(frozen=True)
class Loaded:
    """What came of `load`.

    `torch` is its version. `perform` does a run, in a process that is contained. `warm` does again what `load` did to
    use torch once: a forked process calls it while it waits for its run. `read_ahead` has a file ready that runs
    import, and runs nothing of it.
    """

    torch: str
    perform: Callable[[Run], Report]
    warm: Callable[[], None]
    read_ahead: Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """The parts that a host calls.

    `check` says in a sentence why this interpreter cannot serve, or nothing; it imports no torch.
    `load` imports torch and uses it once; it starts no thread.
    """

    check: Callable[[], str]
    load: Callable[[], Loaded]


def load(work: Work) -> Union[Loaded, Unusable]:
    """torch imported and warm, and never looked at again by the garbage collector; or why it cannot be imported."""
    try:
        loaded = work.load()
    except Exception as problem:  # noqa: BLE001 - the border to torch and to whatever its import runs
        traceback.print_exc(file=sys.__stderr__)
        return Unusable(f"torch cannot be imported: {type(problem).__name__}: {problem}")
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTION)
    return loaded


def answer(run: Run, perform: Callable[[Run], Report]) -> bytes:
    """Do the run; the frame of its report, or of a crash when something escaped."""
    # Address space, never touched, to give back when the run has used up its own: so its end can still be told.
    ballast = mmap.mmap(-1, BALLAST)
    names = dict(vars(builtins))
    try:
        try:
            report = perform(run)
        finally:
            _restore_builtins(names)
        return encode(report)
    except BaseException as problem:  # noqa: BLE001 - the border to user code: whatever it raises ends here
        ballast.close()
        if not isinstance(problem, (MemoryError, SystemExit)):
            traceback.print_exception(type(problem), problem, problem.__traceback__, file=sys.__stderr__)
        return encode(escaped(run, problem))
    finally:
        ballast.close()  # not left to the collector: tracebacks of the run may hold on to this frame


def _restore_builtins(names: dict[str, Any]) -> None:
    """Undo what user code did to the names that all code uses, ours included."""
    now = vars(builtins)
    now.update(names)
    for name in now.keys() - names.keys():
        del now[name]
