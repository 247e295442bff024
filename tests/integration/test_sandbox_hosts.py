"""The clients that people use find the way to the hosts that a sandbox lists: curl, pip, uv, npm, Node, git, httpx."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyagent.sdk.process import ProcessResult, run_process
from pyagent.sdk.sandbox import Sandbox, program_places, python_places
from pyagent.testing import HttpReply, HttpServer

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYAGENT_SANDBOX", raising=False)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as found:
        found.route("GET", "/page", "a page")
        found.route("POST", "/page", lambda request: f"got {len(request.body)}")
        yield found


async def run(server: HttpServer, *command: str | Path, env: dict[str, str] | None = None) -> ProcessResult:
    """A client in a sandbox that lists the server alone."""
    return await run_process(
        command,
        sandbox=Sandbox(
            read=(*python_places(), *program_places()), network=(server.url.removeprefix("http://"), "localhost:1")
        ),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **(env or {})},
        timeout=60,
    )


def _program(name: str) -> str:
    found = shutil.which(name)
    return found or pytest.skip(f"{name} is not installed here")


@pytest.mark.parametrize("options", [(), ("--proxytunnel",), ("--data", "x" * 5000)])
async def test_curl_reaches_a_listed_host_and_no_other(server: HttpServer, options: tuple[str, ...]) -> None:
    curl = _program("curl")
    result = await run(server, curl, "-sS", "--fail-with-body", *options, f"{server.url}/page")
    assert result.text == ("got 5000" if "--data" in options else "a page"), result.error_text
    port = server.url.rsplit(":", 1)[1]
    refused = await run(server, curl, "-sS", "--fail-with-body", *options, f"http://127.0.0.2:{port}/page")
    assert not refused.ok
    assert "not among the hosts" in refused.text or "403" in refused.error_text


async def test_pythons_clients_reach_a_listed_host(server: HttpServer) -> None:
    code = f"""
import httpx, urllib.request
print(urllib.request.urlopen("{server.url}/page").read().decode(), httpx.get("{server.url}/page").text)
"""
    result = await run(server, sys.executable, "-I", "-c", code)
    assert result.text == "a page a page\n", result.error_text


async def test_pip_and_uv_install_from_a_listed_index(server: HttpServer) -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "x = 1\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    name = "tiny-1.0-py3-none-any.whl"
    page = HttpReply(body=f'<a href="/files/{name}">{name}</a>', headers={"Content-Type": "text/html"})
    server.route("GET", "/simple/tiny/", page)
    server.route("GET", f"/files/{name}", HttpReply(body=wheel.getvalue()))
    uv = Path(sys.executable).with_name("uv")
    for client in ([sys.executable, "-m", "pip"], [uv, "pip"]):
        script = '"$@" install --no-deps --index-url "$URL" --target "$TMPDIR/site" tiny && ls "$TMPDIR/site"'
        env = {"URL": f"{server.url}/simple", "UV_PYTHON": sys.executable, "PIP_TRUSTED_HOST": "127.0.0.1"}
        result = await run(server, "sh", "-c", script, "sh", *client, env=env)
        assert "tiny.py" in result.text, result.error_text


async def test_npm_installs_from_a_listed_registry(server: HttpServer) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        content = b'{"name": "tiny", "version": "1.0.0"}'
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    about = {"tarball": f"{server.url}/tiny.tgz", "shasum": hashlib.sha1(packed.getvalue()).hexdigest()}
    versions = {"1.0.0": {"name": "tiny", "version": "1.0.0", "dist": about}}
    server.route("GET", "/tiny", {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": versions})
    server.route("GET", "/tiny.tgz", HttpReply(body=packed.getvalue()))
    script = 'cd "$TMPDIR" && "$0" install --no-audit --registry "$URL" tiny >&2 && cat node_modules/tiny/package.json'
    result = await run(server, "sh", "-c", script, _program("npm"), env={"URL": server.url})
    assert json.loads(result.text)["name"] == "tiny", result.error_text


async def test_git_reads_from_a_listed_host(server: HttpServer) -> None:
    server.route("GET", "/repository/info/refs", f"{'1' * 40}\trefs/heads/main\n")
    result = await run(server, _program("git"), "ls-remote", f"{server.url}/repository")
    assert result.text == f"{'1' * 40}\trefs/heads/main\n", result.error_text


async def test_nodes_fetch_reaches_a_listed_host_from_the_versions_on_that_read_the_variables(
    server: HttpServer,
) -> None:
    node = _program("node")
    told = await asyncio.to_thread(subprocess.run, [node, "--version"], capture_output=True, text=True)
    version = tuple(int(part) for part in told.stdout.strip().lstrip("v").split("."))
    result = await run(server, node, "-e", f"fetch('{server.url}/page').then(r => r.text()).then(console.log)")
    if version >= (24, 0, 0) or (22, 21, 0) <= version < (23, 0, 0):
        assert result.text == "a page\n", result.error_text
        return
    assert not result.ok  # it goes straight for the host, which is not there
    by_hand = f"""
const proxy = new URL(process.env.HTTP_PROXY);
const asked = {{host: proxy.hostname, port: proxy.port, path: '{server.url}/page'}};
require('http').get(asked, (answer) => answer.pipe(process.stdout));
"""
    result = await run(server, node, "-e", by_hand)
    assert result.text == "a page", result.error_text
