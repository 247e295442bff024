"""The one transaction that a worker changes a run by, in Neo4j."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Successor,
)
from pyagent.store.blobs import check_digest
from pyagent.store.neo4j import leases, lineage, payloads, runs, streams
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.payloads import Uploads
from pyagent.store.neo4j.values import as_datetime, instant_or_none, lost, step_values

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_INSTANT = timedelta(seconds=1)
"""How long a lease is that begins and ends within one transaction."""
_FENCE = """
CYPHER replan=skip
MATCH (l:Lease {run: $run})
SET l.locked = true
WITH l
MATCH (r:Run {id: $run})
WHERE l.token = $token AND l.owner IS NOT NULL AND coalesce(l.commit, '') <> $commit
  AND ($first IS NULL OR r.log_length + 1 = $first)
WITH r, l, r.step_count AS before, datetime.truncate('microsecond', datetime.realtime()) AS now
SET r.updated_at = now,
    r.log_length = r.log_length + size($entries),
    r.step_count = r.step_count + size($steps),
    l.adoptions = 0,
    l.commit = $commit
FOREACH (entry IN $entries | CREATE (e:Entry {run: $run}) SET e += entry)
"""
_STATUS = """
SET r += $values,
    r.seen = CASE WHEN r.seen > $seen THEN r.seen ELSE $seen END
FOREACH (_ IN CASE WHEN $status IS NULL THEN [] ELSE [1] END |
    SET r.wake_at = $wake_at,
        r.ended_at = CASE WHEN $ended THEN coalesce(r.ended_at, now) ELSE null END,
        r.started_at = CASE WHEN $status = 'running' THEN coalesce(r.started_at, now) ELSE r.started_at END,
        r.status = $status
)
"""
_STEPS = f"""
WITH r, l, before
CALL (r, before) {{
    UNWIND $steps AS step
    WITH r, before, step, {as_datetime("step.started")} AS started, {as_datetime("step.ended")} AS ended
    MERGE (s:Step {{run: $run, step: step.step}})
    ON CREATE SET s.position = before + step.place, s.new = true
    SET s += step.values, s.started_at = started, s.ended_at = ended
    MERGE (s)-[:HAS_ATTEMPT]->(a:Attempt {{number: step.values.attempt}})
    SET a.status = step.values.status, a.started_at = started, a.ended_at = ended,
        a.error_code = step.values.error_code
    FOREACH (_ IN CASE WHEN s.new THEN [1] ELSE [] END | CREATE (r)-[:HAS_STEP]->(s))
    WITH r, s, step WHERE s.new
    REMOVE s.new
    WITH r, s, step WHERE step.inside IS NULL
    MATCH (n:Node {{version: r.graph_hash, id: step.values.node}})
    CREATE (s)-[:EXECUTES]->(n)
}}
"""
_INSIDES = """
WITH r, l
CALL (r) {
    UNWIND $insides AS inside
    MATCH (s:Step {run: $run, step: inside.step}), (outer:Step {run: $run, step: inside.outer})
    MERGE (s)-[:INSIDE]->(outer)
}
"""
_USED = """
WITH r, l
CALL (r) {
    UNWIND $used AS used
    MATCH (s:Step {run: $run, step: used.step}), (source:Step {run: $run, step: used.source})
    MERGE (s)-[:USED]->(source)
}
"""
_BLOBS = """
WITH r, l
CALL (r) {
    UNWIND $blobs AS blob
    MATCH (s:Step {run: $run, step: blob.step}), (b:Blob {digest: blob.digest})
    FOREACH (_ IN CASE WHEN blob.made THEN [1] ELSE [] END | MERGE (s)-[p:PRODUCED]->(b) SET p.name = blob.name)
    FOREACH (_ IN CASE WHEN blob.made THEN [] ELSE [1] END | MERGE (s)-[u:USED]->(b) SET u.name = blob.name)
}
"""
_ANSWERS = """
WITH r, l
CALL (r) {
    UNWIND $answers AS answer
    MATCH (s:Step {run: $run, step: answer.step})
    CREATE (s)-[:ANSWERED_BY]->(a:Answer)
    SET a += answer.values
    FOREACH (_ IN CASE WHEN answer.values.kind = 'approval' THEN [1] ELSE [] END | SET a:Approval)
}
"""
_LET_GO = """
WITH r, l
CALL (l) {
    SET l.owner = null, l.expires_at = null
    WITH l
    MATCH (:Peer)-[held:HOLDS]->(l)
    DELETE held
}
"""
_TOLD = f"""
WITH r
MATCH (c:Counter {{name: 'event'}})
SET c.locked = true
SET c.value = c.value + size($events)
WITH c.value - size($events) AS base
FOREACH (place IN range(0, size($events) - 1) |
    CREATE (e:Event {{cursor: base + 1 + place, run: $run}})
    SET e += $events[place].values, e.at = {as_datetime("$events[place].at")}
)
RETURN base AS base
"""
_TOLD_NOTHING = """
RETURN null AS base
"""
_CONSUME = """
UNWIND $ids AS id
MATCH (m:Message {id: id})
SET m.locked = true
WITH DISTINCT id
MATCH (m:Message {id: id}) WHERE m.run IS NULL OR m.run = $run
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


