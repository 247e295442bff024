"""Who may commit to a run, in Neo4j.

The database reads what is committed, it does not lock what it reads: every transaction that decides by a lease writes
the lease's node first, so that it holds its lock, and compares then. The server's clock decides (`datetime.realtime()`,
which goes on within a transaction).

Transactions that lock several things do so in one order, so that they wait for one another and never in a circle:
start keys, the counter of runs, the line, leases, slots, peers, steps, blobs, the counter of events. Whatever may be
changed twice in a transaction is locked by a property that stays as it is (`locked`) before it is changed: the server
takes more than one lock for a change, one of them only for a moment, and who waits for the second holds the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pyagent.errors import LeaseHeld
from pyagent.store.base import Lease, SlotTaken
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.values import lost, moment, no_run
from pyagent.store.queue import BLOCKED, Begun, Group, Line, Queued

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_LOCK = """
MATCH (l:Lease {run: $run})
SET l.locked = true
WITH l, datetime.realtime() AS now
RETURN l.token AS token, l.owner AS owner, l.expires_at AS expires_at, l.adoptions AS adoptions,
       l.expires_at <= now AS expired, l.commit AS commit
"""
_CLAIM = """
MATCH (l:Lease {run: $run})
OPTIONAL MATCH (:Peer)-[h:HOLDS]->(l)
DELETE h
WITH DISTINCT l
SET l.token = l.token + 1, l.owner = $owner, l.adoptions = $adoptions,
    l.expires_at = datetime.truncate('microsecond', datetime.realtime()) + duration({microseconds: $ttl})
MERGE (p:Peer {id: $owner})
MERGE (p)-[:HOLDS]->(l)
RETURN l.token AS token, l.expires_at AS expires_at
"""
_RENEW = """
MATCH (l:Lease {run: $run})
SET l.expires_at = datetime.truncate('microsecond', datetime.realtime()) + duration({microseconds: $ttl})
RETURN l.expires_at AS expires_at
"""
_RELEASE = """
MATCH (l:Lease {run: $run})
SET l.locked = true
WITH l WHERE l.token = $token
OPTIONAL MATCH (:Peer)-[h:HOLDS]->(l)
DELETE h
SET l.owner = null, l.expires_at = null
"""
_TURN = """
MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease)
WHERE r.slot IS NOT NULL AND r.status = 'queued' AND l.owner IS NULL
  AND NOT EXISTS { MATCH (m:Message) WHERE m.run = r.id AND m.id > 0 AND m.kind = 'cancel' }
MERGE (slot:Slot {name: r.slot})
SET slot.locked = true
WITH r
RETURN r.slots <= COUNT {
    MATCH (o:Run)-[:HAS_LEASE]->(k:Lease) WHERE o.slot = r.slot AND o <> r
      AND o.status IN ['queued', 'running', 'waiting', 'paused']
      AND (o.status <> 'queued' OR k.owner IS NOT NULL OR o.priority > r.priority
           OR (o.priority = r.priority AND o.fairness = r.fairness AND o.number < r.number)) } AS taken
