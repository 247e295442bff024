"""The guide to events, traces and metrics is tried: its metrics are those that a server shows, its settings work."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pyagent.runtime.retention import retention_from_environment
from server_process import ServerProcess
from trigger_lab import served_in

pytestmark = pytest.mark.integration

GUIDE = (Path(__file__).parents[2] / "docs/guides/observability.md").read_text(encoding="utf-8")


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
