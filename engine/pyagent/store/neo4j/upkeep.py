"""What the upkeep of a Neo4j store asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyagent.store import codec
from pyagent.store.base import Message, Run
from pyagent.store.neo4j.connection import row, rows
from pyagent.store.neo4j.values import moment, moment_or_none, no_run
from pyagent.store.outside import LOCATION_TAIL
from pyagent.store.upkeep import IN_DATABASE, BlobsAt, StoreStats

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_SIGNALS = "MATCH (m:Message) WHERE m.run IS NULL RETURN m {.*} AS message ORDER BY m.id"
_BLOBS = """
MATCH (r:Run {id: $run})
OPTIONAL MATCH (r)-[:REFERS_TO]->(b:Blob)
RETURN b.digest AS digest, b.size AS size, b.sealed_digest AS sealed ORDER BY digest
"""
_RESTORE = """
MATCH (r:Run {id: $run})
SET r += $values
WITH r
CALL (r) {
    MATCH (old:Run {id: r.continues})
    SET old.continued_as = r.id
    MERGE (r)-[:CONTINUES]->(old)
}
RETURN DISTINCT r.id AS id
"""
_FAULTS = (
    ("A run has no lease: {}.", "MATCH (r:Run) WHERE NOT EXISTS { (r)-[:HAS_LEASE]->(:Lease) } RETURN r.id AS what"),
    ("A lease has no run: {}.", "MATCH (l:Lease) WHERE NOT EXISTS { (l)<-[:HAS_LEASE]-() } RETURN l.run AS what"),
    ("A step has no run: {}.", "MATCH (s:Step) WHERE NOT EXISTS { (s)<-[:HAS_STEP]-() } RETURN s.run AS what"),
    ("Entries have no run: {}.",
     "MATCH (e:Entry) WHERE e.seq = 1 AND NOT EXISTS { MATCH (:Run {id: e.run}) } RETURN e.run AS what"),
    ("A blob has not all of its chunks: {}.",
     "MATCH (b:Blob) WHERE b.data IS NULL AND b.location IS NULL"
     " AND COUNT { (b)-[:HAS_CHUNK]->() } <> toInteger(ceil(b.size / 1048576.0)) RETURN b.digest AS what"),
    ("Events have cursors that the counter {} has not handed out.",
     "MATCH (c:Counter {name: 'event'}) WHERE EXISTS { MATCH (e:Event) WHERE e.cursor > c.value }"
     " RETURN toString(c.value) AS what"),
    ("Messages have ids that the counter {} has not handed out.",
     "MATCH (c:Counter {name: 'message'}) WHERE EXISTS { MATCH (m:Message) WHERE m.id > c.value }"
     " RETURN toString(c.value) AS what"),
)  # fmt: skip
_SHOWN = 20
"""Faults of one kind that are told one by one."""
_RUNS = (
    "MATCH (r:Run) RETURN r.status AS status, count(*) AS runs, sum(r.log_length) AS entries, min(r.created_at) AS old"
)
_COUNTS = """
RETURN COUNT { MATCH (g:Graph) } AS graphs, COUNT { MATCH (v:Version) } AS versions,
       COUNT { MATCH (e:Event) } AS events, COUNT { MATCH (m:Message) } AS messages
"""
_BLOB_COUNTS = """
MATCH (b:Blob)
RETURN CASE WHEN b.location IS NULL THEN $here ELSE left(b.location, size(b.location) - $tail) END AS place,
       count(*) AS blobs, sum(b.size) AS bytes
