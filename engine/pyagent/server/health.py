"""Routes about the server itself: whether it lives, whether it can work, and links to its page."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from pyagent import __version__
from pyagent.errors import PyAgentError
from pyagent.server.context import ServerContext, context_of
from pyagent.server.shapes import Link, Shape

PATIENCE = 2.0
"""Seconds that the store may take to answer."""
router = APIRouter(tags=["server"])
Server = Annotated[ServerContext, Depends(context_of)]


class Live(Shape):
    """The server answers."""

    status: Literal["ok"]
    version: str


class Check(Shape):
    """One thing that the server needs."""

    name: Literal["store", "worker", "stopping"]
    ok: bool
    reason: str
    """Empty where all is well."""


class Ready(Shape):
    """Whether the server can do its work."""

    ready: bool
    checks: list[Check]


_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Ready, "description": "Something is missing; `reason` says what"}
}


@router.get("/healthz")
async def is_live() -> Live:
    """Whether the server answers; it needs nothing else. A server that does not should be started again."""
    return Live(status="ok", version=__version__)


@router.get("/readyz", responses=_NOT_READY)
async def is_ready(server: Server, response: Response) -> Ready:
    """Whether the store can be reached, runs are executed, and the server is not about to stop."""
    checks = [await _store(server), _worker(server)]
    stopping = server.stopping.is_set()
    checks.append(Check(name="stopping", ok=not stopping, reason="the server is about to stop" if stopping else ""))
    ready = all(check.ok for check in checks)
    response.status_code = 200 if ready else 503
    return Ready(ready=ready, checks=checks)


@router.post("/api/v1/links", status_code=201)
async def new_link(server: Server) -> Link:
    """A link that opens the page once."""
    return Link(path=f"/?once={server.keys.new_link()}")


async def _store(server: ServerContext) -> Check:
    try:
        await asyncio.wait_for(server.engine.store.last_cursor(), PATIENCE)
    except TimeoutError:
        return Check(name="store", ok=False, reason=f"the store does not answer within {PATIENCE:g} s")
    except PyAgentError as error:
        # The message may hold paths of this machine, and anybody may ask.
        return Check(name="store", ok=False, reason=f"the store cannot be reached ({error.code})")
    return Check(name="store", ok=True, reason="")


def _worker(server: ServerContext) -> Check:
    working = server.working
    if working is not None and working.done():
        return Check(name="worker", ok=False, reason="what executes runs here has ended")
    reason = "" if working is not None else "this server shows runs and executes none"
    return Check(name="worker", ok=True, reason=reason)


__all__ = ["router"]