"""
_JOIN = """
MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease) WHERE r.status = 'queued' AND l.owner IS NULL
MATCH (c:Counter {name: 'line'})
SET c.locked = true
SET c.value = c.value + 1
MERGE (g:Group {priority: r.priority, fairness: r.fairness})
ON CREATE SET g.rank = -r.priority, g.place = c.value, g.begun = 0
"""
_WOKEN = """
CALL {
    MATCH (l:Lease) WHERE l.owner IS NOT NULL AND l.expires_at <= datetime.realtime()
    MATCH (r:Run {id: l.run}) WHERE r.status IN ['queued', 'running']
    RETURN r
  UNION
    MATCH (r:Run)
    USING INDEX r:Run(status, number)
    WHERE r.status = 'running' AND r.number > 0
    MATCH (r)-[:HAS_LEASE]->(l:Lease) WHERE l.owner IS NULL
    RETURN r
  UNION
    MATCH (r:Run)
    USING INDEX r:Run(status, wake_at)
    WHERE r.status IN ['running', 'waiting', 'paused'] AND r.wake_at <= datetime.realtime()
    RETURN r
  UNION
    MATCH (m:Message) WHERE m.run IS NOT NULL AND m.id > 0
    MATCH (r:Run {id: m.run}) WHERE m.id > r.seen OR m.kind = 'cancel'
    RETURN r
  UNION
    MATCH (m:Message) WHERE m.run IS NULL
    MATCH (s:Step)
    USING INDEX s:Step(signal_name, signal_key)
    WHERE s.signal_name = m.name AND s.signal_key = m.key
    MATCH (r:Run)-[:HAS_STEP]->(s)
    RETURN r
}
MATCH (r)-[:HAS_LEASE]->(l:Lease)
WHERE r.status IN ['queued', 'running', 'waiting', 'paused']
  AND (l.owner IS NULL OR l.expires_at <= datetime.realtime())
  AND (r.status <> 'queued' OR l.owner IS NOT NULL
       OR EXISTS { MATCH (m:Message) WHERE m.run = r.id AND m.id > 0 AND m.kind = 'cancel' })
  AND (r.status IN ['queued', 'running'] OR r.wake_at <= datetime.realtime()
       OR EXISTS { MATCH (m:Message) WHERE m.run = r.id AND m.id > r.seen }
       OR EXISTS { MATCH (r)-[:HAS_STEP]->(s:Step) WHERE s.signal_name IS NOT NULL
                   MATCH (m:Message) WHERE m.name = s.signal_name AND m.key = s.signal_key AND m.run IS NULL })
RETURN r.id AS run, r.priority AS priority ORDER BY r.priority DESC, r.number LIMIT $limit
"""
_BUSY = """
CALL {
    MATCH (r:Run)
    USING INDEX r:Run(status, slot)
    WHERE r.status IN ['running', 'waiting', 'paused'] AND r.slot IS NOT NULL
    RETURN r.slot AS slot, count(*) AS busy, null AS held
  UNION ALL
    MATCH (l:Lease) WHERE l.owner IS NOT NULL
    MATCH (r:Run {id: l.run}) WHERE r.status = 'queued'
    RETURN r.slot AS slot, 1 AS busy, r.id AS held
}
RETURN slot, busy, held
"""
"""How many runs have each slot, and which queued runs somebody holds."""
_GROUPS = """
MATCH (g:Group)
USING INDEX g:Group(rank, place)
WHERE g.rank > -10000000 AND g.place >= 0
WITH g ORDER BY g.rank, g.place SKIP $skip LIMIT $page
CALL (g) {
    MATCH (r:Run {status: 'queued', priority: g.priority, fairness: g.fairness})
    USING INDEX r:Run(status, priority, fairness, number)
    WHERE r.number > 0 AND (r.slot IS NULL OR coalesce($busy[r.slot], 0) < r.slots)
      AND NOT r.id IN $held
    WITH r ORDER BY r.status, r.priority, r.fairness, r.number LIMIT $limit
    RETURN collect([r.id, r.slot, r.slots, r.weight]) AS queued
}
RETURN g.priority AS priority, g.fairness AS name, g.place AS place, g.begun AS begun, queued,
    EXISTS {
        MATCH (r:Run {status: 'queued', priority: g.priority, fairness: g.fairness})
        USING INDEX r:Run(status, priority, fairness, number)
        WHERE r.number > 0 AND NOT r.id IN $held AND NOT r.id IN [one IN queued | one[0]] } AS more
