"""The part of the store in memory that keeps events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from pyagent.store.base import Event, NewEvent, events_forgotten
from pyagent.testing.memory_graphs import MemoryGraphs


class MemoryEvents(MemoryGraphs):
    """The stream of events; `MemoryStore` adds runs."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self._events: list[Event] = []
        self._cursor = 0
        self._forgotten = 0

    def _append_events(self, run_id: str, events: Sequence[NewEvent], data: Sequence[dict[str, Any]]) -> None:
        for event, copied in zip(events, data, strict=True):
            self._cursor += 1
            self._events.append(
                Event(cursor=self._cursor, run_id=run_id, kind=event.kind, step=event.step, at=event.at, data=copied)
            )

    async def read_events(self, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Event]:
        """At most `limit` events after the cursor, in order. Raises `EventsForgotten`."""
        self._check_open()
        if 0 < after < self._forgotten:
            raise events_forgotten(after, self._forgotten)
        found = [event for event in self._events if event.cursor > after and (run_id is None or event.run_id == run_id)]
        return found[: max(limit, 0)]

    async def forget_events(self, until: int) -> None:
        """Forget the events up to the cursor."""
        self._check_open()
        self._forgotten = max(self._forgotten, min(until, self._cursor))
        self._events = [event for event in self._events if event.cursor > self._forgotten]

    async def forgotten(self) -> int:
        """The cursor up to which events are forgotten."""
        self._check_open()
        return self._forgotten

    async def last_cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        self._check_open()
        return self._cursor

    async def follow(self, after: int = 0, run_id: str | None = None) -> AsyncIterator[Sequence[Event]]:
        """Batches of events after the cursor, for ever. Raises `EventsForgotten`."""
        while True:
            mark = self.mark()
            batch = await self.read_events(after, run_id)
            if batch:
                after = batch[-1].cursor
                yield batch
                await asyncio.sleep(0)
            else:
                await self._changes.wait(mark)

    def mark(self) -> int:
        """A mark to hand to `changed`."""
        return self._changes.count

    async def changed(self, timeout: float, since: int | None = None) -> bool:
        """Wait until something may have come since the mark, at most `timeout` seconds; whether it may have."""
        return await self._changes.wait(self.mark() if since is None else since, timeout)
