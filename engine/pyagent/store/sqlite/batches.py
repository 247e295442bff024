"""A commit's log entries, events and step records in SQLite: a row for each commit, a few for a long one.

A row for each entry, event and step cost more than all the rest of a commit, and compressed badly. What is asked for
less than whole commits is unpacked here: events after a cursor in the middle of one, the state of each step.

A batch lies at a **place**: the cursor of its last event (of the store's newest event, if it has none) times
`CURSOR`, and a number below that for the batches without events that follow. So places grow with every commit, and
one B-tree keeps events in the order of their cursors, and the log and the steps of a run in the order of its commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyagent.store import codec
from pyagent.store.base import Event, LogRecord, NewEvent, StepRecord, events_forgotten
from pyagent.store.sqlite import rows

CURSOR = 1 << 20
"""What a cursor is multiplied by. Should so many batches without events follow one another, a cursor is left out."""
LARGEST_CURSOR = (1 << 43) - 2
LONGEST = 500
"""Entries, events or steps that a batch has at most: who asks for one event unpacks so many."""
PackedEvents = tuple[int, int, bytes]
"""First and last cursor of a batch, and its events."""
LAST_PLACE = "coalesce((SELECT max(place) FROM batches), 0)"
"""For other statements to ask in passing."""
_HEAD = 4
"""Bytes that say how long the table before the bodies of entries is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def append(
    connection: sqlite3.Connection,
    number: int,
    log_length: int,
    place: int,
    entries: Sequence[LogRecord] = (),
    events: Sequence[NewEvent] = (),
    steps: Sequence[StepRecord] = (),
) -> list[PackedEvents]:
    """Keep what a commit adds to a run; the entries follow the `log_length` that there are, the batches the last
    `place`. Gives the events the next cursors, and returns them as they are kept. Raises `StoreError`
    `store.not_json`."""
    written: list[PackedEvents] = []
    longest = max(len(entries), len(events), len(steps))
    for start in range(0, longest, LONGEST):
        end = start + LONGEST
        part = entries[start:end], events[start:end], steps[start:end]
        log_length += len(part[0])
        packed = None
        if part[1]:
            packed = pack_events(part[1])
            first = place // CURSOR + 1
            written.append((first, first + len(part[1]) - 1, packed))
            place = written[-1][1] * CURSOR
        else:
            place += 1
        connection.execute(
            "INSERT INTO batches (place, run, log_end, steps, events, entries) VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(place, number, log_length),
                pack_steps(part[2]) if part[2] else None,
                packed,
                pack_entries(part[0]) if part[0] else None,
            ),
        )
    return written


# the log


def pack_entries(entries: Sequence[LogRecord]) -> bytes:
    """A table of kinds, steps and lengths, then the bodies, one after the other."""
    table = codec.rows_text([(entry.kind, entry.step, len(entry.body)) for entry in entries])
    return codec.encode(b"".join((len(table).to_bytes(_HEAD, "big"), table, *(entry.body for entry in entries))))


def read_log(
    connection: sqlite3.Connection, number: int, after: int, place: int, limit: int
) -> tuple[list[LogRecord], int]:
    """Entries after the given one, in order, from the batches after the place: those of as many whole batches as make
    `limit` entries, and the place of the last of them, to go on from; 0 when there are no more."""
    found: list[LogRecord] = []
    for place, log_end, packed in connection.execute(  # noqa: B020
        "SELECT place, log_end, entries FROM batches"
        " WHERE run = ? AND place > ? AND log_end > ? AND entries IS NOT NULL ORDER BY place",
        (number, place, after),
    ):
        content = codec.decode(packed)
        start = _HEAD + int.from_bytes(content[:_HEAD], "big")
        table = codec.rows_of(content[_HEAD:start])
        for seq, (kind, step, length) in enumerate(table, log_end - len(table) + 1):
            if seq > after:
                found.append(LogRecord(seq=seq, kind=kind, step=step, body=content[start : start + length]))
            start += length
        if len(found) >= limit:
            return found, place
    return found, 0


# events


def pack_events(events: Sequence[NewEvent]) -> bytes:
    """A table of the events, in order."""
    table = [(event.kind, event.step, rows.stamp(event.at), event.data) for event in events]
    return codec.encode(codec.rows_text(table))