ORDER BY place
"""


_TOTALS = "RETURN COUNT { MATCH (n) } AS nodes, COUNT { MATCH ()-[r]->() } AS relationships"
_PAYLOADS = (
    "MATCH (n:Entry) RETURN sum(size(n.body)) AS bytes",
    "MATCH (n:Event) RETURN sum(size(n.data)) AS bytes",
    "MATCH (n:Run) RETURN sum(size(n.inputs)) + sum(size(coalesce(n.outputs, ''))) AS bytes",
    "MATCH (n:Version) RETURN sum(size(n.text)) AS bytes",
    "MATCH (n:Blob) RETURN sum(size(n.data)) AS bytes",
    "MATCH (n:Chunk) RETURN sum(size(n.data)) AS bytes",
    "MATCH (n:Checkpoint) RETURN sum(size(n.checkpoint)) + sum(size(n.metadata)) AS bytes",
    "MATCH (n:ChannelValue) RETURN sum(size(n.value)) AS bytes",
    "MATCH (n:PendingWrite) RETURN sum(size(n.value)) AS bytes",
)
_EMPTY, _NODE, _RELATIONSHIP, _PAYLOAD = 3_000_000, 420, 70, 1.15
"""Bytes on the disk of the schema's files, of a node with its small properties and its place in indexes, of a
relationship, and of each byte of a payload; measured with Neo4j 5.26."""
COMPACTED = (
    "Neo4j uses the space of what was deleted again for what comes, and its files do not shrink while it runs; it has"
    " no command for that in the Community Edition.",
    "For smaller files stop the workers, copy everything to an empty database (`pyagent store copy FROM TO`), and set"
    " PYAGENT_STORE to that one; Enterprise has `neo4j-admin database copy`.",
)


async def bytes_of(of: AsyncManagedTransaction) -> int:
    """About what the database takes on the disk: the server does not tell, so it is reckoned from what is kept. Its
    logs of transactions come on top (`db.tx_log.rotation.retention_policy`)."""
    totals = await row(of, _TOTALS)
    assert totals is not None
    payload = 0
    for query in _PAYLOADS:
        found = await row(of, query)
        payload += 0 if found is None else int(found["bytes"] or 0)
    return int(_EMPTY + totals["nodes"] * _NODE + totals["relationships"] * _RELATIONSHIP + payload * _PAYLOAD)


async def graph_ids(of: AsyncManagedTransaction) -> list[str]:
    """The graphs that have versions."""
    return [found["id"] for found in await rows(of, "MATCH (g:Graph) RETURN g.id AS id ORDER BY id")]


async def signals(of: AsyncManagedTransaction) -> list[Message]:
    """Unaddressed signals that no commit has consumed."""
    return [
        Message(
            id=found["id"],
            run_id=None,
            kind=found["kind"],
            step=found["step"],
            name=found["name"],
            key=found["key"],
            body=codec.decode(found["body"]),
            actor=found["actor"],
            at=moment(found["at"]),
        )
        for found in (one["message"] for one in await rows(of, _SIGNALS))
    ]


async def blobs_of(of: AsyncManagedTransaction, run_id: str) -> Mapping[str, int]:
    """The blobs that a run refers to, with their sizes. Raises `NotFound`."""
    found = await rows(of, _BLOBS, run=run_id)
    if not found:
        raise no_run(run_id)
    kept = (one for one in found if one["digest"] is not None)
    return {
        one["digest"] if one["sealed"] is None else codec.decode(one["sealed"]).decode(): one["size"] for one in kept
    }


async def restore(to: AsyncManagedTransaction, run: Run) -> None:
    """Give a copied run its times, its start key and what it continues. Raises `NotFound`."""
    values = {
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "updated_at": run.updated_at,
        "key": run.key,
        "continues": run.continues,
    }
    if await row(to, _RESTORE, run=run.id, values=values) is None:
        raise no_run(run.id)


async def faults(of: AsyncManagedTransaction) -> list[str]:
    """Nodes without those that they belong to, and counters that lag behind."""
    found: list[str] = []
    for sentence, query in _FAULTS:
        found += [sentence.format(one["what"]) for one in await rows(of, f"{query} LIMIT {_SHOWN}")]
    return found


async def stats(of: AsyncManagedTransaction) -> StoreStats:
    """How much there is."""
    runs = await rows(of, _RUNS)
    counts = await row(of, _COUNTS)
    blobs = await rows(of, _BLOB_COUNTS, here=IN_DATABASE, tail=LOCATION_TAIL)
    assert counts is not None
    return StoreStats(
        runs={one["status"]: one["runs"] for one in runs},
        entries=sum(one["entries"] for one in runs),
        blobs=sum(one["blobs"] for one in blobs),
        blob_bytes=sum(one["bytes"] for one in blobs),
        blobs_at={one["place"]: BlobsAt(blobs=one["blobs"], bytes=one["bytes"]) for one in blobs},
        bytes=await bytes_of(of),
        bytes_exact=False,
        oldest=moment_or_none(min((one["old"] for one in runs), default=None)),
        **counts,
    )
