"""Graph versions and runs in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pyagent.errors import LeaseHeld, NotFound, StoreError
from pyagent.store import codec
from pyagent.store.base import RESERVED, GraphVersion, KeySpent, KeyTaken, NewEvent, NewRun, Run, RunFilter, lowered
from pyagent.store.sqlite import batches, messages, payloads, retention, rows
from pyagent.store.sqlite.checkpoints import SqliteCheckpoints

SHORTEST_PREFIX = 6
"""Characters of a run's id that are enough to name it."""


def put_graph(connection: sqlite3.Connection, graph_id: str, hash: str, text: str, now: datetime) -> None:
    """Keep a version and make it the graph's latest."""
    put = connection.execute("SELECT coalesce(max(put), 0) + 1 FROM graphs").fetchone()[0]
    connection.execute(
        "INSERT INTO graphs (hash, graph_id, put, text, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (hash) DO UPDATE SET put = excluded.put",
        (hash, graph_id, put, codec.encode(text.encode()), rows.stamp(now)),
    )


def is_latest_graph(connection: sqlite3.Connection, graph_id: str, hash: str) -> bool:
    """Whether putting the version would change nothing."""
    latest = "SELECT hash FROM graphs WHERE graph_id = ? ORDER BY put DESC LIMIT 1"
    return connection.execute(latest, (graph_id,)).fetchone() == (hash,)


def get_graph(connection: sqlite3.Connection, hash: str) -> GraphVersion:
    """The version with this hash. Raises `NotFound`."""
    row = connection.execute("SELECT graph_id, hash, text, created_at FROM graphs WHERE hash = ?", (hash,)).fetchone()
    if row is None:
        raise NotFound(
            f"There is no graph version {hash}.",
            code="graph.not_found",
            hint="A version is kept once a run has used it: see `pyagent runs`.",
        )
    return _version_of(row)


def latest_graph(connection: sqlite3.Connection, graph_id: str) -> GraphVersion:
    """The version put last. Raises `NotFound`."""
    row = connection.execute(
        "SELECT graph_id, hash, text, created_at FROM graphs WHERE graph_id = ? ORDER BY put DESC LIMIT 1", (graph_id,)
    ).fetchone()
    if row is None:
        raise NotFound(
            f"There is no graph {graph_id}.",
            code="graph.not_found",
            hint="It is kept once a run has used it: see `pyagent runs`.",
        )
    return _version_of(row)


def graph_versions(connection: sqlite3.Connection, graph_id: str, limit: int) -> list[GraphVersion]:
    """The graph's versions, the one put last first."""
    found = connection.execute(
        "SELECT graph_id, hash, text, created_at FROM graphs WHERE graph_id = ? ORDER BY put DESC LIMIT ?",
        (graph_id, max(limit, 0)),
    )
    return [_version_of(row) for row in found]


def _version_of(row: tuple[Any, ...]) -> GraphVersion:
    graph_id, hash, text, created_at = row
    return GraphVersion(
        graph_id=graph_id, hash=hash, text=codec.decode(text).decode(), created_at=rows.moment(created_at)
    )


def create(connection: sqlite3.Connection, run: NewRun, events: Sequence[NewEvent], now: datetime) -> Run:
    """Create a queued run, or answer by the start key's policy."""
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
        raise StoreError(f"There is a run {run.id} already.", code="store.run_exists", hint="Give each run a fresh id.")
    if run.key is not None and (holder := _key_holder(connection, run, now)):
        if run.key_policy == "existing":
            return holder
        if run.key_policy == "reject":
            raise KeyTaken(f"Run {holder.id} ({holder.status}) holds the key {run.key!r}.", details={"run": holder.id})
        if holder.ended_at is None:
            messages.post(connection, holder.id, "cancel", now, actor=run.actor)
    elif run.key is not None and (spent := retention.spent_by(connection, run.owner, run.graph_id, run.key, now)):
        if run.key_policy != "replace":
            raise KeySpent(f"Run {spent}, which is deleted, began with the key {run.key!r}.", details={"run": spent})
        connection.execute(
            "DELETE FROM spent_keys WHERE owner = ? AND graph_id = ? AND key = ?", (run.owner, run.graph_id, run.key)
        )
    stamped = rows.stamp(now)
    number = connection.execute(
        "INSERT INTO runs (id, graph_id, graph_hash, trigger, inputs, production, key, key_window, parent_run,"
        " parent_step, forked_from, continues, owner, actor, semantics, labels, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(run.id, run.graph_id, run.graph_hash, run.trigger, codec.encode(run.inputs), run.production, run.key),
            *(run.key_window // rows.MICROSECOND, run.parent_run, run.parent_step, run.forked_from),
            *(run.continues, run.owner, run.actor, run.semantics, codec.encode_json(run.labels), stamped),
        ),
    ).lastrowid
    assert number is not None
    reserved = run.reserved_for if run.slot is None else None
    connection.execute(
        "INSERT INTO run_state (run, updated_at, slot, slots, priority, fairness, weight, lease_owner,"
        " lease_expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(number, stamped, run.slot, run.slots, run.priority, run.fairness or run.graph_id, run.weight),
            *(reserved, rows.stamp(now + RESERVED) if reserved else None),
        ),
    )
    if run.key is not None:
        connection.execute(
            "INSERT INTO start_keys (owner, graph_id, key, run) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (owner, graph_id, key) DO UPDATE SET run = excluded.run",
            (run.owner, run.graph_id, run.key, number),
        )
    batches.append(connection, number, 0, batches.last_place(connection), events=events)
    return _by_number(connection, number)


