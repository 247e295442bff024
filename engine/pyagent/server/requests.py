"""Routes by which a run is asked for something: to stop, pause, go on, fork, take an answer or a signal."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from pyagent.runtime.inputs import needed_consents
from pyagent.runtime.log import decode
from pyagent.server.capabilities import actor, require, require_graph
from pyagent.server.context import ServerContext, context_of
from pyagent.server.limits import limited
from pyagent.server.openapi import errors
from pyagent.server.runs import RunId, chosen_graph
from pyagent.server.shapes import AnswerStep, Approve, Cancel, Fork, ResolveStep, RunSummary, SendSignal, SentSignal

router = APIRouter(prefix="/api/v1", tags=["requests"])
Server = Annotated[ServerContext, Depends(context_of)]


@router.post("/runs/{run_id}/cancel", responses=errors(404))
async def cancel_run(run_id: RunId, server: Server, body: Cancel | None = None) -> RunSummary:
    """Stop a run for good; its steps get a grace time. A run that has ended stays as it is."""
    await server.engine.cancel(run_id, reason=body.reason if body else "", actor=actor())
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/pause", responses=errors(404))
async def pause_run(run_id: RunId, server: Server) -> RunSummary:
    """Start no more steps until the run is resumed."""
    await server.engine.pause(run_id, actor=actor())
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/resume", responses=errors(404, 409))
async def resume_run(run_id: RunId, server: Server) -> RunSummary:
    """Go on with a paused, failed or cancelled run."""
    return RunSummary.of(await server.engine.resume(run_id, actor=actor()))


@router.post(
    "/runs/{run_id}/fork",
    status_code=201,
    responses=errors(404, 409),
    dependencies=[Depends(limited(lambda limits: limits.starts))],
)
async def fork_run(run_id: RunId, body: Fork, server: Server) -> RunSummary:
    """Run again from a step, as a new run."""
    graph = None
    if body.items is not None:
        require("edit", "giving a step other items")
    if body.graph is not None or body.text is not None:
        graph_id = body.graph or await server.graph_of(run_id)
        require_graph(graph_id)
        graph = await chosen_graph(server, graph_id, body.text)
        inputs = decode((await server.engine.store.get_run(run_id)).inputs)
        if needed_consents(graph.spec, inputs):
            # Nobody was asked about them when the run began: that graph gave them another meaning, or none.
            require("approve", f"going on with {graph_id} and these inputs")
    new = await server.engine.fork(
        run_id,
        body.step,
        items=body.items,
        graph=graph,
        once=body.once,
        until=body.until,
        test=body.test,
        actor=actor(),
    )
    return RunSummary.of(new)


@router.post("/runs/{run_id}/answer", responses=errors(404, 409))
async def answer_run(run_id: RunId, body: AnswerStep, server: Server) -> RunSummary:
    """Answer a step that waits for a person; the step's `wait.response_schema` says what it takes."""
    await server.engine.answer(run_id, body.step, body.value, actor=actor())
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/approve", responses=errors(404, 409))
async def approve_run(run_id: RunId, server: Server, body: Approve | None = None) -> RunSummary:
    """Approve or reject what a step asks; the same as an answer `{"approved": …, "comment": …}`."""
    asked = body or Approve.model_validate({})
    value = {"approved": asked.approved, "comment": asked.comment}
    await server.engine.answer(run_id, asked.step, value, actor=actor())
    return await _summary(server, run_id)


@router.post("/runs/{run_id}/signal", responses=errors(404, 409))
async def signal_run(run_id: RunId, body: SendSignal, server: Server) -> RunSummary:
    """Send a signal to one run."""
    await server.engine.signal(body.name, body.value, key=body.key, run_id=run_id, actor=actor())
    return await _summary(server, run_id)


@router.post("/signals", status_code=202)
async def send_signal(body: SendSignal, server: Server) -> SentSignal:
    """Send a signal to whichever run waits for it, now or later."""
    await server.engine.signal(body.name, body.value, key=body.key, actor=actor())
    return SentSignal(sent=body.name)


@router.post("/runs/{run_id}/resolve", responses=errors(404, 409))
async def resolve_run(run_id: RunId, body: ResolveStep, server: Server) -> RunSummary:
    """Settle a step whose outcome is unknown."""
    await server.engine.resolve(run_id, body.step, body.how, items=body.items, actor=actor())
    return await _summary(server, run_id)


async def _summary(server: ServerContext, run_id: str) -> RunSummary:
    return RunSummary.of(await server.engine.store.get_run(run_id))


__all__ = ["router"]
