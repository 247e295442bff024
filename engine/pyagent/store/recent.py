"""What a process has committed of late, for its own followers: they need not read it back from the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyagent.store.base import Event

P = TypeVar("P")

MOST_EVENTS = 2000
MOST_BYTES = 250_000
"""Of recent events at most so many are kept, of so many bytes as they are packed: a few MB when unpacked."""


@dataclass(slots=True)
class _Batch(Generic[P]):
    first: int
    last: int
    run_id: str
    packed: P
    size: int
    events: list[Event] | None = None
    """Unpacked for the first who asks."""


class RecentEvents(Generic[P]):
    """All events with the cursors between two, as the commits of one object gave them: a gap in the cursors, where
    others committed, begins it anew. Who adds events in another way must `clear`."""

    def __init__(self, unpack: Callable[[int, str, P], Iterable[Event]]) -> None:
        """`unpack`: the events of a batch, by the cursor of its last one, the run's id and what it was packed as."""
        self._unpack = unpack
        self._batches: deque[_Batch[P]] = deque()
        self._count = 0
        self._bytes = 0

    def add(self, run_id: str, written: Sequence[tuple[int, int, P]], size: Callable[[P], int]) -> None:
        """Events of a commit: first and last cursor and the packed events of each batch, of which `size` tells the
        bytes. Commits whose answers overtook one another may come in any order."""
        for first, last, packed in written:
            batch = _Batch(first, last, run_id, packed, size(packed))
            if self._batches and last == self._batches[0].first - 1:
                self._batches.appendleft(batch)
            elif self._batches and first < self._batches[0].first:
                continue  # older than all that is known, with a gap in between
            else:
                if self._batches and first != self._batches[-1].last + 1:
                    self.clear()
                self._batches.append(batch)
            self._count += last - first + 1
            self._bytes += batch.size
        while self._count > MOST_EVENTS or self._bytes > MOST_BYTES:
            gone = self._batches.popleft()
            self._count -= gone.last - gone.first + 1
            self._bytes -= gone.size

    def clear(self) -> None:
        """Know nothing more."""
        self._batches.clear()
        self._count = self._bytes = 0

    def reach(self, cursor: int) -> int:
        """The cursor up to which all events after the given one are known; it itself if none are."""
        if not self._batches or not self._batches[0].first - 1 <= cursor <= (last := self._batches[-1].last):
            return cursor
        return last

    def after(self, cursor: int, run_id: str | None) -> tuple[list[Event], int] | None:
        """The events after the cursor, of one run or all, and the cursor up to which these are all that there are; None
        if only the store can tell."""
        if not self._batches or not self._batches[0].first - 1 <= cursor <= (last := self._batches[-1].last):
            return None
        found: list[Event] = []
        for batch in reversed(self._batches):
            if batch.last <= cursor:
                break
            if run_id is not None and run_id != batch.run_id:
                continue
            if batch.events is None:
                batch.events = list(self._unpack(batch.last, batch.run_id, batch.packed))
            found[:0] = batch.events if batch.first > cursor else batch.events[cursor - batch.first + 1 :]
        return found, last
