"""The property graph of the store and its migrations, forward only, by the version in `(:Schema)`.

    (:Graph)-[:HAS_VERSION]->(:Version)-[:HAS_NODE]->(:Node)-[:EDGE]->(:Node)
    (:Version)<-[:ACTIVATES]-(:Activation)
    (:Run)-[:OF]->(:Version), (:Run)-[:FORKED_FROM|CALLED_BY|CONTINUES]->(:Run)
    (:Run)-[:HAS_STEP]->(:Step)-[:EXECUTES]->(:Node), (:Step)-[:HAS_ATTEMPT]->(:Attempt)
    (:Step)-[:USED]->(:Step), (:Step)-[:USED|PRODUCED {name}]->(:Blob), (:Step)-[:INSIDE]->(:Step)
    (:Step)-[:ANSWERED_BY]->(:Answer), of which approvals are (:Approval) too
    (:Run)-[:HAS_LEASE]->(:Lease)<-[:HOLDS]-(:Peer)
    (:Run)-[:HAS_CHECKPOINT]->(:Checkpoint), of LangGraph's threads
    (:Run)-[:REFERS_TO]->(:Blob)-[:HAS_CHUNK]->(:Chunk)

Entries of logs, events and messages are nodes found by the run's id and a number, without relationships: a run may
have a hundred thousand of them. A `(:BlobPlace)` is a folder of the database's blobs outside, which
`Blob.location` points into. Times are DateTime values in UTC. Bytes hold payloads in the codec's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyagent.errors import StoreError
from pyagent.store.neo4j.connection import Connection, do, row

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_FIRST = (
    "CREATE CONSTRAINT pyagent_graph IF NOT EXISTS FOR (n:Graph) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT pyagent_version IF NOT EXISTS FOR (n:Version) REQUIRE n.hash IS UNIQUE",
    "CREATE CONSTRAINT pyagent_activation IF NOT EXISTS FOR (n:Activation) REQUIRE n.graph_id IS UNIQUE",
    "CREATE CONSTRAINT pyagent_run IF NOT EXISTS FOR (n:Run) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT pyagent_lease IF NOT EXISTS FOR (n:Lease) REQUIRE n.run IS UNIQUE",
    "CREATE CONSTRAINT pyagent_peer IF NOT EXISTS FOR (n:Peer) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT pyagent_key IF NOT EXISTS FOR (n:StartKey) REQUIRE (n.owner, n.graph_id, n.key) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_entry IF NOT EXISTS FOR (n:Entry) REQUIRE (n.run, n.seq) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_step IF NOT EXISTS FOR (n:Step) REQUIRE (n.run, n.step) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_event IF NOT EXISTS FOR (n:Event) REQUIRE n.cursor IS UNIQUE",
    "CREATE CONSTRAINT pyagent_message IF NOT EXISTS FOR (n:Message) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT pyagent_posted IF NOT EXISTS FOR (n:Posted) REQUIRE (n.run, n.once) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_slot IF NOT EXISTS FOR (n:Slot) REQUIRE n.name IS UNIQUE",
    "CREATE CONSTRAINT pyagent_blob IF NOT EXISTS FOR (n:Blob) REQUIRE n.digest IS UNIQUE",
    "CREATE CONSTRAINT pyagent_chunk IF NOT EXISTS FOR (n:Chunk) REQUIRE (n.digest, n.number) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_checkpoint IF NOT EXISTS FOR (n:Checkpoint)"
    " REQUIRE (n.thread, n.namespace, n.id) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_channel_value IF NOT EXISTS FOR (n:ChannelValue)"
    " REQUIRE (n.thread, n.namespace, n.channel, n.version) IS UNIQUE",
    "CREATE CONSTRAINT pyagent_pending_write IF NOT EXISTS FOR (n:PendingWrite)"
    " REQUIRE (n.thread, n.namespace, n.id, n.task, n.position) IS UNIQUE",
    "CREATE INDEX pyagent_checkpoint_run IF NOT EXISTS FOR (n:Checkpoint) ON (n.run)",
    "CREATE CONSTRAINT pyagent_counter IF NOT EXISTS FOR (n:Counter) REQUIRE n.name IS UNIQUE",
    "CREATE INDEX pyagent_version_of IF NOT EXISTS FOR (n:Version) ON (n.graph_id, n.put)",
    "CREATE INDEX pyagent_node IF NOT EXISTS FOR (n:Node) ON (n.version, n.id)",
    "CREATE INDEX pyagent_node_type IF NOT EXISTS FOR (n:Node) ON (n.use)",
    "CREATE INDEX pyagent_run_number IF NOT EXISTS FOR (n:Run) ON (n.number)",
    "CREATE INDEX pyagent_run_status IF NOT EXISTS FOR (n:Run) ON (n.status, n.number)",
    "CREATE INDEX pyagent_run_graph IF NOT EXISTS FOR (n:Run) ON (n.graph_id, n.number)",
    "CREATE INDEX pyagent_run_slot IF NOT EXISTS FOR (n:Run) ON (n.slot)",
    "CREATE INDEX pyagent_step_signal IF NOT EXISTS FOR (n:Step) ON (n.signal_name, n.signal_key)",
    "CREATE INDEX pyagent_step_status IF NOT EXISTS FOR (n:Step) ON (n.status)",
    "CREATE INDEX pyagent_event_run IF NOT EXISTS FOR (n:Event) ON (n.run, n.cursor)",
    "CREATE INDEX pyagent_message_run IF NOT EXISTS FOR (n:Message) ON (n.run, n.id)",
    "CREATE INDEX pyagent_message_signal IF NOT EXISTS FOR (n:Message) ON (n.name, n.key)",
)

_RETENTION = ("CREATE INDEX pyagent_key_until IF NOT EXISTS FOR (n:StartKey) ON (n.until)",)

_LINE = (
    "CREATE CONSTRAINT pyagent_group IF NOT EXISTS FOR (n:Group) REQUIRE (n.priority, n.fairness) IS UNIQUE",
    "CREATE INDEX pyagent_group_line IF NOT EXISTS FOR (n:Group) ON (n.rank, n.place)",
    "CREATE INDEX pyagent_run_queued IF NOT EXISTS FOR (n:Run) ON (n.status, n.priority, n.fairness, n.number)",
    "CREATE INDEX pyagent_run_wake IF NOT EXISTS FOR (n:Run) ON (n.status, n.wake_at)",
    "CREATE INDEX pyagent_run_busy IF NOT EXISTS FOR (n:Run) ON (n.status, n.slot)",
    "CREATE INDEX pyagent_lease_owner IF NOT EXISTS FOR (n:Lease) ON (n.owner)",
    "MATCH (r:Run) WHERE r.fairness IS NULL SET r.priority = 0, r.fairness = r.graph_id, r.weight = 1",
    "OPTIONAL MATCH (r:Counter {name: 'run'}) WITH coalesce(r.value, 0) AS value"
    " MERGE (c:Counter {name: 'line'}) ON CREATE SET c.value = value",
    "MATCH (r:Run {status: 'queued'})-[:HAS_LEASE]->(l:Lease) WHERE l.owner IS NULL"
    " WITH r.priority AS priority, r.fairness AS fairness, min(r.number) AS place"
    " MERGE (g:Group {priority: priority, fairness: fairness})"
    " ON CREATE SET g.rank = -priority, g.place = place, g.begun = 0",
)

_ATTEMPTS = ("DROP CONSTRAINT pyagent_attempt IF EXISTS",)
"""Attempts are found by their steps."""

_OUTSIDE = ("CREATE CONSTRAINT pyagent_blob_place IF NOT EXISTS FOR (n:BlobPlace) REQUIRE n.base IS UNIQUE",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _RETENTION, _LINE, _ATTEMPTS, _OUTSIDE)
"""Script n takes the schema from version n to n + 1; each statement may be run again after a crash in between."""
COUNTERS = ("event", "forgotten", "line", "message", "run", "version")


async def migrate(connection: Connection) -> None:
    """Bring the schema up to date. Raises `StoreError` (`store.schema_newer`)."""
    found = await connection.read(version)
    if found > len(MIGRATIONS):
        raise StoreError(
            f"The store {connection.address} has schema {found}; this program knows up to {len(MIGRATIONS)}.",
            code="store.schema_newer",
            hint="A newer PyAgent has used it: upgrade this one, or give another PYAGENT_STORE.",
            details={"schema": found, "known": len(MIGRATIONS)},
        )
    if found == len(MIGRATIONS):
        return
    for script in MIGRATIONS[found:]:
        for statement in script:
            # The server lets no transaction change both schema and data.
            await connection.write(lambda to, statement=statement: do(to, statement))
    await connection.write(_record)


async def version(of: AsyncManagedTransaction) -> int:
    """The version of the schema in the database; 0 for a new one."""
    found = await row(of, "MATCH (s:Schema {name: 'pyagent'}) RETURN s.version AS version")
    return 0 if found is None else int(found["version"])


async def _record(to: AsyncManagedTransaction) -> None:
    await do(to, "UNWIND $names AS name MERGE (c:Counter {name: name}) ON CREATE SET c.value = 0", names=COUNTERS)
    await do(to, "MERGE (s:Schema {name: 'pyagent'}) SET s.version = $version", version=len(MIGRATIONS))
