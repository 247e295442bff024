"""Who may commit to a run, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from pyagent.errors import LeaseHeld, LeaseLost
from pyagent.store.base import Lease, SlotTaken
from pyagent.store.queue import BLOCKED, Begun, Group, Line, Queued
from pyagent.store.sqlite import rows

_NO_TURN = (
    "(s.slot IS NOT NULL AND s.status = 'queued' AND s.lease_owner IS NULL AND s.slots <="
    " (SELECT count(*) FROM run_state o WHERE o.slot = s.slot AND o.run != s.run"
    " AND o.status IN ('queued', 'running', 'waiting', 'paused')"
    " AND (o.status != 'queued' OR o.lease_owner IS NOT NULL OR o.priority > s.priority"
    " OR (o.priority = s.priority AND o.fairness = s.fairness AND o.run < s.run)))"
    " AND NOT EXISTS (SELECT 1 FROM messages c WHERE c.run = s.run AND c.kind = 'cancel'))"
)
"""Whether a queued run `s` must let others with its slot go first: those at work, those with a higher priority, and
those of its group that were created before it. One that is to be cancelled is in nobody's way."""
_PAGE = 64
"""Rows that are read at once; the first page is smaller: mostly one row decides."""


def claim(
    connection: sqlite3.Connection, run_id: str, owner: str, ttl: timedelta, now: datetime, *, in_turn: bool = True
) -> Lease:
    """Take the run for the owner. Raises `LeaseHeld`, `SlotTaken` and `NotFound`."""
    row = connection.execute(
        "SELECT s.run, s.lease_owner, s.lease_token, s.lease_expires_at, s.adoptions"
        " FROM runs r JOIN run_state s ON s.run = r.run WHERE r.id = ?",
        (run_id,),
    ).fetchone()
    if row is None:
        raise rows.no_run(run_id)
    number, holder, token, expires_at, adoptions = row
    if in_turn and holder is None:
        query = f"SELECT 1 FROM run_state s WHERE s.run = ? AND {_NO_TURN}"  # noqa: S608
        if connection.execute(query, (number,)).fetchone():
            raise SlotTaken(f"Run {run_id} waits for its turn.", details={"run": run_id})
    if holder is not None and holder != owner and expires_at > rows.stamp(now):
        raise LeaseHeld(
            f"{holder} holds run {run_id} until {rows.moment(expires_at).isoformat()}.", details={"owner": holder}
        )
    return _hold(connection, number, Holder(run_id, holder, token, adoptions), owner, now + ttl)


class Holder(NamedTuple):
    """A run's id, and the lease that it has had up to now."""

    run_id: str
    owner: str | None
    token: int
    adoptions: int


def _hold(connection: sqlite3.Connection, number: int, held: Holder, owner: str, expires_at: datetime) -> Lease:
    adopted = held.owner is not None and held.token > 0  # before the first token stands a reservation
    lease = Lease(
        run_id=held.run_id,
        owner=owner,
        token=held.token + 1,
        expires_at=expires_at,
        adopted=adopted,
        adoptions=held.adoptions + adopted,
    )
    connection.execute(
        "UPDATE run_state SET lease_owner = ?, lease_token = ?, lease_expires_at = ?, adoptions = ? WHERE run = ?",
        (owner, lease.token, rows.stamp(expires_at), lease.adoptions, number),
    )
    return lease


