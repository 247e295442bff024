"""A program reaches the hosts that its sandbox lists, and no others; what is the engine's own it never sees."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pyagent.errors import NodeError
from pyagent.sdk import sandbox as sandboxes
from pyagent.sdk.process import ProcessResult, SandboxMissing, run_process
from pyagent.sdk.sandbox import Sandbox, hidden_places, host_entry, program, python_places
from pyagent.testing import HttpServer, TestCancelToken, run_node
from pyagent_nodes.code.shell import shell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
ENTRIES = [
    "api.example.com", "*.example.com", "127.0.0.1:8080", "10.0.0.0/8", "10.1.2.3/8:443", "[::1]:80", "::1", "fd00::/8",
    "[fd00::/8]:5432", "localhost:1", "API.Example.COM.", "x_y-1.test", "[::1]",
]  # fmt: skip
NO_ENTRIES = [
    "", "*", "*.", "a b", "a/b", "http://a", "a:0", "a:65536", "a:+1", "a:", ":80", "127.1", "0x7f.1", "1",
    "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/255.0.0.0", "a..b", "a*.com", "*.*.com", "ü.de", "[a]:1x", "a@b",
    "[1.2.3.4", "::1]", "fe80::1%lo", "a\nb", "*.10.0.0.1", f"{'a' * 64}.test", "a:１",
]  # fmt: skip
READ = "import sys, urllib.request as r\nprint(r.urlopen(sys.argv[1], timeout=9).read().decode())"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYAGENT_SANDBOX", raising=False)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as found:
        found.route("GET", "/page", lambda request: f"for {request.headers['host']}")
        yield found


async def read(url: str, *hosts: str, env: dict[str, str] | None = None) -> ProcessResult:
    """What Python's own client gets from inside a sandbox."""
    allowed = Sandbox(read=python_places(), network=hosts)
    return await run_process([sys.executable, "-I", "-c", READ, url], sandbox=allowed, timeout=30, env=env)


