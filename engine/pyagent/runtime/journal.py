"""The way from the run's state into the store: entries, events and step rows gathered into one commit.

Steps with effects wait for their commit; what only computes rides along with the next one (SEMANTICS 19). Whatever
is gathered is committed at the latest after `LINGER` seconds, so that a watcher sees progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from pyagent.errors import NotFound, PyAgentError
from pyagent.native import blake3_hex
from pyagent.runtime.log import Entry, EntryKind, Outputs, StepKey, decode, encode
from pyagent.runtime.paging import PageReader, from_table, is_table, not_json, paged, table
from pyagent.sdk.items import Item, Items
from pyagent.sdk.pages import PAGE_BYTES, PAGE_ITEMS, PagedItems
from pyagent.store.base import Commit, Lease, LogRecord, MessageTaken, NewEvent, RunStatus, StepRecord, Store

LINGER = 0.02
BLOB_THRESHOLD = 8 * 1024
"""Bytes of outputs above which an entry refers to a blob instead of holding them."""


class Journal(Protocol):
    """Where a run's entries go."""

    durable: bool
    """Entries are committed by `flush`, so that steps may follow one another inside a superstep."""
    keeps_lineage: bool
    """Steps that end are to be told with their lineage."""
    owes: bool
    """A step with effects has ended, and nobody has committed that yet: whoever goes on from it has to."""

    @property
    def pages(self) -> PageReader | None:
        """Reads pages of items; None where all items are in memory."""
        ...

    def encoded(self, entry: Entry) -> bytes:
        """The entry as it will be kept. Raises `NodeError` (`node.returned`) for what cannot be: it is not JSON."""
        ...

    def add(self, entry: Entry, body: bytes, events: Sequence[NewEvent] = (), steps: Sequence[StepRecord] = ()) -> None:
        """Gather an entry, with its `encoded` form, for the next commit."""
        ...

    def tell(self, event: NewEvent, step: StepRecord | None = None) -> None:
        """Gather an event that no decision depends on."""
        ...

    def show(self, step: StepRecord) -> None:
        """Gather how a step stands."""
        ...

    async def flush(self, *, durable: bool = False) -> None:
        """Return when all that was gathered is committed; `durable`: also against a power cut. Raises `StoreError`."""
        ...

    async def settle(self) -> None:
        """Return when every entry gathered so far is committed; events alone may wait for the next commit."""
        ...

    async def keep(self, digest: str, data: bytes) -> None:
        """Keep a node's blob."""
        ...

    async def keep_file(self, path: Path) -> tuple[str, int]:
        """Keep a file's content; its digest and its size in bytes. Raises `OSError`."""
        ...

    async def fetch(self, digest: str, start: int, end: int) -> bytes:
        """A range of what was kept. Raises `NotFound`."""
        ...


