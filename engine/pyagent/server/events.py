"""Routes about events: pages of JSON, or a stream (Server-Sent Events) that a reader can take up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from pyagent.server.context import ServerContext, context_of
from pyagent.server.runs import RunId
from pyagent.server.shapes import Cursor, EventPage, EventView
from pyagent.store.base import Event

HEARTBEAT = 15.0
"""Seconds without an event after which the stream says that it is alive."""
router = APIRouter(prefix="/api/v1", tags=["events"])
Server = Annotated[ServerContext, Depends(context_of)]
After = Annotated[int, Query(ge=0, description="Cursor of the last event that was seen")]
LastSeen = Annotated[str | None, Header(alias="Last-Event-ID")]
Kinds = Annotated[str, Query(description="Only kinds that begin like this, such as `run.`")]


@router.get("/runs/{run_id}/events", response_model=EventPage)
async def run_events(
    run_id: RunId, request: Request, server: Server, after: After = 0, kinds: Kinds = "", last_event_id: LastSeen = None
) -> Any:
    """A run's events: a stream for `Accept: text/event-stream`, else a page."""
    run = await server.engine.store.get_run(run_id)
    return await _events(request, server, _cursor(after, last_event_id), kinds, run.id)


@router.get("/events", response_model=EventPage)
async def all_events(
    request: Request, server: Server, after: After = 0, kinds: Kinds = "", last_event_id: LastSeen = None
) -> Any:
    """The events of all runs: a stream for `Accept: text/event-stream`, else a page."""
    return await _events(request, server, _cursor(after, last_event_id), kinds, None)


@router.get("/cursor")
async def last_cursor(server: Server) -> Cursor:
    """The cursor of the newest event: where to begin to follow from now on."""
    return Cursor(cursor=await server.engine.store.last_cursor())


def _cursor(after: int, last_event_id: str | None) -> int:
    """A browser that comes back says in the header where it was; that is later than what its address says."""
    return max(after, int(last_event_id)) if last_event_id and last_event_id.isdigit() else after


async def _events(request: Request, server: ServerContext, after: int, kinds: str, run_id: str | None) -> Any:
    if "text/event-stream" in request.headers.get("accept", ""):
        stream = _stream(server, after, kinds, run_id)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    found = await server.engine.store.read_events(after, run_id, 1000)
    shown = [EventView.of(event) for event in found if event.kind.startswith(kinds)]
    return EventPage(events=shown, next=found[-1].cursor if found else after)


async def _stream(server: ServerContext, after: int, kinds: str, run_id: str | None) -> AsyncIterator[str]:
    """Events as they are committed, each with its cursor, until the reader leaves or the server stops."""
    yield "retry: 1000\n\n"
    batches = server.engine.store.follow(after, run_id)
    stopping = asyncio.create_task(server.stopping.wait())
    following: asyncio.Task[Sequence[Event]] | None = None

    async def following_batch() -> Sequence[Event]:
        return await anext(batches)

    try:
        while not server.stopping.is_set():
            following = following or asyncio.create_task(following_batch())
            await asyncio.wait({following, stopping}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                yield ": alive\n\n"
                continue
            batch, following = following.result(), None
            yield "".join(_message(event) for event in batch if event.kind.startswith(kinds)) or ": alive\n\n"
    finally:
        tasks: list[asyncio.Task[Any]] = [task for task in (following, stopping) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _message(event: Event) -> str:
    # JSON has no line breaks of its own, so one data line holds it all.
    return f"id: {event.cursor}\ndata: {EventView.of(event).model_dump_json()}\n\n"
