"""Routes about runs: start, list, show, and what their steps were given and gave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import Response

from pyagent.errors import InputError, NotFound, RunError, Where
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.inputs import checked_inputs, needed_consents
from pyagent.runtime.inspect import step_data
from pyagent.runtime.log import decode
from pyagent.runtime.trace import TRACEPARENT, TRACESTATE, read_labels
from pyagent.server.capabilities import actor, may, require, require_graph
from pyagent.server.context import ServerContext, context_of
from pyagent.server.form_address import form_path
from pyagent.server.graphs import picture
from pyagent.server.limits import limited
from pyagent.server.openapi import content, errors
from pyagent.server.reports import report_address
from pyagent.server.security import Keys
from pyagent.server.shapes import FrameView, Moment, RunDetails, RunPage, RunSummary, StartRun, StepView
from pyagent.server.step_shapes import MAX_ITEMS, StepDetails
from pyagent.store.base import ENDED, Run, RunFilter, RunStatus, StepRecord

router = APIRouter(prefix="/api/v1", tags=["runs"])
Server = Annotated[ServerContext, Depends(context_of)]
RunId = Annotated[str, Path(pattern="^[0-9a-z]{6,40}$")]


@router.post(
    "/runs",
    status_code=201,
    responses=errors(404, 409),
    dependencies=[Depends(limited(lambda limits: limits.starts))],
)
async def start_run(
    body: StartRun,
    server: Server,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", max_length=200, description="As `key`; the same key, the same run")
    ] = None,
    traceparent: Annotated[
        str | None, Header(description="W3C trace context that the run is to be part of; a broken one is passed over")
    ] = None,
    tracestate: Annotated[str | None, Header(description="What belongs to `traceparent`")] = None,
) -> RunSummary:
    """Start a run; it is executed in the background."""
    engine = server.engine
    require_graph(body.graph)
    document = await chosen_graph(server, body.graph, body.text)
    values = checked_inputs(document.spec, body.inputs)
    needed = needed_consents(document.spec, values)
    if needed and not (body.consent and may("approve")):
        name, text = next(iter(needed.items()))
        raise InputError(
            f"{name}: {text}",
            code="input.consent",
            hint="Send `consent: true` if you trust it.",
            where=Where(field=f"inputs.{name}"),
            details={"consent": needed},
        )
    key = body.key if body.key is not None else idempotency_key
    run = await engine.start(
        document,
        values,
        trigger=body.trigger,
        until=body.until,
        actor=actor(),
        key=key,
        key_policy=body.on_key or ("existing" if body.key is None and key is not None else "reject"),
        priority=body.priority,
        production=not body.test,
        labels=read_labels({TRACEPARENT: traceparent or "", TRACESTATE: tracestate or ""}),
    )
    return RunSummary.of(run)


@router.get("/runs", responses=errors(404))
async def list_runs(
    server: Server,
    graph: Annotated[str | None, Query(max_length=200, description="Id of the graph")] = None,
    status: Annotated[list[RunStatus] | None, Query()] = None,
    key: Annotated[str | None, Query(max_length=200, description="The start key, as it is")] = None,
    text: Annotated[
        str, Query(max_length=200, description="Part of the id, the graph's id, the key, the trigger or the actor")
    ] = "",
    since: Annotated[Moment | None, Query(description="Created at this time or later")] = None,
    until: Annotated[Moment | None, Query(description="Created before this time")] = None,
    production: Annotated[bool | None, Query(description="Runs that count, or test runs")] = None,
    forked_from: Annotated[str | None, Query(max_length=40, description="Forks of this run")] = None,
    parent_run: Annotated[str | None, Query(max_length=40, description="Runs that this one started")] = None,
    longer_than: Annotated[
        float | None, Query(ge=0, le=1e9, description="Seconds that they took, or take, at least")
    ] = None,
    before: Annotated[str | None, Query(max_length=40, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RunPage:
    """Runs, newest first."""
    chosen = RunFilter(
        graph_id=graph,
        statuses=cast("Sequence[RunStatus]", status or ()),
        key=key,
        text=text,
        since=since,
        until=until,
        production=production,
        forked_from=forked_from,
        parent_run=parent_run,
        longer_than=None if longer_than is None else timedelta(seconds=longer_than),
        before=before,
        limit=limit + 1,
    )
    found = await server.engine.store.list_runs(chosen)
    shown = found[:limit]
    return RunPage(runs=[RunSummary.of(run) for run in shown], next=shown[-1].id if len(found) > limit else None)


@router.get("/runs/{run_id}", responses=errors(404))
async def show_run(
    run_id: RunId,
    server: Server,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait at most until it ends or waits")] = 0,
) -> RunDetails:
    """A run with its steps."""
    store = server.engine.store
    if wait:
        await _until_it_rests(server, run_id, wait)
    # The cursor first: what happens meanwhile comes again by the events, and nothing is missed.
    cursor = await store.last_cursor()
    run = await store.get_run(run_id)
    frames = await _frames(server, run)
    own = frames[""][1].spec
    return RunDetails.build(
        run,
        name=own.name or own.id,
        steps=[step_view(run, record, server.keys) for record in await store.steps(run.id)],
        frames=[_frame(name, version, document.spec) for name, (version, document) in frames.items()],
        report=report_address(run, server.keys),
        cursor=cursor,
    )


@router.delete("/runs/{run_id}", status_code=204, responses=errors(404, 409))
async def delete_run(run_id: RunId, server: Server) -> None:
    """Delete all data of a run that has ended, for good. Payloads that other runs refer to stay."""
    run = await server.engine.store.get_run(run_id)
    if run.status not in ENDED:
        raise RunError(
            f"the run {run.id} has not ended ({run.status})",
            code="run.alive",
            hint="Cancel it first.",
        )
    await server.engine.store.delete_run(run.id)


@router.get("/runs/{run_id}/steps/{step:path}", responses=errors(404))
async def show_step(
    run_id: RunId,
    step: Annotated[str, Path(max_length=1000, description="`frame/node@scope`, or a node: its step that began last")],
    server: Server,
    offset: Annotated[int, Query(ge=0, le=2**53, description="Index of the first item that is shown")] = 0,
    limit: Annotated[int, Query(ge=0, le=MAX_ITEMS, description="Items of each port that are shown at most")] = 50,
    port: Annotated[str | None, Query(max_length=200, description="Only this port's items")] = None,
) -> StepDetails:
    """A step with what it was given and what it gave: items by port, each with the items that it came from."""
    found = await step_data(server.engine, run_id, step)
    view = step_view(found.run, found.record, server.keys)
    return StepDetails.build(view, found, offset=offset, limit=limit, port=port)


@router.get(
    "/runs/{run_id}/svg", response_class=Response, responses=errors(404) | content("image/svg+xml", "A picture")
)
async def draw_run(run_id: RunId, server: Server, frame: str = "") -> Response:
    """The graph of a run, or of a graph that it called, in the version that it runs on."""
    run = await server.engine.store.get_run(run_id)
    frames = await _frames(server, run)
    if frame not in frames:
        raise NotFound(
            f"the run has called no graph at {frame!r}",
            code="run.no_frame",
            hint="`frames` of the run lists what it has called.",
        )
    return await picture(frames[frame][1], server)


async def _until_it_rests(server: ServerContext, run_id: str, seconds: float) -> None:
    """Return when the run has ended, waits or is paused, at the latest after so many seconds."""
    clock, store = asyncio.get_running_loop().time, server.engine.store
    end = clock() + seconds
    while not server.stopping.is_set() and (left := end - clock()) > 0:
        mark = store.mark()
        if (await store.get_run(run_id)).status not in ("queued", "running"):
            return
        await store.changed(min(left, 1.0), mark)


async def chosen_graph(server: ServerContext, graph_id: str, text: str | None) -> Document:
    """The graph that a run is to be of: as its file is, or as an editor has it. Raises `GraphError`, `NotFound`, and
    `Refused` (`server.capability`) for a text of somebody who may not write the file either."""
    if text is None:
        document = await server.engine.document(graph_id)
    else:
        require("edit", "running a graph that is not saved")
        document = await server.apart(len(text), lambda: load_text(text))
        if document.spec.id != graph_id:
            raise InputError(
                f"the text is the graph {document.spec.id!r}, not {graph_id!r}",
                hint="Its `id` says which graph it is.",
                where=Where(field="text"),
            )
    checker = GraphChecker(server.engine.registry)
    await server.apart(len(document.text), lambda: checker.require(document))
    return document


def step_view(run: Run, record: StepRecord, keys: Keys) -> StepView:
    """A step as it stands, with the address of the form by which anybody may answer it."""
    before = record.ended_at is not None and record.ended_at < run.created_at
    return StepView.of(record, kept=before and run.forked_from is not None, form=form_path(run, record, keys))


async def _frames(server: ServerContext, run: Run) -> dict[str, tuple[str, Document]]:
    """The run's own graph, and those that its steps called, by frame, each with the hash of its version."""
    store = server.engine.store
    document = await server.version(run.graph_hash)
    found = {"": (run.graph_hash, document)}
    kinds = {type.kind for place in document.spec.places() if (type := server.engine.registry.get(str(place.node.use)))}
    if not kinds & {"call", "map"}:
        return found
    for record in await store.read_log(run.id):
        if record.kind == "step.expanded":
            data = cast("dict[str, Any]", decode(record.body)["data"])
            if data.get("graph"):
                name = f"{record.step}()" if data["kind"] == "call" else record.step
                version = str(data["graph"])
                found[name] = (version, await server.version(version))
    return found


def _frame(name: str, version: str, spec: GraphSpec) -> FrameView:
    labels = {node.id: node.label for node in spec.by_id.values()}
    return FrameView(frame=name, graph=spec.id, hash=version, name=spec.name or spec.id, labels=labels)
