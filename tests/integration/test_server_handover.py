"""A server that is told to stop hands its runs to the next one at once, and nothing happens twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from server_process import ServerProcess

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

STEPS = 6
# A step's program has two processes above it that guard it; the one above them is the server. Only one without a
# sandbox sees them.
NODE = """\
  - id: s{number}
    use: code.shell@1
    with:
      script: 'sleep "$WAIT"; echo s{number} >> "$FILE"; ps -o ppid= $(ps -o ppid= $PPID) >> "$FILE.by"'
      env: {{WAIT: "{{{{ $inputs.seconds }}}}", FILE: "{{{{ $inputs.file }}}}"}}
"""
CHAIN = (
    "pyagent: 1\nid: chain\ninputs: {file: {type: string}, seconds: {type: number, default: 0.4}}\nnodes:\n"
    + "".join(NODE.format(number=number) for number in range(STEPS))
    + f"edges: [{', '.join(f's{number} -> s{number + 1}' for number in range(STEPS - 1))}]\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYAGENT_SANDBOX", "off")
    (tmp_path / "chain.yaml").write_text(CHAIN)
    return tmp_path


@pytest.fixture
def first(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder) as server:
        yield server


def events(server: ServerProcess, run_id: str, until: str, step: str = "") -> list[dict[str, Any]]:
    """The run's events up to one of a kind, from the server's stream."""
    found: list[dict[str, Any]] = []
    address = f"{server.address}/api/v1/runs/{run_id}/events"
    with httpx.stream("GET", address, headers={**server.headers, "Accept": "text/event-stream"}, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(httpx.Response(200, text=line.removeprefix("data: ")).json())
                if found[-1]["kind"] == until and step in ("", found[-1]["step"]):
                    return found
                assert found[-1]["kind"] != "run.failed", found[-1]
    return found


def test_a_run_goes_on_in_another_server_within_two_seconds(first: ServerProcess, folder: Path) -> None:
    file = folder / "effects.txt"
    with ServerProcess(folder) as second:  # before the run, which is short: a server takes a while to start
        run_id = first.post("/runs", {"graph": "chain", "inputs": {"file": str(file)}})["id"]
        events(second, run_id, "step.started", "s1")
        stopped = datetime.now().astimezone()
        first.process.send_signal(signal.SIGTERM)
        told = events(second, run_id, "run.completed")
        assert first.process.wait(20) == 0
        run = second.get(f"/runs/{run_id}")
    started = [datetime.fromisoformat(event["at"]) for event in told if event["kind"] == "step.started"]
    after = [moment for moment in started if moment > stopped]
    assert run["status"] == "completed"
    assert file.read_text().split() == [f"s{number}" for number in range(STEPS)]
    by = (folder / "effects.txt.by").read_text().split()
    assert (by[0], by[-1]) == (str(first.process.pid), str(second.process.pid))
    assert not [event for event in told if event["kind"] in ("run.adopted", "step.unknown")]
    assert (after[0] - stopped).total_seconds() < 2


def test_streams_end_with_a_word_and_new_connections_are_refused(first: ServerProcess) -> None:
    address = f"{first.address}/api/v1/events"
    lines: list[str] = []
    with httpx.stream("GET", address, headers={**first.headers, "Accept": "text/event-stream"}, timeout=30) as stream:
        for line in stream.iter_lines():
            if line.startswith("retry:"):
                first.process.send_signal(signal.SIGTERM)
            lines.append(line)
    assert "event: stopping" in lines
    assert first.process.wait(10) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.address}/healthz")


def test_a_second_signal_ends_at_once(first: ServerProcess, folder: Path) -> None:
    run_id = first.post("/runs", {"graph": "chain", "inputs": {"file": str(folder / "x"), "seconds": 30}})["id"]
    events(first, run_id, "step.started", "s0")
    first.process.send_signal(signal.SIGTERM)
    assert first.process.stdout is not None
    while "Stopping" not in first.process.stdout.readline():
        assert first.process.poll() is None
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(5) == 130
