"""The memory of a process and of those below it, from Linux's own books."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def resident(pid: int) -> float:
    """MiB of the process in memory, pages that it shares with others included."""
    return _sum(pid, "Rss:")


def proportional(pid: int) -> float:
    """MiB of the process in memory, where each shared page counts by its share."""
    return _sum(pid, "Pss:")


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    found = []
    for path in PROC.glob(f"{pid}/task/*/children"):
        found += [int(number) for number in path.read_text().split()]
    return found


def _sum(pid: int, key: str) -> float:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return 0.0
