"""`/metrics`: figures of this server for Prometheus, and the counting of its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from starlette.types import Scope

from pyagent import __version__
from pyagent.runtime.metrics import CONTENT_TYPE, Counter, Gauge, Histogram, Metric, by_status, rendered
from pyagent.server.context import ServerContext, context_of

_ALIVE = ("queued", "running", "waiting", "paused")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
"""The route of requests that nothing here answers: their paths are the senders' own words."""
router = APIRouter(tags=["server"])
Server = Annotated[ServerContext, Depends(context_of)]


class RequestMetrics:
    """What a server counts of its requests."""

    def __init__(self) -> None:
        self.requests = Counter(
            "pyagent_http_requests_total", "Requests, by their answers", ("method", "route", "status")
        )
        self.seconds = Histogram("pyagent_http_request_duration_seconds", "Until an answer began", ("route",))

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """A request was answered."""
        method = str(scope["method"]) if scope["method"] in _METHODS else "other"
        route = _route(scope)
        self.requests.add((method, route, str(status)))
        self.seconds.observe(seconds, (route,))

    def all(self) -> tuple[Metric, ...]:
        """In the order in which they are told."""
        return self.requests, self.seconds


def _route(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    # What is mounted or answered before any route is reached has none, and few first parts.
    first = str(scope["path"]).split("/")[1]
    return f"/{first}" if first in ("static", "webhooks", "webhooks-test") else NO_ROUTE


_SHOWN: dict[int | str, Mapping[str, Any]] = {
    200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("/metrics", response_class=Response, responses={key: dict(value) for key, value in _SHOWN.items()})
async def show_metrics(server: Server) -> Response:
    """Figures of this server, and of the runs in its store, for Prometheus."""
    store = server.engine.store
    last = await store.last_cursor()
    alive = by_status("pyagent_runs", "Runs in the store that have not ended", await store.count_alive(), _ALIVE)
    events = Counter("pyagent_events_total", "Events in the store so far")
    events.add(amount=last)
    open_streams = Gauge("pyagent_event_streams", "Readers that follow events here")
    open_streams.set(server.streams.count)
    lag = Gauge("pyagent_event_stream_lag_events", "Events that the slowest follower of all runs has yet to read")
    lag.set(server.streams.lag(last))
    build = Gauge("pyagent_build_info", "This program", ("version",))
    build.set(1, (__version__,))
    metrics: tuple[Metric, ...] = (build, alive, events, open_streams, lag, *server.run_metrics.all())
    return Response(rendered([*metrics, *server.request_metrics.all()]), media_type=CONTENT_TYPE)


__all__ = ["NO_ROUTE", "RequestMetrics", "router"]
