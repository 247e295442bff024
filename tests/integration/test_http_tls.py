"""`io.http` and certificates: who is not known is not asked, authorities of one's own are trusted if named."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pyagent.sdk import NodeError
from pyagent.testing import run_node
from pyagent_nodes.io.http import http

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl makes the certificates"),
]


@pytest.fixture
def certified(tmp_path: Path) -> None:
    """`certificate.pem` for 127.0.0.1, signed by itself; `localhost` is its common name only, which does not count."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
async def address(certified: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A server with that certificate."""
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "localhost, 127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}')
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("tls", "code"),
    [
        ({}, "node.http_tls"),
        ({"verify": False}, None),
        ({"certificates": "certificate.pem"}, None),
        ({"certificates": "key.pem"}, "node.http_certificates"),
        ({"certificates": "missing.pem"}, "node.http_certificates"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_is_asked_only_if_it_proves_who_it_is(
    address: str, tmp_path: Path, tls: dict[str, Any], code: str | None, method: str
) -> None:
    if "certificates" in tls:
        tls = {"certificates": str(tmp_path / tls["certificates"])}
    params = {"url": address, "method": method, "tls": tls}
    if code is None:
        assert (await run_node(http, [{}], params)).json() == [{"a": 1}]
        return
    with pytest.raises(NodeError) as caught:
        await run_node(http, [{}], params)
    assert caught.value.code == code


async def test_a_certificate_for_another_name_is_not_trusted(address: str, tmp_path: Path) -> None:
    tls = {"certificates": str(tmp_path / "certificate.pem")}
    with pytest.raises(NodeError) as caught:
        await run_node(http, [{}], {"url": address.replace("127.0.0.1", "localhost"), "tls": tls})
    assert caught.value.code == "node.http_tls"
