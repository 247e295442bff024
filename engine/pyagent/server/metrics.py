"""`/metrics`: figures of this server for Prometheus, for OpenMetrics, and as a snapshot for other peers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.responses import Response

from pyagent.server import SNAPSHOT_TYPE
from pyagent.server.context import ServerContext, context_of

router = APIRouter(tags=["server"])
Server = Annotated[ServerContext, Depends(context_of)]
_TEXT = {"schema": {"type": "string"}}
_SHOWN: dict[int | str, Mapping[str, Any]] = {
    200: {
        "description": "Prometheus' text format; where `Accept` asks for it OpenMetrics 1.0 or a snapshot",
        "content": {
            "text/plain": _TEXT,
            "application/openmetrics-text": _TEXT,
            SNAPSHOT_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/metrics", response_class=Response, responses={key: dict(value) for key, value in _SHOWN.items()})
async def show_metrics(server: Server, accept: Annotated[str, Header(include_in_schema=False)] = "") -> Response:
    """Figures of this server, of the runs in its store, and of its machine."""
    snapshot = await server.metrics.snapshot()
    varied = {"Vary": "Accept"}
    if any(part.partition(";")[0].strip() == SNAPSHOT_TYPE for part in accept.split(",")):
        return Response(snapshot.dump(), media_type=SNAPSHOT_TYPE, headers=varied)
    content_type, page = snapshot.render(accept)
    return Response(page, headers={"Content-Type": content_type, **varied})


__all__ = ["router"]
