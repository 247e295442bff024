"""The one transaction that a worker changes a run by, in Neo4j."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyagent.store import codec
from pyagent.store.base import (
    ENDED,
    Commit,
    Lease,
    LogConflict,
    LogRecord,
    MessageTaken,
    NewEvent,
    NewRun,
    Run,
    StepRecord,
    Successor,
)
from pyagent.store.blobs import check_digest
from pyagent.store.neo4j import leases, payloads, runs, streams
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.values import json_or_none, lost, step_values

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_INSTANT = timedelta(seconds=1)
"""How long a lease is that begins and ends within one transaction."""
_LOCK = """
MATCH (l:Lease {run: $run})
SET l.locked = true
WITH l
MATCH (r:Run {id: $run})
RETURN l.token AS token, l.owner AS owner, l.commit AS commit, r.log_length AS length, r.step_count AS steps
"""
_APPLY = """
MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease)
WITH r, l, datetime.truncate('microsecond', datetime.realtime()) AS now
SET r.updated_at = now,
    r.log_length = r.log_length + size($entries),
    r.step_count = r.step_count + size($steps),
    r.seen = CASE WHEN r.seen > $seen THEN r.seen ELSE $seen END,
    r.wake_at = CASE WHEN $status IS NULL THEN r.wake_at ELSE $wake_at END,
    r.ended_at = CASE WHEN $status IS NULL THEN r.ended_at WHEN $ended THEN coalesce(r.ended_at, now) ELSE null END,
    r.started_at = CASE WHEN $status = 'running' THEN coalesce(r.started_at, now) ELSE r.started_at END,
    r.status = coalesce($status, r.status),
    r.outputs = coalesce($outputs, r.outputs),
    r.error = coalesce($error, r.error),
    r.error_code = coalesce($error_code, r.error_code),
    l.adoptions = 0,
    l.commit = $commit,
    l.owner = CASE WHEN $release THEN null ELSE l.owner END,
    l.expires_at = CASE WHEN $release THEN null ELSE l.expires_at END