def renew(connection: sqlite3.Connection, lease: Lease, ttl: timedelta, now: datetime) -> Lease:
    """The lease with a later end. Raises `LeaseLost`."""
    expires_at = now + ttl
    changed = connection.execute(
        "UPDATE run_state SET lease_expires_at = ? WHERE run = (SELECT run FROM runs WHERE id = ?)"
        " AND lease_token = ? AND lease_owner IS NOT NULL",
        (rows.stamp(expires_at), lease.run_id, lease.token),
    ).rowcount
    if not changed:
        raise lost(lease)
    return Lease(
        run_id=lease.run_id,
        owner=lease.owner,
        token=lease.token,
        expires_at=expires_at,
        adopted=lease.adopted,
        adoptions=lease.adoptions,
    )


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """Give the lease back, if it is still the run's."""
    connection.execute(
        "UPDATE run_state SET lease_owner = NULL, lease_expires_at = NULL"
        " WHERE run = (SELECT run FROM runs WHERE id = ?) AND lease_token = ?",
        (lease.run_id, lease.token),
    )


WOKEN = """
WITH candidates (run) AS (
  SELECT run FROM run_state  -- the first condition is the index's, word for word, or SQLite does not use it
  WHERE status IN ('queued', 'running', 'waiting', 'paused') AND status = 'running'
  UNION SELECT run FROM run_state WHERE status = 'queued' AND lease_owner IS NOT NULL AND lease_expires_at <= :now
  UNION SELECT run FROM run_state WHERE wake_at <= :now
  UNION SELECT run FROM messages WHERE run IS NOT NULL
  UNION SELECT w.run FROM messages m CROSS JOIN waits w ON w.name = m.name AND w.key = m.key WHERE m.run IS NULL
)
SELECT s.run, s.priority FROM candidates c CROSS JOIN run_state s ON s.run = c.run
WHERE s.status IN ('queued', 'running', 'waiting', 'paused')
  AND (s.lease_owner IS NULL OR s.lease_expires_at <= :now)
  AND (s.status != 'queued' OR s.lease_owner IS NOT NULL
    OR EXISTS (SELECT 1 FROM messages m WHERE m.run = s.run AND m.kind = 'cancel'))
  AND (s.status IN ('queued', 'running') OR s.wake_at <= :now
    OR EXISTS (SELECT 1 FROM messages m WHERE m.run = s.run AND m.id > s.seen)
    OR EXISTS (SELECT 1 FROM messages m JOIN waits w ON w.name = m.name AND w.key = m.key
      WHERE m.run IS NULL AND w.run = s.run))
ORDER BY s.priority DESC, s.run LIMIT :limit
"""
"""The runs to go on with. Looks at none of those that wait for nothing that has come."""
QUEUED = """
SELECT run, slot, slots, weight FROM run_state
WHERE status = 'queued' AND lease_owner IS NULL AND priority = :priority AND fairness = :fairness AND run > :after
  AND (:free IS NULL OR slot IS NULL OR slot IN (SELECT value FROM json_each(:free)))
ORDER BY run LIMIT :page
"""
LINE = "SELECT priority, fairness, place, begun FROM line WHERE priority = ? AND place > ? ORDER BY place LIMIT ?"
BUSY = """
SELECT count(*) FROM run_state WHERE slot = :slot AND slot IS NOT NULL
  AND status IN ('queued', 'running', 'waiting', 'paused') AND (status != 'queued' OR lease_owner IS NOT NULL)
"""
_OF_GROUP = (
    "status = 'queued' AND lease_owner IS NULL AND slot IS NOT NULL AND priority = :priority AND fairness = :fairness"
)
FREE_SLOTS = f"""
WITH RECURSIVE found (slot) AS (  -- from slot to slot, past all the runs that have the same one
  SELECT (SELECT slot FROM run_state WHERE {_OF_GROUP} ORDER BY slot LIMIT 1)
  UNION ALL
  SELECT (SELECT slot FROM run_state WHERE {_OF_GROUP} AND slot > found.slot ORDER BY slot LIMIT 1)
  FROM found WHERE found.slot IS NOT NULL
)
SELECT slot FROM found WHERE slot IS NOT NULL
  AND (SELECT max(slots) FROM run_state WHERE {_OF_GROUP} AND slot = found.slot)
    > ({BUSY.replace(":slot", "found.slot")})
"""  # noqa: S608
"""The slots of a group's queued runs that another run may have."""


