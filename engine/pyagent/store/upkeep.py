"""What the upkeep of a store asks of it, beside what runs need: `pyagent store check | copy | prune | stats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyagent.store.base import Message, Run, RunStatus
    from pyagent.store.statistics import RunStatistics


IN_DATABASE = "the database"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobsAt:
    """How much a place has of a store's blobs."""

    blobs: int
    bytes: int
    """Of their contents, before compression."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreStats:
    """How much a store holds."""

    runs: Mapping[str, int] = field(default_factory=dict[str, int])
    """Runs by status; a status without runs may be left out."""
    graphs: int = 0
    versions: int = 0
    entries: int = 0
    """Of all runs' logs."""
    events: int = 0
    messages: int = 0
    """That no commit has consumed."""
    blobs: int = 0
    blob_bytes: int = 0
    """Bytes of their contents, before compression."""
    blobs_at: Mapping[str, BlobsAt] = field(default_factory=dict[str, BlobsAt])
    """Where these are: `IN_DATABASE`, a folder, or the address of a place outside (`PYAGENT_BLOBS`)."""
    bytes: int | None = None
    """What the store takes on the disk, without what lies outside; None where it cannot be known from here."""
    bytes_exact: bool = True
    """False: `bytes` is reckoned from what is kept, without the log of the database's transactions."""
    oldest: datetime | None = None
    """When the oldest run was created."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compacted:
    """What compacting a store came to."""

    before: int | None
    """`StoreStats.bytes` before; None where that cannot be known."""
    after: int | None
    notes: Sequence[str] = ()
    """What there is to know about it, a sentence each."""


class Upkeep(Protocol):
    """The methods are slow where the store is large, and may be called while runs are at work."""

    async def graph_ids(self) -> list[str]:
        """The graphs that have versions, in the order of the alphabet."""
        ...

    async def signals(self) -> list[Message]:
        """Signals to whichever run waits for them that no commit has consumed, oldest first."""
        ...

    async def blobs_of(self, run_id: str) -> Mapping[str, int]:
        """The blobs that a run refers to: bytes of content by digest. Raises `NotFound`."""
        ...

    async def restore(self, run: Run) -> None:
        """Give a run, which was made here as a copy, what `create_run` decides by itself: its times, its start key
        (which it does not hold by that) and the run that it continues. Raises `NotFound`."""
        ...

    async def faults(self) -> list[str]:
        """What is wrong inside of the store, a sentence each; what can be seen through the contract is not looked at.
        May take long."""
        ...

    async def stats(self) -> StoreStats:
        """How much there is."""
        ...

    async def compact(self) -> Compacted:
        """Give space that deleted data took back to the disk, as far as the database can; others may use the store
        meanwhile, and may have to wait to write. Raises `StoreFull` if there is no room to do it, and `StoreError`
        (`store.at_work`) if runs that are at work would have to wait for too long."""
        ...

    async def count_alive(self) -> Mapping[RunStatus, int]:
        """Runs that have not ended, by status; quick, also where many have."""
        ...

    async def run_statistics(self, *, graph_id: str | None = None, since: datetime | None = None) -> RunStatistics:
        """Figures about the runs of a graph, or of all, that were created at this time or later."""
        ...

    async def key_holder(self, owner: str, graph_id: str, key: str) -> str | None:
        """The run that holds the start key, which may be deleted; None if it is free."""
        ...

    async def forget_events(self, until: int) -> None:
        """Forget the events up to the cursor, for good. Logs, steps and cursors stay as they are."""
        ...

    async def forgotten(self) -> int:
        """The cursor up to which events were forgotten; 0 if none were. Events of deleted runs do not count: they are
        gone without a word."""
        ...