WITH r, l
CALL (l) {
    WITH l WHERE $release
    MATCH (:Peer)-[held:HOLDS]->(l)
    DELETE held
}
CALL (r) {
    UNWIND $entries AS entry
    CREATE (e:Entry {run: $run})
    SET e += entry
}
CALL (r) {
    UNWIND $steps AS step
    MERGE (s:Step {run: $run, step: step.step})
    ON CREATE SET s.position = r.step_count + step.place
    SET s += step.values
    MERGE (r)-[:HAS_STEP]->(s)
    MERGE (a:Attempt {run: $run, step: step.step, number: step.values.attempt})
    SET a.status = step.values.status, a.started_at = step.values.started_at, a.ended_at = step.values.ended_at,
        a.error_code = step.values.error_code
    MERGE (s)-[:HAS_ATTEMPT]->(a)
    WITH s, step WHERE NOT step.step CONTAINS '/'
    MATCH (n:Node {version: r.graph_hash, id: step.values.node})
    MERGE (s)-[:EXECUTES]->(n)
}
"""
_CONSUME = """
UNWIND $ids AS id
MATCH (m:Message {id: id})
SET m.locked = true
WITH m WHERE m.run IS NULL OR m.run = $run
DELETE m
RETURN count(*) AS gone
"""
_TAKE_OVER = """
MATCH (old:Run {id: $old}), (new:Run {id: $new})
SET old.continued_as = $new
MERGE (new)-[:CONTINUES]->(old)
WITH old, new
CALL (old, new) {
    MATCH (old)-[holds:HOLDS_KEY]->(k:StartKey)
    DELETE holds
    CREATE (new)-[:HOLDS_KEY]->(k)
    SET new.key = old.key, new.search = new.search + $separator + old.key
}
CALL (old, new) {
    MATCH (m:Message) WHERE m.run = $old
    SET m.run = $new
}
"""
_READ_LOG = """
MATCH (e:Entry) WHERE e.run = $run AND e.seq > $after
RETURN e.seq AS seq, e.kind AS kind, e.step AS step, e.body AS body ORDER BY e.seq LIMIT $limit
"""


async def apply(to: AsyncManagedTransaction, lease: Lease, commit: Commit, identity: str) -> None:
    """Apply all of it; any error rolls the whole transaction back. `identity` tells this commit from all others: one
    that has landed before its connection broke is not applied again."""
    held = await row(to, _LOCK, run=lease.run_id)
    if held is not None and held["commit"] == identity:
        return
    if held is None or held["owner"] is None or held["token"] != lease.token:
        raise lost(lease)
    _check_log(held["length"], lease.run_id, commit.entries)
    await _consume(to, lease.run_id, commit.consumed)
    await do(
        to,
        _APPLY,
        run=lease.run_id,
        commit=identity,
        status=commit.status,
        ended=commit.status in ENDED,
        wake_at=commit.wake_at,
        outputs=None if commit.outputs is None else codec.encode(commit.outputs),
        error=json_or_none(commit.error),
        error_code=str(commit.error.get("code", "")) if commit.error else None,
        seen=commit.seen,
        release=commit.release,
        entries=[
            {"seq": entry.seq, "kind": entry.kind, "step": entry.step, "body": codec.encode(entry.body)}
            for entry in commit.entries
        ],
        steps=_placed(commit.steps),
    )
    for digest, data in sorted(dict(commit.blobs).items()):
        check_digest(digest, data)
        await payloads.keep(to, lease.run_id, digest, data)
    for digest in sorted(set(commit.refers)):
        await payloads.refer(to, lease.run_id, digest)
    if commit.successor is not None:
        await _succeed(to, lease.run_id, commit.successor, identity)
    # Last, because the lock on the counter of events keeps all other commits waiting.
    await streams.append_events(to, lease.run_id, commit.events)


async def create(
    to: AsyncManagedTransaction, run: NewRun, events: Sequence[NewEvent], first: Commit | None, identity: str
) -> Run:
    """Create a run, with its first commit, or answer by the start key's policy."""
    created = await runs.create(to, run)
    if created.id != run.id:
        return created
    if first is not None:
        lease = await leases.claim(to, run.id, run.actor, _INSTANT, in_turn=False)
        await apply(to, lease, replace(first, release=True), identity)
    await streams.append_events(to, run.id, events)
    return await runs.get(to, run.id)


async def _succeed(to: AsyncManagedTransaction, run_id: str, successor: Successor, identity: str) -> None:
    run = replace(successor.run, key=None, continues=run_id)
    await create(to, run, successor.events, successor.first, identity)
    await do(to, _TAKE_OVER, old=run_id, new=run.id, separator=runs.SEPARATOR)


async def _consume(to: AsyncManagedTransaction, run_id: str, consumed: Sequence[int]) -> None:
    if not consumed:
        return
    gone = await row(to, _CONSUME, run=run_id, ids=sorted(set(consumed)))
    if gone is None or gone["gone"] != len(consumed):
        raise MessageTaken("A message is consumed already.", details={"messages": list(consumed)})


def _placed(steps: Sequence[StepRecord]) -> list[dict[str, Any]]:
    # The query counts the steps of this commit before it reads the number.
    return [
        {"step": step.step, "place": place - len(steps), "values": step_values(step)}
        for place, step in enumerate(steps, 1)
    ]


def _check_log(length: int, run_id: str, entries: Sequence[LogRecord]) -> None:
    for expected, entry in enumerate(entries, length + 1):
        if entry.seq != expected:
            raise LogConflict(
                f"Entry {entry.seq} does not follow the log of run {run_id}, which goes on at {expected}.",
                hint="Read the log again and decide from it.",
                details={"run": run_id, "expected": expected, "given": entry.seq},
            )


async def read_log(of: AsyncManagedTransaction, run_id: str, after: int, limit: int) -> list[LogRecord]:
    """At most `limit` entries after the given one, in order."""
    return [
        LogRecord(seq=found["seq"], kind=found["kind"], step=found["step"], body=codec.decode(found["body"]))
        for found in await rows(of, _READ_LOG, run=run_id, after=after, limit=limit)
    ]
