"""Deletes runs that have ended, by age, number, size and how they ended; what kept runs come from stays.

A run's own lineage (its steps, and the blobs that they used and produced) is its own and goes with it; blobs that
another run refers to stay. A run that a kept one is a fork of, or that called it, is kept too: it says where that one
came from. The predecessors of an endless service (`flow.restart`) are not: its newest run begins with all that it
needs, and its history is not to grow without bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from pyagent.errors import LeaseHeld, NotFound
from pyagent.runtime.store_runs import all_runs, every_event
from pyagent.store.base import ENDED, Run, RunStatus, Store


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may go; at least one of the limits is given, or statuses alone: then all runs that ended so."""

    older_than: timedelta | None = None
    """Runs that ended longer ago than this."""
    keep: int | None = None
    """Of each graph, the runs beyond this many newest ones."""
    max_bytes: int | None = None
    """The oldest runs, until what is left takes at most this much: logs, inputs, outputs and blobs, uncompressed."""
    statuses: Sequence[RunStatus] = ()
    """Only runs that ended so; empty for all."""
    graph_id: str | None = None


@dataclass(kw_only=True)
class Pruned:
    """What was deleted, or would be."""

    runs: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])
    """Runs that would have gone, but that kept ones come from."""
    swept: int = 0
    """Blobs without any run that were removed, too."""


async def prune_store(store: Store, policy: Policy, *, dry_run: bool = False) -> Pruned:
    """Delete what the policy lets go, oldest first; `dry_run`: only say what."""
    runs = [run async for run in all_runs(store)]
    doomed = {run.id: run for run in await _doomed(store, policy, runs)}
    done = Pruned(kept=_keep_origins(runs, doomed))
    for run_id in reversed(doomed):
        if not dry_run:
            with suppress(NotFound, LeaseHeld):
                await store.delete_run(run_id)
        done.runs.append(run_id)
    if not dry_run:
        done.swept = await store.sweep()
    return done


async def _doomed(store: Store, policy: Policy, runs: Sequence[Run]) -> list[Run]:
    """Newest first."""
    now = await store.now()
    limits = (policy.older_than, policy.keep, policy.max_bytes)
    by_status_alone = bool(policy.statuses) and all(limit is None for limit in limits)
    seen: Counter[str] = Counter()
    total = 0
    found: list[Run] = []
    for run in runs:
        seen[run.graph_id] += 1
        if policy.graph_id not in (None, run.graph_id):
            continue
        if policy.max_bytes is not None:
            total += await size_of(store, run)
        ended = run.ended_at or now
        beyond = (
            by_status_alone
            or (policy.older_than is not None and now - ended > policy.older_than)
            or (policy.keep is not None and seen[run.graph_id] > policy.keep)
            or (policy.max_bytes is not None and total > policy.max_bytes)
        )
        if beyond and run.status in ENDED and (not policy.statuses or run.status in policy.statuses):
            found.append(run)
    return found


def _keep_origins(runs: Sequence[Run], doomed: dict[str, Run]) -> list[str]:
    """Take those out that kept runs were forked from or called by, and those that these come from."""
    by_id = {run.id: run for run in runs}
    kept: list[str] = []
    open_ = [run for run in runs if run.id not in doomed]
    while open_:
        run = open_.pop()
        for origin in (run.forked_from, run.parent_run):
            if origin is not None and doomed.pop(origin, None) is not None:
                kept.append(origin)
                open_.append(by_id[origin])
    return kept


async def size_of(store: Store, run: Run) -> int:
    """Bytes that a run holds before compression; blobs that it shares with others are counted for each."""
    log = sum(len(record.body) for record in await store.read_log(run.id))
    events = sum(len(str(event.data)) for event in await every_event(store, run.id))
    return len(run.inputs) + len(run.outputs or b"") + log + events + sum((await store.blobs_of(run.id)).values())
