"""LangGraph's checkpoints in Neo4j: `(:Checkpoint)`, `(:ChannelValue)` and `(:PendingWrite)` nodes of a thread.

LangGraph asks for blocking methods beside the coroutines, which any thread may call: the blocking driver serves both,
the coroutines by a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pyagent.store.checkpoint_rows import CheckpointKey, CheckpointRow, CheckpointRows, ValueRow, Versions, WriteRow
from pyagent.store.neo4j.connection import Connection

if TYPE_CHECKING:
    from neo4j import ManagedTransaction

T = TypeVar("T")

# An index over several properties serves only a query that speaks of each of them: hence `IS NOT NULL`.
_PUT = """
MERGE (c:Checkpoint {thread: $thread, namespace: $namespace, id: $id})
SET c.parent = $parent, c.run = $run, c.checkpoint = $checkpoint, c.metadata = $metadata
WITH c
CALL (c) {
    MATCH (r:Run {id: $thread}) MERGE (r)-[:HAS_CHECKPOINT]->(c)
}
WITH c
UNWIND $values AS value
MERGE (v:ChannelValue {thread: $thread, namespace: $namespace, channel: value[0], version: value[1]})
SET v.value = value[2], v.base = value[3]
"""
_PUT_WRITES = """
UNWIND $writes AS write
MERGE (w:PendingWrite {thread: $thread, namespace: $namespace, id: $id, task: write.task, position: write.position})
ON CREATE SET w.path = write.path, w.channel = write.channel, w.value = write.value
ON MATCH SET w.path = CASE WHEN w.position < 0 THEN write.path ELSE w.path END,
             w.channel = CASE WHEN w.position < 0 THEN write.channel ELSE w.channel END,
             w.value = CASE WHEN w.position < 0 THEN write.value ELSE w.value END
"""
_GET = """
MATCH (c:Checkpoint) WHERE c.thread = $thread AND c.namespace = $namespace AND c.id IS NOT NULL
  AND ($id IS NULL OR c.id = $id)
RETURN c {.*} AS checkpoint ORDER BY c.id DESC LIMIT 1
"""
_VALUES = """
UNWIND $wanted AS want
MATCH (v:ChannelValue {thread: $thread, namespace: $namespace, channel: want[0], version: want[1]})
RETURN v.channel AS channel, v.version AS version, v.value AS value, v.base AS base
"""
_WRITES = """
MATCH (w:PendingWrite) WHERE w.thread = $thread AND w.namespace = $namespace AND w.id = $id
  AND w.task IS NOT NULL AND w.position IS NOT NULL
RETURN w {.*} AS write ORDER BY w.path, w.task, w.position
"""
_KEYS = """
MATCH (c:Checkpoint)
WHERE ($thread IS NULL OR c.thread = $thread) AND ($namespace IS NULL OR c.namespace = $namespace)
  AND ($id IS NULL OR c.id = $id) AND ($before IS NULL OR c.id < $before)
