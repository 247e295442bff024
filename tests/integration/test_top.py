"""`pyagent top` beside a real server: in a pipe, and on a terminal that is drawn on and left by a key."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server_process import PYAGENT, ServerProcess, environment

pytestmark = pytest.mark.integration

GRAPH = "pyagent: 1\nid: small\nnodes: [{id: a, use: flow.noop@1}]\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    (tmp_path / "small.yaml").write_text(GRAPH)
    with ServerProcess(tmp_path) as made:
        token = (tmp_path / "server-token").read_text().strip()
        with httpx.Client(base_url=made.address, headers={"Authorization": f"Bearer {token}"}) as client:
            run = client.post("/api/v1/runs", json={"graph": "small"}).json()["id"]
            cursor = {"after": 0, "run": run}
            with client.stream("GET", "/api/v1/events", params=cursor, headers={"Accept": "text/event-stream"}) as told:
                assert any("run.completed" in line for line in told.iter_lines())
        yield made


def top(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PYAGENT, "top", "--port", str(server.port), *arguments]
    return subprocess.run(
        command, env=environment(server.folder), capture_output=True, text=True, timeout=60, check=False
    )


def test_one_look_is_printed_for_people_and_for_programs(server: ServerProcess) -> None:
    page = top(server, "--once", "--interval", "0.1")
    assert page.returncode == 0, page.stderr
    assert "completed 1" in page.stdout
    assert "flow.noop" in page.stdout
    told = json.loads(top(server, "--once", "--json", "--interval", "0.1").stdout)
    assert told["runs"]["ended"]["completed"] == 1
    assert told["steps"]["types"][0]["type"] == "flow.noop"
    assert told["commits"]["store"] == "sqlite"
    assert told["process"]["memory"] > 10e6


def test_a_terminal_is_drawn_on_until_q_is_pressed(server: ServerProcess) -> None:
    main, other = os.openpty()
    process = subprocess.Popen(
        [*PYAGENT, "top", "--port", str(server.port), "--interval", "0.1"],
        env={**environment(server.folder), "TERM": "xterm", "COLUMNS": "120", "LINES": "30"},
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    seen = b""
    pressed = False
    # Reading ends with an error once nobody has the other side any more.
    while select.select([main], [], [], 30)[0]:
        try:
            seen += os.read(main, 65536)
        except OSError:
            break
        if seen.count(b"flow.noop") >= 2 and not pressed:
            os.write(main, b"q")
            pressed = True
    os.close(main)
    assert process.wait(30) == 0, seen
    assert b"q ends" in seen


def test_another_users_server_is_told_from_none(server: ServerProcess, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [*PYAGENT, "top", "--once", "--port", str(server.port)]
    ended = subprocess.run(command, env=environment(elsewhere), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert "does not know this user's token" in ended.stderr
