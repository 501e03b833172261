"""Counting threads, those that Python does not know of included."""

from __future__ import annotations

import os
import threading


def count_threads() -> int:
    """The threads of this process."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()
