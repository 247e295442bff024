"""The routes about credentials: values come in, and never go out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from pyagent import vault as vaults
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Registry
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.store import open_store

pytestmark = pytest.mark.integration

TOKEN = "t" * 43
SECRET = "correct-horse-battery"
ASKING = """
pyagent: 1
id: asking
nodes:
  - {id: get, use: io.http@1, with: {url: "https://example.com", auth: {as: bearer, credential: Api}}}
edges: []
"""


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServerContext]:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    (tmp_path / "asking.yaml").write_text(ASKING)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    engine = Engine(store, registry=Registry.installed(), library=GraphLibrary([tmp_path]))
    yield ServerContext(engine=engine, keys=Keys(TOKEN), port=8642)
    await store.close()


def client_of(server: ServerContext, token: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(server), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642", headers=headers)


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server, TOKEN) as client:
        yield client


async def test_a_credential_is_made_seen_tried_and_deleted_and_its_value_never_comes_back(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answers = [await client.get("/api/v1/credentials")]
    assert answers[0].json()["vault"] == "absent"
    assert [found["name"] for found in answers[0].json()["credentials"]] == ["api"], "a graph asks for it"
    body = {"kind": "http_bearer", "fields": {"token": SECRET}}
    missing = await client.put("/api/v1/credentials/api", json=body)
    assert (missing.status_code, missing.json()["code"]) == (409, "vault.absent")
    assert (await client.post("/api/v1/vault")).status_code == 204
    assert (await client.post("/api/v1/vault")).json()["code"] == "vault.exists"
    answers.append(await client.put("/api/v1/credentials/Api", json=body))
    assert answers[-1].json() == {"name": "api", "version": 1}
    body["fields"] = {"token": None, "hosts": "example.com"}
    answers.append(await client.put("/api/v1/credentials/api", json=body))
    answers.append(await client.get("/api/v1/credentials"))
    [found] = answers[-1].json()["credentials"]
    assert (found["kind"], found["fields"], found["version"]) == ("http_bearer", ["token", "hosts"], 2)
    assert (found["graphs"], found["used"], found["in_environment"]) == (["asking"], None, False)
    answers.append(await client.post("/api/v1/credentials/api/test"))
    assert answers[-1].json()["works"] is False
    body["fields"] = {"token": SECRET, "colour": "blue"}
    answers.append(await client.put("/api/v1/credentials/api", json=body))
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (422, "input.credential")
    answers.append(await client.put("/api/v1/credentials/api", json={"fields": {"token": [SECRET]}}))
    assert answers[-1].status_code == 422
    answers.append(await client.delete("/api/v1/credentials/api"))
    assert answers[-1].status_code == 204
    answers.append(await client.delete("/api/v1/credentials/api"))
    assert answers[-1].json()["code"] == "credential.not_found"
    assert all(SECRET not in answer.text for answer in answers)
    assert SECRET.encode() not in (tmp_path / "credentials.vault").read_bytes()


async def test_forms_learn_the_kinds_and_which_fields_are_secret(client: httpx.AsyncClient) -> None:
    found = {kind["name"]: kind for kind in (await client.get("/api/v1/credential-kinds")).json()}
    assert found["generic"]["fields"] == []
    secret = {field["name"]: field["secret"] for field in found["smtp"]["fields"]}
    assert (secret["password"], secret["host"]) == (True, False)


async def test_a_vault_that_nothing_opens_is_shown_as_locked(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vaults.make_vault("correct horse battery")
    monkeypatch.setattr(vaults, "_opened", {})
    found = (await client.get("/api/v1/credentials")).json()
    assert (found["vault"], "PYAGENT_VAULT_PASSPHRASE" in found["problem"]) == ("locked", True)
    refused = await client.put("/api/v1/credentials/api", json={"fields": {"token": SECRET}})
    assert (refused.status_code, refused.json()["code"]) == (409, "vault.locked")


@pytest.mark.parametrize("name", ["..", "a%20b", "-a", "a" * 65, "%C3%A4"])
async def test_a_name_that_is_none_is_refused(client: httpx.AsyncClient, name: str) -> None:
    await client.post("/api/v1/vault")
    answer = await client.put(f"/api/v1/credentials/{name}", json={"fields": {"token": SECRET}})
    assert answer.status_code in (404, 405, 422), answer.text
    assert SECRET not in json.dumps(answer.json())


async def test_a_stranger_learns_nothing(server: ServerContext) -> None:
    async with client_of(server, "x" * 43) as stranger:
        for method, path in (
            ("GET", "/api/v1/credentials"),
            ("GET", "/api/v1/credential-kinds"),
            ("POST", "/api/v1/vault"),
            ("PUT", "/api/v1/credentials/api"),
            ("DELETE", "/api/v1/credentials/api"),
            ("POST", "/api/v1/credentials/api/test"),
        ):
            assert (await stranger.request(method, path)).status_code == 401


async def test_a_new_credential_takes_the_place_of_none(client: httpx.AsyncClient) -> None:
    await client.post("/api/v1/vault")
    body = {"kind": "generic", "fields": {"token": SECRET}, "new": True}
    assert (await client.put("/api/v1/credentials/api", json=body)).status_code == 200
    again = await client.put("/api/v1/credentials/API", json=body)
    assert (again.status_code, again.json()["code"]) == (422, "credential.exists")
    assert (await client.put("/api/v1/credentials/api", json=body | {"new": False})).json()["version"] == 2


async def test_a_credential_is_tried_before_it_is_set_and_nothing_is_kept(client: httpx.AsyncClient) -> None:
    body = {"kind": "http_bearer", "fields": {"token": SECRET}}
    kinds = {kind["name"]: kind for kind in (await client.get("/api/v1/credential-kinds")).json()}
    answer = (await client.post("/api/v1/credentials/api/test", json=body)).json()
    assert answer["works"] is None or kinds["http_bearer"]["can_be_tried"]
    wrong = (await client.post("/api/v1/credentials/api/test", json=body | {"fields": {"wrong": SECRET}})).json()
    assert wrong["works"] is False
    assert SECRET not in json.dumps([answer, wrong])
    unknown = await client.post("/api/v1/credentials/api/test", json=body | {"kind": "zzz"})
    assert unknown.json()["code"] == "input.credential"
    listed = (await client.get("/api/v1/credentials")).json()["credentials"]
    assert [one["kind"] for one in listed if one["name"] == "api"] == [None]


async def test_kinds_have_a_schema_for_forms(client: httpx.AsyncClient) -> None:
    for kind in (await client.get("/api/v1/credential-kinds")).json():
        schema = kind["fields_schema"]
        assert list(schema["properties"]) == [field["name"] for field in kind["fields"]]
        for field in kind["fields"]:
            found = schema["properties"][field["name"]]
            assert (found.get("format") == "password") == field["secret"]
            assert (field["name"] in schema["required"]) == field["required"]
        assert (schema["additionalProperties"] is False) == bool(kind["fields"])
