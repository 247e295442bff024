"""Runs and their steps in Neo4j."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyagent.errors import LeaseHeld, NotFound, StoreError
from pyagent.store import codec
from pyagent.store.base import RESERVED, KeySpent, KeyTaken, NewRun, Run, RunFilter, RunStatus, StepRecord, lowered
from pyagent.store.neo4j import leases, payloads, streams
from pyagent.store.neo4j.checkpoints import DELETE_THREAD
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.values import MICROSECOND, no_run, run_of, step_of

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

SHORTEST_PREFIX = 6
"""Characters of a run's id that are enough to name it."""
SEPARATOR = "\x00"
"""Between the fields that a search for text looks at: no text reaches over it."""
_NO_END = 2**62
_CREATE = """
MATCH (c:Counter {name: 'run'})
SET c.locked = true
SET c.value = c.value + 1
WITH c.value AS number, datetime.truncate('microsecond', datetime.realtime()) AS now
CREATE (r:Run {id: $run})
SET r += $values, r.number = number, r.status = 'queued', r.created_at = now, r.updated_at = now,
    r.log_length = 0, r.step_count = 0, r.seen = 0
CREATE (r)-[:HAS_LEASE]->(l:Lease {run: $run, token: 0, adoptions: 0})
SET l.owner = $reserved,
    l.expires_at = CASE WHEN $reserved IS NULL THEN null ELSE now + duration({microseconds: $reserved_for}) END
WITH r
CALL (r) {
    WITH r WHERE $reserved IS NULL
    MATCH (c:Counter {name: 'line'})
    SET c.locked = true
    SET c.value = c.value + 1
    MERGE (g:Group {priority: r.priority, fairness: r.fairness})
    ON CREATE SET g.rank = -r.priority, g.place = c.value, g.begun = 0
}
CALL (r) {
    MATCH (v:Version {hash: r.graph_hash}) CREATE (r)-[:OF]->(v)
}
CALL (r) {
    MATCH (source:Run {id: r.forked_from}) CREATE (r)-[:FORKED_FROM]->(source)
}
CALL (r) {
    MATCH (caller:Run {id: r.parent_run}) CREATE (r)-[:CALLED_BY {step: r.parent_step}]->(caller)
}
"""
_KEY = """
MERGE (k:StartKey {owner: $owner, graph_id: $graph, key: $key})
SET k.locked = true
WITH k
OPTIONAL MATCH (r:Run)-[:HOLDS_KEY]->(k)
WHERE r.ended_at IS NULL OR r.ended_at + duration({microseconds: r.key_window}) > datetime.realtime()
RETURN r.id AS id, CASE WHEN k.until > datetime.realtime() THEN k.spent_by END AS spent
"""
_LOCK = """
OPTIONAL MATCH (:Run {id: $run})-[:HOLDS_KEY]->(k:StartKey)
SET k.locked = true
WITH count(*) AS keys
MATCH (c:Counter {name: 'run'})
SET c.locked = true
"""
_HOLDER = """
MATCH (k:StartKey {owner: $owner, graph_id: $graph, key: $key})
OPTIONAL MATCH (r:Run)-[:HOLDS_KEY]->(k)
WHERE r.ended_at IS NULL OR r.ended_at + duration({microseconds: r.key_window}) > datetime.realtime()
RETURN coalesce(r.id, CASE WHEN k.until > datetime.realtime() THEN k.spent_by END) AS id
"""
_SPEND_KEY = """
MATCH (r:Run {id: $run})-[:HOLDS_KEY]->(k:StartKey)
SET k.spent_by = r.id, k.until = coalesce(r.ended_at, datetime.realtime()) + duration({microseconds: r.key_window})
"""
_FORGET_KEYS = """
MATCH (k:StartKey) WHERE k.until <= datetime.realtime() AND NOT EXISTS { ()-[:HOLDS_KEY]->(k) }
DELETE k
"""
_HOLD_KEY = """
MATCH (k:StartKey {owner: $owner, graph_id: $graph, key: $key})
OPTIONAL MATCH ()-[old:HOLDS_KEY]->(k)
DELETE old
REMOVE k.spent_by, k.until
WITH DISTINCT k
MATCH (r:Run {id: $run})
CREATE (r)-[:HOLDS_KEY]->(k)
"""
_GET = "MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease) RETURN r {.*} AS run, l {.*} AS lease"
_BEGIN_SO = """
MATCH (r:Run)-[:HAS_LEASE]->(l:Lease) WHERE r.id STARTS WITH $prefix
RETURN r {.*} AS run, l {.*} AS lease ORDER BY r.number DESC LIMIT 5
"""
_LIST = """
MATCH (r:Run) WHERE r.number < $below
  AND ($graph IS NULL OR r.graph_id = $graph)
  AND ($owner IS NULL OR r.owner = $owner)
  AND ($key IS NULL OR r.key = $key)
  AND ($text = '' OR r.search CONTAINS $text)
  AND ($since IS NULL OR r.created_at >= $since)
  AND ($until IS NULL OR r.created_at < $until)
  AND ($production IS NULL OR r.production = $production)
  AND ($forked_from IS NULL OR r.forked_from = $forked_from)
  AND ($parent IS NULL OR r.parent_run = $parent)
  AND ($longer IS NULL OR r.started_at + duration({microseconds: $longer}) <= coalesce(r.ended_at, datetime.realtime()))
  AND (size($statuses) = 0 OR r.status IN $statuses)
WITH r ORDER BY r.number DESC LIMIT $limit
MATCH (r)-[:HAS_LEASE]->(l:Lease)
RETURN r {.*} AS run, l {.*} AS lease ORDER BY r.number DESC
"""
_LAST = """
UNWIND $graphs AS graph
CALL (graph) {
  MATCH (r:Run {graph_id: graph}) WHERE r.number < $below
  WITH r ORDER BY r.number DESC LIMIT $each
  MATCH (r)-[:HAS_LEASE]->(l:Lease)
  RETURN r {.*} AS run, l {.*} AS lease ORDER BY r.number DESC
}
RETURN run, lease
"""
_STEPS = "MATCH (:Run {id: $run})-[:HAS_STEP]->(s:Step) RETURN s {.*} AS step ORDER BY s.position"
# An index over two properties serves only a query that speaks of both.
_DELETE = (
    "MATCH (n:Entry) WHERE n.run = $run AND n.seq > 0 DETACH DELETE n",
    "MATCH (n:Event) WHERE n.run = $run AND n.cursor > 0 DETACH DELETE n",
    "MATCH (n:Message) WHERE n.run = $run AND n.id > 0 DETACH DELETE n",
    "MATCH (n:Posted) WHERE n.run = $run AND n.once IS NOT NULL DETACH DELETE n",
    "MATCH (:Run {id: $run})-[:HAS_STEP]->(s:Step) "
    " OPTIONAL MATCH (s)-[:HAS_ATTEMPT|ANSWERED_BY]->(a) DETACH DELETE a, s",
    _SPEND_KEY,
    "MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease) DETACH DELETE l, r",
    _FORGET_KEYS,
)


