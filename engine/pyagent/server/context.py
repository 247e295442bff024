"""What the routes share: the engine, the keys, and the sign that the server is about to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from fastapi import Request

from pyagent.runtime.engine import Engine
from pyagent.server.security import Keys


@dataclass(kw_only=True)
class ServerContext:
    """One server's parts."""

    engine: Engine
    keys: Keys
    port: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set before the server stops: streams end, so that their readers come back to the next one."""


def context_of(request: Request) -> ServerContext:
    """The server that a request came to."""
    return request.app.state.context


__all__ = ["ServerContext", "context_of"]
