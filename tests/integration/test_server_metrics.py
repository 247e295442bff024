"""`/metrics` over real HTTP, read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from trigger_lab import Served, hook, served_in

pytestmark = pytest.mark.integration

GRAPH = """\
pyagent: 1
id: shelf
nodes:
  - {id: split, use: data.split@1, with: {field: list}}
  - {id: fail, use: flow.fail@1, with: {message: "no"}, on_error: continue}
  - {id: end, use: flow.noop@1}
edges: [split -> fail, fail -> end]
"""
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path) as made:
        (made.folder / "shelf.yaml").write_text(GRAPH)
        yield made


async def scraped(served: Served) -> Samples:
    answer = await served.api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.type != "unknown", family
        assert family.documentation
        if family.name.startswith("process_"):
            continue
        assert family.type != "histogram" or family.name.endswith("_seconds")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith("_total")
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def at(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


async def started(served: Served, count: int = 2) -> str:
    inputs = {"list": [{"n": number} for number in range(count)]}
    answer = await served.api.post("/api/v1/runs", json={"graph": "shelf", "inputs": inputs})
    run = await asyncio.wait_for(served.engine.wait(answer.json()["id"]), 20)
    return run.status


async def test_runs_steps_commits_and_requests_are_counted(served: Served) -> None:
    assert [await started(served) for _ in range(3)] == ["completed"] * 3
    samples = await scraped(served)

    assert at(samples, "pyagent_runs_total", graph="shelf", status="completed") == 3
    assert at(samples, "pyagent_step_duration_seconds_count", node="data.split", status="completed") == 3
    assert at(samples, "pyagent_step_duration_seconds_bucket", node="flow.noop", status="completed", le="+Inf") == 3
    assert 0 < at(samples, "pyagent_step_duration_seconds_sum", node="flow.noop", status="completed") < 3
    assert at(samples, "pyagent_commit_duration_seconds_count", store="sqlite") >= 3
    assert at(samples, "pyagent_http_requests_total", method="POST", route="/api/v1/runs", status="201") == 3
    assert at(samples, "pyagent_http_request_duration_seconds_count", route="/api/v1/runs") == 3
    assert at(samples, "pyagent_events_total") == await served.engine.store.last_cursor()
    assert {at(samples, "pyagent_runs_alive", status=status) for status in ("queued", "running", "waiting", "paused")} == {0}
    assert at(samples, "pyagent_runs_driving") == 0


async def test_buckets_hold_all_that_is_as_short_or_shorter(served: Served) -> None:
    await started(served)
    samples = await scraped(served)
    counts = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in samples.items()
        if name == "pyagent_commit_duration_seconds_bucket"
    ]
    assert [value for _, value in sorted(counts)] == sorted(value for _, value in counts)
    assert max(counts)[1] == at(samples, "pyagent_commit_duration_seconds_count", store="sqlite")


async def test_paths_that_strangers_make_up_are_one_series(served: Served) -> None:
    for number in range(20):
        await served.api.get(f"/made/up/{number}")
        await served.api.get(f"/api/v1/runs/madeup{number}")
        await served.world.post(f"/webhooks/made-up-{number}")
        await served.world.request("BREW", f"/pot/{number}")
    samples = await scraped(served)

    routes = {dict(labels)["route"] for (name, labels) in samples if name == "pyagent_http_requests_total"}
    assert len(routes) <= 5
    assert at(samples, "pyagent_http_requests_total", method="GET", route="none", status="404") == 20
    assert at(samples, "pyagent_http_requests_total", method="GET", route="/api/v1/runs/{run_id}", status="404") == 20
    assert {dict(labels)["method"] for (name, labels) in samples if name == "pyagent_http_requests_total"} <= {
        "GET",
        "POST",
        "other",
    }


async def test_waiting_runs_are_told(served: Served) -> None:
    (served.folder / "wait.yaml").write_text(
        "pyagent: 1\nid: wait\nnodes: [{id: a, use: flow.wait@1, with: {signal: go}}]\n"
    )
    answer = await served.api.post("/api/v1/runs", json={"graph": "wait"})
    await asyncio.wait_for(served.engine.wait(answer.json()["id"]), 20)
    assert at(await scraped(served), "pyagent_runs_alive", status="waiting") == 1


async def test_metrics_are_shown_to_who_has_the_token_only(served: Served) -> None:
    assert (await served.world.get("/metrics")).status_code == 401


async def test_a_stream_that_lags_behind_is_seen(served: Served) -> None:
    await served.activate(hook())
    async with served.api.stream("GET", "/api/v1/events", headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.aiter_lines()
        await started(served)
        kinds: list[str] = []
        async with asyncio.timeout(20):
            async for line in lines:
                if line.startswith("data: "):
                    kinds.append(json.loads(line[6:])["kind"])
                if kinds and kinds[-1] == "run.completed":
                    break
        samples = await scraped(served)
        assert at(samples, "pyagent_event_streams") == 1
        assert at(samples, "pyagent_event_stream_lag_events") >= 0
