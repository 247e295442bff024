"""The one transaction that a worker changes a run by, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from pyagent.store import codec
from pyagent.store.base import ENDED, Commit, Lease, LogConflict, LogRecord, MessageTaken, StepRecord
from pyagent.store.sqlite import leases, payloads, rows, streams

KeptBlob = tuple[str, int, bytes | None]
"""Digest, size, and the encoded bytes, or None for those in a file."""


def apply(
    connection: sqlite3.Connection, lease: Lease, commit: Commit, blobs: Sequence[KeptBlob], now: datetime
) -> None:
    """Apply all of it; any error rolls the whole transaction back."""
    row = connection.execute(
        "SELECT s.run, s.lease_owner, s.lease_token, s.log_length, s.step_count"
        " FROM runs r JOIN run_state s ON s.run = r.run WHERE r.id = ?",
        (lease.run_id,),
    ).fetchone()
    if row is None:
        raise leases.lost(lease)
    number, owner, token, log_length, step_count = row
    if owner is None or token != lease.token:
        raise leases.lost(lease)
    _append_log(connection, number, log_length, lease.run_id, commit.entries)
    if commit.events:
        streams.append_events(connection, number, commit.events)
    if commit.steps:
        _put_steps(connection, number, step_count, commit.steps)
    for digest, size, data in blobs:
        payloads.keep(connection, digest, size, data)
        payloads.refer(connection, number, digest)
    for digest in commit.refers:
        payloads.refer(connection, number, digest)
    for message in commit.consumed:
        _consume(connection, number, message)
    _put_state(connection, number, commit, rows.stamp(now), log_length + len(commit.entries))


def read_log(connection: sqlite3.Connection, number: int, after: int, limit: int) -> list[LogRecord]:
    """At most `limit` entries after the given one, in order."""
    return [
        LogRecord(seq=seq, kind=kind, step=step, body=codec.decode(body))
        for seq, kind, step, body in connection.execute(
            "SELECT seq, kind, step, body FROM log WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
            (number, after, limit),
        )
    ]


def _append_log(
    connection: sqlite3.Connection, number: int, length: int, run_id: str, entries: Sequence[LogRecord]
) -> None:
    for expected, entry in enumerate(entries, length + 1):
        if entry.seq != expected:
            raise LogConflict(
                f"Entry {entry.seq} does not follow the log of run {run_id}, which goes on at {expected}.",
                hint="Read the log again and decide from it.",
                details={"run": run_id, "expected": expected, "given": entry.seq},
            )
    connection.executemany(
        "INSERT INTO log (run, seq, kind, step, body) VALUES (?, ?, ?, ?, ?)",
        [(number, entry.seq, entry.kind, entry.step, codec.encode(entry.body)) for entry in entries],
    )


def _put_steps(connection: sqlite3.Connection, number: int, count: int, steps: Sequence[StepRecord]) -> None:
    values: list[tuple[object, ...]] = []
    for position, step in enumerate(steps, count + 1):
        signal = step.wait if step.status == "waiting" and step.wait and step.wait.get("kind") == "signal" else None
        values.append(
            (
                *(number, step.step, position, step.node, step.scope, step.status, step.attempt),
                *(rows.stamp_or_none(step.started_at), rows.stamp_or_none(step.ended_at), step.items_in),
                codec.encode_json(step.items_out) if step.items_out else None,
                *(rows.json_or_none(step.error), rows.json_or_none(step.wait)),
                *((str(signal.get("name") or ""), str(signal.get("key") or "")) if signal else (None, None)),
            )
        )
    connection.executemany(
        "INSERT INTO steps (run, step, position, node, scope, status, attempt, started_at, ended_at, items_in,"
        " items_out, error, wait, signal_name, signal_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (run, step) DO UPDATE SET node = excluded.node, scope = excluded.scope,"
        " status = excluded.status, attempt = excluded.attempt, started_at = excluded.started_at,"
        " ended_at = excluded.ended_at, items_in = excluded.items_in, items_out = excluded.items_out,"
        " error = excluded.error, wait = excluded.wait, signal_name = excluded.signal_name,"
        " signal_key = excluded.signal_key",
        values,
    )


def _consume(connection: sqlite3.Connection, number: int, message: int) -> None:
    gone = connection.execute("DELETE FROM messages WHERE id = ? AND (run = ? OR run IS NULL)", (message, number))
    if gone.rowcount == 0:
        raise MessageTaken(f"Message {message} is consumed already.", details={"message": message})


def _put_state(connection: sqlite3.Connection, number: int, commit: Commit, now: int, log_length: int) -> None:
    """Set only what changes: an index is written only if a column of it is set."""
    changes = "updated_at = ?, log_length = ?, step_count = step_count + ?, seen = max(seen, ?), adoptions = 0"
    values: list[object] = [now, log_length, len(commit.steps), commit.seen]
    if commit.status is not None:
        changes += ", status = ?, wake_at = ?"
        values += [commit.status, rows.stamp_or_none(commit.wake_at)]
        if commit.status in ENDED:
            changes += ", ended_at = coalesce(ended_at, ?)"
            values.append(now)
        else:
            changes += ", ended_at = NULL"
        if commit.status == "running":
            changes += ", started_at = coalesce(started_at, ?)"
            values.append(now)
    if commit.outputs is not None:
        changes += ", outputs = ?"
        values.append(codec.encode(commit.outputs))
    if commit.error is not None:
        changes += ", error = ?"
        values.append(codec.encode_json(commit.error))
    if commit.release:
        changes += ", lease_owner = NULL, lease_expires_at = NULL"
    connection.execute(f"UPDATE run_state SET {changes} WHERE run = ?", (*values, number))  # noqa: S608
