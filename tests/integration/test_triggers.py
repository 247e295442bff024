"""Watched folders, the command line, and servers that are killed: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server_process import PYAGENT, ServerProcess, environment
from trigger_lab import PATIENCE, Served, hook, served_in

pytestmark = pytest.mark.integration


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path) as made:
        yield made


# a watched folder


def watcher(inbox: Path, more: str = "") -> str:
    return (
        "pyagent: 1\nid: watcher\ninputs: {name: {type: string}, path: {type: string}}\n"
        "outputs: {text: \"{{ $('read').first().json.content }}\"}\n"
        f"nodes: [{{id: inbox, use: io.watch_folder@1, with: {{folder: {inbox}, settle: 200ms{more}}}}},"
        ' {id: read, use: io.read_file@1, with: {path: "{{ $inputs.path }}"}}]\nedges: [inbox -> read]\n'
    )


async def texts(served: Served, count: int) -> list[tuple[str, str]]:
    async def enough() -> list[tuple[str, str]]:
        while True:
            runs = [run for run in await served.runs() if run.status == "completed"]
            if len(runs) >= count:
                return [(json.loads(run.inputs)["name"], json.loads(run.outputs)["text"]) for run in runs]
            await served.engine.store.changed(1)

    return await asyncio.wait_for(enough(), PATIENCE)


async def test_files_that_come_or_change_start_a_run_each_once_they_are_complete(
    served: Served, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    (inbox / "sub").mkdir(parents=True)
    (inbox / "old.txt").write_text("old")
    await served.activate(watcher(inbox, ", pattern: '*.txt'"))
    (inbox / "a.txt").write_text("one")
    (inbox / "sub" / "b.txt").write_text("no")
    (inbox / "c.csv").write_text("no")
    (inbox / ".hidden.txt").write_text("no")
    with (inbox / "slow.txt").open("w") as file:
        for _ in range(10):
            file.write("part ")
            file.flush()
            await asyncio.sleep(0.05)
    assert sorted(await texts(served, 2)) == [("a.txt", "one"), ("slow.txt", "part " * 10)]
    (inbox / "a.txt").write_text("changed")
    assert ("a.txt", "changed") in await texts(served, 3)
    shutil.copy2(inbox / "old.txt", inbox / "kept times.txt")
    assert ("kept times.txt", "old") in await texts(served, 4)
    assert len(await served.runs()) == 4


# a server that dies


def graphs(folder: Path, inbox: Path) -> None:
    (folder / "hook.yaml").write_text(hook(head="inputs: {body: {type: object}}\n"))
    (folder / "watcher.yaml").write_text(watcher(inbox))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    graphs(tmp_path, tmp_path / "inbox")
    return tmp_path


def ended(server: ServerProcess, graph: str, count: int) -> list[Any]:
    deadline = time.monotonic() + 60
    while True:
        runs = server.get(f"/runs?graph={graph}&limit=500")["runs"]
        if len(runs) >= count and all(run["status"] == "completed" for run in runs):
            return runs
        assert time.monotonic() < deadline, [run["status"] for run in runs]
        time.sleep(0.1)


def test_the_command_line_activates_lists_listens_and_deactivates(folder: Path) -> None:
    def pyagent(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYAGENT, *arguments],
            env=environment(folder),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert "POST /webhooks/orders" in pyagent("activate", "hook.yaml").stdout
    assert pyagent("activate", "nobody.yaml").returncode == 2
    with ServerProcess(folder) as server:
        listening = subprocess.Popen(
            [*PYAGENT, "listen", "hook.yaml", "--port", str(server.port)],
            env=environment(folder),
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert listening.stdout is not None
        line = listening.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address is not None, line
        assert address[0] == f"{server.address}/webhooks-test/orders"
        httpx.post(address[0], json={"n": 1}, trust_env=False).raise_for_status()
        shown, _ = listening.communicate(timeout=60)
        assert listening.returncode == 0, shown
        httpx.post(f"{server.address}/webhooks/orders", json={"n": 2}, trust_env=False).raise_for_status()
        ended(server, "hook", 2)
        (found,) = json.loads(pyagent("triggers", "--json").stdout)
        assert (found["node"], found["address"]["path"], found["edited"]) == ("request", "/webhooks/orders", False)
        assert found["last_run"]["status"] == "completed"
        assert [set(told) for told in server.get("/triggers")["triggers"]] == [set(found)]
        assert pyagent("listen", "watcher", "--port", str(server.port)).returncode != 0
        (folder / "elsewhere").mkdir()
        (folder / "elsewhere" / "far.yaml").write_text(hook("far"))
        unknown = pyagent("listen", "elsewhere/far.yaml", "--port", str(server.port)).stderr
        assert "there is no graph 'far'" in unknown
        assert "The server looks for graphs in the folders of PYAGENT_GRAPHS" in unknown
    assert "server.not_running" in pyagent("listen", "hook", "--port", str(server.port)).stderr
    assert json.loads(pyagent("deactivate", "hook", "--json").stdout) == {"deactivated": "hook"}
    assert "trigger.not_active" in pyagent("deactivate", "hook").stderr


def test_a_server_that_is_killed_between_deliveries_loses_none_and_runs_none_twice(folder: Path) -> None:
    keys = [f"delivery-{number}" for number in range(60)]
    answered: set[str] = set()
    rounds = 0
    while len(answered) < len(keys):
        rounds += 1
        with ServerProcess(folder) as server:
            if rounds == 1:
                server.post("/graphs/hook/activate", {})
            with httpx.Client(base_url=server.address, trust_env=False, timeout=10) as client:
                sent = 0
                for key in keys:
                    if key in answered:
                        continue
                    sent += 1
                    headers = {"Idempotency-Key": key}
                    if sent == 20:
                        # The request is on its way when the server dies: whether it was taken nobody can tell.
                        raw = socket.create_connection(("127.0.0.1", server.port))
                        body = b'{"n": 1}'
                        raw.sendall(
                            b"POST /webhooks/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                            b"Idempotency-Key: " + key.encode() + b"\r\n"
                            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
                        )
                        server.kill()
                        raw.close()
                        break
                    answer = client.post("/webhooks/orders", json={"n": 1}, headers=headers)
                    assert answer.status_code == 202
                    answered.add(key)
    assert rounds > 2
    with ServerProcess(folder) as server:
        runs = ended(server, "hook", len(keys))
    assert sorted(run["key"] for run in runs) == sorted(f"request/request/{key}" for key in keys)


def test_a_server_that_starts_again_takes_the_files_that_came_meanwhile_and_no_other(folder: Path) -> None:
    inbox = folder / "inbox"
    with ServerProcess(folder) as server:
        server.post("/graphs/watcher/activate", {})
        (inbox / "a.txt").write_text("one")
        (inbox / "b.txt").write_text("two")
        ended(server, "watcher", 2)
        server.kill()
    (inbox / "c.txt").write_text("three")
    (inbox / "b.txt").write_text("two again")
    for _ in range(2):
        with ServerProcess(folder) as server:
            runs = ended(server, "watcher", 4)
            server.kill()
    assert len(runs) == 4
