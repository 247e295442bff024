"""LangGraph's checkpoints as rows, whatever database keeps them. What the bytes mean is the saver's business.

The value of a channel is kept once for each of its versions, however many checkpoints have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Versions = Callable[[bytes], Mapping[str, object]]
"""Reads the versions of channels from a checkpoint's bytes."""


class CheckpointKey(NamedTuple):
    """Which checkpoint."""

    thread: str
    namespace: str
    id: str


class CheckpointRow(NamedTuple):
    """A checkpoint without its channels' values."""

    key: CheckpointKey
    parent: str | None
    checkpoint: bytes
    metadata: bytes


class WriteRow(NamedTuple):
    """One write of a task, pending on a checkpoint."""

    task: str
    position: int
    path: str
    channel: str
    value: bytes


class ValueRow(NamedTuple):
    """A channel's value at one of its versions."""

    channel: str
    version: str
    value: bytes
    base: str | None = None
    """The version that the value is kept as the difference to, which then is there, too; it is no difference itself."""


class CheckpointRows(Protocol):
    """The rows as one transaction sees them."""

    def put(self, row: CheckpointRow, run: str | None, values: Iterable[ValueRow]) -> None:
        """Keep a checkpoint, and the values that are new with it."""
        ...

    def put_writes(self, key: CheckpointKey, writes: Iterable[WriteRow]) -> None:
        """Keep a task's writes. The first of a position stays, but for the special ones (negative), where the last
        does."""
        ...

    def get(self, thread: str, namespace: str, identity: str | None) -> CheckpointRow | None:
        """One checkpoint; without an id the latest."""
        ...

    def values(self, key: CheckpointKey, versions: Mapping[str, object]) -> list[ValueRow]:
        """The kept values of channels at their versions."""
        ...

    def writes(self, key: CheckpointKey) -> list[WriteRow]:
        """The writes pending on a checkpoint, in the order in which a live run applies them."""
        ...

    def keys(
        self, thread: str | None, namespace: str | None, identity: str | None, before: str | None, limit: int | None
    ) -> list[CheckpointKey]:
        """Which checkpoints there are, newest first; None leaves a condition out."""
        ...

    def runs_keys(self, runs: Iterable[str]) -> list[CheckpointKey]:
        """The checkpoints that these LangGraph runs made."""
        ...

    def delete_thread(self, thread: str) -> None:
        """Delete all of a thread."""
        ...

    def delete(self, doomed: Sequence[CheckpointKey], versions: Versions) -> None:
        """Delete checkpoints, their writes, and the values that no other checkpoint has or needs."""
        ...

    def copy_thread(self, source: str, target: str) -> None:
        """Copy all of a thread to another name; what is there already under the same keys is replaced."""
        ...


class CheckpointDatabase(Protocol):
    """Where the rows are. The methods in `_now` block, and may be called from any thread."""

    async def read(self, query: Callable[[CheckpointRows], T]) -> T:
        """Run the query in a transaction that reads."""
        ...

    async def write(self, change: Callable[[CheckpointRows], T]) -> T:
        """Run the change in a transaction."""
        ...

    def read_now(self, query: Callable[[CheckpointRows], T]) -> T:
        """As `read`."""
        ...

    def write_now(self, change: Callable[[CheckpointRows], T]) -> T:
        """As `write`."""
        ...