def read_events(connection: sqlite3.Connection, after: int, run_id: str | None, limit: int) -> list[Event]:
    """At most `limit` events after the cursor, in order. Raises `EventsForgotten`."""
    after = _kept_after(connection, min(max(after, 0), LARGEST_CURSOR))
    first = (after + 1) * CURSOR
    if run_id is None:
        batches = connection.execute(
            "SELECT b.place, r.id, b.events FROM batches b CROSS JOIN runs r ON r.run = b.run"
            " WHERE b.place >= ? AND b.events IS NOT NULL ORDER BY b.place",
            (first,),
        )
    else:
        batches = connection.execute(
            "SELECT place, ?, events FROM batches WHERE run = (SELECT run FROM runs WHERE id = ?)"
            " AND place >= ? AND events IS NOT NULL ORDER BY place",
            (run_id, run_id, first),
        )
    found: list[Event] = []
    for place, run, packed in batches:
        if len(found) >= limit:
            break
        found += unpack_events(place // CURSOR, run, packed, after, limit - len(found))
    return found


def _kept_after(connection: sqlite3.Connection, after: int) -> int:
    """The cursor after which events are kept and asked for. Raises `EventsForgotten`."""
    found = connection.execute("SELECT until FROM forgotten_events").fetchone()
    if found is None or after >= found[0]:
        return after
    if after:
        raise events_forgotten(after, found[0])
    return found[0]


def unpack_events(last: int, run: str, packed: bytes, after: int = 0, limit: int = LONGEST) -> Iterator[Event]:
    """At most `limit` of a batch's events, those after the cursor; `last` is the cursor of its last one."""
    table = codec.rows_of(codec.decode(packed))
    skipped = max(after - last + len(table), 0)
    cursor = last - len(table) + skipped
    for kind, step, at, data in table[skipped : skipped + limit]:
        cursor += 1
        time = _EPOCH + timedelta(microseconds=at)
        yield Event(cursor=cursor, run_id=run, kind=kind, step=step, at=time, data=data)


def last_cursor(connection: sqlite3.Connection) -> int:
    """The cursor of the newest event that was ever kept."""
    return last_place(connection) // CURSOR


def last_place(connection: sqlite3.Connection) -> int:
    """The place of the newest batch that was ever kept; 0 before the first."""
    return connection.execute(f"SELECT {LAST_PLACE}").fetchone()[0]


def delete(connection: sqlite3.Connection, number: int) -> None:
    """Delete a run's batches. No place is used again: the last one stays behind, empty and nobody's."""
    last = last_place(connection)
    connection.execute("DELETE FROM batches WHERE run = ?", (number,))
    if last != last_place(connection):
        connection.execute("DELETE FROM batches WHERE run IS NULL")
        connection.execute("INSERT INTO batches (place, log_end) VALUES (?, 0)", (last,))


# steps


def pack_steps(steps: Sequence[StepRecord]) -> bytes:
    """A table of the steps, in order."""
    table = [
        (
            *(step.step, step.node, step.scope, step.status, step.attempt),
            *(rows.stamp_or_none(step.started_at), rows.stamp_or_none(step.ended_at)),
            *(step.items_in, step.items_out, step.error, step.wait),
        )
        for step in steps
    ]
    return codec.encode(codec.rows_text(table))


def read_steps(connection: sqlite3.Connection, number: int) -> list[StepRecord]:
    """The state of each of a run's steps, in the order of their first commit."""
    latest: dict[str, list[Any]] = {}
    for (packed,) in connection.execute(
        "SELECT steps FROM batches WHERE run = ? AND steps IS NOT NULL ORDER BY place", (number,)
    ):
        for row in codec.rows_of(codec.decode(packed)):
            latest[row[0]] = row
    return [step_of(row) for row in latest.values()]


def step_of(row: Sequence[Any]) -> StepRecord:
    """A step from a row of the table."""
    step, node, scope, status, attempt, started_at, ended_at, items_in, items_out, error, wait = row
    return StepRecord(
        step=step,
        node=node,
        scope=scope,
        status=status,
        attempt=attempt,
        started_at=rows.moment_or_none(started_at),
        ended_at=rows.moment_or_none(ended_at),
        items_in=items_in,
        items_out=items_out,
        error=error,
        wait=wait,
    )
