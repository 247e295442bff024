"""Who may commit to a run, in Neo4j.

The database reads what is committed, it does not lock what it reads: every transaction that decides by a lease writes
the lease's node first, so that it holds its lock, and compares then. The server's clock decides (`datetime.realtime()`,
which goes on within a transaction).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyagent.errors import LeaseHeld
from pyagent.store.base import Lease, SlotTaken
from pyagent.store.neo4j.connection import do, row, rows
from pyagent.store.neo4j.values import lost, moment, no_run

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
      AND (o.status <> 'queued' OR k.owner IS NOT NULL OR o.number < r.number) } AS taken
"""
_CLAIMABLE = """
MATCH (r:Run)-[:HAS_LEASE]->(l:Lease)
WHERE r.status IN ['queued', 'running', 'waiting', 'paused']
  AND (l.owner IS NULL OR l.expires_at <= datetime.realtime())
  AND NOT (r.slot IS NOT NULL AND r.status = 'queued' AND l.owner IS NULL AND r.slots <= COUNT {
    MATCH (o:Run)-[:HAS_LEASE]->(k:Lease) WHERE o.slot = r.slot AND o <> r
      AND o.status IN ['queued', 'running', 'waiting', 'paused']
      AND (o.status <> 'queued' OR k.owner IS NOT NULL OR o.number < r.number) }
    AND NOT EXISTS { MATCH (m:Message) WHERE m.run = r.id AND m.id > 0 AND m.kind = 'cancel' })
  AND (r.status IN ['queued', 'running'] OR r.wake_at <= datetime.realtime()
       OR EXISTS { MATCH (m:Message) WHERE m.run = r.id AND m.id > r.seen }
       OR EXISTS { MATCH (r)-[:HAS_STEP]->(s:Step) WHERE s.signal_name IS NOT NULL
                   MATCH (m:Message) WHERE m.name = s.signal_name AND m.key = s.signal_key AND m.run IS NULL })
RETURN r.id AS id ORDER BY r.number LIMIT $limit
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
    await do(to, _RELEASE, run=lease.run_id, token=lease.token)


async def check(to: AsyncManagedTransaction, lease: Lease) -> dict[str, Any]:
    """The run's lease, locked. Raises `LeaseLost` if it is not this one any more."""
    held = await lock(to, lease.run_id)
    if held is None or held["owner"] is None or held["token"] != lease.token:
        raise lost(lease)
    return held


async def claimable(of: AsyncManagedTransaction, limit: int) -> list[str]:
    """Ids of the runs that somebody should take, oldest first."""
    return [found["id"] for found in await rows(of, _CLAIMABLE, limit=max(limit, 0))]


def _microseconds(ttl: timedelta) -> int:
    return ttl // timedelta(microseconds=1)
