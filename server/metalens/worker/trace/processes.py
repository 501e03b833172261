"""Worker processes of a script run here and now, so that the models which they build are seen.

Other programs are as good as not installed: scripts that ask git or nvidia-smi often do without.
"""

from __future__ import annotations

import concurrent.futures
import errno
import multiprocessing
import multiprocessing.pool
import multiprocessing.process
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import torch


def patches() -> list[tuple[Any, str, Any]]:
    """Stand-ins for processes and pools."""
    return [
        (multiprocessing.process.BaseProcess, "start", _start),
        (multiprocessing.process.BaseProcess, "join", _nothing),
        (multiprocessing, "Pool", Pool),
        (multiprocessing.pool, "Pool", Pool),
        (torch.multiprocessing, "Pool", Pool),
        (torch.multiprocessing, "spawn", _spawn),
        (torch.multiprocessing.spawn, "spawn", _spawn),
        (concurrent.futures, "ProcessPoolExecutor", Executor),
        (concurrent.futures, "ThreadPoolExecutor", Executor),
        (subprocess, "Popen", _Missing),
        (os, "system", lambda command: 127),  # what a shell says of a command that it does not find
    ]


class _Missing(subprocess.Popen):  # type: ignore[type-arg]
    """A program that cannot be started."""

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        program = args if isinstance(args, (str, bytes)) else next(iter(args), "")
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)

    def __del__(self, *args: Any) -> None:
        """There is nothing to wait for."""


class Pool:
    """A pool of no processes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        initializer = kwargs.get("initializer") or (args[1] if len(args) > 1 else None)
        if initializer is not None:
            initializer(*(kwargs.get("initargs") or (args[2] if len(args) > 2 else ())))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def map(self, function: Callable[..., Any], items: Any, *args: Any) -> list[Any]:
        """All results, in order."""
        return [function(item) for item in items]

    def imap(self, function: Callable[..., Any], items: Any, *args: Any) -> Iterator[Any]:
        """The results one by one."""
        return iter(self.map(function, items))

    imap_unordered = imap

    def starmap(self, function: Callable[..., Any], items: Any, *args: Any) -> list[Any]:
        """All results of calls with several arguments."""
        return [function(*item) for item in items]

    def apply(self, function: Callable[..., Any], args: Any = (), kwds: Any = None) -> Any:
        """One result."""
        return function(*args, **(kwds or {}))

    def apply_async(self, function: Callable[..., Any], args: Any = (), kwds: Any = None, *rest: Any) -> Done:
        """One result, to be asked for later."""
        return Done(self.apply(function, args, kwds))

    def close(self) -> None:
        """Nothing to close."""

    terminate = join = close


class Done:
    """A result that is there already."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self, timeout: Any = None) -> Any:
        """The result."""
        return self.value

    result = get

    def wait(self, timeout: Any = None) -> None:
        """Nothing to wait for."""

    def ready(self) -> bool:
        """It is."""
        return True

    done = successful = ready


class Executor(concurrent.futures.Executor):
    """An executor of no processes and no threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        return None

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run it here; the future is done."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - a future holds whatever its function raised
            future.set_exception(error)
        return future


def _start(process: Any) -> None:
    process._target(*process._args, **process._kwargs)


def _spawn(function: Any, args: Any = (), *rest: Any, **kwargs: Any) -> None:
    function(0, *args)


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None
