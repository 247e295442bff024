"""The door to the network: what is inside, what the setting allows, and that only checked addresses are connected."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.sdk import SetupError
from pyagent.sdk.http_client import http_client
from pyagent.sdk.network import AddressBlocked, HostUnknown, NetworkPolicy, is_inside, resolve

INSIDE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1", "64:ff9b::a00:1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "::7f00:1", "2001::1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYAGENT_ALLOW_PRIVATE", raising=False)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_the_inside_is_known_in_each_of_its_forms(address: str) -> None:
    assert is_inside(address)
    assert not NetworkPolicy().allows("name.example", address, 80)


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_outside(address: str) -> None:
    assert not is_inside(address)


@given(st.ip_addresses())
def test_what_python_says_is_not_global_is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast:
        assert is_inside(str(address)) or (address.version == 6 and str(address).startswith(("64:ff9b:", "2001:")))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "::1", "::ffff:127.0.0.1"],
)
async def test_a_host_is_refused_however_its_address_is_written(host: str) -> None:
    with pytest.raises(AddressBlocked) as caught:
        await resolve(host, 80)
    assert "PYAGENT_ALLOW_PRIVATE" in caught.value.hint


@pytest.mark.parametrize("host", ["", "no such host", "a" * 300, "x..y", "nothing.invalid"])
async def test_a_host_that_cannot_be_resolved_is_an_error_that_names_it(host: str) -> None:
    with pytest.raises((HostUnknown, AddressBlocked)):
        await resolve(host, 80)


@pytest.mark.parametrize(
    ("setting", "host", "address", "port", "allowed"),
    [
        ("127.0.0.1", "x", "127.0.0.1", 80, True),
        ("127.0.0.1", "x", "127.0.0.2", 80, False),
        ("127.0.0.0/8, 10.0.0.0/8", "x", "10.9.8.7", 80, True),
        ("127.0.0.1:8080", "x", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "x", "127.0.0.1", 80, False),
        ("[::1]:8080", "x", "::1", 8080, True),
        ("::1", "x", "::1", 1, True),
        ("fd00::/8", "x", "fd12::1", 1, True),
        ("127.0.0.1", "x", "::ffff:127.0.0.1", 80, True),
        ("Printer.Office.example.", "printer.office.example", "10.0.0.1", 80, True),
        ("*.office.example", "a.b.office.example", "10.0.0.1", 80, True),
        ("*.office.example", "office.example", "10.0.0.1", 80, False),
        ("*.office.example", "evil-office.example", "10.0.0.1", 80, False),
        ("printer:631", "printer", "10.0.0.1", 631, True),
        ("printer:631", "printer", "10.0.0.1", 80, False),
        ("*", "x", "127.0.0.1", 80, True),
        ("", "x", "127.0.0.1", 80, False),
        (" , ", "x", "127.0.0.1", 80, False),
        ("10.0.0.1", "x", "8.8.8.8", 80, True),
    ],
)
def test_the_setting_allows_what_it_names_and_no_more(
    setting: str, host: str, address: str, port: int, allowed: bool
) -> None:
    assert NetworkPolicy.parse(setting).allows(host, address, port) is allowed


@pytest.mark.parametrize("setting", ["10.0.0.0/64", "http://x", "a/b", "1::2::3", "."])
def test_a_setting_that_names_nothing_is_refused(setting: str) -> None:
    with pytest.raises(SetupError) as caught:
        NetworkPolicy.parse(setting)
    assert caught.value.code == "setup.allow_private"


async def test_a_name_of_which_one_address_is_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, [["8.8.8.8", "10.0.0.1"]])
    with pytest.raises(AddressBlocked, match=r"both\.example \(10\.0\.0\.1\)"):
        await resolve("both.example", 80)


async def test_a_name_that_changes_its_address_after_the_check_is_connected_to_the_checked_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    async with await asyncio.start_server(_reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", f"127.0.0.1:{port}")
        _answers(monkeypatch, [["127.0.0.1"], ["127.0.0.2"]], asked)
        async with http_client() as client:
            assert (await client.get(f"http://rebinding.example:{port}/")).text == "ok"
            assert asked == ["rebinding.example"]
            # Its next connection is checked anew; 127.0.0.2 is not allowed.
            with pytest.raises(AddressBlocked):
                await client.get(f"http://rebinding.example:{port}/")


async def test_a_redirect_is_checked_as_the_first_address_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reply(reader, writer, b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n")

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
        async with http_client() as client:
            with pytest.raises(AddressBlocked):
                await client.get(f"http://127.0.0.1:{port}/", follow_redirects=True)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with await asyncio.start_server(_reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
        async with http_client() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"


async def test_the_next_address_is_tried_where_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with await asyncio.start_server(_reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.0/8")
        _answers(monkeypatch, [["127.0.0.3", "127.0.0.1"], ["127.0.0.3"]])
        async with http_client() as client:
            assert (await client.get(f"http://two.example:{port}/")).text == "ok"
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://two.example:{port}/")


async def test_clients_that_are_open_together_share_connections_and_the_last_one_closes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = 0

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
        async with http_client() as first:
            await first.get(address)
            async with http_client() as second:
                await second.get(address)
            await first.get(address)
            assert connections == 1
            async with http_client(keep_alive=False) as alone:
                await alone.get(address)
            assert connections == 2
        async with http_client() as later:
            await later.get(address)
        assert connections == 3


def _answers(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]], asked: list[str] | None = None) -> None:
    """The name server's answers, one after the other."""
    rest = iter(answers)
    loop = asyncio.get_running_loop()
    system = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        if not str(host).endswith(".example"):
            return await system(host, port, **options)
        if asked is not None:
            asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(rest)]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


async def _reply(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes = b"HTTP/1.1 200 OK\r\n"
) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(head + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()