ORDER BY g.rank, g.place
"""
_FAR = 2**62
_LOCK_LINE = "MATCH (c:Counter {name: 'line'}) SET c.locked = true"
_LOCK_RUNS = """
UNWIND $runs AS run
MATCH (l:Lease {run: run})
SET l.locked = true
WITH run
MATCH (r:Run {id: run}) WHERE r.slot IS NOT NULL
WITH DISTINCT r.slot AS name ORDER BY name
MERGE (slot:Slot {name: name})
SET slot.locked = true
"""
_TAKE = """
UNWIND range(0, size($runs) - 1) AS place
MATCH (l:Lease {run: $runs[place]})
WITH place, l, l.owner IS NOT NULL AND l.token > 0 AS adopted
OPTIONAL MATCH (:Peer)-[h:HOLDS]->(l)
DELETE h
WITH DISTINCT place, l, adopted
SET l.token = l.token + 1, l.owner = $owner, l.adoptions = l.adoptions + CASE WHEN adopted THEN 1 ELSE 0 END,
    l.expires_at = datetime.truncate('microsecond', datetime.realtime()) + duration({microseconds: $ttl})
MERGE (p:Peer {id: $owner})
MERGE (p)-[:HOLDS]->(l)
RETURN l.run AS run, l.token AS token, l.expires_at AS expires_at, adopted, l.adoptions AS adoptions ORDER BY place
"""
_SETTLE = """
MATCH (c:Counter {name: 'line'})
SET c.locked = true
SET c.value = c.value + size($moved)
WITH c.value - size($moved) AS last
CALL (last) {
    UNWIND range(0, size($moved) - 1) AS place
    MATCH (g:Group {priority: $moved[place][0], fairness: $moved[place][1]})
    SET g.place = last + place + 1, g.begun = 0
}
CALL {
    UNWIND $stayed AS group
    MATCH (g:Group {priority: group[0], fairness: group[1]})
    SET g.begun = group[2]
}
CALL {
    UNWIND $gone AS group
    MATCH (g:Group {priority: group[0], fairness: group[1]})
    DELETE g
}
"""


async def lock(to: AsyncManagedTransaction, run_id: str) -> dict[str, Any] | None:
    """The run's lease, locked up to the end of the transaction; None for an unknown run."""
    return await row(to, _LOCK, run=run_id)


async def claim(to: AsyncManagedTransaction, run_id: str, owner: str, ttl: timedelta, *, in_turn: bool = True) -> Lease:
    """Take the run for the owner. Raises `LeaseHeld`, `SlotTaken` and `NotFound`."""
    held = await lock(to, run_id)
    if held is None:
        raise no_run(run_id)
    adopted = held["owner"] is not None and held["token"] > 0  # before the first token stands a reservation
    if in_turn and held["owner"] is None and (turn := await row(to, _TURN, run=run_id)) is not None and turn["taken"]:
        raise SlotTaken(f"Run {run_id} waits for its turn.", details={"run": run_id})
    if held["owner"] is not None and held["owner"] != owner and not held["expired"]:
        raise LeaseHeld(
            f"{held['owner']} holds run {run_id} until {moment(held['expires_at']).isoformat()}.",
            details={"owner": held["owner"]},
        )
    adoptions = held["adoptions"] + adopted
    made = await row(to, _CLAIM, run=run_id, owner=owner, adoptions=adoptions, ttl=_microseconds(ttl))
    assert made is not None
    return Lease(
        run_id=run_id,
        owner=owner,
        token=made["token"],
        expires_at=moment(made["expires_at"]),
        adopted=adopted,
        adoptions=adoptions,
    )


async def renew(to: AsyncManagedTransaction, lease: Lease, ttl: timedelta) -> Lease:
    """The lease with a later end. Raises `LeaseLost`."""
    await check(to, lease)
    made = await row(to, _RENEW, run=lease.run_id, ttl=_microseconds(ttl))
    assert made is not None
    return replace(lease, expires_at=moment(made["expires_at"]))


async def release(to: AsyncManagedTransaction, lease: Lease) -> None:
    """Give the lease back, if it is still the run's."""
    await lock_line(to)
    await do(to, _RELEASE, run=lease.run_id, token=lease.token)
    await join(to, lease.run_id)


async def lock_line(to: AsyncManagedTransaction) -> None:
    """Keep others from queueing and taking runs up to the end of the transaction."""
    await do(to, _LOCK_LINE)


