"""Figures about runs in Neo4j, by queries: no run is read for them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from pyagent.store.neo4j.connection import rows
from pyagent.store.statistics import DayFigures, GraphFigures, RunStatistics

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

_CHOSEN = """
MATCH (r:Run)
WHERE ($graph IS NULL OR r.graph_id = $graph) AND ($since IS NULL OR r.created_at >= $since)
"""
_STATUSES = f"{_CHOSEN} RETURN r.status AS status, count(*) AS many"
_DAYS = f"""{_CHOSEN}
WITH toString(date(datetime({{datetime: r.created_at, timezone: 'Z'}}))) AS day, r.status AS status
RETURN day, count(*) AS many, sum(CASE status WHEN 'completed' THEN 1 ELSE 0 END) AS completed,
  sum(CASE status WHEN 'failed' THEN 1 ELSE 0 END) AS failed
ORDER BY day
"""
# Of the values without null, the nearest rank.
_GRAPHS = f"""{_CHOSEN}
WITH r, CASE r.status WHEN 'completed' THEN
  coalesce(duration.inSeconds(r.started_at, r.ended_at).microseconds, 0) END AS took
ORDER BY r.number
WITH r.graph_id AS graph, count(*) AS many, sum(CASE r.status WHEN 'failed' THEN 1 ELSE 0 END) AS failed,
  percentileDisc(took, 0.5) AS p50, percentileDisc(took, 0.95) AS p95, max(r.number) AS last
MATCH (newest:Run {{number: last}})
RETURN graph, many, failed, p50, p95, newest.id AS last_run ORDER BY last DESC
"""


async def read(of: AsyncManagedTransaction, graph_id: str | None, since: datetime | None) -> RunStatistics:
    """Figures about the runs of a graph, or of all, that were created at this time or later."""
    chosen = {"graph": graph_id, "since": since}
    return RunStatistics(
        statuses={one["status"]: one["many"] for one in await rows(of, _STATUSES, **chosen)},
        graphs=tuple(
            GraphFigures(
                graph_id=one["graph"],
                runs=one["many"],
                failed=one["failed"],
                p50=_seconds(one["p50"]),
                p95=_seconds(one["p95"]),
                last_run=one["last_run"],
            )
            for one in await rows(of, _GRAPHS, **chosen)
        ),
        days=tuple(
            DayFigures(
                day=date.fromisoformat(one["day"]), runs=one["many"], completed=one["completed"], failed=one["failed"]
            )
            for one in await rows(of, _DAYS, **chosen)
        ),
    )


def _seconds(took: int | None) -> float | None:
    return None if took is None else took / 1_000_000
