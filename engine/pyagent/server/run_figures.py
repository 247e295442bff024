"""Routes about runs as a whole: figures, comparisons, and how a run stood after each entry of its log."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from pyagent.runtime.comparison import compare
from pyagent.runtime.moments import Timeline
from pyagent.server.capabilities import require_graph
from pyagent.server.context import ServerContext, context_of, require_run
from pyagent.server.graph_shapes import ChangeView
from pyagent.server.openapi import errors
from pyagent.server.run_shapes import (
    ComparedStep,
    DayFiguresView,
    GraphFiguresView,
    LastRuns,
    MomentPage,
    MomentView,
    RunComparison,
    RunMoment,
    RunStatisticsView,
    StepComparison,
)
from pyagent.server.runs import RunId
from pyagent.server.shapes import GRAPH_ID, Moment, RunSummary
from pyagent.store.base import Run, StepRecord

router = APIRouter(prefix="/api/v1", tags=["runs"])
Server = Annotated[ServerContext, Depends(context_of)]
AnyGraph = Annotated[str, Field(pattern=GRAPH_ID, max_length=200)]
AnyRun = Annotated[str, Query(pattern="^[0-9a-z]{6,40}$")]


@router.get("/runs/last")
async def list_last_runs(
    server: Server,
    graph: Annotated[list[AnyGraph], Query(min_length=1, max_length=200, description="Ids of graphs")],
    each: Annotated[int, Query(ge=1, le=20, description="Runs of one graph, at most")] = 10,
) -> LastRuns:
    """The newest runs of each of the graphs, newest first, however many runs others have had since."""
    for graph_id in graph:
        require_graph(graph_id)
    found = await server.engine.store.last_runs(list(dict.fromkeys(graph)), each)
    return LastRuns(runs=[RunSummary.of(run) for run in found])


@router.get("/runs/statistics")
async def run_statistics(
    server: Server,
    graph: Annotated[str | None, Query(max_length=200, description="Id of the graph; left out: all")] = None,
    since: Annotated[Moment | None, Query(description="Created at this time or later")] = None,
) -> RunStatisticsView:
    """How many runs there are by status, by graph and by day, and how long they take."""
    require_graph(graph)
    found = await server.engine.store.run_statistics(graph_id=graph, since=since)
    last = await asyncio.gather(*(_summary(server, one.last_run) for one in found.graphs))
    return RunStatisticsView(
        total=sum(found.statuses.values()),
        statuses={**found.statuses},
        graphs=[
            GraphFiguresView(
                graph=one.graph_id, runs=one.runs, failed=one.failed, p50=one.p50, p95=one.p95, last_run=run
            )
            for one, run in zip(found.graphs, last, strict=True)
        ],
        days=[
            DayFiguresView(day=one.day, runs=one.runs, completed=one.completed, failed=one.failed) for one in found.days
        ],
    )


@router.get("/runs/compare", responses=errors(404))
async def compare_runs(server: Server, a: AnyRun, b: AnyRun) -> RunComparison:
    """Two runs beside each other: how each step ended, how long it took, whether its data are the same."""
    for run_id in (a, b):
        await require_run(server, run_id)
    found = await compare(server.engine, a, b)
    return RunComparison(
        a=RunSummary.of(found.a),
        b=RunSummary.of(found.b),
        inputs_equal=found.inputs_equal,
        outputs_equal=found.outputs_equal,
        graph_changes=await _graph_changes(server, found.a, found.b),
        steps=[
            StepComparison(
                step=pair.step,
                node=pair.node,
                a=_compared(pair.a),
                b=_compared(pair.b),
                inputs_equal=pair.inputs_equal,
                outputs_equal=pair.outputs_equal,
            )
            for pair in found.steps
        ],
    )


@router.get("/runs/{run_id}/moments", responses=errors(404))
async def list_moments(
    run_id: RunId,
    server: Server,
    after: Annotated[int, Query(ge=0, le=2**53, description="`n` of the last moment that was seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> MomentPage:
    """The entries of the run's log, in order: what it can be shown as of."""
    timeline = await _timeline(server, run_id)
    shown = timeline.moments[after : after + limit]
    count = len(timeline.moments)
    return MomentPage(
        moments=[
            MomentView(n=one.n, at=one.at, kind=one.kind, step=one.step, status=one.status, attempt=one.attempt)
            for one in shown
        ],
        count=count,
        next=after + len(shown) if after + len(shown) < count else None,
    )


@router.get("/runs/{run_id}/moments/{n}", responses=errors(404))
async def show_moment(run_id: RunId, n: int, server: Server) -> RunMoment:
    """The run as it stood after entry `n` of its log: its state and its steps; 0: before the first."""
    timeline = await _timeline(server, run_id)
    found = await asyncio.to_thread(timeline.at, n)
    moment = found.moment
    return RunMoment(
        n=n,
        at=moment.at if moment else None,
        kind=moment.kind if moment else "",
        step=moment.step if moment else "",
        run_status=found.status,
        state=dict(found.state),
        steps=dict(found.steps),
    )


async def _timeline(server: ServerContext, run_id: str) -> Timeline:
    run = await server.engine.store.get_run(run_id)
    found = server.timelines.get(run.id, run.log_length)
    if found is None:
        found = await asyncio.to_thread(Timeline.of, *(await server.engine.replay(run.id)))
        server.timelines.keep(run.id, found)
    return found


async def _summary(server: ServerContext, run_id: str) -> RunSummary:
    return RunSummary.of(await server.engine.store.get_run(run_id))


async def _graph_changes(server: ServerContext, a: Run, b: Run) -> list[ChangeView]:
    from pyagent.graph.diff import diff

    if a.graph_hash == b.graph_hash:
        return []
    old, new = [await server.version(run.graph_hash) for run in (a, b)]
    changes = await server.apart(len(old.text) + len(new.text), lambda: diff(old, new))
    return [ChangeView(**change.as_dict()) for change in changes]


def _compared(record: StepRecord | None) -> ComparedStep | None:
    if record is None:
        return None
    took = (record.ended_at - record.started_at).total_seconds() if record.started_at and record.ended_at else None
    return ComparedStep(
        status=record.status,
        attempt=record.attempt,
        seconds=took,
        items_in=record.items_in,
        items_out=dict(record.items_out),
    )


__all__ = ["router"]
