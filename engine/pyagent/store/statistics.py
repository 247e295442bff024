"""Figures about runs, as every store reckons them: totals by status, by graph and by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyagent.store.base import Run, RunStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphFigures:
    """The runs of one graph."""

    graph_id: str
    runs: int
    failed: int
    p50: float | None
    """Seconds that a completed run took, waits included, in the middle: half of them took no longer. The nearest rank,
    so it is one of the values; None where none has completed."""
    p95: float | None
    """As `p50`, for 19 of 20."""
    last_run: str
    """The run that was created last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayFigures:
    """The runs that were created on one day in UTC."""

    day: date
    runs: int
    completed: int
    failed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatistics:
    """Figures about runs."""

    statuses: Mapping[RunStatus, int] = field(default_factory=dict["RunStatus", int])
    """How many there are, by how they stand; a status that none has is left out."""
    graphs: tuple[GraphFigures, ...] = ()
    """By graph, the one whose last run is newest first."""
    days: tuple[DayFigures, ...] = ()
    """By day, the first one first; days without runs are left out."""


def statistics_of(runs: Iterable[Run]) -> RunStatistics:
    """The figures of these runs, which come in the order of their creation: what a store's queries must agree with."""
    statuses: dict[RunStatus, int] = {}
    by_graph: dict[str, list[Run]] = {}
    by_day: dict[date, list[Run]] = {}
    for run in runs:
        statuses[run.status] = statuses.get(run.status, 0) + 1
        # Taken out and put in again: the graph whose run came last is last.
        found = by_graph.pop(run.graph_id, [])
        found.append(run)
        by_graph[run.graph_id] = found
        by_day.setdefault(run.created_at.astimezone(UTC).date(), []).append(run)
    return RunStatistics(
        statuses=statuses,
        graphs=tuple(_of_graph(graph_id, found) for graph_id, found in reversed(by_graph.items())),
        days=tuple(
            DayFigures(day=day, runs=len(found), completed=_count(found, "completed"), failed=_count(found, "failed"))
            for day, found in sorted(by_day.items())
        ),
    )


def _of_graph(graph_id: str, runs: list[Run]) -> GraphFigures:
    took = sorted(_seconds(run.started_at, run.ended_at) for run in runs if run.status == "completed")
    return GraphFigures(
        graph_id=graph_id,
        runs=len(runs),
        failed=_count(runs, "failed"),
        p50=_rank(took, 50),
        p95=_rank(took, 95),
        last_run=runs[-1].id,
    )


def _count(runs: list[Run], status: RunStatus) -> int:
    return sum(run.status == status for run in runs)


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start is not None and end is not None else 0.0


def _rank(values: list[float], percent: int) -> float | None:
    """The nearest rank: the smallest value that so many percent of all are not above."""
    return values[-(-len(values) * percent // 100) - 1] if values else None


__all__ = ["DayFigures", "GraphFigures", "RunStatistics", "statistics_of"]
