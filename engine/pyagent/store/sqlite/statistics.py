"""Figures about runs in SQLite, by queries: no run is read for them."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from typing import Any

from pyagent.store.sqlite import rows
from pyagent.store.statistics import DayFigures, GraphFigures, RunStatistics

_STATUSES = "SELECT s.status, count(*) FROM runs r JOIN run_state s ON s.run = r.run {where} GROUP BY s.status"
_DAYS = """
SELECT date(r.created_at / 1000000, 'unixepoch') AS day, count(*), sum(s.status = 'completed'), sum(s.status = 'failed')
FROM runs r JOIN run_state s ON s.run = r.run {where} GROUP BY day ORDER BY day
"""
_GRAPHS = """
WITH chosen AS (
  SELECT r.run, r.id, r.graph_id, s.status,
    CASE WHEN s.status = 'completed' THEN coalesce(s.ended_at - s.started_at, 0) END AS took
  FROM runs r JOIN run_state s ON s.run = r.run {where}
), ranked AS (
  SELECT graph_id, took, row_number() OVER (PARTITION BY graph_id ORDER BY took) AS place,
    count(*) OVER (PARTITION BY graph_id) AS many
  FROM chosen WHERE took IS NOT NULL
), times AS (
  SELECT graph_id, min(took) FILTER (WHERE place * 100 >= many * 50) AS p50,
    min(took) FILTER (WHERE place * 100 >= many * 95) AS p95
  FROM ranked GROUP BY graph_id
), counts AS (
  SELECT graph_id, count(*) AS runs, sum(status = 'failed') AS failed, max(run) AS last FROM chosen GROUP BY graph_id
)
SELECT c.graph_id, c.runs, c.failed, t.p50, t.p95, (SELECT id FROM runs WHERE run = c.last)
FROM counts c LEFT JOIN times t ON t.graph_id = c.graph_id ORDER BY c.last DESC
"""


def read(connection: sqlite3.Connection, graph_id: str | None, since: datetime | None) -> RunStatistics:
    """Figures about the runs of a graph, or of all, that were created at this time or later."""
    conditions: list[str] = []
    values: list[Any] = []
    if graph_id is not None:
        conditions.append("r.graph_id = ?")
        values.append(graph_id)
    if since is not None:
        conditions.append("r.created_at >= ?")
        values.append(rows.stamp(since))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return RunStatistics(
        statuses=dict(connection.execute(_STATUSES.format(where=where), values).fetchall()),
        graphs=tuple(
            GraphFigures(graph_id=graph, runs=many, failed=failed, p50=_seconds(p50), p95=_seconds(p95), last_run=last)
            for graph, many, failed, p50, p95, last in connection.execute(_GRAPHS.format(where=where), values)
        ),
        days=tuple(
            DayFigures(day=date.fromisoformat(day), runs=many, completed=completed, failed=failed)
            for day, many, completed, failed in connection.execute(_DAYS.format(where=where), values)
        ),
    )


def _seconds(took: int | None) -> float | None:
    return None if took is None else took / 1_000_000
