"""Runs that begin in one transaction with something else: with their first log, or as another run ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pyagent.store.base import Commit, Lease, NewEvent, NewRun, Run, Successor
from pyagent.store.sqlite import commits, leases, payloads, rows, runs

_INSTANT = timedelta(seconds=1)
"""How long a lease is that begins and ends within one transaction."""


def create(
    connection: sqlite3.Connection,
    run: NewRun,
    events: Sequence[NewEvent],
    first: Commit | None,
    blobs: Sequence[payloads.KeptBlob],
    now: datetime,
) -> Run:
    """Create a run, with its first commit if there is one."""
    created = runs.create(connection, run, events, now)
    if first is None or created.id != run.id:
        return created
    # Whose turn it is does not matter for a log that is written before the run begins.
    lease = leases.claim(connection, run.id, run.actor, _INSTANT, now, in_turn=False)
    commits.apply(connection, lease, replace(first, release=True), blobs, now)
    return runs.get(connection, run.id)


def succeed(
    connection: sqlite3.Connection,
    lease: Lease,
    successor: Successor,
    blobs: Sequence[payloads.KeptBlob],
    now: datetime,
) -> None:
    """Create the run that follows the one that the lease is for, which has ended in this transaction."""
    number = rows.run_number(connection, lease.run_id)
    held = connection.execute(
        "DELETE FROM start_keys WHERE run = ?1 RETURNING key, (SELECT key_window FROM runs WHERE run = ?1)",
        (number,),
    ).fetchone()
    run = replace(successor.run, key=None, continues=lease.run_id)
    if held is not None:
        run = replace(run, key=held[0], key_policy="reject", key_window=held[1] * rows.MICROSECOND)
    create(connection, run, successor.events, successor.first, blobs, now)
    connection.execute("UPDATE messages SET run = ? WHERE run = ?", (rows.run_number(connection, run.id), number))
