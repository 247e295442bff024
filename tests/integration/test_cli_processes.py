"""The program as a process: Ctrl-C, kill -9, a second process on the same run, ports in use."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from server_process import PYAGENT, ServerProcess, environment

pytestmark = pytest.mark.integration
SLOW = """\
pyagent: 1
id: slow
inputs: {go: {type: string}}
outputs: {done: "{{ $('work').first().json.done }}"}
nodes:
  - {id: begin, use: data.set@1, with: {fields: {ok: true}}}
  - id: work
    use: code.python@1
    effects: idempotent
    with:
      read: ["{{ $inputs.go.split('/').slice(0, -1).join('/') }}"]
      code: |
        import os, time
        while not os.path.exists(inputs["go"]):
            time.sleep(0.02)
        return [{"done": True}]
edges: [begin -> work]
"""
FORM = """\
pyagent: 1
id: form
nodes:
  - {id: ask, use: flow.ask@1, with: {fields: [{name: colour, type: text, required: true}]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.yaml").write_text(SLOW)
    return tmp_path


def pyagent(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYAGENT, *arguments],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in the background; whatever is left of it ends with the block."""
    process = subprocess.Popen(
        [*PYAGENT, *arguments],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def until(look: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer. Looks often rather than sleeping long: other processes tell nobody."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def at_work(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of the step that works, once it does."""

    def look() -> list[psutil.Process]:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        return [child for child in children(process) if any("_harness" in part for part in child.cmdline())]

    return until(look) and children(process)


def only_run(folder: Path) -> dict[str, Any]:
    [run] = json.loads(pyagent(folder, "runs", "--json").stdout)
    return run


def gone(processes: list[psutil.Process]) -> bool:
    return not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def start(folder: Path) -> tuple[str, ...]:
    return ("run", "slow", "--input", f"go={folder / 'go'}")


def test_ctrl_c_leaves_a_run_that_can_be_resumed_and_no_process(folder: Path) -> None:
    with running(folder, *start(folder)) as process:
        workers = at_work(process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    run = only_run(folder)
    assert f"pyagent resume {run['id']}" in out
    assert "Traceback" not in out
    assert run["status"] == "running"
    until(lambda: gone(workers))
    (folder / "go").touch()
    resumed = pyagent(folder, "resume", run["id"])
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert list((folder / "work").iterdir()) == [], "the run has ended, and so has its work directory"


def test_a_second_ctrl_c_stops_at_once_and_children_die_too(folder: Path) -> None:
    # A step that does not listen: the first Ctrl-C waits for its grace time.
    deaf = SLOW.replace(
        "import os, time", "import os, signal, time\n        signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    )
    (folder / "slow.yaml").write_text(deaf)
    with running(folder, *start(folder)) as process:
        workers = at_work(process)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        until(lambda: "Ctrl-C again stops at once" in process.stdout.readline())  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    until(lambda: gone(workers), 10)
    assert only_run(folder)["status"] == "running"


def test_resume_waits_for_a_dead_workers_lease_and_takes_the_run_over(folder: Path) -> None:
    with running(folder, *start(folder)) as process:
        workers = at_work(process)
        process.kill()
        process.wait(10)
    until(lambda: gone(workers), 10)
    (folder / "go").touch()
    resumed = pyagent(folder, "resume", only_run(folder)["id"])
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "is gone; its lease ends in" in resumed.stdout
    assert "run.adopted" in resumed.stdout


def test_a_run_that_another_process_executes_is_not_taken(folder: Path) -> None:
    with running(folder, *start(folder)) as process:
        at_work(process)
        refused = pyagent(folder, "resume", only_run(folder)["id"])
        assert refused.returncode == 1
        assert "store.lease_held" in refused.stderr
        assert "--follow" in refused.stderr
        assert process.poll() is None


def test_a_run_that_a_server_takes_first_is_followed(folder: Path) -> None:
    (folder / "go").touch()
    with ServerProcess(folder):
        for _ in range(5):
            done = pyagent(folder, *start(folder))
            assert done.returncode == 0, done.stdout + done.stderr
            assert "✓ completed" in done.stdout


def test_cancel_reaches_a_run_in_another_process(folder: Path) -> None:
    with running(folder, *start(folder)) as process:
        workers = at_work(process)
        told = pyagent(folder, "cancel", only_run(folder)["id"])
        assert told.stdout.endswith(": cancelled\n")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "⊘ cancelled" in out
    until(lambda: gone(workers))
    assert list((folder / "work").iterdir()) == []


def test_show_follows_a_run_that_another_process_executes(folder: Path) -> None:
    with running(folder, *start(folder)) as process:
        at_work(process)
        with running(folder, "show", only_run(folder)["id"], "--follow") as follower:
            (folder / "go").touch()
            out, _ = follower.communicate(timeout=30)
            assert follower.returncode == 0
            assert "✓ work" in out


def test_a_form_that_is_left_open_on_the_terminal_ends_with_3_and_says_once_how_to_answer_it(folder: Path) -> None:
    (folder / "form.yaml").write_text(FORM)
    terminal, inner = os.openpty()
    process = subprocess.Popen(
        [*PYAGENT, "run", "form"],
        env=environment(folder) | {"TERM": "xterm", "COLUMNS": "60"},
        cwd=folder,
        stdin=inner,
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    said, answered = "", False
    try:
        while chunk := _read(terminal):
            said += chunk
            if not answered and "leave it open" in said:
                os.write(terminal, b"\n")
                answered = True
        assert process.wait(20) == 3
    finally:
        process.kill()
        os.close(terminal)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert said.count(f"pyagent answer {only_run(folder)['id']} ask  (or with --set NAME=VALUE)") == 1


def _read(terminal: int) -> str:
    """What comes from the terminal; empty when its program has ended."""
    try:
        return os.read(terminal, 4096).decode("utf-8", "replace")
    except OSError:
        return ""


def test_a_port_in_use_is_a_clear_error(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = pyagent(folder, "serve", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 5
    assert "server.port_in_use" in refused.stderr
    assert "--port" in refused.stderr


def test_a_second_server_says_who_has_the_usual_port_and_which_it_took(folder: Path) -> None:
    from pyagent.server import PORT

    with contextlib.ExitStack() as opened:
        # The usual port may be anybody's on this machine; if it is free, this is who has it.
        taken = opened.enter_context(socket.socket())
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", PORT))
            taken.listen()
        process = opened.enter_context(running(folder, "serve"))
        assert process.stdout is not None
        said = process.stdout.readline()
        address = process.stdout.readline()
    assert f"has the port {PORT}. This one took the port " in said
    assert said.rstrip().rstrip(".").rpartition(" ")[2] in address


def test_run_with_serve_goes_on_serving_and_ends_with_the_runs_code(folder: Path) -> None:
    (folder / "go").touch()
    with running(folder, *start(folder), "--serve") as process:
        assert process.stdout is not None
        goes_on = until(lambda: next((line for line in process.stdout if "PyAgent goes on at" in line), None))
        assert f"&run={only_run(folder)['id']} " in goes_on
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_server_executes_runs_and_hands_them_to_the_next_one(folder: Path) -> None:
    with ServerProcess(folder) as server:
        run = server.post("/runs", {"graph": "slow", "inputs": {"go": str(folder / "go")}})
        until(lambda: server.get(f"/runs/{run['id']}")["status"] == "running" or None)
        assert server.stop() == 0
    (folder / "go").touch()
    with ServerProcess(folder) as server:
        until(lambda: server.get(f"/runs/{run['id']}")["status"] == "completed" or None)


def test_a_killed_servers_runs_are_taken_over_by_the_next_one(folder: Path) -> None:
    with ServerProcess(folder) as server:
        run = server.post("/runs", {"graph": "slow", "inputs": {"go": str(folder / "go")}})
        until(lambda: server.get(f"/runs/{run['id']}")["steps"][1:] or None)
        server.kill()
    (folder / "go").touch()
    with ServerProcess(folder) as server:
        until(lambda: server.get(f"/runs/{run['id']}")["status"] == "completed" or None, 30)
        kinds = [event["kind"] for event in server.get(f"/runs/{run['id']}/events")["events"]]
        assert "run.adopted" in kinds


def test_open_prints_a_link_that_works(folder: Path) -> None:
    import httpx

    with ServerProcess(folder) as server:
        link = pyagent(folder, "open", "--port", str(server.port)).stdout.strip()
        assert httpx.get(link).status_code == 200
    refused = pyagent(folder, "open", "--port", str(server.port))
    assert refused.returncode == 5
    assert "server.not_running" in refused.stderr


def test_output_that_nobody_reads_any_more_ends_quietly(folder: Path) -> None:
    script = " ".join([*PYAGENT, "node", "list", "|", "head", "-n", "1"])
    done = subprocess.run(["bash", "-c", script], env=environment(folder), capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_a_folder_that_cannot_be_written_is_a_store_error(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    folder.chmod(0o500)
    try:
        assert pyagent(folder, "runs").returncode == 5
    finally:
        folder.chmod(0o700)
