"""`/metrics` over real HTTP, read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from pyagent.native import MetricSnapshot
from pyagent.server import SNAPSHOT_TYPE
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
    assert {
        at(samples, "pyagent_runs_alive", status=status) for status in ("queued", "running", "waiting", "paused")
    } == {0}
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


async def test_running_runs_are_told_by_their_workers(served: Served) -> None:
    (served.folder / "long.yaml").write_text(
        "pyagent: 1\nid: long\nnodes: [{id: a, use: code.shell@1, with: {command: [sleep, '60']}}]\n"
    )
    answer = await served.api.post("/api/v1/runs", json={"graph": "long"})
    run = answer.json()["id"]
    async with asyncio.timeout(20):
        async for batch in served.engine.store.follow(0, run):
            if any(event.kind == "step.started" for event in batch):
                break
    samples = await scraped(served)
    assert at(samples, "pyagent_runs_held", peer=served.engine.peer) == 1
    assert at(samples, "pyagent_runs_driving") == 1
    await served.engine.cancel(run)
    await asyncio.wait_for(served.engine.wait(run), 20)
    assert not [name for name, _ in await scraped(served) if name == "pyagent_runs_held"]


async def test_the_process_and_its_machine_are_told(served: Served) -> None:
    samples = await scraped(served)
    assert at(samples, "process_cpu_seconds_total") > 0
    assert 10e6 < at(samples, "process_resident_memory_bytes") < 10e9
    assert at(samples, "process_open_fds") > 3
    assert time.time() - 3600 < at(samples, "process_start_time_seconds") <= time.time()
    total = at(samples, "pyagent_host_memory_bytes", kind="total")
    assert at(samples, "process_resident_memory_bytes") < total
    assert 0 < at(samples, "pyagent_host_memory_bytes", kind="available") < total
    disk = at(samples, "pyagent_host_disk_bytes", kind="total")
    assert 0 < at(samples, "pyagent_host_disk_bytes", kind="free") <= disk
    assert at(samples, "pyagent_host_cpu_seconds_total", mode="busy") > 0
    assert at(samples, "pyagent_host_cpus") >= 1
    assert at(samples, "pyagent_host_load", minutes="1") >= 0


async def test_graphics_processors_are_told_where_there_are_some(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '0, 35, 1024, 81559'\necho '1, [N/A], [N/A], [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    samples = await scraped(served)
    assert at(samples, "pyagent_gpu_busy_ratio", gpu="0") == 0.35
    assert at(samples, "pyagent_gpu_memory_bytes", gpu="0", kind="used") == 1 << 30
    assert not [labels for name, labels in samples if ("gpu", "1") in labels]


async def test_openmetrics_is_given_to_who_asks_with_the_same_figures_and_examples(served: Served) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = await served.api.post("/api/v1/runs", json={"graph": "shelf", "inputs": {"list": []}}, headers=given)
    await asyncio.wait_for(served.engine.wait(answer.json()["id"]), 20)

    asked = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    page = await served.api.get("/metrics", headers={"Accept": asked})
    assert page.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert page.headers["vary"] == "Accept"
    found = {sample.name: sample for family in openmetrics_families(page.text) for sample in family.samples}
    assert set(found) == {name for name, _ in await scraped(served)}
    samples = [sample for family in openmetrics_families(page.text) for sample in family.samples]
    examples = {sample.name: sample.exemplar.labels for sample in samples if sample.exemplar}
    assert examples == {
        "pyagent_run_duration_seconds_bucket": {"trace_id": trace},
        "pyagent_step_duration_seconds_bucket": {"trace_id": trace},
        "pyagent_commit_duration_seconds_bucket": {"trace_id": trace},
    }


async def test_a_snapshot_is_given_to_peers(served: Served) -> None:
    await started(served)
    answer = await served.api.get("/metrics", headers={"Accept": SNAPSHOT_TYPE})
    assert answer.headers["content-type"] == SNAPSHOT_TYPE
    snapshot = MetricSnapshot.parse(answer.content)
    assert list(snapshot.peers()) == [served.engine.peer]
    assert snapshot.values("pyagent_runs_total", "graph") == {"shelf": 1}
    assert snapshot.durations("pyagent_step_duration_seconds", "node", [0.5, 0.99])["data.split"][0] == 1


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
