"""Puts the server together: routes, errors, the page, and the guard around all of it."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Collection
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pyagent import __version__
from pyagent.server import (
    blobs,
    credentials,
    editing,
    events,
    expressions,
    files,
    forms,
    graph_past,
    graph_saving,
    graphs,
    health,
    metrics,
    nodes,
    reports,
    requests,
    run_figures,
    run_files,
    runs,
    sharing,
    sockets,
    triggers,
)
from pyagent.server.context import ServerContext, context_of
from pyagent.server.errors import add_handlers
from pyagent.server.guard import Guard, policy, port_option
from pyagent.server.openapi import describe, operation_id
from pyagent.server.security import SESSION_SECONDS
from pyagent.server.webhooks import Door

_PARTS = (
    health,
    metrics,
    # before `graphs`: of two routes that fit an address the first is taken
    graph_past,
    editing,
    graphs,
    graph_saving,
    run_files,
    # Before the runs: its addresses look like theirs.
    run_figures,
    runs,
    sharing,
    expressions,
    requests,
    events,
    sockets,
    nodes,
    files,
    blobs,
    forms,
    reports,
    triggers,
    credentials,
)
STATIC = Path(__file__).parent / "static"
DESIGNER = STATIC / "designer" / "index.html"
"""The designer as it was built; it wants the nonce by which its libraries may add styles."""
_RUN = re.compile("[0-9a-f]{1,40}")
_ENTERED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>PyAgent</title>
<link rel="icon" href="/static/icon.svg">
<meta http-equiv="refresh" content="0;url=/{hash}"><p><a href="/{hash}">Go on</a></p></html>"""
_USED = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>PyAgent</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css"><body><main><h1>PyAgent</h1>
<p>This link has been used or is too old. Print a new one:</p>
<pre>pyagent open{port}</pre></main></body></html>"""
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>PyAgent</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css"><body><main><h1>PyAgent</h1>
<p>The designer has not been built in this checkout. Build it, then load this page again:</p>
<pre>make setup</pre></main></body></html>"""


def create_app(context: ServerContext, *, hosts: Collection[str] = ()) -> ASGIApp:
    """The whole server as an ASGI application. `hosts`: names beside loopback that it may be called by."""
    app = FastAPI(
        title="PyAgent",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.openapi = lambda: describe(app)
    app.state.context = context
    add_handlers(app)
    for part in _PARTS:
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    guard = Guard(
        Door(app, context),
        keys=context.keys,
        port=context.port,
        hosts=hosts,
        limits=context.limits,
        count=context.metrics.count,
        graph_of=context.graph_of,
    )

    @app.get("/", include_in_schema=False)
    async def page(  # pyright: ignore[reportUnusedFunction]
        request: Request, once: str | None = None, run: str = ""
    ) -> Response:
        if once is None:
            return await asyncio.to_thread(_designer)
        if not context_of(request).keys.use_link(once):
            return HTMLResponse(_USED.format(port=port_option(context.port)), 403)
        # A page of our own that goes on to `/`, not a redirect: a browser that followed the link from another site
        # would not send a strict cookie along a redirect.
        entered = HTMLResponse(_ENTERED.format(hash=f"#/runs/{run}" if _RUN.fullmatch(run) else ""))
        entered.set_cookie(
            guard.cookie,
            context.keys.new_session(),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            path="/",
        )
        return entered

    return guard


def _designer() -> Response:
    """The designer's page, with a nonce of its own."""
    if not DESIGNER.is_file():
        return HTMLResponse(_NOT_BUILT, 503)
    nonce = secrets.token_urlsafe(16)
    page = DESIGNER.read_text().replace("{{nonce}}", nonce)
    return HTMLResponse(page, headers={"Content-Security-Policy": policy(style_nonce=nonce)})
