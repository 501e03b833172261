"""After a run that gave no report: its classes one by one, each in a process of its own, without the script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from metalens.protocol.messages import Crash, Report, Run

# The code at fault may be met again, in a class: how long each has, and how often that may happen.
_SECONDS = 3.0
_MOST_CRASHES = 3
_MOST_CLASSES = 24


async def rescue(run: Run, answer: Report | Crash, runner: Callable[[Run], Awaitable[Report | Crash]]) -> list[Report]:
    """What can still be told of the targets of a run that ended with `answer`; nothing for a run that told itself."""
    if isinstance(answer, Report) or answer.reason in ("cancelled", "internal"):
        return []
    reports: list[Report] = []
    crashes = 0
    for target in run.targets[:_MOST_CLASSES]:
        alone = replace(run, callers=(), targets=(target,), wanted=(target,), timeout=min(run.timeout, _SECONDS))
        told = await runner(alone)
        if isinstance(told, Report):
            reports.append(told)
        else:
            crashes += 1
            if crashes == _MOST_CRASHES:
                break
    return reports
