"""Routes that show a run to people without a login: one page, by a link that can be revoked, or as a file."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from pyagent.errors import NotFound
from pyagent.runtime.run_page import RunPageData, run_page
from pyagent.server.capabilities import actor
from pyagent.server.context import ServerContext, context_of
from pyagent.server.limits import client_of
from pyagent.server.openapi import content, errors
from pyagent.server.run_html import POLICY, run_html
from pyagent.server.run_shapes import SharedRun, SharedRuns, ShareRun
from pyagent.server.runs import RunId
from pyagent.server.security import Keys
from pyagent.server.shares import Share

router = APIRouter()
Server = Annotated[ServerContext, Depends(context_of)]
_HEADERS = {
    # In a frame of its own origin even where it is opened alone: nothing of this server is within its reach.
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'; sandbox allow-popups",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
_GONE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>PyAgent</title><link rel="stylesheet" href="/static/form.css"><body><main><h1>This link shows nothing</h1>
<p>It was revoked, has expired, or the run was deleted. Ask whoever sent it for a new one.</p></main></body></html>"""
_NODE = 200
"""Characters that a node takes in a text."""
_HTML = {"content": {"text/html": {"schema": {"type": "string"}}}}


@router.post("/api/v1/runs/{run_id}/share", status_code=201, responses=errors(404), tags=["runs"])
async def share_run(run_id: RunId, server: Server, body: ShareRun | None = None) -> SharedRun:
    """Make a link that shows the run, read only, to whoever has it: no login, no secrets, until it ends."""
    asked = body or ShareRun.model_validate({})
    run = await server.engine.store.get_run(run_id)
    made = await asyncio.to_thread(
        lambda: server.shares.add(
            run.id, expires_in=timedelta(seconds=asked.expires_in), data=asked.data, actor=actor()
        )
    )
    return _view(made, server.keys)


@router.get("/api/v1/runs/{run_id}/share", responses=errors(404), tags=["runs"])
async def list_shared(run_id: RunId, server: Server) -> SharedRuns:
    """The links that show the run now."""
    run = await server.engine.store.get_run(run_id)
    found = await asyncio.to_thread(server.shares.of_run, run.id)
    return SharedRuns(links=[_view(share, server.keys) for share in found])


@router.delete("/api/v1/runs/{run_id}/share", status_code=204, responses=errors(404), tags=["runs"])
async def revoke_shared(
    run_id: RunId,
    server: Server,
    id: Annotated[str | None, Query(max_length=40, description="Of one link; left out, all links to the run")] = None,
) -> None:
    """End a link, or all links to the run."""
    run = await server.engine.store.get_run(run_id)
    if not await asyncio.to_thread(server.shares.revoke, run.id, id) and id is not None:
        raise NotFound(f"the run has no link {id!r}", code="share.not_found", hint="It may have ended by itself.")


@router.get(
    "/api/v1/runs/{run_id}/html",
    response_class=Response,
    responses=errors(404) | content("text/html", "The run as one page"),
    tags=["runs"],
)
async def download_html(
    run_id: RunId,
    server: Server,
    data: Annotated[bool, Query(description="False: without items, inputs and outputs")] = True,
) -> Response:
    """The run as one HTML file: its graph, timeline, steps and their data, without secrets and without scripts."""
    found = await run_page(server.engine, run_id, data=data, apart=server.apart)
    page = await server.apart(_size(found), lambda: run_html(found, server.engine.registry))
    name = f"{found.graph}-{found.id}.html"
    return HTMLResponse(page, headers=_HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'})


@router.get(
    "/shared/{share_id}/{key}",
    response_class=Response,
    responses={
        **content("text/html", "The run as one page"),
        404: {"description": "A page: the link shows nothing", **_HTML},
    },
    tags=["forms"],
)
async def show_shared(share_id: str, key: str, server: Server, request: Request) -> Response:
    """A run that somebody has given a link to."""
    client = f"client {client_of(request)}"
    share = await asyncio.to_thread(server.shares.get, share_id)
    if share is None or not server.keys.is_share_key(share.id, share.run, key):
        server.limits.failures.take(client)
        return _gone()
    # Each look makes the page anew.
    server.limits.shared.take(client, f"link {share.id}")
    apart = partial(server.apart, who=client)
    try:
        found = await run_page(server.engine, share.run, data=share.data, apart=apart)
    except NotFound:
        return _gone()
    page = await apart(_size(found), lambda: run_html(found, server.engine.registry))
    return HTMLResponse(page, headers=_HEADERS)


def _size(page: RunPageData) -> int:
    """Characters of a graph's text that take as long as its picture."""
    return _NODE * (sum(1 for _ in page.spec.places()) + len(page.spec.edges))


def _gone() -> Response:
    policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return HTMLResponse(_GONE, 404, headers=_HEADERS | {"Content-Security-Policy": policy})


def _view(share: Share, keys: Keys) -> SharedRun:
    return SharedRun(
        id=share.id,
        path=f"/shared/{share.id}/{keys.share_key(share.id, share.run)}",
        expires_at=share.expires_at,
        created_at=share.created_at,
        actor=share.actor,
        data=share.data,
    )


__all__ = ["router"]