async def apply(
    to: AsyncManagedTransaction, lease: Lease, commit: Commit, identity: str, uploads: Uploads | None
) -> int | None:
    """Apply all of it; any error rolls the whole transaction back. `uploads`: large blobs that lie outside; None if
    new ones are kept in the database. `identity` tells this commit from all others: one
    that has landed before its connection broke is not applied again. The cursor before the events that it has given
    to followers; None if it has none, or nobody knows any more."""
    given = parameters(lease, commit, identity)
    if not is_one_query(commit):
        if commit.successor is not None:
            await runs.lock(to, lease.run_id)
        if commit.successor is not None or _may_queue(commit):
            await leases.lock_line(to)
        if await _has_landed(to, lease, identity):
            return None
        await _consume(to, lease.run_id, commit.consumed)
        for digest, data in sorted(dict(commit.blobs).items()):
            check_digest(digest, data)
            await payloads.put(to, lease.run_id, digest, data, uploads)
        for digest in sorted(set(commit.refers)):
            await payloads.refer(to, lease.run_id, digest)
        if commit.successor is not None:
            await _succeed(to, lease.run_id, commit.successor, identity, uploads)
    applied = await row(to, query(given), **given)
    if applied is not None and _may_queue(commit):
        await leases.join(to, lease.run_id)
    if applied is not None and commit.successor is not None:
        await _tell(to, commit.successor.run.id, commit.successor.first, commit.successor.events)
    if applied is None:
        if not await _has_landed(to, lease, identity):
            held = await row(to, "MATCH (r:Run {id: $run}) RETURN r.log_length AS length", run=lease.run_id)
            raise _conflict(lease.run_id, held["length"] + 1 if held else 1, commit.entries[0].seq)
        return None
    return applied["base"]


def query(given: Mapping[str, Any]) -> str:
    """All of a commit but its blobs, messages and successor, in one request: the lease's lock first, and the lock of
    the events' counter, which keeps all other commits waiting, last.

    What the commit does not change is not asked for: an empty part costs the server time, too. Once planned, it stays
    so (`replan=skip`): all it looks up has an index, in an empty database as in a full one, while planning it anew as
    the database grows takes hundreds of milliseconds, which the commit waits for."""
    return "".join(
        (
            _FENCE,
            _STATUS if given["status"] is not None or given["values"] or given["seen"] else "",
            _STEPS if given["steps"] else "",
            _INSIDES if given["insides"] else "",
            _USED if given["used"] else "",
            _BLOBS if given["blobs"] else "",
            _ANSWERS if given["answers"] else "",
            _LET_GO if given["release"] else "",
            _TOLD if given["events"] else _TOLD_NOTHING,
        )
    )


def is_one_query(commit: Commit) -> bool:
    """Whether `query` is all of the commit: then it needs no transaction around it."""
    return not (commit.consumed or commit.blobs or commit.refers or commit.successor is not None or _may_queue(commit))


def _may_queue(commit: Commit) -> bool:
    """Whether the run may be one that nobody has begun when the commit is over."""
    return commit.release and commit.status in (None, "queued")


