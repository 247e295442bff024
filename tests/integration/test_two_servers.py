"""Two whole servers on one SQLite file: each run is executed once, and either server shows and steers them all."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server_process import ServerProcess

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

NOTES = """\
pyagent: 1
id: notes
inputs: {file: {type: string}, name: {type: string}}
nodes:
  - id: first
    use: code.shell@1
    with:
      script: 'echo "$NAME first" >> "$FILE"'
      env: {FILE: "{{ $inputs.file }}", NAME: "{{ $inputs.name }}"}
      write: ["{{ $inputs.file.split('/').slice(0, -1).join('/') }}"]
  - id: second
    use: code.shell@1
    with:
      script: 'echo "$NAME second" >> "$FILE"'
      env: {FILE: "{{ $inputs.file }}", NAME: "{{ $inputs.name }}"}
      write: ["{{ $inputs.file.split('/').slice(0, -1).join('/') }}"]
edges: [first -> second]
"""
ENDLESS = """\
pyagent: 1
id: endless
nodes:
  - id: sleeps
    use: code.shell@1
    with: {script: 'exec sleep 600'}
"""
RUNS = 6
"""At each server."""
ENDED = ("run.completed", "run.failed", "run.cancelled")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    (tmp_path / "notes.yaml").write_text(NOTES)
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    with ServerProcess(tmp_path) as one, ServerProcess(tmp_path) as two:
        yield one, two


class Events:
    """A stream of a server's events, read by a thread until so many runs have ended."""

    def __init__(self, server: ServerProcess, ends: int, path: str = "/events") -> None:
        self.server = server
        self.ends = ends
        self.path = path
        self.seen: list[dict[str, Any]] = []
        self.came = threading.Condition()
        self.connected = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Events:
        self._thread.start()
        assert self.connected.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)

    def until(self, kind: str) -> None:
        """Return when an event of this kind has come."""
        with self.came:
            assert self.came.wait_for(lambda: kind in [each["kind"] for each in self.seen], 30)

    def _read(self) -> None:
        address = f"{self.server.address}/api/v1{self.path}"
        headers = {**self.server.headers, "Accept": "text/event-stream"}
        with httpx.stream("GET", address, headers=headers, timeout=60) as stream:
            for line in stream.iter_lines():
                self.connected.set()  # the first line comes before any event
                if line.startswith("data: "):
                    with self.came:
                        self.seen.append(json.loads(line.removeprefix("data: ")))
                        self.came.notify_all()
                if sum(each["kind"] in ENDED for each in self.seen) >= self.ends:
                    return


def test_runs_begun_at_two_servers_are_executed_once_and_shown_live_by_both(
    servers: tuple[ServerProcess, ServerProcess], tmp_path: Path
) -> None:
    file = tmp_path / "effects.txt"
    wanted: list[str] = []
    with Events(servers[0], 2 * RUNS) as one, Events(servers[1], 2 * RUNS) as two:
        for number in range(RUNS):
            for server in servers:
                name = f"run{number}-at-{server.port}"
                wanted.append(name)
                server.post("/runs", {"graph": "notes", "inputs": {"file": str(file), "name": name}})
    assert Counter(file.read_text().splitlines()) == {
        f"{name} {step}": 1 for name in wanted for step in ("first", "second")
    }
    assert one.seen == two.seen
    kinds = Counter(event["kind"] for event in one.seen)
    assert kinds["run.completed"] == 2 * RUNS
    assert kinds["step.started"] == 4 * RUNS
    assert not kinds["run.adopted"] + kinds["step.unknown"]
    shown = [[(run["id"], run["status"]) for run in server.get("/runs")["runs"]] for server in servers]
    assert shown[0] == shown[1]
    assert {status for _, status in shown[0]} == {"completed"}
    assert {run_id for run_id, _ in shown[0]} == {event["run_id"] for event in one.seen}


def test_a_run_is_cancelled_at_the_server_that_does_not_drive_it(
    servers: tuple[ServerProcess, ServerProcess],
) -> None:
    for driver, other in (servers, servers[::-1]):
        run_id = driver.post("/runs", {"graph": "endless", "inputs": {}})["id"]
        with Events(other, 1, f"/runs/{run_id}/events") as told:
            told.until("step.started")
            other.post(f"/runs/{run_id}/cancel", {"reason": "enough"})
        assert [event["kind"] for event in told.seen if event["kind"] in ENDED] == ["run.cancelled"]
        for server in servers:
            assert server.get(f"/runs/{run_id}")["status"] == "cancelled"
