"""Following a store's events: a process's own commits at once, and those of others by looking for them while anybody
waits."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from pyagent.errors import StoreError
from pyagent.store.base import Event
from pyagent.store.changes import Changes
from pyagent.store.recent import RecentEvents

P = TypeVar("P")

PAGE = 1000
"""Records of a long read after which other tasks get their turn."""


class Followed(ABC, Generic[P]):
    """What of the store's contract is about waiting, for a database that tells nobody of its commits."""

    def __init__(self, unpack: Callable[[int, str, P], Iterable[Event]], *, interval: float) -> None:
        """`unpack`: see `RecentEvents`; `interval`: seconds between looks for commits by other processes."""
        self._changes = Changes()
        self._recent = RecentEvents(unpack)
        self._interval = interval
        self._foreign_mark = 0
        """The mark of the last look that found what others have done."""
        self._next_look = 0.0
        self._poller: asyncio.Task[None] | None = None

    @abstractmethod
    async def read_events(self, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Event]:
        """At most `limit` events after the cursor, in order."""

    @abstractmethod
    async def _others_committed(self) -> bool:
        """Whether others have committed anything since this was asked last. Raises `StoreError`."""

    async def follow(self, after: int = 0, run_id: str | None = None) -> AsyncIterator[Sequence[Event]]:
        """Batches of events after the cursor, for ever; other processes' within about the interval."""
        looked = -1
        while True:
            mark = self.mark()
            # What others committed before the newest recent event is a gap before it; what they committed later is in
            # the database only, and the poll tells of it.
            recent = self._recent.after(after, run_id) if looked >= self._foreign_mark else None
            if recent is not None:
                batch, after = recent
            else:
                batch = await self.read_events(after, run_id, PAGE)
                looked = mark
                after = batch[-1].cursor if batch else after
            if batch:
                yield batch
                await asyncio.sleep(0)
            if recent is not None or len(batch) < PAGE:  # all there was at the mark
                await self._wait(mark, None)

    def mark(self) -> int:
        """A mark to hand to `changed`."""
        return self._changes.count

    async def changed(self, timeout: float, since: int | None = None) -> bool:
        """Wait until something may have come since the mark, at most `timeout` seconds; whether it may have."""
        return await self._wait(self.mark() if since is None else since, timeout)

    def _stop_looking(self) -> None:
        """Look for others' commits no more, and know nothing of late."""
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None
        self._recent.clear()

    async def _wait(self, since: int, timeout: float | None) -> bool:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="pyagent-store-poll")
        return await self._changes.wait(since, timeout)

    async def _poll(self) -> None:
        """Tell of other processes' commits as long as anybody waits, at an even pace."""
        loop = asyncio.get_running_loop()
        while self._changes.awaited:
            await asyncio.sleep(self._next_look - loop.time())
            self._next_look = loop.time() + self._interval
            try:
                news = await self._others_committed()
            except StoreError:
                self._changes.notify()  # who waits will read, and get the error
                return
            if news:
                self._changes.notify()
                self._foreign_mark = self._changes.count
