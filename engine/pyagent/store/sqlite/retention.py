"""What outlives a deleted run, and what goes before its run: spent start keys, and events up to a cursor."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from pyagent.store.base import RunStatus
from pyagent.store.sqlite import rows
from pyagent.store.sqlite.batches import CURSOR, LARGEST_CURSOR


def spend_key(connection: sqlite3.Connection, number: int, now: datetime) -> None:
    """Keep the start key that a run holds, which is about to be deleted, for what is left of its window."""
    stamped = rows.stamp(now)
    connection.execute("DELETE FROM spent_keys WHERE until <= ?", (stamped,))
    connection.execute(
        "INSERT INTO spent_keys (owner, graph_id, key, run, until)"
        " SELECT k.owner, k.graph_id, k.key, r.id, coalesce(s.ended_at, ?1) + r.key_window"
        " FROM start_keys k JOIN runs r ON r.run = k.run JOIN run_state s ON s.run = k.run"
        " WHERE k.run = ?2 AND coalesce(s.ended_at, ?1) + r.key_window > ?1"
        " ON CONFLICT (owner, graph_id, key) DO UPDATE SET run = excluded.run, until = excluded.until",
        (stamped, number),
    )


def spent_by(connection: sqlite3.Connection, owner: str, graph_id: str, key: str, now: datetime) -> str | None:
    """The deleted run that the key stays with."""
    found = connection.execute(
        "SELECT run FROM spent_keys WHERE owner = ? AND graph_id = ? AND key = ? AND until > ?",
        (owner, graph_id, key, rows.stamp(now)),
    ).fetchone()
    return None if found is None else found[0]


def key_holder(connection: sqlite3.Connection, owner: str, graph_id: str, key: str, now: datetime) -> str | None:
    """The run that holds the key, deleted or not."""
    found = connection.execute(
        "SELECT r.id FROM start_keys k JOIN runs r ON r.run = k.run JOIN run_state s ON s.run = k.run"
        " WHERE k.owner = ? AND k.graph_id = ? AND k.key = ?"
        " AND (s.ended_at IS NULL OR s.ended_at + r.key_window > ?)",
        (owner, graph_id, key, rows.stamp(now)),
    ).fetchone()
    return spent_by(connection, owner, graph_id, key, now) if found is None else found[0]


def forget_events(connection: sqlite3.Connection, until: int) -> None:
    """Forget the events up to the cursor; of a batch that goes on after it, those are only no longer told."""
    newest = (connection.execute("SELECT max(place) FROM batches").fetchone()[0] or 0) // CURSOR
    until = min(until, newest, LARGEST_CURSOR)
    known = forgotten(connection)
    if until <= known:
        return
    span = (known * CURSOR, (until + 1) * CURSOR)
    connection.execute("UPDATE batches SET events = NULL WHERE place >= ? AND place < ?", span)
    # The newest row stays, whatever it holds: cursors are counted on from it.
    connection.execute(
        "DELETE FROM batches WHERE place >= ? AND place < ? AND events IS NULL AND steps IS NULL AND entries IS NULL"
        " AND place < (SELECT max(place) FROM batches)",
        span,
    )
    connection.execute("DELETE FROM forgotten_events")
    connection.execute("INSERT INTO forgotten_events (until) VALUES (?)", (until,))


def forgotten(connection: sqlite3.Connection) -> int:
    """The cursor up to which events are forgotten."""
    found = connection.execute("SELECT until FROM forgotten_events").fetchone()
    return 0 if found is None else found[0]


def count_alive(connection: sqlite3.Connection) -> Mapping[RunStatus, int]:
    """Runs that have not ended, by status."""
    return dict(
        connection.execute(
            "SELECT status, count(*) FROM run_state WHERE status IN ('queued', 'running', 'waiting', 'paused')"
            " GROUP BY status"
        )
    )
