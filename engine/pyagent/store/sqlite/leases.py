"""Who may commit to a run, in SQLite."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from pyagent.errors import LeaseHeld, LeaseLost
from pyagent.store.base import Lease, SlotTaken
from pyagent.store.sqlite import rows

_NO_TURN = (
    "(s.slot IS NOT NULL AND s.status = 'queued' AND s.lease_owner IS NULL AND s.slots <="
    " (SELECT count(*) FROM run_state o WHERE o.slot = s.slot AND o.run != s.run"
    " AND o.status IN ('queued', 'running', 'waiting', 'paused')"
    " AND (o.status != 'queued' OR o.lease_owner IS NOT NULL OR o.run < s.run))"
    " AND NOT EXISTS (SELECT 1 FROM messages c WHERE c.run = s.run AND c.kind = 'cancel'))"
)
"""Whether a queued run `s` must let others with its slot go first: those at work, and those created before it. One that
is to be cancelled is in nobody's way."""


def claim(
    connection: sqlite3.Connection, run_id: str, owner: str, ttl: timedelta, now: datetime, *, in_turn: bool = True
) -> Lease:
    """Take the run for the owner. Raises `LeaseHeld`, `SlotTaken` and `NotFound`."""
    row = connection.execute(
        "SELECT s.run, s.lease_owner, s.lease_token, s.lease_expires_at, s.adoptions"
        " FROM runs r JOIN run_state s ON s.run = r.run WHERE r.id = ?",
        (run_id,),
    ).fetchone()
    if row is None:
        raise rows.no_run(run_id)
    number, holder, token, expires_at, adoptions = row
    adopted = holder is not None and token > 0  # before the first token stands a reservation
    if in_turn and holder is None:
        query = f"SELECT 1 FROM run_state s WHERE s.run = ? AND {_NO_TURN}"  # noqa: S608
        if connection.execute(query, (number,)).fetchone():
            raise SlotTaken(f"Run {run_id} waits for its turn.", details={"run": run_id})
    if holder is not None and holder != owner and expires_at > rows.stamp(now):
        raise LeaseHeld(
            f"{holder} holds run {run_id} until {rows.moment(expires_at).isoformat()}.", details={"owner": holder}
        )
    lease = Lease(
        run_id=run_id,
        owner=owner,
        token=token + 1,
        expires_at=now + ttl,
        adopted=adopted,
        adoptions=adoptions + adopted,
    )
    connection.execute(
        "UPDATE run_state SET lease_owner = ?, lease_token = ?, lease_expires_at = ?, adoptions = ? WHERE run = ?",
        (owner, lease.token, rows.stamp(lease.expires_at), lease.adoptions, number),
    )
    return lease


def renew(connection: sqlite3.Connection, lease: Lease, ttl: timedelta, now: datetime) -> Lease:
    """The lease with a later end. Raises `LeaseLost`."""
    expires_at = now + ttl
    changed = connection.execute(
        "UPDATE run_state SET lease_expires_at = ? WHERE run = (SELECT run FROM runs WHERE id = ?)"
        " AND lease_token = ? AND lease_owner IS NOT NULL",
        (rows.stamp(expires_at), lease.run_id, lease.token),
    ).rowcount
    if not changed:
        raise lost(lease)
    return Lease(
        run_id=lease.run_id,
        owner=lease.owner,
        token=lease.token,
        expires_at=expires_at,
        adopted=lease.adopted,
        adoptions=lease.adoptions,
    )


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """Give the lease back, if it is still the run's."""
    connection.execute(
        "UPDATE run_state SET lease_owner = NULL, lease_expires_at = NULL"
        " WHERE run = (SELECT run FROM runs WHERE id = ?) AND lease_token = ?",
        (lease.run_id, lease.token),
    )


CLAIMABLE = f"""
WITH candidates (run) AS (
  SELECT run FROM run_state  -- the first condition is the index's, word for word, or SQLite does not use it
  WHERE status IN ('queued', 'running', 'waiting', 'paused') AND status IN ('queued', 'running')
  UNION SELECT run FROM run_state WHERE wake_at <= :now
  UNION SELECT run FROM messages WHERE run IS NOT NULL
  UNION SELECT w.run FROM messages m CROSS JOIN waits w ON w.name = m.name AND w.key = m.key WHERE m.run IS NULL
)
SELECT r.id FROM candidates c CROSS JOIN run_state s ON s.run = c.run CROSS JOIN runs r ON r.run = c.run
WHERE s.status IN ('queued', 'running', 'waiting', 'paused')
  AND (s.lease_owner IS NULL OR s.lease_expires_at <= :now)
  AND NOT {_NO_TURN}
  AND (s.status IN ('queued', 'running') OR s.wake_at <= :now
    OR EXISTS (SELECT 1 FROM messages m WHERE m.run = s.run AND m.id > s.seen)
    OR EXISTS (SELECT 1 FROM messages m JOIN waits w ON w.name = m.name AND w.key = m.key
      WHERE m.run IS NULL AND w.run = s.run))
ORDER BY s.run LIMIT :limit
"""  # noqa: S608
"""Looks at none of the runs that wait for nothing that has come."""


def claimable(connection: sqlite3.Connection, now: datetime, limit: int) -> list[str]:
    """Ids of the runs that somebody should take, oldest first."""
    found = connection.execute(CLAIMABLE, {"now": rows.stamp(now), "limit": max(limit, 0)})
    return [row[0] for row in found]


def lost(lease: Lease) -> LeaseLost:
    """The error for an old token."""
    return LeaseLost(
        f"The lease of {lease.owner} on run {lease.run_id} (token {lease.token}) is over.",
        details={"run": lease.run_id, "token": lease.token},
    )
