"""Which graphs the world may start, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyagent.store import codec
from pyagent.store.base import Activation, ClaimTaken
from pyagent.store.sqlite import rows, runs

_COLUMNS = "graph_id, graph_hash, actor, at, since, claims, problems"


def activate(
    connection: sqlite3.Connection, graph_id: str, graph_hash: str, claims: Sequence[str], actor: str, now: datetime
) -> Activation:
    """Make a version the active one. Raises `NotFound` and `ClaimTaken`."""
    runs.get_graph(connection, graph_hash)
    since = now
    for other in listed(connection):
        if other.graph_id == graph_id:
            since = other.since
        elif taken := sorted(set(claims) & set(other.claims)):
            raise ClaimTaken(
                f"The active graph {other.graph_id} has {taken[0]} already.",
                details={"graph": other.graph_id, "claims": taken},
            )
    connection.execute(
        f"INSERT OR REPLACE INTO activations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            *(graph_id, graph_hash, actor, rows.stamp(now), rows.stamp(since)),
            *("\n".join(claims), codec.encode_json({})),
        ),
    )
    return Activation(graph_id=graph_id, graph_hash=graph_hash, actor=actor, at=now, since=since, claims=tuple(claims))


def deactivate(connection: sqlite3.Connection, graph_id: str) -> bool:
    """Forget the activation; whether there was one."""
    return connection.execute("DELETE FROM activations WHERE graph_id = ?", (graph_id,)).rowcount > 0


def listed(connection: sqlite3.Connection) -> list[Activation]:
    """What is active, by graph id."""
    return [
        Activation(
            graph_id=graph_id,
            graph_hash=graph_hash,
            actor=actor,
            at=rows.moment(at),
            since=rows.moment(since),
            claims=tuple(claims.splitlines()),
            problems=codec.decode_json(problems),
        )
        for graph_id, graph_hash, actor, at, since, claims, problems in connection.execute(
            f"SELECT {_COLUMNS} FROM activations ORDER BY graph_id"  # noqa: S608
        )
    ]


def set_problem(connection: sqlite3.Connection, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
    """Keep or forget why a trigger does not work."""
    row = connection.execute("SELECT problems FROM activations WHERE graph_id = ?", (graph_id,)).fetchone()
    if row is None:
        return
    problems: dict[str, Any] = codec.decode_json(row[0])
    problems.pop(node, None)
    if problem is not None:
        problems[node] = problem
    connection.execute(
        "UPDATE activations SET problems = ? WHERE graph_id = ?", (codec.encode_json(problems), graph_id)
    )
