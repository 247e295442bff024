"""`pyagent top`: its figures, how they are drawn, and what it says where it has none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from command_line import Command, command_line
from pyagent.cli.top import board
from pyagent.cli.top_figures import History, figures
from pyagent.native import MetricRegistry
from pyagent.runtime.machine import MachineMetrics
from pyagent.runtime.metrics import RunMetrics
from server_process import free_port


@pytest.fixture
def pyagent(capsys: pytest.CaptureFixture[str]) -> Command:
    return command_line(capsys)


class Peer:
    """A server's metrics, filled by hand."""

    def __init__(self, name: str = "ann-1") -> None:
        self.registry = MetricRegistry(name)
        self.runs = RunMetrics(self.registry, store="sqlite")
        self.alive = self.registry.level("pyagent_runs_alive", "", ["status"])
        self.held = self.registry.level("pyagent_runs_held", "", ["peer"])
        self.registry.level("pyagent_build_info", "", ["version"]).of("1.2.3").set(1)

    def step(self, node: str, seconds: float, status: str = "completed") -> None:
        self.runs.steps.of(node, status).record(seconds)


def drawn(found: dict[str, Any], **options: Any) -> str:
    console = Console(width=140)
    with console.capture() as captured:
        console.print(board(found, "http://here", **{"height": 40, **options}))
    return captured.get()


def test_rates_are_of_the_last_interval_and_counts_of_all_time() -> None:
    peer, history = Peer(), History()
    for _ in range(10):
        peer.step("flow.noop", 0.001)
    peer.runs.runs.of("a", "completed").add(7)
    history.add(peer.registry.snapshot())
    peer.step("flow.noop", 0.001)
    peer.step("data.split", 0.001, "failed")
    peer.runs.runs.of("a", "failed").add(2)
    found = history.add(peer.registry.snapshot())
    seconds = found["rates_over_seconds"]
    assert found["steps"]["per_second"] == pytest.approx(2 / seconds)
    assert found["runs"]["per_second"] == pytest.approx(2 / seconds)
    assert found["runs"]["ended"] == {"completed": 7, "failed": 2, "cancelled": 0}
    assert {each["type"]: (each["count"], each["failed"]) for each in found["steps"]["types"]} == {
        "flow.noop": (11, 0),
        "data.split": (1, 1),
    }


def test_durations_are_recent_ones_where_there_are_some() -> None:
    peer, history = Peer(), History()
    peer.step("flow.noop", 10)
    peer.step("data.split", 10)
    history.add(peer.registry.snapshot())
    for _ in range(100):
        peer.step("flow.noop", 0.5)
    types = {each["type"]: each for each in history.add(peer.registry.snapshot())["steps"]["types"]}
    assert types["flow.noop"]["p99"] == pytest.approx(0.5, rel=0.01)
    assert types["flow.noop"]["recent"]
    assert types["data.split"]["p50"] == pytest.approx(10, rel=0.01)
    assert not types["data.split"]["recent"]


def test_a_server_that_was_started_anew_is_compared_to_nothing() -> None:
    history = History()
    history.add(Peer("ann-1").registry.snapshot())
    peer = Peer("ann-2")
    peer.step("flow.noop", 0.1)
    found = history.add(peer.registry.snapshot())
    assert found["peer"] == "ann-2"
    assert found["rates_over_seconds"] == pytest.approx(max(found["up_seconds"], 0.001))


async def test_the_machine_and_other_workers_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    peer.held.of("bob-2").set(3)
    peer.alive.of("waiting").set(4)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, 50, 1000, 8000'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    await MachineMetrics(peer.registry).look()
    found = figures(peer.registry.snapshot(), None, None)
    assert found["peers"] == {"bob-2": 3}
    assert found["process"]["memory"] > 1e6
    assert 0 <= found["host"]["cpu"] <= 1
    assert found["gpus"] == [{"gpu": "0", "busy": 0.5, "memory": {"used": 1000 << 20, "total": 8000 << 20}}]
    page = drawn(found)
    for text in ("pyagent 1.2.3 at http://here", "waiting 4", "bob-2  3 running", "50%   memory 1.0 GB of 8.4 GB"):
        assert text in page


def test_a_low_terminal_shows_the_types_with_most_steps_and_says_how_many_there_are_more() -> None:
    peer = Peer()
    for number in range(20):
        for _ in range(number + 1):
            peer.step(f"lab.n{number}", 0.001)
    page = drawn(figures(peer.registry.snapshot(), None, None), height=15)
    assert "lab.n19" in page
    assert "lab.n0 " not in page
    assert "and 14 more" in page
    assert len(page.splitlines()) <= 17


def test_names_from_elsewhere_are_shown_as_they_are() -> None:
    peer = Peer()
    peer.step("[red]x[/]\x1b[2J", 0.001)
    page = drawn(figures(peer.registry.snapshot(), None, None))
    assert "[red]x[/]" in page
    assert "\x1b" not in page


def test_where_no_server_answers_that_is_said(pyagent: Command) -> None:
    port = str(free_port())
    code, _, err = pyagent("top", "--once", "--port", port)
    assert code == 5
    assert f"no server answers at http://127.0.0.1:{port}" in err
    assert "pyagent serve" in err


def test_a_pipe_gets_no_drawing(pyagent: Command) -> None:
    code, _, err = pyagent("top", "--port", str(free_port()))
    assert code == 2
    assert "--once, or --json" in err