async def create(to: AsyncManagedTransaction, run: NewRun) -> Run:
    """Create a queued run, or answer by the start key's policy."""
    if await row(to, "MATCH (r:Run {id: $run}) RETURN r.id AS id", run=run.id) is not None:
        raise StoreError(f"There is a run {run.id} already.", code="store.run_exists", hint="Give each run a fresh id.")
    key = {"owner": run.owner, "graph": run.graph_id, "key": run.key}
    held = None if run.key is None else await row(to, _KEY, **key)
    if held is not None and held["id"] is None and held["spent"] is not None and run.key_policy != "replace":
        spent = held["spent"]
        raise KeySpent(f"Run {spent}, which is deleted, began with the key {run.key!r}.", details={"run": spent})
    if held is not None and held["id"] is not None:
        holder = await get(to, held["id"])
        if run.key_policy == "existing":
            return holder
        if run.key_policy == "reject":
            raise KeyTaken(f"Run {holder.id} ({holder.status}) holds the key {run.key!r}.", details={"run": holder.id})
        if holder.ended_at is None:
            await streams.post(to, holder.id, "cancel", actor=run.actor)
    await do(
        to,
        _CREATE,
        run=run.id,
        values=_values(run),
        reserved=run.reserved_for if run.slot is None else None,
        reserved_for=RESERVED // MICROSECOND,
    )
    if run.key is not None:
        await do(to, _HOLD_KEY, run=run.id, **key)
    return await get(to, run.id)


async def lock(to: AsyncManagedTransaction, run_id: str) -> None:
    """Lock what the creation of another run in this one's place changes: the start key, the counter of runs."""
    await do(to, _LOCK, run=run_id)