async def join(to: AsyncManagedTransaction, run_id: str) -> None:
    """Let the group of the run stand in line, if nobody has begun the run."""
    await do(to, _JOIN, run=run_id)


async def check(to: AsyncManagedTransaction, lease: Lease) -> dict[str, Any]:
    """The run's lease, locked. Raises `LeaseLost` if it is not this one any more."""
    held = await lock(to, lease.run_id)
    if held is None or held["owner"] is None or held["token"] != lease.token:
        raise lost(lease)
    return held


async def claimable(of: AsyncManagedTransaction, limit: int, excluding: Collection[str] = ()) -> tuple[list[str], bool]:
    """Ids of the runs that somebody should take, in their order; and whether somebody should tidy up the line."""
    line, found = await _first(of, limit, excluding)
    return found, bool(line.gone)


async def take(
    to: AsyncManagedTransaction, owner: str, ttl: timedelta, limit: int, excluding: Collection[str]
) -> list[Lease]:
    """Claim the first of the runs that somebody should take."""
    # Whoever queues a run or takes one waits here for the others.
    await lock_line(to)
    line, chosen = await _first(to, limit, excluding)
    locked: set[str] = set()
    # Runs are also claimed by their names, and their slots come free: what was chosen holds only if it still does under
    # its locks. And the line is left as if all of it were taken, so that nothing of it may be left out.
    while not locked.issuperset(chosen):
        locked.update(chosen)
        await do(to, _LOCK_RUNS, runs=sorted(chosen))
        line, chosen = await _first(to, limit, excluding)
    taken = await rows(to, _TAKE, runs=chosen, owner=owner, ttl=_microseconds(ttl)) if chosen else []
    groups = {
        what: [[group.priority, group.name, group.begun] for group in told]
        for what, told in (("moved", line.moved), ("stayed", line.stayed), ("gone", line.gone))
    }
    if any(groups.values()):
        await do(to, _SETTLE, **groups)
    return [
        Lease(
            run_id=made["run"],
            owner=owner,
            token=made["token"],
            expires_at=moment(made["expires_at"]),
            adopted=made["adopted"],
            adoptions=made["adoptions"],
        )
        for made in taken
    ]


async def _first(of: AsyncManagedTransaction, limit: int, excluding: Collection[str]) -> tuple[Line[str], list[str]]:
    """The runs that go first, and what becomes of the line when they are taken."""
    limit = max(limit, 0)
    woken = [found for found in await rows(of, _WOKEN, limit=limit + len(excluding)) if found["run"] is not None]
    busy: dict[str, int] = Counter()
    held: list[str] = []
    for found in await rows(of, _BUSY):
        if found["slot"] is not None:
            busy[found["slot"]] += found["busy"]
        if found["held"] is not None:
            held.append(found["held"])
    queued: dict[Group, list[Queued[str]]] = {}
    read, able, page = 0, 0, limit + 1
    lowest = -_FAR  # of a group with more to begin than was read, nothing of less priority goes before that
    while able <= limit:
        given = {"skip": read, "page": page, "limit": limit + len(excluding) + 1, "busy": busy, "held": held}
        groups = await rows(of, _GROUPS, **given)
        for one in groups:
            if one["priority"] is None:  # another transaction has deleted it since this query found it
                continue
            group = Group(one["priority"], one["name"], one["place"], one["begun"])
            queued[group] = [Queued(*run) for run in one["queued"]] + ([BLOCKED] if one["more"] else [])
            able += bool(one["queued"])
            if len(one["queued"]) == given["limit"] and any(slot for _, slot, _, _ in one["queued"]):
                lowest = max(lowest, group.priority)
        read += len(groups)
        if len(groups) < page:
            break
    line = Line(
        [Begun(found["run"], found["priority"]) for found in woken if found["priority"] >= lowest],
        [group for group in queued if group.priority >= lowest],
        lambda group: iter(queued[group]),
        lambda slot: busy.get(slot, 0),
        set(excluding),
    )
    return line, list(islice(line, limit))


def _microseconds(ttl: timedelta) -> int:
    return ttl // timedelta(microseconds=1)
