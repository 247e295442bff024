"""Metrics of a server and of a worker, sent by OTLP over HTTP to a receiver on loopback."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pyagent.runtime.engine import Engine
from pyagent.runtime.worker_metrics import measured
from pyagent.testing import HttpServer
from trigger_lab import served_in

pytestmark = pytest.mark.integration

GRAPH = "pyagent: 1\nid: small\nnodes: [{id: a, use: flow.noop@1}]\n"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Receiver:
    """Takes what OTLP/HTTP sends."""

    def __init__(self, server: HttpServer) -> None:
        self.bodies: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        server.route("POST", "/v1/metrics", self._take)

    def _take(self, request: Any) -> bytes:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        self.bodies.append(body)
        self._loop.call_soon_threadsafe(self._came.set)
        return b""

    async def another(self) -> None:
        """Return when something has come since."""
        self._came.clear()
        await asyncio.wait_for(self._came.wait(), 20)

    def metrics(self) -> dict[str, Any]:
        """The newest, by name."""
        return {
            metric.name: metric
            for resource in ExportMetricsServiceRequest.FromString(self.bodies[-1]).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def attributes(point: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in point.attributes}


@pytest.fixture
def collector() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
async def receiver(collector: HttpServer, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/v1/metrics")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "relay-station")
    return Receiver(collector)


async def test_a_server_sends_its_metrics_again_and_again_and_once_more_at_its_end(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with served_in(tmp_path) as served:
        await receiver.another()
        (served.folder / "small.yaml").write_text(GRAPH)
        given = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answer = await served.api.post("/api/v1/runs", json={"graph": "small"}, headers=given)
        await asyncio.wait_for(served.engine.wait(answer.json()["id"]), 20)
    metrics = receiver.metrics()

    (ended,) = metrics["pyagent_runs_total"].sum.data_points
    assert attributes(ended) == {"graph": "small", "status": "completed"}
    assert ended.as_int == 1
    assert ended.start_time_unix_nano < ended.time_unix_nano
    assert metrics["pyagent_runs_total"].sum.is_monotonic
    (steps,) = metrics["pyagent_step_duration_seconds"].histogram.data_points
    assert metrics["pyagent_step_duration_seconds"].unit == "s"
    assert attributes(steps) == {"node": "flow.noop", "status": "completed"}
    assert steps.count == sum(steps.bucket_counts) == 1
    assert len(steps.bucket_counts) == len(steps.explicit_bounds) + 1
    assert [exemplar.trace_id.hex() for exemplar in steps.exemplars] == [TRACE]
    assert metrics["process_resident_memory_bytes"].gauge.data_points[0].as_int > 10e6
    assert b"relay-station" in receiver.bodies[-1]


async def test_a_worker_sends_what_it_does(tmp_path: Path, receiver: Receiver) -> None:
    async with Engine.open(str(tmp_path / "store.db")) as engine, measured(engine):
        assert len(engine.observers) == 1
        graph = tmp_path / "small.yaml"
        graph.write_text(GRAPH)
        assert (await engine.run(str(graph))).status == "completed"
    (steps,) = receiver.metrics()["pyagent_step_duration_seconds"].histogram.data_points
    assert steps.count == 1
    assert not engine.observers


async def test_a_worker_whom_nobody_asks_measures_nothing(tmp_path: Path) -> None:
    async with Engine.open(str(tmp_path / "store.db")) as engine, measured(engine):
        assert not engine.observers


async def test_without_a_collector_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "carrier-pigeon")
    async with served_in(tmp_path) as served:
        assert (await served.api.get("/metrics")).status_code == 200
    assert "no exporter of metrics is named 'carrier-pigeon'" in caplog.text
