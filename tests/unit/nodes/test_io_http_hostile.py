"""`io.http` against a server that does everything wrong: a clear error within the limits, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hostile_server import HostileServer, hostile_server
from pyagent.sdk import NodeCancelled, NodeError, NodeTimeout
from pyagent.testing import TestCancelToken, run_node
from pyagent_nodes.io.http import http

LIMITS: dict[str, Any] = {
    "timeouts": {"connect": "1s", "read": "300ms", "whole": "600ms"}, "max_size": "1 MiB", "redirects": 5,
}  # fmt: skip


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostileServer]:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    async with hostile_server() as found:
        yield found


CASES = [
    ("silent", "node.http_timeout"),
    ("silent-in-headers", "node.http_timeout"),
    ("silent-after-headers", "node.http_timeout"),
    ("drip", "node.http_timeout"),
    ("drip-headers", "node.http_timeout"),
    ("closes", "node.http_broken"),
    ("breaks-off", "node.http_broken"),
    ("breaks-off-chunked", "node.http_broken"),
    ("resets", "node.http_broken"),
    ("says-less", "node.http_content"),
    ("says-two-lengths", "node.http_broken"),
    ("broken-chunks", "node.http_broken"),
    ("no-http", "node.http_broken"),
    ("broken-json", "node.http_content"),
    ("wrong-charset", "node.http_encoding"),
    ("no-charset", "node.http_encoding"),
    ("not-gzip", "node.http_coding"),
    ("half-gzip", "node.http_coding"),
    ("unknown-coding", "node.http_coding"),
    ("huge-header", "node.http_broken"),
    ("endless-headers", "node.http_broken"),
    ("gigabytes", "node.http_size"),
    ("gigabytes-told", "node.http_size"),
    ("gigabytes-chunked", "node.http_size"),
    ("gigabytes-of-error", "node.http_server"),
    ("circle", "node.http_redirect"),
    ("longer-and-longer", "node.http_redirect"),
    ("metadata", "node.address_blocked"),
    ("this-machine", "node.address_blocked"),
]
BEFORE_THE_DEED = {"node.address_blocked", "node.http_redirect", "node.http_server"}
"""Errors that are answers: the request was refused, or did not get there."""


@pytest.mark.parametrize(("path", "code"), CASES)
async def test_each_way_to_be_hostile_is_an_error_with_a_code_within_the_limits(
    server: HostileServer, path: str, code: str
) -> None:
    with pytest.raises(NodeError) as caught:
        await run_node(http, [{}], {"url": f"{server.url}/{path}", **LIMITS})
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)
    assert server.sent < 32 << 20


@pytest.mark.parametrize(("path", "code"), CASES)
async def test_a_request_that_must_not_be_repeated_is_unknown_where_it_may_have_been_done(
    server: HostileServer, path: str, code: str
) -> None:
    with pytest.raises(NodeError) as caught:
        await run_node(http, [{}], {"url": f"{server.url}/{path}", "method": "POST", **LIMITS})
    if code in BEFORE_THE_DEED:
        assert caught.value.code == code
    else:
        assert (caught.value.code, isinstance(caught.value, NodeTimeout)) == ("node.http_unknown", True)
        assert len(server.requests) == 1


async def test_the_other_items_are_not_touched_by_hostile_ones(server: HostileServer) -> None:
    paths = ["honest", "breaks-off", "honest", "gigabytes", "circle", "honest"]
    run = await run_node(
        http,
        [{"path": path} for path in paths],
        lambda json, index: {"url": f"{server.url}/{json['path']}", **LIMITS},
        on_error="route",
    )
    assert run.json("out") == [{"honest": True}] * 3
    assert run.sources("out") == [[0], [2], [5]]
    assert [json["input"]["path"] for json in run.json("error")] == ["breaks-off", "gigabytes", "circle"]


async def test_connections_that_are_closed_though_promised_lose_nothing(server: HostileServer) -> None:
    run = await run_node(http, [{}] * 20, {"url": f"{server.url}/closes-kept"})
    assert sorted(json["request"] for json in run.json()) == list(range(1, 21))


async def test_pages_without_end_stop_at_the_limit(server: HostileServer) -> None:
    paging = {"by": "page", "max_pages": 20}
    with pytest.raises(NodeError) as caught:
        await run_node(http, [{}], {"url": f"{server.url}/endless-pages", "paging": paging})
    assert caught.value.code == "node.http_pages"
    assert len(server.requests) == 20


@pytest.mark.parametrize("path", ["silent", "silent-after-headers", "drip", "gigabytes"])
async def test_cancelling_ends_the_request_at_once(server: HostileServer, path: str) -> None:
    cancel = TestCancelToken()
    params = {"url": f"{server.url}/{path}", "max_size": "100 GiB"}
    running = asyncio.create_task(run_node(http, [{}], params, cancel=cancel))
    await asyncio.wait_for(server.reached.wait(), 5)
    cancel.trigger()
    with pytest.raises(NodeCancelled):
        await asyncio.wait_for(running, 1)
