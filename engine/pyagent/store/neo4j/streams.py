"""Events and messages in Neo4j.

A cursor is handed out under the lock of its counter, which is held up to the end of the transaction: cursors have the
order of commits, and nobody sees one before a smaller one that is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyagent.store import codec
from pyagent.store.base import Event, Message, MessageKind, NewEvent, events_forgotten
from pyagent.store.neo4j.connection import Connection, do, row, rows
from pyagent.store.neo4j.values import as_datetime, instant, moment, no_run

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

PackedEvents = Sequence[tuple[str, str, datetime, bytes]]

_APPEND = f"""
MATCH (c:Counter {{name: 'event'}})
SET c.locked = true
SET c.value = c.value + size($events)
WITH c.value - size($events) AS base
UNWIND range(0, size($events) - 1) AS place
WITH base + place + 1 AS cursor, $events[place] AS event
CREATE (e:Event {{cursor: cursor, run: $run}})
SET e += event.values, e.at = {as_datetime("event.at")}
"""
_READ_ALL = """
MATCH (e:Event) WHERE e.cursor > $after
RETURN e.cursor AS cursor, e.run AS run, e.kind AS kind, e.step AS step, e.at AS at, e.data AS data
ORDER BY e.cursor LIMIT $limit
"""
_READ_RUN = """
MATCH (e:Event) WHERE e.run = $run AND e.cursor > $after
RETURN e.cursor AS cursor, e.run AS run, e.kind AS kind, e.step AS step, e.at AS at, e.data AS data
ORDER BY e.cursor LIMIT $limit
"""
_FORGET = """
MATCH (c:Counter {name: 'event'})
WITH CASE WHEN $until < c.value THEN $until ELSE c.value END AS until
MATCH (f:Counter {name: 'forgotten'})
SET f.value = CASE WHEN f.value < until THEN until ELSE f.value END
WITH f.value AS value
CALL (value) {
    MATCH (e:Event) WHERE e.cursor <= value WITH e LIMIT 10000 DELETE e RETURN count(*) AS gone
}
RETURN gone
"""
_POST = """
MATCH (c:Counter {name: 'message'})
SET c.value = c.value + 1
CREATE (m:Message {id: c.value, run: $run, kind: $kind, step: $step, name: $name, key: $key, body: $body,
                   actor: $actor, at: datetime.realtime()})
RETURN m.id AS id
"""
_POSTED = """
MATCH (r:Run {id: $run})-[:HAS_LEASE]->(l:Lease)
SET l.locked = true
WITH r
OPTIONAL MATCH (p:Posted {run: $run, once: $once})
RETURN p.message AS message
"""
_KEEP_POSTED = "CREATE (:Posted {run: $run, once: $once, message: $message})"
_MESSAGES = """
CYPHER replan=skip
MATCH (r:Run {id: $run})
RETURN COLLECT { MATCH (m:Message) WHERE m.run = $run AND m.id > 0 RETURN m {.*} } + COLLECT {
    UNWIND $signals AS signal
    MATCH (m:Message) WHERE m.name = signal[0] AND m.key = signal[1] AND m.run IS NULL RETURN m {.*}
} AS messages
"""
_COUNTERS = """
CYPHER replan=skip
MATCH (c:Counter) WHERE c.name IN ['event', 'message', 'version'] RETURN c.name AS name, c.value AS value
"""


async def append_events(to: AsyncManagedTransaction, run_id: str, events: Sequence[NewEvent]) -> None:
    """Give the events the next cursors."""
    if events:
        await do(to, _APPEND, run=run_id, events=[as_parameter(event) for event in events])


def as_parameter(event: NewEvent) -> dict[str, Any]:
    """An event's time and its other properties; who acted is one of its own, so that Cypher can ask."""
    actor = event.data.get("actor")
    values = {
        "kind": event.kind,
        "step": event.step,
        "data": codec.encode_json(event.data),
        "actor": actor if isinstance(actor, str) else None,
    }
    return {"at": instant(event.at), "values": values}


def packed(events: Sequence[NewEvent]) -> PackedEvents:
    """A commit's events, for followers in this process."""
    return [(event.kind, event.step, event.at, codec.encode_json(event.data)) for event in events]