RETURN c.thread AS thread, c.namespace AS namespace, c.id AS id ORDER BY c.id DESC LIMIT $limit
"""
_RUNS_KEYS = """
MATCH (c:Checkpoint) WHERE c.run IN $runs
RETURN c.thread AS thread, c.namespace AS namespace, c.id AS id
"""
DELETE_THREAD = (
    "MATCH (n:Checkpoint) WHERE n.thread = $run AND n.namespace IS NOT NULL AND n.id IS NOT NULL DETACH DELETE n",
    "MATCH (n:ChannelValue) WHERE n.thread = $run AND n.namespace IS NOT NULL AND n.channel IS NOT NULL"
    " AND n.version IS NOT NULL DETACH DELETE n",
    "MATCH (n:PendingWrite) WHERE n.thread = $run AND n.namespace IS NOT NULL AND n.id IS NOT NULL"
    " AND n.task IS NOT NULL AND n.position IS NOT NULL DETACH DELETE n",
)
"""Deletes all of a thread; `$run` because a run's thread has its id."""
_DELETE = (
    """
UNWIND $keys AS key
MATCH (n:Checkpoint {thread: key[0], namespace: key[1], id: key[2]}) DETACH DELETE n
""",
    """
UNWIND $keys AS key
MATCH (n:PendingWrite {thread: key[0], namespace: key[1], id: key[2]}) DETACH DELETE n
""",
)
_CHECKPOINTS = """
MATCH (c:Checkpoint) WHERE c.thread = $thread AND c.namespace = $namespace AND c.id IS NOT NULL
RETURN c.checkpoint AS checkpoint
"""
_BASES = """
UNWIND $used AS want
MATCH (v:ChannelValue {thread: $thread, namespace: $namespace, channel: want[0], version: want[1]})
WHERE v.base IS NOT NULL
RETURN DISTINCT v.channel AS channel, v.base AS version
"""
_DELETE_VALUES = """
MATCH (v:ChannelValue) WHERE v.thread = $thread AND v.namespace = $namespace AND v.channel IS NOT NULL
  AND v.version IS NOT NULL AND NOT [v.channel, v.version] IN $used
DETACH DELETE v
"""
_COPY = (
    """
MATCH (n:Checkpoint) WHERE n.thread = $source
MERGE (m:Checkpoint {thread: $target, namespace: n.namespace, id: n.id})
SET m += n {.parent, .run, .checkpoint, .metadata}
""",
    """
MATCH (n:ChannelValue) WHERE n.thread = $source
MERGE (m:ChannelValue {thread: $target, namespace: n.namespace, channel: n.channel, version: n.version})
SET m.value = n.value, m.base = n.base
""",
    """
MATCH (n:PendingWrite) WHERE n.thread = $source
MERGE (m:PendingWrite {thread: $target, namespace: n.namespace, id: n.id, task: n.task, position: n.position})
SET m += n {.path, .channel, .value}
""",
)
_ALL = 2**31


