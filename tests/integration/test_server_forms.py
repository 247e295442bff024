"""Forms for people without the token: what they show, what they take, and when they are closed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Context, Item, Items, NoParams, Outputs, Wait, node
from pyagent.sdk.registry import Registry
from pyagent.server.context import ServerContext
from pyagent.server.limits import Limiter, Rate
from pyagent.server.security import Keys
from pyagent.store.location import open_store
from server_lab import TOKEN, client_of

ASK = """\
pyagent: 1
id: asking
outputs: {answer: "{{ $('ask').first().json }}"}
nodes: [{id: ask, use: test.ask@1}]
"""
APPROVE = """\
pyagent: 1
id: approving
nodes: [{id: ask, use: flow.approve@1, with: {title: "Keep <it>?", message: "Look & see"}}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "title": "Your name", "description": "As on the <door>"},
        "age": {"type": "integer", "minimum": 0},
        "price": {"type": "number"},
        "agree": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "kind": {"enum": ["new", "used", 3]},
        "colours": {"type": "array", "items": {"enum": ["red", "blue"]}},
        "notes": {"type": "string", "maxLength": 2000, "default": "</textarea><script>"},
    },
    "required": ["name", "kind"],
}


@node("test.ask", title="Ask", effects="none")
async def ask(items: Items, params: NoParams, ctx: Context) -> Wait | Outputs:
    """Ask for a form."""
    if ctx.answer is None:
        return Wait(kind="form", title="Who are <you>?", prompt={"message": "Tell us."}, response_schema=SCHEMA)
    return {"out": [Item({"value": ctx.answer.value, "actor": ctx.answer.actor})]}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    for name, text in (("asking", ASK), ("approving", APPROVE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    registry = Registry.installed()
    registry.add(ask)
    yield ServerContext(engine=Engine(store, registry=registry, library=GraphLibrary([tmp_path])), keys=Keys(TOKEN))
    await store.close()


@pytest.fixture
async def stranger(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server, "") as made:
        yield made


async def address_of(server: ServerContext, stranger: httpx.AsyncClient, graph: str) -> tuple[str, str]:
    """A run that waits, and the address of its form as the API tells it."""
    run = await server.engine.run(graph)
    assert run.status == "waiting"
    told = await stranger.get(f"/api/v1/runs/{run.id}", headers={"Authorization": f"Bearer {TOKEN}"})
    return run.id, told.json()["steps"][0]["form"]


async def test_a_form_is_shown_without_the_token_scripts_or_others_words(
    server: ServerContext, stranger: httpx.AsyncClient
) -> None:
    _, address = await address_of(server, stranger, "asking")
    page = await stranger.get(address)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.headers["content-security-policy"]
    assert "<script" not in page.text
    for part in ("Who are &lt;you&gt;?", "Tell us.", "As on the &lt;door&gt;", "&lt;/textarea&gt;&lt;script&gt;"):
        assert part in page.text
    assert 'name="viewport"' in page.text
    for name in SCHEMA["properties"]:
        assert f'name="{name}"' in page.text
    assert 'type="date"' in page.text


async def test_every_field_has_a_label(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    _, address = await address_of(server, stranger, "asking")
    page = (await stranger.get(address)).text
    labels = set(re.findall(r'<label for="([^"]+)"', page))
    controls = set(re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', page))
    assert controls == labels


async def test_what_is_sent_answers_the_step_once(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    run_id, address = await address_of(server, stranger, "asking")
    sent = {"name": "Ada", "age": "36", "price": "1,5", "agree": "true", "kind": "3", "day": "", "notes": "a\r\nb"}
    thanks = await stranger.post(address, data={**sent, "colours": ["red", "blue"]})
    assert thanks.status_code == 200
    assert "Thank you" in thanks.text
    for again in (await stranger.post(address, data=sent), await stranger.get(address)):
        assert again.status_code == 410
        assert "closed" in again.text
    assert (await server.engine.drive(run_id)).status == "completed"
    assert (await server.engine.outputs(run_id))["answer"] == {
        "value": {
            **{"name": "Ada", "age": 36, "price": 1.5, "agree": True, "kind": 3, "notes": "a\nb"},
            "colours": ["red", "blue"],
        },
        "actor": "form",
    }
    assert (await stranger.get(address)).status_code == 410


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "Your name is needed"),
        ("kind", "", "Kind is needed"),
        ("kind", "stolen", "Kind is none of the choices"),
        ("age", "old", "Age is no number"),
        ("age", "1.5", "Age must be a whole number"),
        ("age", "-1", "Age must be 0 or more"),
        ("age", "9" * 30, "Age is too large"),
        ("price", "nan", "Price is no number"),
        ("day", "30.2.2026", "Day is no date"),
        ("notes", "x" * 2001, "Notes must have at most 2000 characters"),
    ],
)
async def test_what_does_not_fit_is_told_beside_its_field_and_nothing_is_lost(
    server: ServerContext, stranger: httpx.AsyncClient, field: str, value: str, said: str
) -> None:
    run_id, address = await address_of(server, stranger, "asking")
    answer = await stranger.post(address, data={"name": "Ada <3", "kind": "new", field: value})
    assert answer.status_code == 422
    assert f'id="field-{field}-error">{said}</p>' in answer.text
    assert 'aria-invalid="true"' in answer.text
    if field != "name":
        assert 'value="Ada &lt;3"' in answer.text
    assert await server.engine.store.messages(run_id) == []


async def test_an_approval_has_two_buttons_and_a_comment(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    run_id, address = await address_of(server, stranger, "approving")
    page = (await stranger.get(address)).text
    assert "Keep &lt;it&gt;?" in page
    assert "Look &amp; see" in page
    assert (await stranger.post(address, data={"comment": "x"})).status_code == 422
    assert (await stranger.post(address, data={"verdict": "reject", "comment": "no"})).status_code == 200
    assert (await server.engine.drive(run_id)).status == "completed"
    [answered] = [entry for entry in await server.engine.log(run_id) if entry.kind == "step.answered"]
    assert answered.data["answer"]["value"] == {"approved": False, "comment": "no"}
    assert answered.data["answer"]["actor"] == "form"


async def test_a_wrong_address_is_told_to_people(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    run_id, address = await address_of(server, stranger, "approving")
    key = address.rpartition("/")[2]
    other, _ = await address_of(server, stranger, "approving")
    for wrong in (f"/forms/{run_id}/{'0' * 64}", f"/forms/{other}/{key}", address[:-60], f"/forms/nothing/{key}"):
        for answer in (await stranger.get(wrong), await stranger.post(wrong, data={"verdict": "approve"})):
            assert answer.status_code == 404, wrong
            assert "There is no such form" in answer.text
    assert (await stranger.get(address[:-3])).status_code == 410


async def test_guessing_addresses_is_slowed_down(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    server.limits.failures = Limiter("wrong keys", Rate(count=3, seconds=60))
    run_id, address = await address_of(server, stranger, "approving")
    guesses = [(await stranger.get(f"/forms/{run_id}/{n:064x}")) for n in range(4)]
    assert [guess.status_code for guess in guesses] == [404, 404, 404, 429]
    assert int(guesses[-1].headers["retry-after"]) > 0
    assert (await stranger.get(address)).status_code == 200


async def test_a_form_is_closed_when_the_run_has_ended(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    run_id, address = await address_of(server, stranger, "approving")
    await server.engine.cancel(run_id)
    await server.engine.drive(run_id)
    assert (await stranger.get(address)).status_code == 410
    told = await stranger.get(f"/api/v1/runs/{run_id}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert told.json()["steps"][0]["form"] is None


async def test_a_form_from_another_site_is_refused(server: ServerContext, stranger: httpx.AsyncClient) -> None:
    _, address = await address_of(server, stranger, "approving")
    headers = {"Origin": "http://evil.example"}
    assert (await stranger.post(address, data={"verdict": "approve"}, headers=headers)).status_code == 403


@pytest.mark.parametrize("body", [b"\xff\xfe%%%", b"&".join(b"a=1" for _ in range(2000)), b"name=%00", b"=" * 5000])
async def test_bodies_that_no_browser_sends_are_no_answers(
    server: ServerContext, stranger: httpx.AsyncClient, body: Any
) -> None:
    run_id, address = await address_of(server, stranger, "asking")
    answer = await stranger.post(address, content=body)
    assert answer.status_code == 422
    assert await server.engine.store.messages(run_id) == []