def claimable(
    connection: sqlite3.Connection, now: datetime, limit: int, excluding: Collection[str] = ()
) -> tuple[list[str], bool]:
    """Ids of the runs that somebody should take, in their order; and whether somebody should tidy up the line."""
    line, found = _first(connection, now, limit, excluding)
    ids = [connection.execute("SELECT id FROM runs WHERE run = ?", (run,)).fetchone()[0] for run in found]
    return ids, bool(line.gone)


def take(
    connection: sqlite3.Connection, owner: str, ttl: timedelta, now: datetime, limit: int, excluding: Collection[str]
) -> list[Lease]:
    """Claim the first of the runs that somebody should take."""
    line, found = _first(connection, now, limit, excluding)
    taken: list[Lease] = []
    for number in found:
        held = connection.execute(
            "SELECT r.id, s.lease_owner, s.lease_token, s.adoptions"
            " FROM runs r JOIN run_state s ON s.run = r.run WHERE r.run = ?",
            (number,),
        ).fetchone()
        taken.append(_hold(connection, number, Holder(*held), owner, now + ttl))
    for group in (*line.gone, *line.moved):
        connection.execute("DELETE FROM line WHERE place = ?", (group.place,))
    for group in line.moved:
        connection.execute("INSERT INTO line (priority, fairness) VALUES (?, ?)", (group.priority, group.name))
    for group in line.stayed:
        connection.execute("UPDATE line SET begun = ? WHERE place = ?", (group.begun, group.place))
    return taken


def _first(
    connection: sqlite3.Connection, now: datetime, limit: int, excluding: Collection[str]
) -> tuple[Line[int], list[int]]:
    """The numbers of the runs that go first, and what becomes of the line when they are taken."""
    limit = max(limit, 0)
    ids = [connection.execute("SELECT run FROM runs WHERE id = ?", (run,)).fetchone() for run in excluding]
    left_out = {row[0] for row in ids if row is not None}
    woken = connection.execute(WOKEN, {"now": rows.stamp(now), "limit": limit + len(left_out)})
    line = Line(
        [Begun(*run) for run in woken],
        _groups(connection),
        lambda group: _queued(connection, group),
        lambda slot: connection.execute(BUSY, {"slot": slot}).fetchone()[0],
        left_out,
    )
    return line, list(islice(line, limit))


def _groups(connection: sqlite3.Connection) -> Iterator[Group]:
    """The line, read page by page: no statement stays open."""
    top = "SELECT max(priority) FROM line"
    (priority,) = connection.execute(top).fetchone()
    while priority is not None:
        page, after = 8, -1
        while found := connection.execute(LINE, (priority, after, page)).fetchall():
            yield from (Group(*row) for row in found)
            after, page = found[-1][2], _PAGE
        (priority,) = connection.execute(f"{top} WHERE priority < ?", (priority,)).fetchone()


def _queued(connection: sqlite3.Connection, group: Group) -> Iterator[Queued[int]]:
    """The group's runs that nobody has begun, page by page, later on without those that must wait for a slot."""
    page, after, free = 2, -1, None
    of = {"priority": group.priority, "fairness": group.name}
    while found := connection.execute(QUEUED, {**of, "after": after, "free": free, "page": page}).fetchall():
        yield from (Queued(*row) for row in found)
        if len(found) < page:
            break
        if page == _PAGE and free is None:
            # Thousands may wait for the same slot: look who does not.
            free = json.dumps([slot for (slot,) in connection.execute(FREE_SLOTS, of)])
        after, page = found[-1][0], _PAGE
    if free is not None:
        yield BLOCKED


def lost(lease: Lease) -> LeaseLost:
    """The error for an old token."""
    return LeaseLost(
        f"The lease of {lease.owner} on run {lease.run_id} (token {lease.token}) is over.",
        details={"run": lease.run_id, "token": lease.token},
    )
