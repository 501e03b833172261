"""The ways in which a run gives no report, each with its sentence."""

from __future__ import annotations

import signal

from metalens.protocol.messages import Crash, Run


def out_of_memory(run: Run) -> Crash:
    """The run wanted more memory than it may have."""
    return Crash(run.id, "memory", f"The run needs more than {run.memory} MiB of memory.")


def out_of_time(run: Run) -> Crash:
    """The run did not end by itself."""
    return Crash(run.id, "timeout", f"The run did not end within {run.timeout:g} s.")


def cancelled(run: Run) -> Crash:
    """The server asked for it."""
    return Crash(run.id, "cancelled", "The run was cancelled.")


def forged(run: Run) -> Crash:
    """Something other than an answer came where the answer comes."""
    return Crash(run.id, "internal", "The code wrote to a descriptor that is not its own.")


def silent(run: Run) -> Crash:
    """The pipe for the answer was closed by a process that lives on."""
    return Crash(run.id, "exit", "The code closed the descriptor for the answer.")


def ended(run: Run, status: int) -> Crash:
    """The process ended without an answer. `status` is its exit status, negative for a signal."""
    if status >= 0:
        return Crash(run.id, "exit", f"The code ended its process with status {status}.")
    name = _signal_name(-status)
    if name == "SIGXCPU":
        return out_of_time(run)
    if name == "SIGKILL":
        return out_of_memory(run)  # not ours: the kernel does so when the machine has no more
    return Crash(run.id, "signal", f"The process died of {name}.")


def escaped(run: Run, problem: BaseException) -> Crash:
    """An exception left the run."""
    if isinstance(problem, MemoryError):
        return out_of_memory(run)
    if isinstance(problem, SystemExit):
        return Crash(run.id, "exit", f"The code called sys.exit({problem.code!r}).")
    return Crash(run.id, "internal", f"{type(problem).__name__} escaped from the run: {problem}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
