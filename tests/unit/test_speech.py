"""A try that says too much is cut short, and the run says how much was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_lab import graph, opened
from pyagent.runtime import speech
from pyagent.sdk import Context, Items


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "MOST_SAID", {"step.log": 20, "step.progress": 10, "step.token": 30})


async def said(folder: Path, act: Any) -> list[tuple[str, dict[str, Any]]]:
    async with opened(folder) as lab:
        lab.on("a")(act)
        run = await lab.run(graph({"a": {}, "b": {}}, ["a -> b"]), {})
        assert run.status == "completed", run.error
        kinds = ("step.log", "step.progress", "step.token")
        return [(event.kind, dict(event.data)) for event in await lab.events(run) if event.kind in kinds]


async def test_a_flood_is_cut_and_its_last_line_counts_what_was_left_out(tmp_path: Path) -> None:
    async def act(items: Items, ctx: Context) -> Items:
        for number in range(1000):
            ctx.log(f"line {number}")
            ctx.token("x")
        return items

    found = await said(tmp_path, act)
    lines = [data["message"] for kind, data in found if kind == "step.log"]
    assert lines[:20] == [f"line {number}" for number in range(20)]
    assert lines[20:] == ["980 log lines and 970 tokens were left out: one try may not say so much"]
    assert sum(kind == "step.token" for kind, _ in found) == 30
    assert found[-1][1]["left_out"] == {"step.log": 980, "step.token": 970}


async def test_each_try_may_say_as_much_and_few_lines_get_no_last_one(tmp_path: Path) -> None:
    async def act(items: Items, ctx: Context) -> Items:
        for number in range(20):
            ctx.log(f"line {number}")
        ctx.progress(1)
        return items

    assert len(await said(tmp_path, act)) == 21


async def test_a_long_line_is_cut_with_a_mark_after_its_secrets_are_masked(tmp_path: Path) -> None:
    async def act(items: Items, ctx: Context) -> Items:
        ctx.log("x" * (speech.LONGEST_TEXT - 3) + " Bearer abcdefghijkl" + "y" * 1000, much=["z" * 20_000])
        return items

    ((_, data),) = await said(tmp_path, act)
    assert len(data["message"]) < speech.LONGEST_TEXT + 100
    assert data["message"].endswith(" characters left out]")
    assert "abc" not in data["message"]
    assert data["much"] == "… [20004 bytes of JSON left out]"


async def test_the_bytes_of_a_try_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "MOST_BYTES", 1000)

    async def act(items: Items, ctx: Context) -> Items:
        for _ in range(10):
            ctx.log("x" * 600)
        return items

    found = await said(tmp_path, act)
    assert [data["message"][:3] for _, data in found] == ["xxx", "xxx", "8 l"]