def _key_holder(connection: sqlite3.Connection, run: NewRun, now: datetime) -> Run | None:
    """The run that holds the key: alive, or ended no longer ago than its own window."""
    row = connection.execute(
        "SELECT s.run FROM start_keys k JOIN runs r ON r.run = k.run JOIN run_state s ON s.run = k.run"
        " WHERE k.owner = ? AND k.graph_id = ? AND k.key = ?"
        " AND (s.ended_at IS NULL OR s.ended_at + r.key_window > ?)",
        (run.owner, run.graph_id, run.key, rows.stamp(now)),
    ).fetchone()
    return None if row is None else _by_number(connection, row[0])


def _by_number(connection: sqlite3.Connection, number: int) -> Run:
    return rows.run_of(
        connection.execute(
            f"SELECT {rows.RUN_COLUMNS} FROM runs r JOIN run_state s ON s.run = r.run WHERE r.run = ?",  # noqa: S608
            (number,),
        ).fetchone()
    )


def get(connection: sqlite3.Connection, run_id: str) -> Run:
    """The run with this id or unique prefix. Raises `NotFound`."""
    select = f"SELECT {rows.RUN_COLUMNS} FROM runs r JOIN run_state s ON s.run = r.run"  # noqa: S608
    found = connection.execute(f"{select} WHERE r.id = ?", (run_id,)).fetchall()
    # Ids sort by code point; no character comes after the last one.
    end = run_id + "\U0010ffff"
    if not found and len(run_id) >= SHORTEST_PREFIX:
        found = connection.execute(f"{select} WHERE r.id > ? AND r.id < ? LIMIT 2", (run_id, end)).fetchall()
    if len(found) == 1:
        return rows.run_of(found[0])
    newest = "SELECT id FROM runs WHERE id > ? AND id < ? ORDER BY run DESC LIMIT 5"
    candidates = [row[0] for row in connection.execute(newest, (run_id, end))] if run_id else []
    if candidates and len(run_id) < SHORTEST_PREFIX:
        raise NotFound(
            f"{run_id} is too short to name a run.",
            code="run.not_found",
            hint=f"Give at least {SHORTEST_PREFIX} characters of the run's id. Begin so: {', '.join(candidates)}.",
        )
    if found:
        raise NotFound(
            f"Several runs begin with {run_id}.",
            code="run.ambiguous",
            hint=f"Give more characters of the id. Begin so: {', '.join(candidates)}.",
            details={"runs": candidates},
        )
    raise rows.no_run(run_id)


def listed(connection: sqlite3.Connection, filter: RunFilter, now: datetime) -> list[Run]:
    """The runs that the filter lets through, newest first."""
    equal = {
        "r.graph_id": filter.graph_id,
        "r.owner": filter.owner,
        "r.key": filter.key,
        "r.production": filter.production,
        "r.forked_from": filter.forked_from,
        "r.parent_run": filter.parent_run,
    }
    where = [f"{column} = ?" for column, value in equal.items() if value is not None]
    values: list[Any] = [value for value in equal.values() if value is not None]
    if filter.text:
        columns = ("r.id", "r.graph_id", "coalesce(r.key, '')", "r.trigger", "r.actor")
        where.append(f"({' OR '.join(f'instr(lower({column}), ?) > 0' for column in columns)})")
        values.extend([lowered(filter.text)] * len(columns))
    if filter.since is not None:
        where.append("r.created_at >= ?")
        values.append(rows.stamp(filter.since))
    if filter.until is not None:
        where.append("r.created_at < ?")
        values.append(rows.stamp(filter.until))
    if filter.statuses:
        where.append(f"s.status IN ({', '.join('?' * len(filter.statuses))})")
        values.extend(filter.statuses)
    if filter.longer_than is not None:
        where.append("coalesce(s.ended_at, ?) - s.started_at >= ?")
        values.extend((rows.stamp(now), filter.longer_than // rows.MICROSECOND))
    if filter.before is not None:
        where.append("r.run < ?")
        values.append(rows.run_number(connection, filter.before))
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    return [
        rows.run_of(row)
        for row in connection.execute(
            f"SELECT {rows.RUN_COLUMNS} FROM runs r JOIN run_state s ON s.run = r.run {condition}"  # noqa: S608
            " ORDER BY r.run DESC LIMIT ?",
            (*values, max(filter.limit, 0)),
        )
    ]


def delete(connection: sqlite3.Connection, run_id: str, now: datetime) -> payloads.Forgotten:
    """Delete all of a run; returns what is to be removed of blobs that nothing refers to any more."""
    number = rows.run_number(connection, run_id)
    owner, expires_at = connection.execute(
        "SELECT lease_owner, lease_expires_at FROM run_state WHERE run = ?", (number,)
    ).fetchone()
    if owner is not None and expires_at > rows.stamp(now):
        raise LeaseHeld(f"{owner} holds run {run_id}.", hint="Cancel the run first, or wait until its worker ends.")
    digests = [row[0] for row in connection.execute("SELECT digest FROM blob_refs WHERE run = ?", (number,))]
    SqliteCheckpoints(connection).delete_thread(run_id)
    retention.spend_key(connection, number, now)
    batches.delete(connection, number)
    connection.execute("DELETE FROM runs WHERE run = ?", (number,))
    return payloads.forget(connection, digests)