def parameters(lease: Lease, commit: Commit, identity: str) -> dict[str, Any]:
    """What `query` takes. Raises `LogConflict` for entries that do not follow one another."""
    _check_contiguous(lease.run_id, commit.entries)
    return {
        "run": lease.run_id,
        "token": lease.token,
        "first": commit.entries[0].seq if commit.entries else None,
        "commit": identity,
        "status": commit.status,
        "ended": commit.status in ENDED,
        "wake_at": commit.wake_at,
        "values": _values(commit),
        "seen": commit.seen,
        "release": commit.release,
        "entries": [
            {"seq": entry.seq, "kind": entry.kind, "step": entry.step, "body": codec.encode(entry.body)}
            for entry in commit.entries
        ],
        "steps": [
            {
                "step": step.step,
                "place": place,
                "inside": lineage.outer_of(step.step),
                "started": instant_or_none(step.started_at),
                "ended": instant_or_none(step.ended_at),
                "values": step_values(step),
            }
            for place, step in enumerate(commit.steps, 1)
        ],
        "events": [streams.as_parameter(event) for event in commit.events],
        **lineage.told(commit),
    }


async def _has_landed(to: AsyncManagedTransaction, lease: Lease, identity: str) -> bool:
    """Whether the commit is applied already. Raises `LeaseLost`."""
    held = await leases.lock(to, lease.run_id)
    if held is not None and held["commit"] == identity:
        return True
    if held is None or held["owner"] is None or held["token"] != lease.token:
        raise lost(lease)
    return False


def _values(commit: Commit) -> dict[str, Any]:
    """What the commit says about the run itself, beside its status and times."""
    found: dict[str, Any] = {}
    if commit.outputs is not None:
        found["outputs"] = codec.encode(commit.outputs)
    if commit.error is not None:
        found |= {"error": codec.encode_json(commit.error), "error_code": str(commit.error.get("code", ""))}
    return found


async def create(
    to: AsyncManagedTransaction,
    run: NewRun,
    events: Sequence[NewEvent],
    first: Commit | None,
    identity: str,
    uploads: Uploads | None,
) -> Run:
    """Create a run, with its first commit, or answer by the start key's policy."""
    created = await _create(to, run, first, identity, uploads)
    if created.id != run.id:
        return created
    await _tell(to, run.id, first, events)
    return await runs.get(to, run.id)


async def _create(
    to: AsyncManagedTransaction, run: NewRun, first: Commit | None, identity: str, uploads: Uploads | None
) -> Run:
    """All of it but the events: the lock of their counter comes last."""
    created = await runs.create(to, run)
    if created.id == run.id and first is not None:
        lease = await leases.claim(to, run.id, run.actor, _INSTANT, in_turn=False)
        await apply(to, lease, replace(first, release=True, events=()), identity, uploads)
    return created


async def _tell(to: AsyncManagedTransaction, run_id: str, first: Commit | None, events: Sequence[NewEvent]) -> None:
    await streams.append_events(to, run_id, [*(first.events if first is not None else ()), *events])


async def _succeed(
    to: AsyncManagedTransaction, run_id: str, successor: Successor, identity: str, uploads: Uploads | None
) -> None:
    """Put the successor in the run's place; its events follow those of the commit."""
    run = replace(successor.run, key=None, continues=run_id)
    await _create(to, run, successor.first, identity, uploads)
    await do(to, _TAKE_OVER, old=run_id, new=run.id, separator=runs.SEPARATOR)


async def _consume(to: AsyncManagedTransaction, run_id: str, consumed: Sequence[int]) -> None:
    if not consumed:
        return
    gone = await row(to, _CONSUME, run=run_id, ids=sorted(set(consumed)))
    if gone is None or gone["gone"] != len(consumed):
        raise MessageTaken("A message is consumed already.", details={"messages": list(consumed)})


def _check_contiguous(run_id: str, entries: Sequence[LogRecord]) -> None:
    for expected, entry in enumerate(entries, entries[0].seq if entries else 1):
        if entry.seq != expected:
            raise _conflict(run_id, expected, entry.seq)


def _conflict(run_id: str, expected: int, given: int) -> LogConflict:
    return LogConflict(
        f"Entry {given} does not follow the log of run {run_id}, which goes on at {expected}.",
        hint="Read the log again and decide from it.",
        details={"run": run_id, "expected": expected, "given": given},
    )


async def read_log(of: AsyncManagedTransaction, run_id: str, after: int, limit: int) -> list[LogRecord]:
    """At most `limit` entries after the given one, in order."""
    return [
        LogRecord(seq=found["seq"], kind=found["kind"], step=found["step"], body=codec.decode(found["body"]))
        for found in await rows(of, _READ_LOG, run=run_id, after=after, limit=limit)
    ]