@pytest.mark.parametrize(("entry", "good"), [*((e, True) for e in ENTRIES), *((e, False) for e in NO_ENTRIES)])
def test_what_a_host_is_python_and_the_sandbox_agree_on(entry: str, good: bool) -> None:
    if good:
        assert host_entry(entry) == entry
    else:
        with pytest.raises(ValueError, match="is no host"):
            host_entry(entry)
    own = program()
    assert own is not None
    asked = [str(own), "exec", "system=1", "network=hosts", f"host={entry}", "--", "/bin/true"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert (done.returncode == 0, "wrong host" in done.stderr) == (good, not good)


async def test_a_listed_host_is_reached_by_its_name_or_address(server: HttpServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        place = server.url.removeprefix("http://").replace("127.0.0.1", host)
        result = await read(f"http://{place}/page", place)
        assert result.text == f"for {place}\n", result.error_text


async def test_another_host_is_refused_with_its_name(server: HttpServer) -> None:
    port = server.url.rsplit(":", 1)[1]
    for url, said in (
        (server.url.replace("127.0.0.1", "127.0.0.2"), f"127.0.0.2:{port} is not among the hosts"),
        ("https://example.invalid", "example.invalid:443 is not among the hosts"),
        ("http://listed.invalid", "the name listed.invalid cannot be resolved"),
    ):
        # The name itself is told to nobody but the proxy.
        result = await read(url, f"127.0.0.1:{port}", "listed.invalid", env={"no_proxy": "*"})
        assert said in result.error_text
    assert server.requests == []


async def test_a_machine_without_network_namespaces_lists_no_hosts() -> None:
    with pytest.raises(SandboxMissing, match="the network: net"):
        await run_process(["true"], sandbox=Sandbox(network=("example.com",), without=frozenset({"net"})))


async def test_an_entry_that_is_none_is_named() -> None:
    with pytest.raises(NodeError, match="wrong host"):
        await run_process(["true"], sandbox=Sandbox(network=("http://example.com",)))


async def test_an_empty_list_is_no_network() -> None:
    result = await run_process(["env"], sandbox=Sandbox(network=()))
    assert "proxy" not in result.text.lower()
    code = "import socket; socket.socket()"
    result = await run_process([sys.executable, "-c", code], sandbox=Sandbox(read=python_places(), network=()))
    assert "PermissionError" in result.error_text


async def test_many_at_a_time_are_served(server: HttpServer) -> None:
    code = f"""
import threading, urllib.request as r
got = []
def one(): got.append(r.urlopen("{server.url}/page", timeout=30).read())
threads = [threading.Thread(target=one) for _ in range(40)]
[each.start() for each in threads]; [each.join() for each in threads]
print(len(got))
"""
    allowed = Sandbox(read=python_places(), network=(server.url.removeprefix("http://"),))
    result = await run_process([sys.executable, "-I", "-c", code], sandbox=allowed, timeout=60)
    assert result.text == "40\n", result.error_text


@pytest.mark.parametrize("way", ["cancel", "kill"])
async def test_the_way_to_a_host_ends_with_the_program(way: str) -> None:
    """Whether the step is cancelled, or the supervisor killed with no time to clear up."""
    code = """
import os, socket, sys, time
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["HTTP_PROXY"])
connection = socket.create_connection((proxy.hostname, proxy.port))
connection.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\nhello".encode())
time.sleep(600)
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        cancel = TestCancelToken()
        running = asyncio.create_task(
            run_process(
                [sys.executable, "-I", "-c", code, place],
                sandbox=Sandbox(read=python_places(), network=(place,)),
                cancel=cancel,
                grace=0.1,
            )
        )
        connection, _ = await asyncio.to_thread(listener.accept)
        with connection:
            connection.settimeout(60)
            assert await asyncio.to_thread(connection.recv, 5) == b"hello"
            if way == "cancel":
                cancel.trigger()
            else:
                _kill_supervisors()
            with pytest.raises(NodeError):
                await running
            assert await asyncio.to_thread(connection.recv, 5) == b""


def _kill_supervisors() -> None:
    for child in psutil.Process().children():
        if child.cmdline()[1:] == ["serve"]:
            child.kill()


async def test_a_step_names_hosts_where_it_names_a_network(server: HttpServer, tmp_path: Path) -> None:
    params = {"command": [sys.executable, "-I", "-c", READ, f"{server.url}/page"], "network": [server.url[7:]]}
    done = await run_node(shell, [{}], params, work_dir=tmp_path)
    assert done.json()[0]["stdout"] == f"for {server.url[7:]}"
    with pytest.raises(ValueError, match="is no host"):
        await run_node(shell, [{}], {**params, "network": ["http://example.com"]}, work_dir=tmp_path)


async def test_what_is_hidden_is_empty_inside_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for path in (tmp_path / "own" / "key", tmp_path / "token", tmp_path / "open"):
        path.write_text(f"{path.name}\n")
    sandbox = Sandbox(read=(tmp_path,), hide=(tmp_path / "own", tmp_path / "token", tmp_path / "missing"))
    result = await run_process(["sh", "-c", f"cd {tmp_path}; ls own; cat token open own/key"], sandbox=sandbox)
    assert result.text == "open\n"


async def test_without_a_file_tree_it_is_said_that_hidden_files_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_SANDBOX", "best")
    (tmp_path / "key").touch()
    sandbox = Sandbox(read=(tmp_path,), hide=(tmp_path / "key",), without=frozenset({"mount"}))
    result = await run_process(["true"], sandbox=sandbox)
    assert "what is hidden in the places it sees: mount" in result.unkept


async def test_what_is_hidden_cannot_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "key").write_text("treasure")
    hide, key = (tmp_path / "own",), tmp_path / "own" / "key"
    result = await run_process(["cat", str(key)], sandbox=Sandbox(read=(key,), hide=hide))
    assert result.text == ""
    with pytest.raises(NodeError, match="hidden from programs"):
        await run_process(["true"], sandbox=Sandbox(write=hide, hide=hide))


async def test_store_vault_and_tokens_are_hidden_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "project"
    state.mkdir()
    monkeypatch.setenv("PYAGENT_STORE", f"sqlite://{state}/runs.db")
    monkeypatch.setenv("PYAGENT_VAULT", str(state / "secrets"))
    monkeypatch.setenv("PYAGENT_BLOBS", (state / "large files").as_uri())
    monkeypatch.setenv("PYAGENT_MEMORY", str(state / "memory"))
    for name in ("large files", "memory", "runs.db.blobs"):
        (state / name).mkdir()
        (state / name / "content").write_text("treasure")
    for name in ("runs.db", "runs.db-wal", "runs.db-shm", "secrets", "secrets.key", "server-token"):
        (state / name).write_text("treasure")
    (state / "mine").write_text("seen")
    params = {"script": f"find {tmp_path} -type f -exec cat {{}} +", "read": [str(tmp_path)]}
    work = tmp_path / "work"
    work.mkdir()
    done = await run_node(shell, [{}], params, work_dir=work)
    assert done.json()[0]["stdout"] == "seen"


def test_a_folder_in_which_programs_work_is_not_hidden_but_what_is_secret_in_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("PYAGENT_STORE", raising=False)
    assert tmp_path / "pyagent" in hidden_places()
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path / "pyagent" / "work"))
    assert tmp_path / "pyagent" not in hidden_places()
    assert {tmp_path / "pyagent" / name for name in ("server-token", "memory")} <= set(hidden_places())


def test_no_program_of_that_name_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "pyagent-sandbox"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    sandboxes._installed_program.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert program() not in (None, fake)
    monkeypatch.setenv("PYAGENT_SANDBOX_PROGRAM", str(fake))
    assert program() == fake
    monkeypatch.setenv("PYAGENT_SANDBOX_PROGRAM", str(tmp_path / "missing"))
    assert program() is None


async def test_folders_that_nobody_may_open_and_very_deep_ones_are_removed() -> None:
    script = (
        'echo "$TMPDIR"; cd "$TMPDIR"; mkdir -p a/b; echo 1 > a/b/c; chmod 000 a/b a; '
        "n=0; while [ $n -lt 1500 ]; do mkdir dddd; cd dddd; n=$((n+1)); done; echo 1 > file"
    )
    result = await run_process(["sh", "-c", script], sandbox=Sandbox())
    folder = Path(result.text.strip())
    assert result.ok, result.error_text
    assert list(folder.parent.glob(f"{folder.name}*")) == []
