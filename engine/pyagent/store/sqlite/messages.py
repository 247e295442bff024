"""Messages in SQLite: requests to runs from outside, until a commit consumes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from pyagent.store import codec
from pyagent.store.base import Message, MessageKind
from pyagent.store.sqlite import rows


def post(
    connection: sqlite3.Connection,
    run_id: str | None,
    kind: MessageKind,
    now: datetime,
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
    sender = rows.run_number(connection, sent_by) if sent_by is not None and once else None
    if sender is not None:
        query = "SELECT message FROM posted WHERE run = ? AND once = ?"
        if (posted := connection.execute(query, (sender, once)).fetchone()) is not None:
            return posted[0]
    number = None if run_id is None else rows.run_number(connection, run_id)
    identity = connection.execute(
        "INSERT INTO messages (run, kind, step, name, key, body, actor, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, kind, step, name, key, codec.encode(body), actor, rows.stamp(now)),
    ).lastrowid
    assert identity is not None
    if sender is not None:
        connection.execute("INSERT INTO posted (run, once, message) VALUES (?, ?, ?)", (sender, once, identity))
    return identity


def pending(connection: sqlite3.Connection, run_id: str, signals: Sequence[tuple[str, str]]) -> list[Message]:
    """What the run has been sent and no commit has consumed, and unaddressed signals by name and key."""
    columns = "SELECT id, run, kind, step, name, key, body, actor, at FROM messages"
    found = connection.execute(f"{columns} WHERE run = ?", (rows.run_number(connection, run_id),)).fetchall()
    for name, key in dict.fromkeys(signals):
        found += connection.execute(f"{columns} WHERE run IS NULL AND name = ? AND key = ?", (name, key)).fetchall()
    found.sort()
    return [
        Message(
            id=identity,
            run_id=None if number is None else run_id,
            kind=kind,
            step=step,
            name=name,
            key=key,
            body=codec.decode(body),
            actor=actor,
            at=rows.moment(at),
        )
        for identity, number, kind, step, name, key, body, actor, at in found
    ]