def _values(run: NewRun) -> dict[str, Any]:
    return {
        "graph_id": run.graph_id,
        "graph_hash": run.graph_hash,
        "trigger": run.trigger,
        "inputs": codec.encode(run.inputs),
        "production": run.production,
        "key": run.key,
        "key_window": run.key_window // MICROSECOND,
        "parent_run": run.parent_run,
        "parent_step": run.parent_step,
        "forked_from": run.forked_from,
        "continues": run.continues,
        "slot": run.slot,
        "slots": run.slots,
        "priority": run.priority,
        "fairness": run.fairness or run.graph_id,
        "weight": run.weight,
        "owner": run.owner,
        "actor": run.actor,
        "semantics": run.semantics,
        "labels": codec.encode_json(run.labels),
        "search": SEPARATOR.join(map(lowered, (run.id, run.graph_id, run.key or "", run.trigger, run.actor))),
    }


async def get(of: AsyncManagedTransaction, run_id: str) -> Run:
    """The run with this id or unique prefix. Raises `NotFound`."""
    found = await row(of, _GET, run=run_id)
    if found is not None:
        return run_of(found["run"], found["lease"])
    if not run_id:
        raise no_run(run_id)
    candidates = [run_of(one["run"], one["lease"]) for one in await rows(of, _BEGIN_SO, prefix=run_id)]
    if not candidates:
        raise no_run(run_id)
    ids = [run.id for run in candidates]
    if len(run_id) < SHORTEST_PREFIX:
        raise NotFound(
            f"{run_id} is too short to name a run.",
            code="run.not_found",
            hint=f"Give at least {SHORTEST_PREFIX} characters of the run's id. Begin so: {', '.join(ids)}.",
        )
    if len(candidates) > 1:
        raise NotFound(
            f"Several runs begin with {run_id}.",
            code="run.ambiguous",
            hint=f"Give more characters of the id. Begin so: {', '.join(ids)}.",
            details={"runs": ids},
        )
    return candidates[0]


async def listed(of: AsyncManagedTransaction, filter: RunFilter) -> list[Run]:
    """The runs that the filter lets through, newest first."""
    below = _NO_END
    if filter.before is not None:
        found = await row(of, "MATCH (r:Run {id: $run}) RETURN r.number AS number", run=filter.before)
        if found is None:
            raise no_run(filter.before)
        below = found["number"]
    return [
        run_of(one["run"], one["lease"])
        for one in await rows(
            of,
            _LIST,
            below=below,
            graph=filter.graph_id,
            owner=filter.owner,
            key=filter.key,
            text=lowered(filter.text),
            since=filter.since,
            until=filter.until,
            production=filter.production,
            forked_from=filter.forked_from,
            parent=filter.parent_run,
            longer=None if filter.longer_than is None else filter.longer_than // MICROSECOND,
            statuses=list(filter.statuses),
            limit=max(filter.limit, 0),
        )
    ]


async def last(of: AsyncManagedTransaction, graph_ids: Sequence[str], each: int) -> list[Run]:
    """The newest runs of each of the graphs, graph by graph."""
    found = await rows(of, _LAST, graphs=list(graph_ids), below=_NO_END, each=each)
    return [run_of(one["run"], one["lease"]) for one in found]


async def key_holder(of: AsyncManagedTransaction, owner: str, graph_id: str, key: str) -> str | None:
    """The run that holds the start key, deleted or not."""
    found = await row(of, _HOLDER, owner=owner, graph=graph_id, key=key)
    return None if found is None else found["id"]


async def count_alive(of: AsyncManagedTransaction) -> Mapping[RunStatus, int]:
    """Runs that have not ended, by status."""
    query = (
        "UNWIND ['queued', 'running', 'waiting', 'paused'] AS status"
        " MATCH (r:Run {status: status}) RETURN status, count(*) AS count"
    )
    return {one["status"]: one["count"] for one in await rows(of, query)}


async def steps(of: AsyncManagedTransaction, run_id: str) -> list[StepRecord]:
    """The run's steps in the order of their first commit. Raises `NotFound`."""
    await streams.exists(of, run_id)
    return [step_of(found["step"]) for found in await rows(of, _STEPS, run=run_id)]


async def delete(to: AsyncManagedTransaction, run_id: str) -> list[str]:
    """Delete all of a run, and the blobs that only it referred to; returns where those lie that are outside."""
    held = await leases.lock(to, run_id)
    if held is None:
        raise no_run(run_id)
    if held["owner"] is not None and not held["expired"]:
        raise LeaseHeld(
            f"{held['owner']} holds run {run_id}.", hint="Cancel the run first, or wait until its worker ends."
        )
    digests = await payloads.of_run(to, run_id)
    for statement in (*_DELETE, *DELETE_THREAD):
        await do(to, statement, run=run_id)
    return await payloads.forget(to, digests)
