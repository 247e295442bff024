"""What tests of stores are made of: runs, entries, events, leases that have expired when they are made."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pyagent.store.base import (
    Commit,
    Event,
    Lease,
    LogRecord,
    NewEvent,
    NewRun,
    Run,
    StepRecord,
    Store,
)

MINUTE = timedelta(minutes=1)
OVER = timedelta(0)
"""A lease for this long has expired when it is made: no test needs to wait."""
PATIENCE = 20.0
"""Seconds after which a wait for an event is a failure."""


def new_run(**changes: Any) -> NewRun:
    """A run with a fresh id; anything can be changed."""
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "graph_id": "triage",
        "graph_hash": "hash-1",
        "trigger": "start",
        "inputs": b'{"mail": 1}',
    }
    return NewRun(**(values | changes))


def entry(seq: int, body: bytes = b"{}", step: str = "decide") -> LogRecord:
    """An entry of a log."""
    return LogRecord(seq=seq, kind="step.completed", step=step, body=body)


def event(kind: str = "step.completed", **data: Any) -> NewEvent:
    """An event that happens now."""
    return NewEvent(kind=kind, step="decide", at=datetime.now(UTC), data=data)


def step(name: str = "decide", **changes: Any) -> StepRecord:
    """A step's record."""
    values: dict[str, Any] = {"step": name, "node": name, "scope": "", "status": "running"}
    return StepRecord(**(values | changes))


def random_bytes(size: int, seed: int) -> bytes:
    """Bytes that do not compress, the same ones each time."""
    return random.Random(f"{size} {seed}").randbytes(size)  # noqa: S311


async def started(store: Store, **changes: Any) -> tuple[Run, Lease]:
    """A run that is claimed and running."""
    run = await store.create_run(new_run(**changes))
    lease = await store.claim(run.id, "worker", MINUTE)
    await store.commit(lease, Commit(status="running"))
    return run, lease


async def collect(events: AsyncIterator[Sequence[Event]], count: int) -> list[Event]:
    """The first events of a followed stream."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE), aclosing(cast("Any", events)) as batches:
        async for batch in batches:
            found += batch
            if len(found) >= count:
                break
    return found