class Neo4jCheckpoints:
    """`CheckpointRows` of one transaction."""

    def __init__(self, transaction: ManagedTransaction) -> None:
        self._transaction = transaction

    def _run(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        transaction: Any = self._transaction
        # Not `data()`: it walks through bytes one by one.
        found: Any = transaction.run(query, parameters)
        return [dict(zip(record.keys(), record.values(), strict=True)) for record in found]

    def put(self, row: CheckpointRow, run: str | None, values: Iterable[ValueRow]) -> None:
        """Keep a checkpoint, and the values that are new with it."""
        thread, namespace, identity = row.key
        self._run(
            _PUT,
            thread=thread,
            namespace=namespace,
            id=identity,
            parent=row.parent,
            run=run,
            checkpoint=row.checkpoint,
            metadata=row.metadata,
            values=[list(value) for value in values],
        )

    def put_writes(self, key: CheckpointKey, writes: Iterable[WriteRow]) -> None:
        """Keep a task's writes."""
        self._run(_PUT_WRITES, **key._asdict(), writes=[write._asdict() for write in writes])

    def get(self, thread: str, namespace: str, identity: str | None) -> CheckpointRow | None:
        """One checkpoint; without an id the latest."""
        for found in self._run(_GET, thread=thread, namespace=namespace, id=identity):
            kept = found["checkpoint"]
            key = CheckpointKey(kept["thread"], kept["namespace"], kept["id"])
            return CheckpointRow(key, kept.get("parent"), kept["checkpoint"], kept["metadata"])
        return None

    def values(self, key: CheckpointKey, versions: Mapping[str, object]) -> list[ValueRow]:
        """The kept values of channels at their versions."""
        wanted = [[channel, str(version)] for channel, version in versions.items()]
        found = self._run(_VALUES, thread=key.thread, namespace=key.namespace, wanted=wanted)
        return [ValueRow(**one) for one in found]

    def writes(self, key: CheckpointKey) -> list[WriteRow]:
        """The writes pending on a checkpoint, in the order in which a live run applies them."""
        found = (one["write"] for one in self._run(_WRITES, **key._asdict()))
        return [
            WriteRow(write["task"], write["position"], write["path"], write["channel"], write["value"])
            for write in found
        ]

    def keys(
        self, thread: str | None, namespace: str | None, identity: str | None, before: str | None, limit: int | None
    ) -> list[CheckpointKey]:
        """Which checkpoints there are, newest first; None leaves a condition out."""
        most = _ALL if limit is None else max(limit, 0)
        found = self._run(_KEYS, thread=thread, namespace=namespace, id=identity, before=before, limit=most)
        return [CheckpointKey(**one) for one in found]

    def runs_keys(self, runs: Iterable[str]) -> list[CheckpointKey]:
        """The checkpoints that these LangGraph runs made."""
        return [CheckpointKey(**one) for one in self._run(_RUNS_KEYS, runs=list(runs))]

    def delete_thread(self, thread: str) -> None:
        """Delete all of a thread."""
        for statement in DELETE_THREAD:
            self._run(statement, run=thread)

    def delete(self, doomed: Sequence[CheckpointKey], versions: Versions) -> None:
        """Delete checkpoints, their writes, and the values that no other checkpoint has or needs."""
        for statement in _DELETE:
            self._run(statement, keys=[list(key) for key in doomed])
        for thread, namespace in {(key.thread, key.namespace) for key in doomed}:
            kept = self._run(_CHECKPOINTS, thread=thread, namespace=namespace)
            used = {(channel, str(version)) for one in kept for channel, version in versions(one["checkpoint"]).items()}
            where: dict[str, Any] = {"thread": thread, "namespace": namespace}
            bases = self._run(_BASES, **where, used=[list(pair) for pair in used])
            used |= {(one["channel"], one["version"]) for one in bases}
            self._run(_DELETE_VALUES, **where, used=[list(pair) for pair in used])

    def copy_thread(self, source: str, target: str) -> None:
        """Copy all of a thread to another name; what is there already under the same keys is replaced."""
        for statement in _COPY:
            self._run(statement, source=source, target=target)


class Neo4jCheckpointDatabase:
    """`CheckpointDatabase` over a Neo4j database."""

    def __init__(self, connection: Connection) -> None:
        """`connection`: where it is; it need not be open, and the schema must be there."""
        self._connection = connection
        self._driver: Any = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncGenerator[Neo4jCheckpointDatabase]:
        """The checkpoints at an address, migrated. Raises `StoreUnavailable` and `StoreError`."""
        from pyagent.store.neo4j import schema

        connection = Connection(url)
        await connection.open()
        found = cls(connection)
        try:
            await schema.migrate(connection)
            yield found
        finally:
            found.close()
            await connection.close()

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    async def read(self, query: Callable[[CheckpointRows], T]) -> T:
        """Run the query in a transaction that reads."""
        return await asyncio.to_thread(self.read_now, query)

    async def write(self, change: Callable[[CheckpointRows], T]) -> T:
        """Run the change in a transaction."""
        return await asyncio.to_thread(self.write_now, change)

    def read_now(self, query: Callable[[CheckpointRows], T]) -> T:
        """As `read`, blocking."""
        with self._session() as session:
            return session.execute_read(_with_rows(query))

    def write_now(self, change: Callable[[CheckpointRows], T]) -> T:
        """As `write`, blocking."""
        with self._session() as session:
            return session.execute_write(_with_rows(change))

    def _session(self) -> Any:
        if self._driver is None:
            self._driver = self._connection.blocking_driver()
        return _Session(self._connection, self._driver.session(database=self._connection.database))


def _with_rows(work: Callable[[CheckpointRows], T]) -> Callable[[ManagedTransaction], T]:
    return lambda transaction: work(Neo4jCheckpoints(transaction))


class _Session:
    """A session whose errors are ours."""

    def __init__(self, connection: Connection, session: Any) -> None:
        self._translated = connection.translated()
        self._session = session

    def __enter__(self) -> Any:
        self._translated.__enter__()
        return self._session

    def __exit__(self, *error: Any) -> Any:
        self._session.close()
        return self._translated.__exit__(*error)
