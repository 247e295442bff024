"""What the upkeep of a SQLite store asks of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from pyagent.store import codec
from pyagent.store.base import Message, Run
from pyagent.store.blobs import BlobFiles
from pyagent.store.outside import LOCATION_TAIL
from pyagent.store.sqlite import rows
from pyagent.store.upkeep import IN_DATABASE, BlobsAt, StoreStats

_SHOWN = 20
"""Faults of one kind that are told one by one."""


def graph_ids(connection: sqlite3.Connection) -> list[str]:
    """The graphs that have versions."""
    return [row[0] for row in connection.execute("SELECT DISTINCT graph_id FROM graphs ORDER BY graph_id")]


def signals(connection: sqlite3.Connection) -> list[Message]:
    """Unaddressed signals that no commit has consumed."""
    found = connection.execute(
        "SELECT id, kind, step, name, key, body, actor, at FROM messages WHERE run IS NULL ORDER BY id"
    )
    return [
        Message(
            id=identity,
            run_id=None,
            kind=kind,
            step=step,
            name=name,
            key=key,
            body=codec.decode(body),
            actor=actor,
            at=rows.moment(at),
        )
        for identity, kind, step, name, key, body, actor, at in found
    ]


def blobs_of(connection: sqlite3.Connection, run_id: str) -> Mapping[str, int]:
    """The blobs that a run refers to, with their sizes. Raises `NotFound`."""
    number = rows.run_number(connection, run_id)
    found = connection.execute(
        "SELECT b.digest, b.size, b.sealed_digest FROM blob_refs f JOIN blobs b ON b.digest = f.digest WHERE f.run = ?",
        (number,),
    )
    return dict(
        sorted((name if sealed is None else codec.decode(sealed).decode(), size) for name, size, sealed in found)
    )


def restore(connection: sqlite3.Connection, run: Run) -> None:
    """Give a copied run its times, its start key and what it continues. Raises `NotFound`."""
    number = rows.run_number(connection, run.id)
    connection.execute(
        "UPDATE runs SET created_at = ?, key = ?, continues = ? WHERE run = ?",
        (rows.stamp(run.created_at), run.key, run.continues, number),
    )
    connection.execute(
        "UPDATE run_state SET started_at = ?, ended_at = ?, updated_at = ? WHERE run = ?",
        (
            rows.stamp_or_none(run.started_at),
            rows.stamp_or_none(run.ended_at),
            rows.stamp(run.updated_at),
            number,
        ),
    )


def faults(connection: sqlite3.Connection, files: BlobFiles) -> list[str]:
    """What SQLite's own check says, rows that refer to nothing, and blobs whose files are gone."""
    found = [f"SQLite: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    for table, number, other, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN):
        found.append(f"Row {number} of {table} refers to a row of {other} that is not there.")
    in_files = {
        row[0] for row in connection.execute("SELECT digest FROM blobs WHERE data IS NULL AND location IS NULL")
    }
    missing = sorted(in_files - set(files.names()))
    found += [f"The file of blob {digest} is gone." for digest in missing[:_SHOWN]]
    if len(missing) > _SHOWN:
        found.append(f"The files of {len(missing) - _SHOWN} more blobs are gone.")
    return found


def stats(connection: sqlite3.Connection, path: Path, files: BlobFiles) -> StoreStats:
    """How much there is."""

    def number(query: str) -> int:
        return int(connection.execute(query).fetchone()[0] or 0)

    oldest = connection.execute("SELECT min(created_at) FROM runs").fetchone()[0]
    return StoreStats(
        runs=dict(connection.execute("SELECT status, count(*) FROM run_state GROUP BY status")),
        graphs=number("SELECT count(DISTINCT graph_id) FROM graphs"),
        versions=number("SELECT count(*) FROM graphs"),
        entries=number("SELECT sum(log_length) FROM run_state"),
        events=_events(connection),
        messages=number("SELECT count(*) FROM messages"),
        blobs=number("SELECT count(*) FROM blobs"),
        blob_bytes=number("SELECT sum(size) FROM blobs"),
        blobs_at=_blobs_at(connection, files),
        bytes=bytes_of(path, files),
        oldest=rows.moment_or_none(oldest),
    )


def _blobs_at(connection: sqlite3.Connection, files: BlobFiles) -> dict[str, BlobsAt]:
    place = (
        "CASE WHEN data IS NOT NULL THEN ? WHEN location IS NULL THEN ?"
        " ELSE substr(location, 1, length(location) - ?) END"
    )
    found = connection.execute(
        f"SELECT {place} AS place, count(*), sum(size) FROM blobs GROUP BY place ORDER BY place",  # noqa: S608
        (IN_DATABASE, str(files.root), LOCATION_TAIL),
    )
    return {where: BlobsAt(blobs=number, bytes=size) for where, number, size in found}


def bytes_of(path: Path, files: BlobFiles) -> int:
    """What the store takes on the disk: the database, its log of writes, and the blobs in files."""
    beside = [path, path.with_name(path.name + "-wal"), *(files.path(name) for name in files.names())]
    return sum(file.stat().st_size for file in beside if file.exists())


def _events(connection: sqlite3.Connection) -> int:
    packed = connection.execute("SELECT events FROM batches WHERE events IS NOT NULL")
    return sum(len(codec.rows_of(codec.decode(row[0]))) for row in packed)
