"""Steps' data, filters, deletion, blobs by range, node types, readiness, rate limits and the API's description."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from pyagent.errors import SetupError, StoreError
from pyagent.server import blobs
from pyagent.server.context import ServerContext
from pyagent.server.limits import Limiter, Rate, TooMany
from pyagent.settings import RATE_STARTS
from pyagent.store.blobs import digest_of
from server_lab import client_of, server_of_graphs

API = "/api/v1"
SPLIT = """\
pyagent: 1
id: parts
inputs: {list: {type: array}}
nodes:
  - {id: split, use: data.split@1, with: {field: list}}
  - {id: odd, use: flow.if@1, with: {when: "{{ $json.n % 2 == 1 }}"}}
edges: [split -> odd]
"""
ASK = """\
pyagent: 1
id: ask
nodes: [{id: ask, use: flow.approve@1}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    async with server_of_graphs(tmp_path / "graphs", parts=SPLIT, ask=ASK) as made:
        yield made


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server, path=API) as client:
        yield client


# -- steps and runs -----------------------------------------------------------------------------------------------


async def test_a_steps_items_come_by_port_in_pages_with_where_they_came_from(
    server: ServerContext, client: httpx.AsyncClient
) -> None:
    run = await server.engine.run("parts", {"list": [{"n": n} for n in range(5)]})
    found = (await client.get(f"/runs/{run.id}/steps/odd", params={"limit": 2, "offset": 1})).json()
    assert (found["inputs"]["in"]["count"], found["inputs"]["in"]["next"]) == (5, 3)
    assert [item["json"] for item in found["inputs"]["in"]["items"]] == [{"n": 1}, {"n": 2}]
    assert found["inputs"]["in"]["items"][0]["came_from"] == [{"step": "split", "port": "out", "index": 1}]
    assert [(item["index"], item["json"]["n"]) for item in found["outputs"]["false"]["items"]] == [(1, 2), (2, 4)]
    assert found["outputs"]["false"]["items"][0]["came_from"] == [{"step": "split", "port": "out", "index": 2}]
    only = (await client.get(f"/runs/{run.id}/steps/odd", params={"port": "true"})).json()
    assert (list(only["inputs"]), list(only["outputs"])) == ([], ["true"])
    missing = await client.get(f"/runs/{run.id}/steps/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "run.no_step")


async def test_runs_are_found_by_key_text_and_time(server: ServerContext, client: httpx.AsyncClient) -> None:
    first = await server.engine.run("parts", {"list": []}, key="Order 7")
    second = await server.engine.run("ask")

    async def ids(**params: Any) -> list[str]:
        answer = await client.get("/runs", params=params)
        assert answer.status_code == 200, answer.text
        return [run["id"] for run in answer.json()["runs"]]

    assert await ids(key="Order 7") == [first.id]
    assert await ids(text="order") == [first.id]
    assert await ids(text=second.id[4:]) == [second.id]
    assert await ids(since=second.created_at.isoformat()) == [second.id]
    assert await ids(until=second.created_at.isoformat(), graph="parts") == [first.id]
    assert (await client.get("/runs", params={"since": "2026-01-01T00:00:00"})).status_code == 422


async def test_only_a_run_that_has_ended_can_be_deleted(server: ServerContext, client: httpx.AsyncClient) -> None:
    run = await server.engine.run("ask")
    refused = await client.delete(f"/runs/{run.id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "run.alive")
    await client.post(f"/runs/{run.id}/cancel")
    await server.engine.drive(run.id)
    assert (await client.delete(f"/runs/{run.id}")).status_code == 204
    assert (await client.get(f"/runs/{run.id}")).status_code == 404


async def test_an_answer_that_does_not_fit_is_refused_with_its_field(
    server: ServerContext, client: httpx.AsyncClient
) -> None:
    run = await server.engine.run("ask")
    refused = await client.post(f"/runs/{run.id}/answer", json={"value": {"approved": "perhaps"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "run.answer")
    assert refused.json()["where"]["field"] == "approved"
    assert (await client.post(f"/runs/{run.id}/approve", json={"comment": "fine"})).status_code == 200
    assert (await server.engine.drive(run.id)).status == "completed"


async def test_logs_are_paged_and_of_one_step(server: ServerContext, client: httpx.AsyncClient) -> None:
    run = await server.engine.run("parts", {"list": []})
    assert (await client.get(f"/runs/{run.id}/logs")).json()["events"] == []
    assert (await client.get("/runs/abcdef0/logs")).status_code == 404


# -- blobs --------------------------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
async def blob(server: ServerContext) -> str:
    run = await server.engine.run("parts", {"list": []})
    await server.engine.store.put_blob(run.id, digest_of(CONTENT), CONTENT)
    return f"/blobs/{digest_of(CONTENT)}"


@pytest.mark.parametrize(
    ("range_", "begin", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=1048570-", 1048570, None), ("bytes=-7", -7, None),
     ("bytes=1048575-99999999", 1048575, None), ("bytes=-99999999", 0, None)],
)  # fmt: skip
async def test_a_range_is_that_part(
    client: httpx.AsyncClient, blob: str, range_: str, begin: int, end: int | None
) -> None:
    part = await client.get(blob, headers={"Range": range_})
    assert part.status_code == 206
    assert part.content == CONTENT[begin:end]
    first, last, size = map(int, re.findall(r"\d+", part.headers["content-range"]))
    assert (last - first + 1, size) == (len(part.content), len(CONTENT))


@pytest.mark.parametrize("range_", ["bytes=1048576-", "bytes=-0", "bytes=9999999-99999999"])
async def test_a_range_outside_is_told_with_the_size(client: httpx.AsyncClient, blob: str, range_: str) -> None:
    refused = await client.get(blob, headers={"Range": range_})
    assert (refused.status_code, refused.json()["code"]) == (416, "server.range")
    assert refused.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("range_", ["bytes=5-1", "bytes=-", "items=0-1", "bytes=0-1,4-5", "bytes=a-b", "nonsense"])
async def test_what_is_no_single_range_gives_all(client: httpx.AsyncClient, blob: str, range_: str) -> None:
    whole = await client.get(blob, headers={"Range": range_})
    assert (whole.status_code, whole.content) == (200, CONTENT)


async def test_a_blob_is_named_dated_and_never_trusted(client: httpx.AsyncClient, blob: str) -> None:
    whole = await client.get(blob, params={"name": '../é"\r\nX: y.html'})
    etag = whole.headers["etag"]
    assert whole.headers["content-disposition"].startswith('attachment; filename="')
    assert "filename*=UTF-8''" in whole.headers["content-disposition"]
    assert not {"/", "\r", "\n"} & set(whole.headers["content-disposition"].partition("*=")[0])
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    head = await client.head(blob)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))
    assert (await client.get(blob, headers={"If-None-Match": etag})).status_code == 304
    for given, status in ((etag, 206), ('"other"', 200)):
        part = await client.get(blob, headers={"Range": "bytes=0-1", "If-Range": given})
        assert part.status_code == status


async def test_a_blob_is_read_piece_by_piece(
    server: ServerContext, client: httpx.AsyncClient, blob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    read = server.engine.store.read_blob

    async def noted(digest: str, start: int, end: int) -> bytes:
        asked.append(end - start)
        return await read(digest, start, end)

    monkeypatch.setattr(server.engine.store, "read_blob", noted)
    assert (await client.get(blob)).content == CONTENT
    assert max(asked) <= blobs.PIECE
    assert sum(asked) == len(CONTENT)


# -- node types ---------------------------------------------------------------------------------------------------


async def test_node_types_are_listed_and_shown_with_their_schema(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/nodes")).json()["nodes"]
    uses = [one["use"] for one in listed]
    assert uses == sorted(uses, key=lambda use: use.partition("@"))
    assert "flow.approve@1" in uses
    shown = (await client.get("/nodes/flow.approve@1")).json()
    assert shown["params_schema"]["properties"]["title"]["default"] == "Go on?"
    assert (shown["effects"], shown["ports_out"]) == ("none", ["approved", "rejected"])
    assert shown["icon_svg"].startswith("M")
    assert (await client.get("/nodes/flow.approve")).json() == shown
    found = (await client.get("/nodes", params={"search": "Ask a PERSON"})).json()["nodes"]
    assert "flow.approve@1" in [one["use"] for one in found]
    missing = await client.get("/nodes/flow.aprove")
    assert (missing.status_code, missing.json()["code"]) == (404, "node.not_found")
    assert "flow.approve" in missing.json()["hint"]


# -- health -------------------------------------------------------------------------------------------------------


async def test_readiness_says_what_is_missing(server: ServerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(server, "", path=API) as stranger:

        async def ready() -> tuple[int, dict[str, str]]:
            answer = await stranger.get("http://127.0.0.1:8642/readyz")
            return answer.status_code, {one["name"]: one["reason"] for one in answer.json()["checks"] if not one["ok"]}

        assert await ready() == (200, {})

        async def gone() -> int:
            raise StoreError("no such file /home/secret", code="store.unavailable")

        with monkeypatch.context() as patched:
            patched.setattr(server.engine.store, "last_cursor", gone)
            assert await ready() == (503, {"store": "the store cannot be reached (store.unavailable)"})
            assert (await stranger.get("http://127.0.0.1:8642/healthz")).status_code == 200
        server.working = asyncio.create_task(asyncio.sleep(0))
        await server.working
        assert await ready() == (503, {"worker": "what executes runs here has ended"})
        server.working = None
        server.stopping.set()
        assert await ready() == (503, {"stopping": "the server is about to stop"})


# -- limits -------------------------------------------------------------------------------------------------------


async def test_starts_are_limited_by_client_and_told_when_to_come_back(server: ServerContext) -> None:
    server.limits.starts = Limiter("starts of runs", Rate(count=2, seconds=60))
    async with client_of(server, path=API) as client:
        answers = [await client.post("/runs", json={"graph": "ask"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].json()["code"] == "server.too_many"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 30


async def test_guessing_tokens_is_limited_and_locks_nobody_out(server: ServerContext) -> None:
    server.limits.failures = Limiter("wrong keys", Rate(count=2, seconds=60))
    async with client_of(server, "wrong", path=API) as guesser, client_of(server, path=API) as owner:
        assert [(await guesser.get("/runs")).status_code for _ in range(3)] == [401, 401, 429]
        assert (await owner.get("/runs")).status_code == 200


def test_a_bucket_fills_in_the_course_of_time_and_old_ones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    limiter = Limiter("things", Rate(count=2, seconds=10), clock=lambda: now[0])
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(TooMany) as caught:
        limiter.take("b", "a")
    assert caught.value.retry_after == 5
    assert limiter.wait("b") == 0
    now[0] = 5.0
    limiter.take("a")
    monkeypatch.setattr("pyagent.server.limits._MOST_KEYS", 10)
    for number in range(50):
        limiter.take(f"key {number}")
    assert len(limiter._buckets) == 10


@pytest.mark.parametrize(("text", "count"), [("5/10s", 5), ("100 / 1m", 100), ("off", None), ("0", None)])
def test_a_rate_is_read_from_its_setting(monkeypatch: pytest.MonkeyPatch, text: str, count: int | None) -> None:
    monkeypatch.setenv("PYAGENT_RATE_STARTS", text)
    rate = Rate.of(RATE_STARTS)
    assert (rate.count if rate else None) == count


@pytest.mark.parametrize("text", ["5", "5/", "/1m", "many/1m", "5/1 parsec", "0/1m", "5/0s"])
def test_a_rate_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PYAGENT_RATE_STARTS", text)
    with pytest.raises(SetupError) as caught:
        Rate.of(RATE_STARTS)
    assert caught.value.code == "setup.setting"


# -- numbers and headers that once broke things ---------------------------------------------------------------------


@pytest.mark.parametrize("last", ["²", "9" * 30, "-1", "x"])
async def test_a_cursor_in_the_header_that_is_no_number_is_passed_over(client: httpx.AsyncClient, last: str) -> None:
    answer = await client.get("/events", headers={"Last-Event-ID": last.encode("latin-1")})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/events", "/runs/abcdef0/logs"])
async def test_a_cursor_beyond_all_numbers_of_the_store_is_refused(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, params={"after": 2**63})).status_code == 422


# -- the description ----------------------------------------------------------------------------------------------


async def test_the_description_is_valid_and_says_who_may_call_what(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    validate(document)
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names), names
    for path, operation in operations:
        assert operation.get("description"), path
        errors = {code for code in operation["responses"] if code >= "400"}
        assert {"429", "500"} <= errors, path
        if path.startswith("/api/"):
            assert {"401", "403"} <= errors, path
            assert "security" not in operation
        else:
            assert operation["security"] == []
        error = operation["responses"]["500"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/ErrorView"}
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


async def test_a_link_may_lead_to_a_run_and_to_nothing_else(server: ServerContext, client: httpx.AsyncClient) -> None:
    async def entered(run: str) -> str:
        return (await client.get("http://127.0.0.1:8642/", params={"once": server.keys.new_link(), "run": run})).text

    assert 'href="/#/runs/1a204fc1f633a43f7dcd"' in await entered("1a204fc1f633a43f7dcd")
    for wrong in ("", "x", "../a", '"><script>', "//example.org", "a" * 99):
        assert 'url=/"' in await entered(wrong)
