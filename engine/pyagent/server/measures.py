"""What a server measures: its requests, the runs that it executes, what is in its store, and the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyagent import __version__
from pyagent.native import MetricRegistry, MetricSnapshot
from pyagent.runtime.machine import MachineMetrics
from pyagent.runtime.metrics import RunMetrics, store_kind
from pyagent.store.base import RunFilter

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine
    from pyagent.server.context import Streams

ALIVE = ("queued", "running", "waiting", "paused")
NO_ROUTE = "none"
"""The route of requests that nothing here answers: their paths are the senders' own words."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_HELD = 1000
"""Running runs whose workers are looked up at most."""


class ServerMetrics:
    """The metrics of one server."""

    def __init__(self, engine: Engine, streams: Streams) -> None:
        self._engine = engine
        self._streams = streams
        store = engine.store
        self.registry = registry = MetricRegistry(engine.peer)
        self.runs = RunMetrics(registry, store=store_kind(store))
        """To be among the engine's observers."""
        path = getattr(store, "path", None)
        self._machine = MachineMetrics(registry, folder=None if path is None else path.parent)
        self._requests = registry.counter(
            "pyagent_http_requests_total", "Requests, by their answers", ["method", "route", "status"]
        )
        self._seconds = registry.histogram("pyagent_http_request_duration_seconds", "Until an answer began", ["route"])
        # Servers on one store all tell the same: the highest is the newest, not a part.
        self._alive = registry.level("pyagent_runs_alive", "Runs in the store that have not ended", ["status"])
        self._held = registry.level("pyagent_runs_held", "Running runs in the store, by their workers", ["peer"])
        self._events = registry.counter("pyagent_events_total", "Events in the store so far").of()
        self._open = registry.amount("pyagent_event_streams", "Readers that follow events here").of()
        self._lag = registry.amount(
            "pyagent_event_stream_lag_events", "Events that the slowest follower of all runs has yet to read"
        ).of()
        registry.level("pyagent_build_info", "This program", ["version"]).of(__version__).set(1)

    def count(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """A request was answered."""
        method = str(scope["method"]) if scope["method"] in _METHODS else "other"
        route = _route(scope)
        self._requests.of(method, route, str(status)).add()
        self._seconds.of(route).record(seconds)

    async def snapshot(self) -> MetricSnapshot:
        """What all of them are now. Raises `StoreError`."""
        self.runs.settle()
        store = self._engine.store
        last = await store.last_cursor()
        alive = await store.count_alive()
        self._alive.clear()
        for status in ALIVE:
            self._alive.of(status).set(alive.get(status, 0))
        self._held.clear()
        held: dict[str, int] = {}
        if alive.get("running"):
            for run in await store.list_runs(RunFilter(statuses=("running",), limit=_MOST_HELD)):
                if run.lease_owner is not None:
                    held[run.lease_owner] = held.get(run.lease_owner, 0) + 1
        for peer, number in held.items():
            self._held.of(peer).set(number)
        self._events.set(last)
        self._open.set(self._streams.count)
        self._lag.set(self._streams.lag(last))
        await self._machine.look()
        return self.registry.snapshot()


def _route(scope: Mapping[str, Any]) -> str:
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    # What is mounted or answered before any route is reached has none, and few first parts.
    first = str(scope["path"]).split("/")[1]
    return f"/{first}" if first in ("static", "webhooks", "webhooks-test") else NO_ROUTE


__all__ = ["ALIVE", "NO_ROUTE", "ServerMetrics"]
