"""The server as an application: who gets in, what the API answers, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Context, Item, Items, NodeParams, Outputs, node
from pyagent.sdk.registry import Registry
from pyagent.server import guard
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.guard import MAX_BODY, STRANGERS_BODY
from pyagent.server.security import Keys, read_token
from pyagent.server.serving import listen, serving
from pyagent.store.location import open_store

TOKEN = "t" * 43
GREET = """\
pyagent: 1
id: greet
name: Greet somebody
inputs: {name: {type: string, default: you}}
outputs: {hello: "{{ $('greet').first().json.hello }}"}
nodes: [{id: greet, use: data.set@1, name: Say hello, with: {fields: {hello: "Hello {{ $inputs.name }}"}}}]
"""
ASK = """\
pyagent: 1
id: ask
nodes: [{id: ask, use: flow.approve@1, with: {title: Keep it?}}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""
TRUST = GREET.replace("id: greet\nname", "id: trust\nname").replace("default: you", "default: you, consent: it acts.")
CALLER = """\
pyagent: 1
id: caller
nodes: [{id: call, use: flow.graph@1, with: {graph: greet, inputs: {name: "from above"}}}]
"""
REPORT = """\
pyagent: 1
id: reporting
inputs: {folder: {type: string}}
outputs: {report: "{{ $('write').first().json }}"}
nodes: [{id: write, use: test.report@1, with: {folder: "{{ $inputs.folder }}"}}]
"""


class ReportParams(NodeParams):
    folder: Path


@node("test.report", title="Write a report", effects="idempotent")
async def report(items: Items, params: ReportParams, ctx: Context) -> Outputs:
    """Write a page and something beside it."""
    params.folder.mkdir()
    (params.folder / "report.html").write_text("<h1>Report</h1>")
    (params.folder / "private.txt").write_text("secret")
    (params.folder / "docs").mkdir()
    (params.folder / "docs" / ".netrc").write_text("secret")
    (params.folder / "report.json").symlink_to(params.folder / "private.txt")
    (params.folder / "docs" / "index.html").write_text("<h1>Docs</h1>")
    (params.folder / "out").symlink_to(params.folder.parent / "secret")
    return {"out": [Item({"html": str(params.folder / "report.html"), "output": str(params.folder)})]}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    for text in (GREET, ASK, TRUST, CALLER, REPORT):
        (tmp_path / f"{text.split('id: ')[1].split(chr(10))[0]}.yaml").write_text(text)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    registry = Registry.installed()
    registry.add(report)
    engine = Engine(store, registry=registry, library=GraphLibrary([tmp_path]))
    yield ServerContext(engine=engine, keys=Keys(TOKEN), port=8642)
    await store.close()


def client_of(server: ServerContext, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(server), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642", **options)


@pytest.fixture
async def stranger(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as client:
        yield client


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
async def browser(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    """A client that came in by a link."""
    async with client_of(server) as client:
        assert (await client.get(f"/?once={server.keys.new_link()}")).status_code == 200
        yield client


async def ended(server: ServerContext, run_id: str) -> str:
    return (await server.engine.drive(run_id)).status


# -- who gets in --------------------------------------------------------------------------------------------------


async def test_a_stranger_gets_a_page_that_says_how_to_get_in(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/")
    assert page.status_code == 401
    assert "pyagent open" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "path", ["/api/v1/runs", "/api/v1/graphs", "/api/v1/events", "/api/v1/openapi.json", "/nothing", "/api/v1/cursor"]
)
async def test_a_stranger_gets_nothing_of_the_api(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "server.unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer é"])
async def test_a_wrong_token_does_not_open(stranger: httpx.AsyncClient, header: str) -> None:
    answer = await stranger.get("/api/v1/runs", headers={"Authorization": header.encode()})
    assert answer.status_code == 401


async def test_a_link_opens_once_and_leaves_a_strict_cookie(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    path = f"/?once={server.keys.new_link()}"
    entered = await stranger.get(path)
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await stranger.get("/")).status_code == 200
    assert (await stranger.get("/api/v1/runs")).status_code == 200
    async with client_of(server) as other:
        again = await other.get(path)
        assert again.status_code == 403
        assert "set-cookie" not in again.headers


async def test_a_session_outlives_the_servers_process(server: ServerContext, browser: httpx.AsyncClient) -> None:
    restarted = ServerContext(engine=server.engine, keys=Keys(TOKEN), port=8642)
    async with client_of(restarted, cookies=browser.cookies) as client:
        assert (await client.get("/api/v1/runs")).status_code == 200


async def test_a_session_of_another_token_or_with_another_end_is_worth_nothing(server: ServerContext) -> None:
    good = server.keys.new_session()
    end, nonce, signature = good.split(".")
    for forged in (Keys("u" * 43).new_session(), f"{int(end) + 1}.{nonce}.{signature}", f"{end}.{nonce}.", "", "a.b.c"):
        async with client_of(server, cookies={"pyagent_8642": forged}) as client:
            assert (await client.get("/api/v1/runs")).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "", "localhost@evil", "[::1"]
)
async def test_a_name_that_is_not_the_servers_is_refused(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/api/v1/runs", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "server.host"


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1", "[::1]:8642", "LOCALHOST"])
async def test_loopback_goes_by_all_its_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/api/v1/runs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost:8642"])
async def test_another_sites_requests_are_refused_even_with_a_cookie(browser: httpx.AsyncClient, origin: str) -> None:
    answer = await browser.post("/api/v1/runs", json={"graph": "greet"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["code"] == "server.origin"


async def test_a_browser_must_say_where_a_change_comes_from(browser: httpx.AsyncClient) -> None:
    body = {"graph": "greet"}
    assert (await browser.post("/api/v1/runs", json=body)).status_code == 403
    ours = {"Origin": "http://127.0.0.1:8642"}
    assert (await browser.post("/api/v1/runs", json=body, headers=ours)).status_code == 201
    fetched = {"Sec-Fetch-Site": "same-origin"}
    assert (await browser.post("/api/v1/runs", json=body, headers=fetched)).status_code == 201


async def test_every_response_forbids_foreign_scripts_and_frames(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for answer in (await client.get("/"), await stranger.get("/"), await client.get("/api/v1/runs")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "type_"), [("{bad", "application/json"), ('{"graph": "x"}', "application/x-www-form-urlencoded")]
)
async def test_a_body_that_is_not_sent_as_json_is_told_so(client: httpx.AsyncClient, body: str, type_: str) -> None:
    answer = await client.post("/api/v1/runs", content=body, headers={"Content-Type": type_})
    assert answer.status_code == 422
    assert answer.json()["code"] == "input.invalid"
    assert "Content-Type: application/json" in answer.json()["hint"]


async def test_bodies_have_a_limit_with_and_without_a_length(client: httpx.AsyncClient) -> None:
    large = b'{"graph": "' + b"x" * MAX_BODY + b'"}'
    told = await client.post("/api/v1/runs", content=large)
    assert (told.status_code, told.json()["code"]) == (413, "server.too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    untold = await client.post("/api/v1/runs", content=pieces())
    assert (untold.status_code, untold.json()["code"]) == (413, "server.too_large")


async def test_a_body_of_somebody_without_a_key_is_small(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/forms/a/b", content=b"x" * (STRANGERS_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "server.too_large")


async def test_a_body_that_does_not_come_is_waited_for_so_long_and_no_longer(
    stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)

    async def dripping() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    answer = await asyncio.wait_for(stranger.post("/forms/a/b", content=dripping()), 5)
    assert (answer.status_code, answer.json()["code"]) == (408, "server.slow")


def test_small_answers_are_sent_at_once() -> None:
    with listen("127.0.0.1", None) as bound:
        assert bound.proto == socket.IPPROTO_TCP  # else asyncio lets the system wait for more to send


async def test_anybody_may_ask_whether_the_server_is_well(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_static_files_stay_in_their_folder(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/static/icon.svg")).status_code == 200
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/nothing.js"):
        assert (await stranger.get(path)).status_code in (401, 404)


def test_the_token_is_private_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "data" / "server-token"
    token = read_token(file)
    assert len(token) >= 43
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert read_token(file) == token
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["server-token"]


# -- graphs -------------------------------------------------------------------------------------------------------


async def test_graphs_are_listed_with_what_a_form_needs(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/graphs")).json()
    assert {graph["id"] for graph in listed["graphs"]} == {"greet", "ask", "trust", "caller", "reporting"}
    graph = (await client.get("/api/v1/graphs/greet")).json()
    assert graph["name"] == "Greet somebody"
    assert graph["inputs_schema"]["properties"]["name"]["default"] == "you"
    assert graph["text"] == GREET
    assert graph["problems"] == []


async def test_a_graph_is_drawn(client: httpx.AsyncClient) -> None:
    drawn = await client.get("/api/v1/graphs/greet/svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert 'data-node="greet"' in drawn.text


@pytest.mark.parametrize("method", ["activate", "listen"])
async def test_a_graph_whose_id_is_longer_than_any_file_name_is_none(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.post(f"/api/v1/graphs/{'a' * 300}/{method}")
    assert (answer.status_code, answer.json()["code"].endswith("not_found")) == (404, True), answer.text


@pytest.mark.parametrize("path", ["/api/v1/graphs/nothing", "/api/v1/runs/abcdef0", "/api/v1/blobs/" + "0" * 64])
async def test_what_does_not_exist_is_a_404_with_a_code(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"].endswith("not_found")


# -- runs ---------------------------------------------------------------------------------------------------------


async def test_a_run_is_started_and_shown_with_its_steps(server: ServerContext, client: httpx.AsyncClient) -> None:
    started = await client.post("/api/v1/runs", json={"graph": "greet", "inputs": {"name": "Ada"}})
    assert started.status_code == 201
    run_id = started.json()["id"]
    assert await ended(server, run_id) == "completed"
    run = (await client.get(f"/api/v1/runs/{run_id}")).json()
    assert run["outputs"] == {"hello": "Hello Ada"}
    assert [(step["step"], step["status"]) for step in run["steps"]] == [("greet", "completed")]
    assert run["frames"][0]["labels"] == {"greet": "Say hello"}
    assert run["report"] is None
    drawn = await client.get(f"/api/v1/runs/{run_id}/svg")
    assert 'data-node="greet"' in drawn.text


async def test_a_called_graph_is_a_frame_with_a_picture(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "caller"})).json()["id"]
    await ended(server, run_id)
    run = (await client.get(f"/api/v1/runs/{run_id}")).json()
    assert [(frame["frame"], frame["graph"]) for frame in run["frames"]] == [("", "caller"), ("call()", "greet")]
    drawn = await client.get(f"/api/v1/runs/{run_id}/svg", params={"frame": "call()"})
    assert 'data-node="greet"' in drawn.text
    missing = await client.get(f"/api/v1/runs/{run_id}/svg", params={"frame": "nothing()"})
    assert (missing.status_code, missing.json()["code"]) == (404, "run.no_frame")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"graph": "greet", "inputs": {"nome": "x"}}, 422, "input.invalid"),
        ({"graph": "../etc/passwd"}, 422, "input.invalid"),
        ({"graph": "greet", "more": 1}, 422, "input.invalid"),
        ({"graph": "nothing"}, 404, "graph.not_found"),
        ({"graph": "trust", "inputs": {"name": "x"}}, 409, "input.consent"),
    ],
)
async def test_a_run_that_does_not_fit_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post("/api/v1/runs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await client.get("/api/v1/runs")).json()["runs"] == []


async def test_a_graph_with_problems_is_refused_with_all_of_them(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(
        GREET.replace("id: greet\nname", "id: broken\nname").replace("data.set", "no.no")
    )
    answer = await client.post("/api/v1/runs", json={"graph": "broken"})
    assert answer.status_code == 422
    assert answer.json()["details"]["problems"][0]["where"]["line"] == 6


async def test_consent_lets_a_run_start(client: httpx.AsyncClient) -> None:
    body = {"graph": "trust", "inputs": {"name": "x"}, "consent": True}
    assert (await client.post("/api/v1/runs", json=body)).status_code == 201


async def test_the_same_idempotency_key_gives_the_same_run(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first = (await client.post("/api/v1/runs", json={"graph": "ask"}, headers=headers)).json()
    again = (await client.post("/api/v1/runs", json={"graph": "ask"}, headers=headers)).json()
    assert first["id"] == again["id"]
    taken = await client.post("/api/v1/runs", json={"graph": "ask", "key": "one"})
    assert (taken.status_code, taken.json()["code"]) == (409, "store.key_taken")


async def test_runs_are_filtered_and_paged(server: ServerContext, client: httpx.AsyncClient) -> None:
    ids = [(await client.post("/api/v1/runs", json={"graph": name})).json()["id"] for name in ("greet", "ask", "greet")]
    await ended(server, ids[0])
    page = (await client.get("/api/v1/runs", params={"limit": 2})).json()
    assert [run["id"] for run in page["runs"]] == ids[:0:-1]
    rest = (await client.get("/api/v1/runs", params={"limit": 2, "before": page["next"]})).json()
    assert ([run["id"] for run in rest["runs"]], rest["next"]) == (ids[:1], None)
    done = (await client.get("/api/v1/runs", params={"status": "completed"})).json()["runs"]
    assert [run["id"] for run in done] == ids[:1]
    assert len((await client.get("/api/v1/runs", params={"graph": "greet"})).json()["runs"]) == 2


async def test_an_approval_is_given_over_the_api(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "ask"})).json()["id"]
    assert await ended(server, run_id) == "waiting"
    step = (await client.get(f"/api/v1/runs/{run_id}")).json()["steps"][0]
    assert (step["status"], step["wait"]["title"]) == ("waiting", "Keep it?")
    answer = {"step": step["step"], "value": {"approved": True}}
    assert (await client.post(f"/api/v1/runs/{run_id}/answer", json=answer)).status_code == 200
    assert await ended(server, run_id) == "completed"
    late = await client.post(f"/api/v1/runs/{run_id}/answer", json=answer)
    assert (late.status_code, late.json()["code"]) == (409, "run.not_waiting")


async def test_cancel_pause_and_resume_reach_the_run(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "ask"})).json()["id"]
    await ended(server, run_id)
    await client.post(f"/api/v1/runs/{run_id}/pause")
    assert await ended(server, run_id) == "paused"
    await client.post(f"/api/v1/runs/{run_id}/resume")
    assert await ended(server, run_id) == "waiting"
    await client.post(f"/api/v1/runs/{run_id}/cancel", json={"reason": "enough"})
    assert await ended(server, run_id) == "cancelled"


async def test_a_completed_run_cannot_be_resumed_but_forked(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    await ended(server, run_id)
    refused = await client.post(f"/api/v1/runs/{run_id}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "run.completed")
    forked = await client.post(f"/api/v1/runs/{run_id}/fork", json={"step": "greet", "items": [{"hello": "Hi"}]})
    assert forked.json()["forked_from"] == run_id
    assert await ended(server, forked.json()["id"]) == "completed"
    outputs = (await client.get(f"/api/v1/runs/{forked.json()['id']}")).json()["outputs"]
    assert outputs == {"hello": "Hi"}


async def test_resolving_what_is_not_unknown_is_refused(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    await ended(server, run_id)
    answer = await client.post(f"/api/v1/runs/{run_id}/resolve", json={"how": "done", "items": [{}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "run.not_waiting")


@pytest.mark.parametrize("value", ['"\\ud800"', '{"\\udfff": 1}', "9" * 30, "[" * 600 + "]" * 600])
async def test_a_signal_that_json_cannot_hold_is_refused(client: httpx.AsyncClient, value: str) -> None:
    body = f'{{"name": "go", "value": {value}}}'
    answer = await client.post("/api/v1/signals", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "input.invalid")


async def test_a_body_that_is_no_json_and_a_wrong_method_are_told_in_the_one_shape(client: httpx.AsyncClient) -> None:
    broken = await client.post("/api/v1/runs", content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (422, "input.invalid")
    wrong = await client.delete("/api/v1/runs")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "server.method")


async def test_an_error_that_nobody_meant_says_nothing_of_the_inside(
    server: ServerContext, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(server.engine.store, "list_runs", broken)
    answer = await client.get("/api/v1/runs")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert "Traceback" not in answer.text


# -- events -------------------------------------------------------------------------------------------------------


async def test_events_come_in_pages_after_a_cursor(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    await ended(server, run_id)
    page = (await client.get(f"/api/v1/runs/{run_id}/events")).json()
    kinds = [event["kind"] for event in page["events"]]
    assert kinds == ["run.queued", "run.started", "step.started", "step.completed", "run.completed"]
    rest = (await client.get(f"/api/v1/runs/{run_id}/events", params={"after": page["events"][2]["cursor"]})).json()
    assert [event["kind"] for event in rest["events"]] == kinds[3:]
    end = (await client.get(f"/api/v1/runs/{run_id}/events", params={"after": page["next"]})).json()
    assert end == {"events": [], "next": page["next"]}
    only = (await client.get("/api/v1/events", params={"kinds": "run."})).json()
    assert [event["kind"] for event in only["events"]] == ["run.queued", "run.started", "run.completed"]


async def streamed(server: ServerContext, path: str, headers: dict[str, str], until: str) -> list[dict[str, Any]]:
    """The messages of a stream up to one of a kind; httpx's transport cannot leave a response that goes on."""
    found: list[dict[str, Any]] = []
    done = asyncio.Event()
    raw = [(b"host", b"localhost"), (b"authorization", f"Bearer {TOKEN}".encode()), (b"accept", b"text/event-stream")]
    raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    plain, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": plain, "raw_path": plain.encode(), "query_string": query.encode(), "root_path": "", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8642),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        for block in message.get("body", b"").decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in lines:
                event = json.loads(lines["data"])
                assert lines["id"] == str(event["cursor"])
                found.append(event)
                if event["kind"] == until:
                    done.set()

    await asyncio.wait_for(create_app(server)(scope, receive, send), 20)
    return found


async def test_a_stream_gives_what_was_and_what_comes(server: ServerContext, client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    stream = asyncio.create_task(streamed(server, f"/api/v1/runs/{run_id}/events", {}, "run.completed"))
    await ended(server, run_id)
    kinds = [event["kind"] for event in await stream]
    assert kinds == ["run.queued", "run.started", "step.started", "step.completed", "run.completed"]


async def test_a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice(
    server: ServerContext, client: httpx.AsyncClient
) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    path = f"/api/v1/runs/{run_id}/events?after=0"
    first = await streamed(server, path, {}, "run.queued")
    await ended(server, run_id)
    again = await streamed(server, path, {"Last-Event-ID": str(first[-1]["cursor"])}, "run.completed")
    cursors = [event["cursor"] for event in first + again]
    assert cursors == sorted(set(cursors))
    assert [event["kind"] for event in first + again][-1] == "run.completed"


async def test_a_stream_ends_when_the_server_is_about_to_stop(server: ServerContext) -> None:
    stream = asyncio.create_task(streamed(server, "/api/v1/events", {}, "never"))
    server.stopping.set()
    assert await stream == []


async def test_a_fork_takes_the_id_of_a_graph_and_no_path_or_text(client: httpx.AsyncClient) -> None:
    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    for graph in ("/etc/passwd", "greet.yaml", GREET, "../greet", ""):
        answer = await client.post(f"/api/v1/runs/{run_id}/fork", json={"step": "greet", "graph": graph})
        assert answer.status_code == 422, graph


async def test_a_websocket_is_closed_before_it_is_accepted(server: ServerContext) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/api/v1/events", "headers": [(b"authorization", f"Bearer {TOKEN}".encode())]}
    await create_app(server)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_server_goes_by_the_token_that_it_is_given(server: ServerContext) -> None:
    async with serving(server.engine, token="u" * 43, port=0, work=False) as page, httpx.AsyncClient() as client:
        for token, status in (("u" * 43, 200), (TOKEN, 401)):
            answer = await client.get(f"{page.address}/api/v1/runs", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


# -- reports ------------------------------------------------------------------------------------------------------


async def test_a_report_is_served_from_its_folder_and_nothing_beside_it(
    server: ServerContext, client: httpx.AsyncClient, stranger: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    body = {"graph": "reporting", "inputs": {"folder": str(tmp_path / "made")}}
    run_id = (await client.post("/api/v1/runs", json=body)).json()["id"]
    assert await ended(server, run_id) == "completed"
    address = (await client.get(f"/api/v1/runs/{run_id}")).json()["report"]
    page = await stranger.get(address)
    assert page.text == "<h1>Report</h1>"
    assert page.headers["content-security-policy"].startswith("sandbox ")
    assert "allow-scripts" not in page.headers["content-security-policy"]
    folder = address.rpartition("/")[0]
    assert (await stranger.get(f"{folder}/docs/index.html")).text == "<h1>Docs</h1>"
    beside = ("private.txt", "report.json", "docs/.netrc", "docs/../private.txt", "")
    for path in (*beside, "out", "../secret", "%2e%2e/secret", "docs", "..%2fsecret", "%2fetc%2fpasswd", "nothing"):
        assert (await stranger.get(f"{folder}/{path}")).status_code in (401, 404), path
    wrong = f"/reports/{run_id}/{'0' * 32}/report.html"
    assert (await stranger.get(wrong)).status_code == 404


async def test_a_blob_comes_back_as_it_was_put(server: ServerContext, client: httpx.AsyncClient) -> None:
    from pyagent.store.blobs import digest_of

    run_id = (await client.post("/api/v1/runs", json={"graph": "greet"})).json()["id"]
    digest = digest_of(b"payload")
    await server.engine.store.put_blob(run_id, digest, b"payload")
    answer = await client.get(f"/api/v1/blobs/{digest}")
    assert answer.content == b"payload"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (await client.get("/api/v1/blobs/nonsense")).status_code == 422
