"""Routes about events: pages of JSON, or a stream (Server-Sent Events) that a reader can take up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from pyagent.server.context import ServerContext, context_of
from pyagent.server.openapi import errors, streams
from pyagent.server.runs import RunId
from pyagent.server.shapes import Cursor, EventPage, EventView
from pyagent.server.streaming import HEARTBEAT, until_closed
from pyagent.store.base import Event, EventsForgotten

GATHER = 0.04
"""Seconds between two messages of a stream that carries lists: 25 a second are more than a page can paint."""
LAST_CURSOR = 2**63 - 1
router = APIRouter(prefix="/api/v1", tags=["events"])
Server = Annotated[ServerContext, Depends(context_of)]
After = Annotated[int, Query(ge=0, le=LAST_CURSOR, description="Cursor of the last event that was seen")]
LastSeen = Annotated[str | None, Header(alias="Last-Event-ID", description="As `after`; the later one counts")]
Kinds = Annotated[str, Query(max_length=100, description="Only kinds that begin like this, such as `run.`")]
Batch = Annotated[
    bool, Query(description="A stream's messages carry lists of events: each costs a page one event of the browser's")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Events that a page looks at")]


@router.get("/runs/{run_id}/events", response_model=EventPage, responses=errors(404) | streams("text/event-stream"))
async def list_run_events(
    run_id: RunId,
    request: Request,
    server: Server,
    after: After = 0,
    kinds: Kinds = "",
    limit: Limit = 1000,
    batch: Batch = False,
    last_event_id: LastSeen = None,
) -> Any:
    """A run's events: a stream for `Accept: text/event-stream`, else a page."""
    run = await server.engine.store.get_run(run_id)
    return await _events(request, server, _cursor(after, last_event_id), kinds, run.id, limit, batch)


@router.get("/runs/{run_id}/logs", responses=errors(404))
async def list_run_logs(
    run_id: RunId, server: Server, after: After = 0, step: str = "", limit: Limit = 1000
) -> EventPage:
    """What the run's nodes have said (`step.log`), oldest first; `step` chooses one step."""
    run = await server.engine.store.get_run(run_id)
    found: list[Event] = []
    while len(found) < limit:
        page = await server.engine.store.read_events(after, run.id, 1000)
        for event in page:
            after = event.cursor
            if event.kind == "step.log" and step in ("", event.step):
                found.append(event)
                if len(found) == limit:
                    break
        if len(page) < 1000:
            break
    return EventPage(events=[EventView.of(event) for event in found], next=after)


@router.get("/events", response_model=EventPage, responses=streams("text/event-stream"))
async def list_events(
    request: Request,
    server: Server,
    after: After = 0,
    kinds: Kinds = "",
    limit: Limit = 1000,
    batch: Batch = False,
    last_event_id: LastSeen = None,
) -> Any:
    """The events of all runs: a stream for `Accept: text/event-stream`, else a page."""
    return await _events(request, server, _cursor(after, last_event_id), kinds, None, limit, batch)


@router.get("/cursor")
async def last_cursor(server: Server) -> Cursor:
    """The cursor of the newest event: where to begin to follow from now on."""
    return Cursor(cursor=await server.engine.store.last_cursor())


def _cursor(after: int, last_event_id: str | None) -> int:
    """A browser that comes back says in the header where it was; that is later than what its address says."""
    if last_event_id and last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19:
        return max(after, int(last_event_id))
    return after


async def _events(
    request: Request, server: ServerContext, after: int, kinds: str, run_id: str | None, limit: int, batch: bool
) -> Any:
    if "text/event-stream" in request.headers.get("accept", ""):
        stream = _stream(server, after, kinds, run_id, batch)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    found = await server.engine.store.read_events(after, run_id, limit)
    shown = [EventView.of(event) for event in found if event.kind.startswith(kinds)]
    return EventPage(events=shown, next=found[-1].cursor if found else after)


async def batches(
    server: ServerContext, after: int, kinds: str, run_id: str | None
) -> AsyncGenerator[Sequence[EventView]]:
    """Events as they are committed, until the server stops or the reader's token ends; an empty batch after `HEARTBEAT`
    seconds without any that the reader wants.

    Only what the reader asks for is read: one that is slow holds no more than a batch in memory, and no run waits.
    """
    time = asyncio.get_running_loop().time
    said = time()
    with server.streams.reading(after) if run_id is None else nullcontext(_untold) as tell:
        while True:
            following = server.engine.store.follow(after, run_id)
            try:
                async with aclosing(until_closed(server, following.__anext__)) as found:
                    async for batch in found:
                        wanted = [EventView.of(event) for event in batch or () if event.kind.startswith(kinds)]
                        # Of a busy server's other events nothing is said, but that the stream is alive.
                        if wanted or not batch or time() - said >= HEARTBEAT:
                            yield wanted
                            said = time()
                        if batch:
                            tell(batch[-1].cursor)
                return
            except EventsForgotten as gone:
                # It is told, and goes on with what there is: a page that follows must not stand still.
                after = int(gone.details["kept_after"])
                yield [notice("stream.forgotten", after, after=gone.details["after"])]


def _untold(cursor: int) -> None:
    """Of one run's followers nobody asks how far they are."""


def notice(kind: str, cursor: int, **data: Any) -> EventView:
    """A message of the stream itself, in the shape of an event: `stream.alive`, `stream.stopping`, …."""
    return EventView(cursor=cursor, run_id="", kind=kind, step="", at=datetime.now(UTC), data=data)


async def _stream(
    server: ServerContext, after: int, kinds: str, run_id: str | None, together: bool
) -> AsyncGenerator[str]:
    yield "retry: 1000\n\n"
    with server.streams.one():
        async with aclosing(batches(server, after, kinds, run_id)) as found:
            async for batch in found:
                if batch:
                    after = batch[-1].cursor
                if together and batch:
                    yield _messages(batch)
                    # What comes meanwhile is one message, however many commits it was.
                    await asyncio.sleep(GATHER)
                else:
                    yield "".join(_message(event) for event in batch) or ": alive\n\n"
        # An event of another name: a page that knows it not comes back by itself all the same, by `retry`.
        yield f"event: stopping\ndata: {notice('stream.stopping', after).model_dump_json()}\n\n"


def _message(event: EventView) -> str:
    # JSON has no line breaks of its own, so one data line holds it all.
    return f"id: {event.cursor}\ndata: {event.model_dump_json()}\n\n"


def _messages(events: Sequence[EventView]) -> str:
    """A batch as one message with a list, and the cursor of its last event: who comes back with that misses none."""
    return f"id: {events[-1].cursor}\ndata: [{','.join(event.model_dump_json() for event in events)}]\n\n"
