"""A trace through webhook, API, nodes and services, exported by OTLP over HTTP to a receiver on loopback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pyagent.runtime.activation import activate
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server.serving import serving
from pyagent.testing import HttpServer

pytestmark = pytest.mark.integration

TOKEN = "t" * 43
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
GRAPH = """\
pyagent: 1
id: relay
nodes:
  - {id: hook, use: flow.webhook@1, with: {path: relay, answer: last}}
  - {id: call, use: io.http@1, with: {url: "SERVICE/said", headers: {X-Key: hunter2}}}
  - {id: quiet, use: io.http@1, with: {url: "SERVICE/quiet", trace: false}}
edges: [hook -> call, call -> quiet]
"""


class Receiver:
    """Takes what OTLP/HTTP sends."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.bodies: list[bytes] = []
        server.route("POST", "/v1/traces", self._take)

    def _take(self, request: Any) -> bytes:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        self.bodies.append(body)
        return b""

    def spans(self) -> list[Any]:
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def services() -> Iterator[HttpServer]:
    with HttpServer() as server:
        server.route("GET", "/{any}", lambda request: dict(request.headers))
        yield server


@pytest.fixture
def receiver(services: HttpServer, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", services.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "relay-station")
    return Receiver(services)


@pytest.fixture
async def engine(tmp_path: Path, services: HttpServer, receiver: Receiver) -> AsyncIterator[Engine]:
    (tmp_path / "relay.yaml").write_text(GRAPH.replace("SERVICE", services.url))
    async with Engine.open(str(tmp_path / "store.db"), library=GraphLibrary([tmp_path])) as made:
        yield made


def headers_of(services: HttpServer, path: str) -> dict[str, str]:
    (found,) = [request for request in services.requests if request.path == path]
    return dict(found.headers)


async def test_a_trace_goes_through_webhook_run_and_the_services_that_it_calls(
    engine: Engine, services: HttpServer, receiver: Receiver
) -> None:
    await activate(engine, "relay")
    async with serving(engine, token=TOKEN, port=0) as server, httpx.AsyncClient(base_url=server.address) as world:
        answer = await world.post("/webhooks/relay", json={"word": "hunter2"}, headers=GIVEN)
        assert answer.status_code == 200, answer.text
    assert engine.tracer is not None
    await engine.tracer.close()

    called = headers_of(services, "/said")
    assert called["tracestate"] == "vendor=1"
    spans = {span.span_id.hex(): span for span in receiver.spans()}
    calling = spans[called["traceparent"].split("-")[2]]
    assert calling.name == "attempt"
    above = [calling.name]
    while (span := spans.get(calling.parent_span_id.hex())) is not None:
        calling = span
        above.append(calling.name)
    assert above == ["attempt", "step call", "run relay"]
    assert calling.parent_span_id.hex() == SPAN
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert "traceparent" not in headers_of(services, "/quiet")
    assert b"relay-station" in b"".join(receiver.bodies)
    assert b"hunter2" not in b"".join(receiver.bodies)


async def test_a_run_started_by_the_api_is_part_of_its_callers_trace(engine: Engine, receiver: Receiver) -> None:
    async with serving(engine, token=TOKEN, port=0, work=False) as server:
        headers = {"Authorization": f"Bearer {TOKEN}", "Origin": server.address}
        async with httpx.AsyncClient(base_url=server.address, headers=headers) as client:
            started = await client.post("/api/v1/runs", json={"graph": "relay"}, headers=GIVEN)
            broken = await client.post("/api/v1/runs", json={"graph": "relay"}, headers={"traceparent": "x" * 300})
    run = await engine.store.get_run(started.json()["id"])
    assert dict(run.labels) == GIVEN
    assert broken.status_code == 201
    assert dict((await engine.store.get_run(broken.json()["id"])).labels) == {}


def test_a_collector_that_cannot_be_reached_neither_stops_nor_delays_a_run(tmp_path: Path) -> None:
    graph = tmp_path / "small.yaml"
    graph.write_text("pyagent: 1\nid: small\nnodes: [{id: a, use: flow.noop@1}]\n")
    environment = {
        **os.environ,
        "PYAGENT_STORE": str(tmp_path / "store.db"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "pyagent.cli", "run", str(graph), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["run"]["status"] == "completed"
