"""Routes about what happens to graph files: a stream of their changes, and their history."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse

from pyagent.graph.yaml import shown
from pyagent.runtime.graph_history import PastText, history, past_text
from pyagent.runtime.graph_watch import GraphChange, GraphWatchEnded
from pyagent.server.capabilities import may_see, require_graph
from pyagent.server.context import ServerContext, context_of
from pyagent.server.editing import spec_of
from pyagent.server.graph_shapes import FileChange, GraphDetails, HistoryEntry, HistoryPage, HistoryText
from pyagent.server.graphs import GraphId, details_of
from pyagent.server.openapi import errors, streams
from pyagent.server.streaming import until_closed

router = APIRouter(prefix="/api/v1/graphs", tags=["graphs"])
Server = Annotated[ServerContext, Depends(context_of)]


@router.get("/watch", response_model=GraphDetails, responses=errors(404) | streams("text/event-stream"))
async def watch_graphs(request: Request, server: Server) -> Any:
    """For `Accept: text/event-stream` a stream of what changes in the library's files, whoever changes it.

    The event `ready` comes first: what changes after it is told. Then each message is a change `{graph, file,
    text_hash, kind}`; a graph that changes faster than its reader reads is told as it is last. Without that header
    this is the address of a graph that is called `watch`.
    """
    if "text/event-stream" not in request.headers.get("accept", ""):
        require_graph("watch")
        return await details_of(await server.engine.document("watch"), server)
    return StreamingResponse(_changes(server), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/{graph_id}/history", responses=errors(404))
async def list_graph_history(
    graph_id: GraphId, server: Server, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> HistoryPage:
    """What the graph's file said before, newest first: the commits that changed it, where it is in a git repository,
    and the versions that the store keeps. A version that says what a commit says is left out."""
    found = await history(server.engine.library, server.engine.store, graph_id, limit)
    return HistoryPage(entries=[_entry(past) for past in found])


@router.get("/{graph_id}/history/{ref}", responses=errors(404))
async def show_graph_history(
    graph_id: GraphId, ref: Annotated[str, Path(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")], server: Server
) -> HistoryText:
    """The graph's file as it was."""
    past = await past_text(server.engine.library, server.engine.store, graph_id, ref)
    spec = await server.apart(len(past.text), lambda: spec_of(past.text))
    return HistoryText(source=past.source, ref=past.ref, text=past.text, text_hash=past.hash, spec=spec)


def _entry(past: PastText) -> HistoryEntry:
    return HistoryEntry(
        source=past.source,
        ref=past.ref,
        at=past.at,
        author=past.author,
        subject=past.subject,
        text_hash=past.hash,
    )


async def _changes(server: ServerContext) -> AsyncGenerator[str]:
    yield "retry: 1000\n\n"
    try:
        with server.streams.one():
            async with server.watch.listening() as listener:
                yield "event: ready\ndata: {}\n\n"
                async with aclosing(until_closed(server, listener.take)) as found:
                    async for changes in found:
                        if changes is None:
                            yield ": alive\n\n"
                        else:
                            yield "".join(_message(change) for change in changes if may_see(change.graph))
    except GraphWatchEnded:
        # It has been logged; a reader that comes back in a while finds it watched again.
        yield "retry: 10000\n\n"
    else:
        yield "event: stopping\ndata: {}\n\n"


def _message(change: GraphChange) -> str:
    view = FileChange(graph=change.graph, file=shown(change.file), text_hash=change.text_hash, kind=change.kind)
    # JSON has no line breaks of its own, so one data line holds it all.
    return f"data: {view.model_dump_json()}\n\n"


__all__ = ["router"]
