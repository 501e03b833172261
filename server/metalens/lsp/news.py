"""Waiting for something to become true, for a moment, each time that there are news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


class News:
    """Told of by one side, waited for by any number on the other."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """There are news: everyone who waits looks again."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, happened: Callable[[], bool], patience: float) -> None:
        """Wait until it happened, at most so many seconds."""

        async def wait() -> None:
            while not happened():
                await self._event.wait()

        with suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(wait(), patience)
