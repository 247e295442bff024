"""The guide to events, traces and metrics is tried: its metrics are those that a server shows, its settings work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pyagent.native import MetricSnapshot
from pyagent.runtime.retention import retention_from_environment
from pyagent.server import SNAPSHOT_TYPE
from server_process import ServerProcess
from trigger_lab import served_in

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guides/observability.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((DOCS / "grafana/pyagent.json").read_text(encoding="utf-8"))


async def test_the_guide_names_every_metric_that_a_server_shows_and_no_other(tmp_path: Path) -> None:
    async with served_in(tmp_path) as served:
        text = (await served.api.get("/metrics")).text
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
    }
    rows = [line for line in GUIDE.splitlines() if re.match(r"\| `(pyagent|process)_", line)]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert told == shown


async def test_the_dashboard_asks_for_metrics_and_labels_that_a_server_shows(tmp_path: Path) -> None:
    async with served_in(tmp_path) as served:
        (served.folder / "small.yaml").write_text("pyagent: 1\nid: small\nnodes: [{id: a, use: flow.noop@1}]\n")
        run = await served.api.post("/api/v1/runs", json={"graph": "small"})
        await served.engine.wait(run.json()["id"])
        snapshot = MetricSnapshot.parse((await served.api.get("/metrics", headers={"Accept": SNAPSHOT_TYPE})).content)
    shown: dict[str, set[str]] = {}
    for name, kind, _, labels, _ in snapshot.export():
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        shown |= {name + ending: {*labels, *({"le"} if ending == "_bucket" else ())} for ending in endings}

    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [variable["definition"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    named: set[str] = set()
    for expression in asked:
        names = re.findall(r"\b(?:pyagent|process)_[a-z_]+", expression)
        assert names, expression
        named |= set(names)
        assert [name for name in names if name not in shown] == []
        told = {"job", "instance"}.union(*(shown[name] for name in names))
        grouped = {label.strip() for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(",")}
        matched = set(re.findall(r"[{,]([a-z]+)=", expression))
        assert grouped | matched <= told, expression
    for panel in panels:
        for target in panel["targets"]:
            words = re.findall(r"\w+", target["expr"])
            known = {"job", "instance"}.union(*(shown.get(word, ()) for word in words))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} == {name for name, *_ in snapshot.export()}, (
        "each metric is on the dashboard"
    )
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_settings_of_the_guide_say_something(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, events = re.findall(r"PYAGENT_KEEP_RUNS='(.*)' PYAGENT_KEEP_EVENTS=(\S+)", GUIDE)[0]
    monkeypatch.setenv("PYAGENT_KEEP_RUNS", runs)
    monkeypatch.setenv("PYAGENT_KEEP_EVENTS", events)
    assert len(retention_from_environment().runs) == 3


def test_the_token_of_the_guide_opens_the_metrics_of_a_server(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        token = (tmp_path / "server-token").read_text().strip()
        answer = httpx.get(f"{server.address}/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