class StoreJournal:
    """A journal that commits to a store under a lease."""

    durable = True

    def __init__(self, store: Store, lease: Lease, length: int) -> None:
        """`length`: entries that the stored log has."""
        self.store = store
        self.lease = lease
        self.keeps_lineage = store.keeps_lineage
        self.pages = PageReader(store)
        self.failure: PyAgentError | None = None
        """What stopped this journal for good: a lost lease, a full disk."""
        self.failed = asyncio.Event()
        self.owes = False
        self._length = length
        self._lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._lingering: asyncio.Task[None] | None = None
        self._clear()

    def _clear(self) -> None:
        self.owes = False
        self._durable = False
        self._aged = False
        self._entries: list[tuple[Entry, bytes]] = []
        self._events: list[NewEvent] = []
        self._steps: dict[str, StepRecord] = {}
        self._blobs: dict[str, bytes] = {}
        self._consumed: list[int] = []
        self._change: dict[str, Any] = {}

    @property
    def _gathered(self) -> bool:
        return bool(self._entries or self._events or self._steps or self._change or self._consumed)

    def encoded(self, entry: Entry) -> bytes:
        return encoded_entry(entry, self._blobs, self.pages)

    def add(self, entry: Entry, body: bytes, events: Sequence[NewEvent] = (), steps: Sequence[StepRecord] = ()) -> None:
        self._entries.append((entry, body))
        self._events.extend(events)
        for record in steps:
            self._steps[record.step] = record
        self._linger()

    def tell(self, event: NewEvent, step: StepRecord | None = None) -> None:
        self._events.append(event)
        if step is not None:
            self._steps[step.step] = step
        self._linger()

    def show(self, step: StepRecord) -> None:
        self._steps[step.step] = step
        self._linger()

    def consume(self, messages: Sequence[int]) -> None:
        """Mark messages as recorded by the entries gathered so far."""
        self._consumed.extend(messages)

    def change(self, status: RunStatus, **more: Any) -> None:
        """Change the run's own row with the next commit: `status` and any of `Commit`'s fields about the run."""
        self._change = {**self._change, "status": status, **more}
        self._linger()

    async def flush(self, *, durable: bool = False) -> None:
        # Whoever commits what is gathered now must do it so: it may be one who has waited for the lock before.
        self._durable = self._durable or durable
        if self._gathered or self._lock.locked():
            async with self._lock:
                await self._commit()

    async def _commit(self) -> None:
        """Commit what is gathered; who calls it holds the lock. All that was gathered before the lock was asked for is
        in this commit or in those that were waited for; what has come since then is another caller's concern."""
        if self.failure is not None:
            raise self.failure
        if not self._gathered:
            return
        records = [self._record(*found, place) for place, found in enumerate(self._entries, 1)]
        commit = Commit(
            entries=records,
            events=self._events,
            steps=list(self._steps.values()),
            blobs=list(self._blobs.items()),
            consumed=self._consumed,
            durable=self._durable,
            **self._change,
        )
        self._clear()
        try:
            await self.store.commit(self.lease, commit)
        except PyAgentError as error:
            self.failure = error
            self.failed.set()
            raise
        self._length += len(records)
        if self.pages.uncommitted:
            self.pages.committed(commit.blobs)

    def _record(self, entry: Entry, body: bytes, place: int) -> LogRecord:
        step = str(entry.step) if entry.step is not None else ""
        return LogRecord(seq=self._length + place, kind=entry.kind, step=step, body=body)

    async def take(
        self, message: int, entry: Entry, events: Sequence[NewEvent], steps: Sequence[StepRecord] = ()
    ) -> bool:
        """Commit the entry that records an unaddressed signal, by itself; False if another run has got the signal.

        The caller applies the entry to the state only then. Raises `StoreError`.
        """
        async with self._lock:
            await self._commit()
            record = self._record(entry, self.encoded(entry), 1)
            commit = Commit(entries=[record], events=events, steps=steps, consumed=[message])
            try:
                await self.store.commit(self.lease, commit)
            except MessageTaken:
                return False
            except PyAgentError as error:
                # Whether it was committed is not known: only the log can tell, to who reads it next.
                self.failure = error
                self.failed.set()
                raise
            self._length += 1
            return True

    async def settle(self) -> None:
        if self._entries or self._lock.locked():
            await self.flush()

    async def keep(self, digest: str, data: bytes) -> None:
        await self.store.put_blob(self.lease.run_id, digest, data)

    async def keep_file(self, path: Path) -> tuple[str, int]:
        return await self.store.put_blob_file(self.lease.run_id, path)

    async def fetch(self, digest: str, start: int, end: int) -> bytes:
        return await self.store.read_blob(digest, start, end)

    def _linger(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER / 2, self._lingered)

    def _lingered(self) -> None:
        self._timer = None
        if not self._gathered or self.failure is not None:
            return
        if not self._aged:
            # Where steps commit one after the other, what is here came since the last of these commits.
            self._aged = True
            self._linger()
        else:
            self._lingering = asyncio.create_task(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        try:
            await self.flush()
        except PyAgentError as error:
            # `failed` has told the engine; the next step that waits for its commit raises it too.
            self.failure = error

    async def close(self) -> None:
        """Stop the timer and wait for a commit that is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lingering is not None:
            await self._lingering


def encoded_entry(entry: Entry, blobs: dict[str, bytes], pages: PageReader | None = None) -> bytes:
    """The entry as it is kept; large outputs are put into `blobs`. Raises `NodeError` (`node.returned`).

    Long lists become pages. With `pages`, which reads them, they become so in the entry, too, and leave memory.
    """
    body: dict[str, Any] = {"data": entry.data}
    try:
        if entry.outputs is not None:
            body["outputs"] = {
                port: _in_pages(entry, port, blobs, pages)
                if items.paged or len(items) > PAGE_ITEMS
                else [item.as_dict() for item in items]
                for port, items in entry.outputs.items()
            }
        encoded = encode(body)
        if len(encoded) > BLOB_THRESHOLD and entry.outputs:
            if len(encoded) > PAGE_BYTES:
                for port, made in body["outputs"].items():
                    if isinstance(made, list) and len(encode(made)) > PAGE_BYTES:
                        body["outputs"][port] = _in_pages(entry, port, blobs, pages)
            outputs = encode(body.pop("outputs"))
            digest = blake3_hex(outputs)
            blobs[digest] = outputs
            encoded = encode({**body, "blob": digest})
    except TypeError as error:
        raise not_json(error) from error
    return encoded


def _in_pages(entry: Entry, port: str, blobs: dict[str, bytes], pages: PageReader | None) -> dict[str, Any]:
    """The table of a port's pages; pages that are not kept yet are put into `blobs`. Raises `TypeError`."""
    outputs = entry.outputs or {}
    items = outputs[port]
    if isinstance(items, PagedItems) and items.kept:
        return table(items.pieces)
    new: dict[str, bytes] = {}
    made = paged(items, new)
    blobs.update(new)
    if pages is not None:
        pages.uncommitted.update(new)
        entry.outputs = {**outputs, port: PagedItems(made, pages)}
    return table(made)


def first_commit(entries: Sequence[Entry], refers: Sequence[str]) -> Commit:
    """The entries that a new run begins with, as one commit. Raises `NodeError`."""
    blobs: dict[str, bytes] = {}
    records = [
        LogRecord(
            seq=number, kind=entry.kind, step=str(entry.step) if entry.step else "", body=encoded_entry(entry, blobs)
        )
        for number, entry in enumerate(entries, 1)
    ]
    return Commit(entries=records, blobs=list(blobs.items()), refers=refers, status="queued")


async def read_entries(store: Store, run_id: str) -> list[Entry]:
    """The run's log from the store."""
    found: list[Entry] = []
    pages = PageReader(store)
    for record in await store.read_log(run_id):
        body: dict[str, Any] = decode(record.body)
        outputs = decode(await store.get_blob(body["blob"])) if "blob" in body else body.get("outputs")
        step = StepKey.parse(record.step) if record.step else None
        found.append(Entry(cast(EntryKind, record.kind), step, body["data"], _read_outputs(outputs, pages)))
    return found


def _read_outputs(outputs: Mapping[str, Any] | None, pages: PageReader) -> Outputs | None:
    if outputs is None:
        return None
    return {
        port: from_table(made, pages) if is_table(made) else Items.of(map(Item.from_dict, made))
        for port, made in outputs.items()
    }


def event(kind: str, step: str = "", **data: Any) -> NewEvent:
    """An event of now."""
    return NewEvent(kind=kind, step=step, at=datetime.now(UTC), data=data)


class NoJournal:
    """For graphs run through LangGraph's own API: LangGraph's checkpointer keeps the log, if there is one."""

    keeps_lineage = False
    pages = None
    owes = False

    def __init__(self, *, durable: bool) -> None:
        """`durable`: whether steps may follow one another inside a superstep (there is no checkpointer)."""
        self.durable = durable
        self._blobs: dict[str, bytes] = {}

    def encoded(self, entry: Entry) -> bytes:
        return b""

    def add(self, entry: Entry, body: bytes, events: Sequence[NewEvent] = (), steps: Sequence[StepRecord] = ()) -> None:
        """Nothing: the entry travels in the task's writes."""

    def tell(self, event: NewEvent, step: StepRecord | None = None) -> None:
        """Nothing: what a node says goes into LangGraph's custom stream."""

    def show(self, step: StepRecord) -> None:
        """Nothing: LangGraph has no rows of steps."""

    async def flush(self, *, durable: bool = False) -> None:
        """Nothing to wait for."""

    async def settle(self) -> None:
        """Nothing to wait for."""

    async def keep(self, digest: str, data: bytes) -> None:
        self._blobs[digest] = data

    async def keep_file(self, path: Path) -> tuple[str, int]:
        content = await asyncio.to_thread(path.read_bytes)
        digest = blake3_hex(content)
        self._blobs[digest] = content
        return digest, len(content)

    async def fetch(self, digest: str, start: int, end: int) -> bytes:
        if digest not in self._blobs:
            raise NotFound(
                f"There is no blob {digest}.",
                code="blob.not_found",
                hint="Blobs of a graph that LangGraph's own API runs live as long as that run's process.",
            )
        return self._blobs[digest][start:end]
