"""Tokens with capabilities at the server: what they open, and what they do not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Registry
from pyagent.server import streaming
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.server.serving import serving
from pyagent.store import open_store
from pyagent.vault import Vault, make_vault, narrow_token

pytestmark = pytest.mark.integration

TOKEN = "t" * 43
GREET = """
pyagent: 1
id: {id}
nodes: [{{id: greet, use: data.set@1, with: {{fields: {{hello: world}}}}}}]
edges: []
"""
ASK = """
pyagent: 1
id: ask
inputs: {path: {type: string, default: "", consent: It writes there}}
nodes: [{id: ask, use: flow.approve@1, with: {title: Keep it?}}]
edges: []
"""


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    return make_vault()


@pytest.fixture
async def server(tmp_path: Path, vault: Vault) -> AsyncIterator[ServerContext]:
    for graph_id in ("greet", "other"):
        (tmp_path / f"{graph_id}.yaml").write_text(GREET.format(id=graph_id))
    (tmp_path / "ask.yaml").write_text(ASK)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    engine = Engine(store, registry=Registry.installed(), library=GraphLibrary([tmp_path]))
    yield ServerContext(engine=engine, keys=Keys(TOKEN), port=8642)
    await store.close()


def issue(vault: Vault, *can: str, graphs: set[str] | None = None, seconds: float = 3600) -> str:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return vault.issue(label="test", capabilities=set(can), graphs=graphs, expires=end)[0]


def client_of(server: ServerContext, token: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(server), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642", headers=headers)


async def test_a_token_does_what_it_may_and_nothing_else(server: ServerContext, vault: Vault) -> None:
    async with client_of(server, issue(vault, "run")) as runner, client_of(server, issue(vault, "read")) as reader:
        started = await runner.post("/api/v1/runs", json={"graph": "greet"})
        assert started.status_code == 201, started.text
        address = f"/api/v1/runs/{started.json()['id']}"
        by = (await server.engine.store.get_run(started.json()["id"])).actor
        assert by == f"token {vault.tokens()[0].id[:8]} (test)"
        assert (await reader.get(address)).status_code == 200
        refused = await runner.get(address)
        assert (refused.status_code, refused.json()["code"]) == (403, "server.capability")
        assert (await reader.post("/api/v1/runs", json={"graph": "greet"})).status_code == 403
        for method, path in (
            ("POST", "/api/v1/links"),
            ("GET", "/api/v1/credentials"),
            ("GET", "/"),
            ("DELETE", address),
        ):
            assert (await reader.request(method, path)).status_code == 403


async def test_a_reader_gets_no_address_at_which_a_form_could_be_answered(server: ServerContext, vault: Vault) -> None:
    run = await server.engine.run("ask")
    forms = {}
    for can in (("read",), ("read", "approve")):
        async with client_of(server, issue(vault, *can)) as client:
            forms[can] = (await client.get(f"/api/v1/runs/{run.id}")).json()["steps"][0]["form"]
    assert forms["read",] is None
    assert forms["read", "approve"]
    async with client_of(server, TOKEN) as owner:
        assert (await owner.get(f"/api/v1/runs/{run.id}")).json()["steps"][0]["form"]
    async with client_of(server, issue(vault, "approve")) as approver:
        assert (await approver.post(f"/api/v1/runs/{run.id}/approve")).status_code == 200


async def test_only_who_may_approve_agrees_to_what_inputs_do(server: ServerContext, vault: Vault) -> None:
    body = {"graph": "ask", "inputs": {"path": "/tmp/x"}, "consent": True}
    async with client_of(server, issue(vault, "run")) as runner:
        refused = await runner.post("/api/v1/runs", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "input.consent")
    async with client_of(server, issue(vault, "run", "approve")) as both:
        assert (await both.post("/api/v1/runs", json=body)).status_code == 201


async def test_only_who_may_edit_forks_with_other_items(server: ServerContext, vault: Vault) -> None:
    run = await server.engine.run("greet")
    async with client_of(server, issue(vault, "run")) as runner:
        assert (await runner.post(f"/api/v1/runs/{run.id}/fork", json={"step": "greet"})).status_code == 201
        refused = await runner.post(f"/api/v1/runs/{run.id}/fork", json={"step": "greet", "items": [{"a": 1}]})
        assert (refused.status_code, refused.json()["code"]) == (403, "server.capability")


async def test_a_fork_gives_a_runs_inputs_to_a_graph_that_asks_about_them_for_who_may_approve_alone(
    server: ServerContext, vault: Vault, tmp_path: Path
) -> None:
    (tmp_path / "harmless.yaml").write_text(
        ASK.replace("id: ask\n", "id: harmless\n").replace(", consent: It writes there", "")
    )
    run = await server.engine.run("harmless", {"path": "/tmp/x"})
    fork = {"step": "ask", "graph": "ask"}
    async with client_of(server, issue(vault, "run")) as runner:
        refused = await runner.post(f"/api/v1/runs/{run.id}/fork", json=fork)
        assert (refused.status_code, refused.json()["code"]) == (403, "server.capability")
        assert (await runner.post(f"/api/v1/runs/{run.id}/fork", json=fork | {"graph": "harmless"})).status_code == 201
    async with client_of(server, issue(vault, "run", "approve")) as both:
        assert (await both.post(f"/api/v1/runs/{run.id}/fork", json=fork)).status_code == 201


async def test_a_token_for_a_graph_starts_and_sees_that_one(server: ServerContext, vault: Vault) -> None:
    other = await server.engine.run("other")
    async with client_of(server, issue(vault, "run", "read", graphs={"greet"})) as client:
        started = await client.post("/api/v1/runs", json={"graph": "greet"})
        assert started.status_code == 201
        assert (await client.get(f"/api/v1/runs/{started.json()['id']}")).status_code == 200
        assert (await client.post("/api/v1/runs", json={"graph": "other"})).status_code == 403
        fork = {"step": "greet", "graph": "other"}
        assert (await client.post(f"/api/v1/runs/{started.json()['id']}/fork", json=fork)).status_code == 403
        for path in (f"/api/v1/runs/{other.id}", "/api/v1/runs/ffffffffffff", "/api/v1/runs", "/api/v1/events"):
            assert (await client.get(path)).json()["code"] == "server.capability"
        for graphs, status in ((["greet"], 200), (["greet", "other"], 403)):
            assert (await client.get("/api/v1/runs/last", params={"graph": graphs})).status_code == status


@pytest.mark.parametrize("as_data", [True, False])
async def test_a_save_gives_away_no_text_of_another_graph_by_its_hash(
    server: ServerContext, vault: Vault, as_data: bool
) -> None:
    async with client_of(server, TOKEN) as owner:
        secret = (await owner.get("/api/v1/graphs/other/text")).headers["ETag"]
        text = (await owner.get("/api/v1/graphs/greet")).json()["text"]
    ours = {"spec": {"pyagent": 1, "id": "greet", "name": "Mine"}} if as_data else {"text": f"{text}name: Mine\n"}
    async with client_of(server, issue(vault, "edit", graphs={"greet"})) as client:
        answer = await client.put("/api/v1/graphs/greet", json=ours, headers={"If-Match": secret})
    assert (answer.status_code, answer.json()["code"]) == (409, "graph.base_unknown")
    assert "other" not in answer.text


async def test_a_token_ends_by_time_and_by_being_revoked_with_all_that_were_made_from_it(
    server: ServerContext, vault: Vault
) -> None:
    text = issue(vault, "read", "run")
    narrow = narrow_token(text, label="", capabilities={"read"}, graphs=None, expires=None)
    async with client_of(server, narrow) as client:
        assert (await client.get("/api/v1/graphs")).status_code == 200
        assert (await client.post("/api/v1/runs", json={"graph": "greet"})).status_code == 403
        vault.revoke(vault.tokens()[0].id)
        refused = await client.get("/api/v1/graphs")
        assert (refused.status_code, refused.json()["code"]) == (401, "vault.token_revoked")
    async with client_of(server, issue(vault, "read", seconds=-1)) as client:
        assert (await client.get("/api/v1/graphs")).json()["code"] == "vault.token_expired"
    fresh = issue(vault, "read")
    vault.renew_owner()
    async with client_of(server, fresh) as client:
        assert (await client.get("/api/v1/graphs")).json()["code"] == "vault.token"


@pytest.mark.parametrize("token", ["pat1_", "pat1_AAAA", "pat1_" + "A" * 9000, "pat1_é", "pat2_x"])
async def test_what_only_looks_like_a_token_opens_nothing(server: ServerContext, token: str) -> None:
    async with client_of(server, "x") as client:
        header = {"Authorization": f"Bearer {token}".encode("latin-1")}
        assert (await client.get("/api/v1/graphs", headers=header)).status_code == 401


async def test_wrong_tokens_are_counted_and_the_right_one_opens_all_the_same(
    server: ServerContext, vault: Vault
) -> None:
    good = issue(vault, "read")
    async with client_of(server, "pat1_AAAA") as client:
        statuses = {(await client.get("/api/v1/graphs")).status_code for _ in range(40)}
        assert statuses == {401, 429}
        headers = {"Authorization": f"Bearer {good}"}
        assert (await client.get("/api/v1/graphs", headers=headers)).status_code == 200


async def test_the_grant_of_one_request_is_not_that_of_the_next(server: ServerContext, vault: Vault) -> None:
    run = await server.engine.run("ask")
    reader = issue(vault, "read")
    async with client_of(server, TOKEN) as client:
        narrow = await client.get(f"/api/v1/runs/{run.id}", headers={"Authorization": f"Bearer {reader}"})
        assert narrow.json()["steps"][0]["form"] is None
        assert (await client.get(f"/api/v1/runs/{run.id}")).json()["steps"][0]["form"]


async def test_a_socket_opens_for_who_may_read(server: ServerContext, vault: Vault) -> None:
    await server.engine.run("greet")
    async with serving(server.engine, token=TOKEN, port=0, work=False) as page:
        address = page.address.replace("http:", "ws:") + "/api/v1/events/ws"

        async def opens(protocols: list[str], first: str | None = None) -> bool:
            names = [Subprotocol(name) for name in protocols]
            try:
                async with connect(address, proxy=None, subprotocols=names) as socket:
                    if first is not None:
                        await socket.send(json.dumps({"token": first}))
                    return json.loads(await socket.recv())["kind"].startswith("run.")
            except InvalidStatus:
                return False

        reader, runner = issue(vault, "read"), issue(vault, "run")
        assert not await opens(["pyagent.events", f"bearer.{runner}"])
        assert not await opens(["pyagent.events"], runner)
        assert not await opens(["pyagent.events"], "pat1_AAAA")
        assert await opens(["pyagent.events", f"bearer.{reader}"])
        assert await opens(["pyagent.events"], reader)


async def test_a_socket_is_judged_by_the_address_that_it_was_opened_at(server: ServerContext, vault: Vault) -> None:
    run = await server.engine.run("greet")
    only = issue(vault, "read", graphs={"greet"})
    async with serving(server.engine, token=TOKEN, port=0, work=False) as page:
        base = page.address.replace("http:", "ws:") + "/api/v1/runs/"
        codes = []
        for run_id in (run.id, f"{run.id}%3Fx", f"{run.id}%23x"):
            async with connect(
                f"{base}{run_id}/events/ws", proxy=None, subprotocols=[Subprotocol("pyagent.events")]
            ) as socket:
                await socket.send(json.dumps({"token": only}))
                first = json.loads(await socket.recv())
                codes.append(first.get("data", {}).get("error", {}).get("code"))
    assert codes == [None, "server.unauthorized", "server.unauthorized"]


async def test_an_open_stream_ends_when_its_token_is_revoked(
    server: ServerContext, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT", 0.05)
    run = await server.engine.run("greet")
    async with serving(server.engine, token=TOKEN, port=0, work=False) as page:
        headers = {"Authorization": f"Bearer {issue(vault, 'read')}", "Accept": "text/event-stream"}
        async with httpx.AsyncClient(base_url=page.address, headers=headers, timeout=20) as client:
            async with client.stream("GET", f"/api/v1/runs/{run.id}/events") as answer:
                lines = answer.aiter_lines()
                async for line in lines:
                    if "run.completed" in line:
                        break
                vault.revoke(vault.tokens()[0].id)
                rest = [line async for line in lines]
            assert "event: stopping" in rest
            assert (await client.get("/api/v1/graphs")).json()["code"] == "vault.token_revoked"
