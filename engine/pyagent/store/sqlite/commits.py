"""The one transaction that a worker changes a run by, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from pyagent.store import codec
from pyagent.store.base import ENDED, Commit, Lease, LogConflict, LogRecord, MessageTaken, StepRecord
from pyagent.store.sqlite import batches, leases, payloads, rows


def apply(
    connection: sqlite3.Connection, lease: Lease, commit: Commit, blobs: Sequence[payloads.KeptBlob], now: datetime
) -> list[batches.PackedEvents]:
    """Apply all of it; any error rolls the whole transaction back. Returns the events as they are kept."""
    number, log_length, waited, place = _put_state(connection, lease, commit, rows.stamp(now))
    _check_log(commit.entries, log_length, lease.run_id)
    written = batches.append(connection, number, log_length, place, commit.entries, commit.events, commit.steps)
    if commit.steps:
        _put_waits(connection, number, commit.steps, waited)
    for blob in blobs:
        payloads.keep(connection, blob)
        payloads.refer_kept(connection, number, blob)
    for digest in commit.refers:
        payloads.refer(connection, number, digest)
    for message in commit.consumed:
        _consume(connection, number, message)
    return written


def _check_log(entries: Sequence[LogRecord], length: int, run_id: str) -> None:
    for expected, entry in enumerate(entries, length + 1):
        if entry.seq != expected:
            raise LogConflict(
                f"Entry {entry.seq} does not follow the log of run {run_id}, which goes on at {expected}.",
                hint="Read the log again and decide from it.",
                details={"run": run_id, "expected": expected, "given": entry.seq},
            )


def _put_waits(connection: sqlite3.Connection, number: int, steps: Sequence[StepRecord], waited: bool) -> None:
    """Keep by which signals the run can be woken."""
    latest = {
        step.step: step.wait if step.status == "waiting" and step.wait and step.wait.get("kind") == "signal" else None
        for step in steps
    }
    if waited:
        connection.executemany("DELETE FROM waits WHERE run = ? AND step = ?", [(number, step) for step in latest])
    found = [
        (number, step, str(wait.get("name") or ""), str(wait.get("key") or ""))
        for step, wait in latest.items()
        if wait is not None
    ]
    if found:
        connection.executemany("INSERT INTO waits (run, step, name, key) VALUES (?, ?, ?, ?)", found)
        connection.execute("UPDATE run_state SET waited = 1 WHERE run = ?", (number,))


def _consume(connection: sqlite3.Connection, number: int, message: int) -> None:
    gone = connection.execute("DELETE FROM messages WHERE id = ? AND (run = ? OR run IS NULL)", (message, number))
    if gone.rowcount == 0:
        raise MessageTaken(f"Message {message} is consumed already.", details={"message": message})


def _put_state(connection: sqlite3.Connection, lease: Lease, commit: Commit, now: int) -> tuple[int, int, bool, int]:
    """Check the lease and set what changes, in one statement; an index is written only if a column of it is set.

    Returns the run's number, how long its log was, whether a step of it has ever waited for a signal, and the store's
    last place. Raises `LeaseLost`."""
    changes = "updated_at = ?, log_length = log_length + ?, seen = max(seen, ?), adoptions = 0"
    values: list[object] = [now, len(commit.entries), commit.seen]
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
    found = connection.execute(
        f"UPDATE run_state SET {changes} WHERE run = (SELECT run FROM runs WHERE id = ?)"  # noqa: S608
        " AND lease_token = ? AND lease_owner IS NOT NULL"
        f" RETURNING run, log_length, waited, {batches.LAST_PLACE}",
        (*values, lease.run_id, lease.token),
    ).fetchall()
    if not found:
        raise leases.lost(lease)
    number, log_length, waited, place = found[0]
    return number, log_length - len(commit.entries), bool(waited), place
