"""From a row for each log entry, event and step to batches: what a file of schema 3 or older goes through once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from pyagent.store import codec
from pyagent.store.base import Event, LogRecord, NewEvent, StepRecord
from pyagent.store.sqlite import batches, rows


def rebatch(connection: sqlite3.Connection) -> None:
    """Move everything, inside the caller's transaction; events keep their cursors. What is unpacked is in memory a
    batch at a time."""
    newest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    for number, events in _stretches(connection):
        connection.execute(
            "INSERT INTO batches (place, run, log_end, events) VALUES (?, ?, 0, ?)",
            (
                events[-1].cursor * batches.CURSOR,
                number,
                batches.pack_events(
                    [NewEvent(kind=event.kind, step=event.step, at=event.at, data=event.data) for event in events]
                ),
            ),
        )
    if newest is not None and newest[0] > batches.last_cursor(connection):  # those events were a deleted run's
        connection.execute("INSERT INTO batches (place, log_end) VALUES (?, 0)", (newest[0] * batches.CURSOR,))
    for (number,) in connection.execute("SELECT run FROM runs ORDER BY run").fetchall():
        length = 0
        for entries in _chunks(connection, "SELECT seq, kind, step, body FROM log WHERE run = ? ORDER BY seq", number):
            log = [
                LogRecord(seq=seq, kind=kind, step=step, body=codec.decode(body)) for seq, kind, step, body in entries
            ]
            batches.append(connection, number, length, batches.last_place(connection), entries=log)
            length += len(log)
        columns = "step, node, scope, status, attempt, started_at, ended_at, items_in, items_out, error, wait"
        for steps in _chunks(connection, f"SELECT {columns} FROM steps WHERE run = ? ORDER BY position", number):  # noqa: S608
            records = [_step(row) for row in steps]
            batches.append(connection, number, length, batches.last_place(connection), steps=records)
    connection.execute(
        "INSERT INTO waits (run, step, name, key)"
        " SELECT run, step, signal_name, signal_key FROM steps WHERE signal_name IS NOT NULL"
    )
    connection.execute("UPDATE run_state SET waited = 1 WHERE run IN (SELECT run FROM waits)")
    for table in ("log", "events", "steps"):
        connection.execute(f"DROP TABLE {table}")


def _stretches(connection: sqlite3.Connection) -> Iterator[tuple[int, list[Event]]]:
    """Events of one run with cursors that follow one another, as many as a batch may have."""
    stretch: list[Event] = []
    of = 0
    for cursor, number, kind, step, at, data in connection.execute(
        "SELECT cursor, run, kind, step, at, data FROM events ORDER BY cursor"
    ):
        if stretch and (number != of or cursor != stretch[-1].cursor + 1 or len(stretch) == batches.LONGEST):
            yield of, stretch
            stretch = []
        of = number
        event = Event(cursor=cursor, run_id="", kind=kind, step=step, at=rows.moment(at), data=codec.decode_json(data))
        stretch.append(event)
    if stretch:
        yield of, stretch


def _chunks(connection: sqlite3.Connection, query: str, number: int) -> Iterator[list[tuple[Any, ...]]]:
    found = connection.execute(query, (number,))
    while chunk := found.fetchmany(batches.LONGEST):
        yield chunk


def _step(row: tuple[Any, ...]) -> StepRecord:
    *plain, items_out, error, wait = row
    decoded = rows.mapping_or_none(items_out) or {}, rows.mapping_or_none(error), rows.mapping_or_none(wait)
    return batches.step_of((*plain, *decoded))
