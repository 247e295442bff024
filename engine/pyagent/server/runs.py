"""Routes about runs: start, list, show, and requests to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import Response

from pyagent.errors import InputError, NotFound, Where
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.inputs import checked_inputs, needed_consents
from pyagent.runtime.log import decode
from pyagent.server.context import ServerContext, context_of
from pyagent.server.graphs import picture
from pyagent.server.reports import report_address
from pyagent.server.shapes import (
    AnswerStep,
    Cancel,
    Fork,
    FrameView,
    ResolveStep,
    RunDetails,
    RunPage,
    RunSummary,
    SendSignal,
    StartRun,
    StepView,
)
from pyagent.store.base import Run, RunFilter, RunStatus

router = APIRouter(prefix="/api/v1", tags=["runs"])
Server = Annotated[ServerContext, Depends(context_of)]
RunId = Annotated[str, Path(pattern="^[0-9a-z]{6,40}$")]


@router.post("/runs", status_code=201)
async def start_run(
    body: StartRun,
    server: Server,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> RunSummary:
    """Start a run; it is executed in the background."""
    engine = server.engine
    document = await engine.document(body.graph)
    GraphChecker(engine.registry).require(document)
    values = checked_inputs(document.spec, body.inputs)
    needed = needed_consents(document.spec, values)
    if needed and not body.consent:
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
        key=key,
        key_policy=body.on_key or ("existing" if body.key is None and key is not None else "reject"),
        production=not body.test,
    )
    return RunSummary.of(run)


@router.get("/runs")
async def list_runs(
    server: Server,
    graph: str | None = None,
    status: Annotated[list[RunStatus] | None, Query()] = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RunPage:
    """Runs, newest first."""
    chosen = RunFilter(
        graph_id=graph, statuses=cast("Sequence[RunStatus]", status or ()), before=before, limit=limit + 1
    )
    found = await server.engine.store.list_runs(chosen)
    shown = found[:limit]
    return RunPage(runs=[RunSummary.of(run) for run in shown], next=shown[-1].id if len(found) > limit else None)


@router.get("/runs/{run_id}")
async def show_run(run_id: RunId, server: Server) -> RunDetails:
    """A run with its steps."""
    store = server.engine.store
    # The cursor first: what happens meanwhile comes again by the events, and nothing is missed.
    cursor = await store.last_cursor()
    run = await store.get_run(run_id)
    frames = await _frames(server, run)
    return RunDetails.build(
        run,
        name=frames[""].name or frames[""].id,
        steps=[StepView.of(record) for record in await store.steps(run.id)],
        frames=[_frame(name, spec) for name, spec in frames.items()],
        report=report_address(run, server.keys),
        cursor=cursor,
    )


@router.get("/runs/{run_id}/svg", response_class=Response)
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
    return picture(frames[frame], server)


@router.post("/runs/{run_id}/cancel")
async def cancel_run(run_id: RunId, server: Server, body: Cancel | None = None) -> RunSummary:
    """Stop a run for good."""
    await server.engine.cancel(run_id, reason=body.reason if body else "")
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/pause")
async def pause_run(run_id: RunId, server: Server) -> RunSummary:
    """Start no more steps until the run is resumed."""
    await server.engine.pause(run_id)
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/resume")
async def resume_run(run_id: RunId, server: Server) -> RunSummary:
    """Go on with a paused, failed or cancelled run."""
    return RunSummary.of(await server.engine.resume(run_id))


@router.post("/runs/{run_id}/fork", status_code=201)
async def fork_run(run_id: RunId, body: Fork, server: Server) -> RunSummary:
    """Run again from a step, as a new run."""
    graph = None
    if body.graph is not None:
        graph = await server.engine.document(body.graph)
        GraphChecker(server.engine.registry).require(graph)
    return RunSummary.of(await server.engine.fork(run_id, body.step, items=body.items, graph=graph, once=body.once))


@router.post("/runs/{run_id}/answer")
async def answer_run(run_id: RunId, body: AnswerStep, server: Server) -> RunSummary:
    """Answer a step that waits for a person."""
    await server.engine.answer(run_id, body.step, body.value)
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/signal")
async def signal_run(run_id: RunId, body: SendSignal, server: Server) -> RunSummary:
    """Send a signal to one run."""
    await server.engine.signal(body.name, body.value, key=body.key, run_id=run_id)
    return await _summary(server, run_id)


@router.post("/signals", status_code=202)
async def send_signal(body: SendSignal, server: Server) -> dict[str, str]:
    """Send a signal to whichever run waits for it, now or later."""
    await server.engine.signal(body.name, body.value, key=body.key)
    return {"sent": body.name}


@router.post("/runs/{run_id}/resolve")
async def resolve_run(run_id: RunId, body: ResolveStep, server: Server) -> RunSummary:
    """Settle a step whose outcome is unknown."""
    await server.engine.resolve(run_id, body.step, body.how, items=body.items)
    return await _summary(server, run_id)


@router.get("/blobs/{digest}", response_class=Response)
async def read_blob(digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], server: Server) -> Response:
    """A payload by its digest, as it is."""
    data = await server.engine.store.get_blob(digest)
    headers = {"Content-Disposition": f'attachment; filename="{digest[:16]}"'}
    return Response(data, headers=headers, media_type="application/octet-stream")


async def _summary(server: ServerContext, run_id: str) -> RunSummary:
    return RunSummary.of(await server.engine.store.get_run(run_id))


async def _frames(server: ServerContext, run: Run) -> dict[str, GraphSpec]:
    """The run's own graph, and those that its steps called, by frame."""
    store = server.engine.store
    spec = load_text((await store.get_graph(run.graph_hash)).text).spec
    found = {"": spec}
    kinds = {type.kind for place in spec.places() if (type := server.engine.registry.get(str(place.node.use)))}
    if not kinds & {"call", "map"}:
        return found
    for record in await store.read_log(run.id):
        if record.kind == "step.expanded":
            data = cast("dict[str, Any]", decode(record.body)["data"])
            if data.get("graph"):
                name = f"{record.step}()" if data["kind"] == "call" else record.step
                found[name] = load_text((await store.get_graph(str(data["graph"]))).text).spec
    return found


def _frame(name: str, spec: GraphSpec) -> FrameView:
    labels = {node.id: node.label for node in spec.by_id.values()}
    return FrameView(frame=name, graph=spec.id, name=spec.name or spec.id, labels=labels)
