"""LangGraph's checkpoints as rows in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from pyagent.store.checkpoint_rows import CheckpointKey, CheckpointRow, CheckpointRows, ValueRow, Versions, WriteRow
from pyagent.store.sqlite.database import Database

T = TypeVar("T")


class SqliteCheckpoints:
    """`CheckpointRows` of one SQLite transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, row: CheckpointRow, run: str | None, values: Iterable[ValueRow]) -> None:
        """Keep a checkpoint, and the values that are new with it."""
        thread, namespace, identity = row.key
        self._connection.execute(
            "INSERT INTO checkpoints (thread, namespace, id, parent, run, checkpoint, metadata)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (thread, namespace, id) DO UPDATE SET parent = excluded.parent, run = excluded.run,"
            " checkpoint = excluded.checkpoint, metadata = excluded.metadata",
            (thread, namespace, identity, row.parent, run, row.checkpoint, row.metadata),
        )
        self._connection.executemany(
            "INSERT INTO checkpoint_channels (thread, namespace, channel, version, value, base)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thread, namespace, channel, version)"
            " DO UPDATE SET value = excluded.value, base = excluded.base",
            [(thread, namespace, *value) for value in values],
        )

    def put_writes(self, key: CheckpointKey, writes: Iterable[WriteRow]) -> None:
        """Keep a task's writes; see the protocol."""
        self._connection.executemany(
            "INSERT INTO checkpoint_writes (thread, namespace, id, task, position, path, channel, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (thread, namespace, id, task, position) DO UPDATE SET path = excluded.path,"
            " channel = excluded.channel, value = excluded.value WHERE position < 0",
            [(*key, *write) for write in writes],
        )

    def get(self, thread: str, namespace: str, identity: str | None) -> CheckpointRow | None:
        """One checkpoint; without an id the latest."""
        select = "SELECT thread, namespace, id, parent, checkpoint, metadata FROM checkpoints"
        if identity is not None:
            found = self._connection.execute(
                f"{select} WHERE thread = ? AND namespace = ? AND id = ?",
                (thread, namespace, identity),
            )
        else:
            found = self._connection.execute(
                f"{select} WHERE thread = ? AND namespace = ? ORDER BY id DESC LIMIT 1",
                (thread, namespace),
            )
        row = found.fetchone()
        return None if row is None else CheckpointRow(CheckpointKey(*row[:3]), *row[3:])

    def values(self, key: CheckpointKey, versions: Mapping[str, object]) -> list[ValueRow]:
        """The kept values of channels at their versions."""
        wanted = json.dumps([[channel, str(version)] for channel, version in versions.items()])
        found = self._connection.execute(
            "SELECT c.channel, c.version, c.value, c.base FROM json_each(?) w CROSS JOIN checkpoint_channels c"
            " ON c.thread = ? AND c.namespace = ? AND c.channel = w.value ->> 0 AND c.version = w.value ->> 1",
            (wanted, key.thread, key.namespace),
        )
        return [ValueRow(*row) for row in found]

    def writes(self, key: CheckpointKey) -> list[WriteRow]:
        """The writes pending on a checkpoint, in the order in which a live run applies them."""
        return [
            WriteRow(*row)
            for row in self._connection.execute(
                "SELECT task, position, path, channel, value FROM checkpoint_writes"
                " WHERE thread = ? AND namespace = ? AND id = ? ORDER BY path, task, position",
                key,
            )
        ]

    def keys(
        self,
        thread: str | None,
        namespace: str | None,
        identity: str | None,
        before: str | None,
        limit: int | None,
    ) -> list[CheckpointKey]:
        """Which checkpoints there are, newest first; None leaves a condition out."""
        conditions = {"thread = ?": thread, "namespace = ?": namespace, "id = ?": identity, "id < ?": before}
        given = {condition: value for condition, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        return [
            CheckpointKey(*row)
            for row in self._connection.execute(
                f"SELECT thread, namespace, id FROM checkpoints {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
                (*given.values(), -1 if limit is None else max(limit, 0)),
            )
        ]

    def runs_keys(self, runs: Iterable[str]) -> list[CheckpointKey]:
        """The checkpoints that these LangGraph runs made."""
        return [
            CheckpointKey(*row)
            for run in runs
            for row in self._connection.execute("SELECT thread, namespace, id FROM checkpoints WHERE run = ?", (run,))
        ]

    def delete_thread(self, thread: str) -> None:
        """Delete all of a thread."""
        for table in ("checkpoints", "checkpoint_channels", "checkpoint_writes"):
            self._connection.execute(f"DELETE FROM {table} WHERE thread = ?", (thread,))  # noqa: S608

    def delete(self, doomed: Sequence[CheckpointKey], versions: Versions) -> None:
        """Delete checkpoints, their writes, and the values that no other checkpoint has or needs."""
        for table in ("checkpoints", "checkpoint_writes"):
            self._connection.executemany(f"DELETE FROM {table} WHERE thread = ? AND namespace = ? AND id = ?", doomed)  # noqa: S608
        for thread, namespace in {(key.thread, key.namespace) for key in doomed}:
            used = {
                (channel, str(version))
                for (checkpoint,) in self._connection.execute(
                    "SELECT checkpoint FROM checkpoints WHERE thread = ? AND namespace = ?", (thread, namespace)
                )
                for channel, version in versions(checkpoint).items()
            }
            kept = self._connection.execute(
                "SELECT channel, version, base FROM checkpoint_channels WHERE thread = ? AND namespace = ?",
                (thread, namespace),
            ).fetchall()
            used |= {(channel, base) for channel, version, base in kept if base and (channel, version) in used}
            self._connection.executemany(
                "DELETE FROM checkpoint_channels WHERE thread = ? AND namespace = ? AND channel = ? AND version = ?",
                [(thread, namespace, *value[:2]) for value in kept if value[:2] not in used],
            )

    def copy_thread(self, source: str, target: str) -> None:
        """Copy all of a thread to another name; what is there already under the same keys is replaced."""
        for table, columns in (
            ("checkpoints", "namespace, id, parent, run, checkpoint, metadata"),
            ("checkpoint_channels", "namespace, channel, version, value, base"),
            ("checkpoint_writes", "namespace, id, task, position, path, channel, value"),
        ):
            self._connection.execute(
                f"INSERT OR REPLACE INTO {table} (thread, {columns}) SELECT ?, {columns} FROM {table} WHERE thread = ?",  # noqa: S608
                (target, source),
            )


class SqliteCheckpointDatabase:
    """`CheckpointDatabase` over a SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, query: Callable[[CheckpointRows], T]) -> T:
        """Run the query in a transaction that reads."""
        return await self._database.read(lambda of: query(SqliteCheckpoints(of)))

    async def write(self, change: Callable[[CheckpointRows], T]) -> T:
        """Run the change in a transaction."""
        return await self._database.write(lambda to: change(SqliteCheckpoints(to)))

    def read_now(self, query: Callable[[CheckpointRows], T]) -> T:
        """As `read`, blocking."""
        return self._database.read_now(lambda of: query(SqliteCheckpoints(of)))

    def write_now(self, change: Callable[[CheckpointRows], T]) -> T:
        """As `write`, blocking."""
        return self._database.write_now(lambda to: change(SqliteCheckpoints(to)))
