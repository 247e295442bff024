"""Events by WebSocket: one message an event, in the same shape as everywhere, from a cursor on.

Whoever cannot send headers shows the token as the subprotocol `bearer.TOKEN` (beside `pyagent.events`) or in the first
message, `{"token": "…"}`; a browser of the page has its cookie.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress
from typing import Any, cast

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from pyagent.errors import PyAgentError
from pyagent.server.capabilities import PREFIX, grant_of, refusal, use_grant
from pyagent.server.context import ServerContext
from pyagent.server.events import LAST_CURSOR, batches, notice
from pyagent.server.limits import TooMany, client_of
from pyagent.server.shapes import EventView

PROTOCOL = "pyagent.events"
PATIENCE = 5.0
"""Seconds to wait for the token."""
PARTING = 1.0
"""Seconds to wait for a reader who does not read, before the socket is closed on it."""
UNAUTHORIZED, NOT_FOUND, RESTARTING = 4401, 4404, 1012
"""Codes that a socket is closed with; the last is the standard's "service restart": come back."""
router = APIRouter()


@router.websocket("/api/v1/events/ws")
async def follow_events(socket: WebSocket, after: int = 0, kinds: str = "") -> None:
    """The events of all runs."""
    await _serve(socket, after, kinds, None)


@router.websocket("/api/v1/runs/{run_id}/events/ws")
async def follow_run_events(socket: WebSocket, run_id: str, after: int = 0, kinds: str = "") -> None:
    """A run's events."""
    await _serve(socket, after, kinds, run_id)


async def _serve(socket: WebSocket, after: int, kinds: str, run_id: str | None) -> None:
    server: ServerContext = socket.app.state.context
    offered = cast("list[str]", socket.scope.get("subprotocols", []))
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)
    if "pyagent.who" not in socket.scope and not await _shows_token(socket, server):
        return
    after = min(max(after, 0), LAST_CURSOR)
    try:
        if run_id is not None:
            run_id = (await server.engine.store.get_run(run_id)).id
    except PyAgentError as error:
        await _leave(socket, NOT_FOUND, notice("stream.error", after, error=error.as_dict()))
        return
    with server.streams.one():
        await _follow(socket, server, after, kinds, run_id)


async def _shows_token(socket: WebSocket, server: ServerContext) -> bool:
    """Whether the first message brings the token; else the socket is closed."""
    shown: Any = None
    with suppress(TimeoutError, WebSocketDisconnect, ValueError, KeyError, RecursionError):
        shown = json.loads(await asyncio.wait_for(socket.receive_text(), PATIENCE))
    token = cast("dict[str, Any]", shown).get("token") if isinstance(shown, dict) else None
    if isinstance(token, str) and (server.keys.is_token(token) or await _opens(socket, server, token)):
        return True
    with suppress(TooMany):
        server.limits.failures.take(f"client {client_of(socket)}")
    error = {
        "code": "server.unauthorized",
        "message": "who is asking?",
        "hint": 'Send {"token": "…"} first, or open the socket with the subprotocol bearer.TOKEN.',
    }
    await _leave(socket, UNAUTHORIZED, notice("stream.error", 0, error=error))
    return False


async def _opens(socket: WebSocket, server: ServerContext, token: str) -> bool:
    """Whether a token with capabilities opens this socket."""
    if not token.startswith(PREFIX):
        return False
    try:
        grant = await grant_of(token)
    except PyAgentError:
        return False
    if await refusal(grant, "GET", str(socket.scope["path"]), server.graph_of) is not None:
        return False
    use_grant(grant)
    return True


async def _follow(socket: WebSocket, server: ServerContext, after: int, kinds: str, run_id: str | None) -> None:
    """Send events until the reader leaves or the server stops."""
    cursor = after

    async def send() -> None:
        nonlocal cursor
        async with aclosing(batches(server, after, kinds, run_id)) as found:
            async for batch in found:
                for event in batch or (notice("stream.alive", cursor),):
                    await socket.send_text(event.model_dump_json())
                    cursor = event.cursor

    async def read() -> None:
        # What a reader says after the token means nothing; that it leaves does.
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    sending, reading = asyncio.create_task(send()), asyncio.create_task(read())
    stopping = asyncio.create_task(server.stopping.wait())
    tasks: list[asyncio.Task[Any]] = [sending, reading, stopping]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            # The events that are on their way go first, if the reader takes them.
            await asyncio.wait({sending}, timeout=PARTING)
    finally:
        left = reading.done()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    if not left:
        failed = ended[0] if isinstance(ended[0], PyAgentError) else None
        last = notice("stream.error", cursor, error=failed.as_dict()) if failed else notice("stream.stopping", cursor)
        await _leave(socket, RESTARTING, last)


async def _leave(socket: WebSocket, code: int, last: EventView) -> None:
    """Say one last thing and close; a reader who does not take it is left alone."""
    with suppress(TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
        async with asyncio.timeout(PARTING):
            await socket.send_text(last.model_dump_json())
            await socket.close(code)


__all__ = ["router"]
