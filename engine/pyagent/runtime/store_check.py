"""Looks a store over: logs without gaps, blobs that are there and fit their digests, leases that make sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyagent.errors import NotFound, PyAgentError, StoreError
from pyagent.native import Blake3
from pyagent.runtime.log import decode
from pyagent.runtime.paging import blobs_in
from pyagent.runtime.store_runs import all_runs
from pyagent.store.base import ENDED, Run, Store
from pyagent.store.sealing import StoreSealed

LONGEST_LEASE = timedelta(days=1)
"""No worker takes a run for longer than this at a time."""
_PIECE = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    run: str
    """Empty for the store itself."""
    what: str


async def check_store(store: Store, told: Callable[[Run], None] = lambda run: None) -> tuple[int, list[Fault]]:
    """How many runs there are, and all that is wrong; nothing is changed. `told` hears of each run that is looked at.

    It may be called while runs are at work.
    """
    found = [Fault(run="", what=what) for what in await store.faults()]
    now = await store.now()
    fitting: dict[str, str] = {}
    graphs: dict[str, bool] = {}
    runs = 0
    try:
        async for run in all_runs(store):
            told(run)
            runs += 1
            try:
                found += [Fault(run=run.id, what=what) for what in await _faults(store, run, now, fitting, graphs)]
            except NotFound:
                continue  # deleted meanwhile
            except (PyAgentError, ValueError) as error:
                found.append(Fault(run=run.id, what=f"It cannot be read: {error}"))
    except StoreSealed as error:
        # Without the vault no run can be told from another one that is well.
        found.append(Fault(run="", what=f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}"))
    return runs, found


async def _faults(store: Store, run: Run, now: datetime, fitting: dict[str, str], graphs: dict[str, bool]) -> list[str]:
    found: list[str] = []
    log = await store.read_log(run.id)
    if [record.seq for record in log] != list(range(1, len(log) + 1)):
        found.append("Its log has gaps.")
    elif len(log) < run.log_length:
        found.append(f"Its log has {len(log)} entries and should have {run.log_length}.")
    blobs = await store.blobs_of(run.id)
    needed: set[str] = set()
    for record in log:
        needed |= blobs_in(decode(record.body))
    found += [f"Its log needs blob {digest}, which it does not refer to." for digest in sorted(needed - set(blobs))]
    for digest, size in blobs.items():
        if digest not in fitting:
            fitting[digest] = await _fault_of(store, digest, size)
        if fitting[digest]:
            found.append(fitting[digest])
    await store.steps(run.id)
    if run.graph_hash not in graphs:
        graphs[run.graph_hash] = await _has_graph(store, run.graph_hash)
    if not graphs[run.graph_hash] and run.status not in ENDED:
        found.append(f"It is {run.status}, and its graph {run.graph_hash[:12]} is not kept.")
    if run.lease_owner is not None and run.status in ENDED:
        found.append(f"It is {run.status}, and {run.lease_owner} still holds it.")
    if run.lease_expires_at is not None and run.lease_expires_at > now + LONGEST_LEASE:
        found.append(f"{run.lease_owner} holds it until {run.lease_expires_at.isoformat()}.")
    return found


async def _fault_of(store: Store, digest: str, size: int) -> str:
    """What is wrong with a blob, or nothing; a piece at a time is in memory."""
    whole = Blake3()
    length = 0
    try:
        for start in range(0, size, _PIECE):
            piece = await store.read_blob(digest, start, start + _PIECE)
            whole.update(piece)
            length += len(piece)
    except (NotFound, StoreError) as error:
        return f"Blob {digest} cannot be read: {error}"
    if length != size:
        return f"Blob {digest} has {length} bytes and should have {size}."
    return "" if whole.hexdigest() == digest else f"The content of blob {digest} does not fit its digest."


async def _has_graph(store: Store, hash: str) -> bool:
    try:
        await store.get_graph(hash)
    except NotFound:
        return False
    return True
