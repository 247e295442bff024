"""How a run's end is told: together with how the run stands, whatever else is committed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import Lab, graph
from pyagent.store.base import Commit, Lease

OK = graph({"act": {}}, outputs={"by": "{{ $('act').first().json.by }}"})
NO_OUTPUTS = graph({"act": {}}, outputs={"by": "{{ nothing.there }}"})
STOPPED = graph({"stop": {"use": "flow.stop", "with": {"status": "completed"}}}, outputs={"by": "{{ 1 }}"})
FAILED = graph({"act": {"use": "flow.fail", "with": {"message": "no"}}})
WAITS = graph({"act": {"use": "flow.wait", "with": {"for": "500h"}}})


@pytest.mark.parametrize(
    ("tried", "status"),
    [
        (OK, "completed"),
        (NO_OUTPUTS, "failed"),
        (STOPPED, "completed"),
        (FAILED, "failed"),
        (WAITS, "waiting"),
    ],
    ids=["ok", "no outputs", "stopped", "failed", "waits"],
)
async def test_who_hears_of_an_end_finds_the_run_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tried: Any, status: str
) -> None:
    # A run that has something to commit commits it in the next turn of the loop: no time in between hides a gap.
    monkeypatch.setattr("pyagent.runtime.journal.LINGER", 0)
    told: list[tuple[str, str | None]] = []
    commit = lab.store.commit

    async def watched(lease: Lease, given: Commit) -> None:
        told.extend((event.kind, given.status) for event in given.events)
        await commit(lease, given)

    monkeypatch.setattr(lab.store, "commit", watched)

    @lab.on("act")
    async def act(items: Any, ctx: Any) -> Any:
        return {"out": [{"by": "me"}]}

    assert (await lab.run(tried)).status == status
    assert [stands for kind, stands in told if kind == f"run.{status}"] == [status]