def packed_size(events: PackedEvents) -> int:
    """Bytes that they take, about."""
    return sum(len(step) + len(data) for _, step, _, data in events)


def unpacked(last: int, run_id: str, events: PackedEvents) -> Iterator[Event]:
    """The events as they would be read; `last` is the cursor of the last one."""
    for cursor, (kind, step, at, data) in enumerate(events, last - len(events) + 1):
        moment = at.astimezone(UTC)
        yield Event(cursor=cursor, run_id=run_id, kind=kind, step=step, at=moment, data=codec.decode_json(data))


async def read_events(of: AsyncManagedTransaction, after: int, run_id: str | None, limit: int) -> list[Event]:
    """The events after the cursor, in order. Raises `EventsForgotten`."""
    query = _READ_ALL if run_id is None else _READ_RUN
    found = [
        Event(
            cursor=found["cursor"],
            run_id=found["run"],
            kind=found["kind"],
            step=found["step"],
            at=moment(found["at"]),
            data=codec.decode_json(found["data"]),
        )
        for found in await rows(of, query, after=after, run=run_id, limit=max(limit, 0))
    ]
    # Where the next cursor follows, nothing is missing.
    if after > 0 and (not found or found[0].cursor > after + 1) and after < (until := await forgotten(of)):
        raise events_forgotten(after, until)
    return found


async def forget_events(to: AsyncManagedTransaction, until: int) -> int:
    """Forget some of the events up to the cursor, and say from now on that they are; returns how many went."""
    found = await row(to, _FORGET, until=until)
    return 0 if found is None else int(found["gone"])


async def forgotten(of: AsyncManagedTransaction) -> int:
    """The cursor up to which events are forgotten."""
    found = await row(of, "MATCH (c:Counter {name: 'forgotten'}) RETURN c.value AS value")
    return 0 if found is None else int(found["value"])


async def counters(of: Connection) -> dict[str, int]:
    """How many events, messages and versions of graphs there have ever been: what a follower looks at."""
    return {one["name"]: one["value"] for one in await of.read_at_once(_COUNTERS, {})}


async def post(
    to: AsyncManagedTransaction,
    run_id: str | None,
    kind: MessageKind,
    *,
    step: str = "",
    name: str = "",
    key: str = "",
    body: bytes = b"null",
    actor: str = "local",
    sent_by: str | None = None,
    once: str = "",
) -> int:
    """Leave a message. Raises `NotFound` for an unknown run."""
    sender = sent_by if once else None
    if sender is not None:
        posted = await row(to, _POSTED, run=sender, once=once)
        if posted is None:
            raise no_run(sender)
        if posted["message"] is not None:
            return int(posted["message"])
    if run_id is not None:
        await exists(to, run_id)
    made = await row(
        to, _POST, run=run_id, kind=kind, step=step, name=name, key=key, body=codec.encode(body), actor=actor
    )
    assert made is not None
    if sender is not None:
        await do(to, _KEEP_POSTED, run=sender, once=once, message=made["id"])
    return int(made["id"])


async def messages(of: Connection, run_id: str, signals: Sequence[tuple[str, str]]) -> list[Message]:
    """What the run has been sent and no commit has consumed, and unaddressed signals by name and key. Raises
    `NotFound`."""
    asked = {"run": run_id, "signals": [list(signal) for signal in dict.fromkeys(signals)]}
    found = await of.read_at_once(_MESSAGES, asked)
    if not found:
        raise no_run(run_id)
    return sorted(
        (
            Message(
                id=message["id"],
                run_id=message.get("run"),
                kind=message["kind"],
                step=message["step"],
                name=message["name"],
                key=message["key"],
                body=codec.decode(message["body"]),
                actor=message["actor"],
                at=moment(message["at"]),
            )
            for message in found[0]["messages"]
        ),
        key=lambda message: message.id,
    )


async def exists(of: AsyncManagedTransaction, run_id: str) -> None:
    """Raises `NotFound` for an unknown run."""
    if await row(of, "MATCH (r:Run {id: $run}) RETURN r.id AS id", run=run_id) is None:
        raise no_run(run_id)
