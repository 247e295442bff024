"""Runs shown to others: the page that stands alone, links that can be revoked, and nothing in either that could act."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine_lab import Lab, graph, opened
from pyagent.errors import NodeError, SetupError
from pyagent.graph.spec import GraphSpec
from pyagent.sdk import Context, Item, Items
from pyagent.server.context import ServerContext
from pyagent.server.limits import Limiter, Limits, Rate
from pyagent.server.security import Keys
from pyagent.server.shares import Shares
from server_lab import TOKEN, client_of

pytestmark = pytest.mark.integration
XSS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></details><iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "]]><script>alert(1)</script>",
    "<!--<img src=x onerror=alert(1)>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{constructor.constructor('alert(1)')()}}",
    "</svg><base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button>",
    "\u202egnp.exe\x00\x1b[31m",
)
ELEMENTS = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "span", "dl", "dt", "dd", "div"),
        *("table", "thead", "tbody", "tr", "th", "td", "strong", "details", "summary", "pre", "footer"),
        *("svg", "g", "path", "rect", "text", "circle", "defs", "marker"),
    )
)


class Elements(HTMLParser):
    """Which elements a page has, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_harmless(page: str) -> Elements:
    """Nothing in the page can act or ask for anything."""
    elements = Elements(page)
    assert {tag for tag, _ in elements.found} <= ELEMENTS
    for tag, attributes in elements.found:
        for name in attributes:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("href", "src", "style", "action", "srcdoc", "xlink:href"), (tag, name)
        if tag == "meta" and "http-equiv" in attributes:
            assert attributes["http-equiv"] == "Content-Security-Policy"
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page.partition("</svg>")[2]
    return elements


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


@pytest.fixture
def server(lab: Lab) -> ServerContext:
    return ServerContext(engine=lab.engine, keys=Keys(TOKEN))


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as made:
        yield made


@pytest.fixture
async def stranger(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server, "") as made:
        yield made


def hostile(text: str) -> GraphSpec:
    """A graph that has the text wherever somebody can write one."""
    return graph(
        {
            "a": {"name": text, "notes": text, "value": text.replace("{{", "\\{{")},
            "b": {"name": f"b {text}", "ports": ["out"], "on_error": "continue"},
        },
        ["a -> b"],
        name=text,
        description=text,
        inputs={"text": {"type": "string", "description": text}},
        outputs={"text": "{{ $('a').first().json }}"},
    )


@pytest.mark.parametrize("text", XSS)
async def test_no_text_of_a_run_does_anything_in_its_page(
    lab: Lab, client: httpx.AsyncClient, stranger: httpx.AsyncClient, text: str
) -> None:
    @lab.on("a")
    async def give(items: Items, ctx: Context) -> Any:
        return {"out": [Item({text: text, "list": [text]})]}

    lab.raises("b", NodeError(text, code="node.failed", hint=text))
    run = await lab.run(hostile(text), {"text": text})
    assert run.status == "completed"
    page = (await client.get(f"/api/v1/runs/{run.id}/html")).text
    elements = check_harmless(page)
    path = (await client.post(f"/api/v1/runs/{run.id}/share")).json()["path"]
    check_harmless((await stranger.get(path)).text)
    visible = re.sub(r"[\x00-\x1f]", "", text)
    if "\\" not in json.dumps(visible, ensure_ascii=False) and text == visible:
        assert visible in elements.text


async def test_a_page_shows_the_graph_the_steps_and_their_data(lab: Lab, client: httpx.AsyncClient) -> None:
    lab.raises("b", ValueError("the disk is gone"))
    spec = graph({"a": {"name": "Fetch it"}, "b": {"name": "Keep it"}, "c": {}}, ["a -> b", "b -> c"], name="Nightly")
    run = await lab.run(spec, {"n": 17})
    answer = await client.get(f"/api/v1/runs/{run.id}/html")
    page = answer.text

    assert answer.headers["content-disposition"] == f'attachment; filename="lab-{run.id}.html"'
    assert "sandbox" in answer.headers["content-security-policy"]
    elements = check_harmless(page)
    for shown in ("Nightly", "Failed", "Fetch it", "Keep it", "the disk is gone", '"n": 17', "Timeline"):
        assert shown in elements.text, shown
    statuses = {at["data-node"]: at.get("data-status") for _, at in elements.found if "data-node" in at}
    assert statuses == {"a": "completed", "b": "failed", "c": None}
    without = (await client.get(f"/api/v1/runs/{run.id}/html", params={"data": "false"})).text
    assert '"n": 17' not in Elements(without).text
    assert "Fetch it" in without


async def test_secrets_are_left_out_of_a_page(
    lab: Lab, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps({"password": "correct-horse-battery"}))

    @lab.on("a")
    async def give(items: Items, ctx: Context) -> Any:
        return {"out": [Item({"said": "it is correct-horse-battery", "password": "short", "pin": "1234"})]}

    spec = graph(
        {"a": {"name": "with correct-horse-battery", "value": "correct-horse-battery"}},
        inputs={"pin": {"type": "string", "format": "password"}},
    )
    run = await lab.run(spec, {"pin": "9876543"})
    page = (await client.get(f"/api/v1/runs/{run.id}/html")).text
    for secret in ("correct-horse-battery", "short", "9876543"):
        assert secret not in page, secret
    assert "1234" in page


async def test_a_secret_that_is_a_word_of_the_format_leaves_a_page_all_the_same(
    lab: Lab, client: httpx.AsyncClient
) -> None:
    document = graph(
        {"a": {}},
        inputs={"password": {"type": "string", "format": "password"}},
        state={"seen": {"type": "string"}},
    )
    run = await lab.run(document, {"password": "string"})

    answer = await client.get(f"/api/v1/runs/{run.id}/html")

    assert answer.status_code == 200, answer.text
    check_harmless(answer.text)


async def test_a_long_list_and_long_texts_are_cut(lab: Lab, client: httpx.AsyncClient) -> None:
    @lab.on("a")
    async def give(items: Items, ctx: Context) -> Any:
        return {"out": [Item({"n": n, "long": "x" * (100_000 if n == 3 else 1)}) for n in range(500)]}

    run = await lab.run(graph({"a": {}}))
    page = (await client.get(f"/api/v1/runs/{run.id}/html")).text
    assert len(page) < 100_000
    assert "496 more are not shown" in page
    assert "500 items" in page


async def test_inputs_outputs_and_messages_of_any_length_are_cut(lab: Lab, client: httpx.AsyncClient) -> None:
    long = "<\x00" * 1_000_000

    @lab.on("a")
    async def fail(items: Items, ctx: Context) -> Any:
        raise NodeError(f"bad {long}", code="node.bad", hint=f"hint {long}")

    made = graph(
        {"a": {"on_error": "continue"}},
        [],
        inputs={"text": {"type": "string"}},
        outputs={"text": "{{ $inputs.text }}"},
    )
    run = await lab.engine.run(made, {"text": long})
    assert run.status == "completed"
    page = (await client.get(f"/api/v1/runs/{run.id}/html")).text
    assert len(page) < 4_000_000
    assert page.count("…</pre>") == 3
    assert "bad &lt;" in page
    check_harmless(page)


async def test_a_link_opens_the_run_without_a_login_until_it_is_revoked(
    lab: Lab, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    run = await lab.run(graph({"a": {}}, name="Shared"), {"n": 1})
    one, two = [(await client.post(f"/api/v1/runs/{run.id}/share", json={"expires_in": 60})).json() for _ in range(2)]
    answer = await stranger.get(one["path"])

    assert (answer.status_code, "Shared" in answer.text) == (200, True)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy.replace("allow-scripts", "script")
    assert answer.headers["cache-control"] == "no-store"
    listed = (await client.get(f"/api/v1/runs/{run.id}/share")).json()["links"]
    assert [link["id"] for link in listed] == sorted([one["id"], two["id"]])
    assert (await client.delete(f"/api/v1/runs/{run.id}/share", params={"id": one["id"]})).status_code == 204
    assert (await stranger.get(one["path"])).status_code == 404
    assert (await stranger.get(two["path"])).status_code == 200
    assert (await client.delete(f"/api/v1/runs/{run.id}/share")).status_code == 204
    assert (await stranger.get(two["path"])).status_code == 404
    gone = await client.delete(f"/api/v1/runs/{run.id}/share", params={"id": one["id"]})
    assert (gone.status_code, gone.json()["code"]) == (404, "share.not_found")


async def test_a_link_shows_its_own_run_alone_and_only_as_it_was_made(
    lab: Lab, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    run = await lab.run(graph({"a": {}}), {"secret_word": "tuesday"})
    other = await lab.run(graph({"a": {}}))
    bare = (await client.post(f"/api/v1/runs/{run.id}/share", json={"data": False})).json()
    assert "tuesday" not in (await stranger.get(bare["path"])).text
    theirs = (await client.post(f"/api/v1/runs/{other.id}/share")).json()
    key = theirs["path"].rpartition("/")[2]
    for path in (f"/shared/{bare['id']}/{key}", f"/shared/{bare['id']}/x", "/shared/x/y", bare["path"][:-1]):
        assert (await stranger.get(path)).status_code == 404, path
    assert (await stranger.get(f"/api/v1/runs/{run.id}")).status_code == 401
    assert (await stranger.post(f"/api/v1/runs/{run.id}/share")).status_code == 401
    assert (await stranger.post(bare["path"])).status_code == 405
    await client.delete(f"/api/v1/runs/{run.id}")
    assert (await stranger.get(bare["path"])).status_code == 404


async def test_who_looks_too_often_or_tries_keys_has_to_wait(
    lab: Lab, client: httpx.AsyncClient, stranger: httpx.AsyncClient, server: ServerContext
) -> None:
    run = await lab.run(graph({"a": {}}))
    link = (await client.post(f"/api/v1/runs/{run.id}/share")).json()["path"]
    server.limits = Limits(
        shared=Limiter("looks at shared runs", Rate(count=2, seconds=60)),
        failures=Limiter("wrong keys", Rate(count=1, seconds=60)),
    )
    assert [(await stranger.get(link)).status_code for _ in range(3)] == [200, 200, 429]
    wrong = [await stranger.get("/shared/x/y") for _ in range(2)]
    assert [answer.status_code for answer in wrong] == [404, 429]
    assert int(wrong[1].headers["Retry-After"]) > 0


def test_links_outlive_the_server_and_end_by_themselves(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    file = tmp_path / "server-shares.json"
    share = Shares(file, clock=lambda: now).add("run", expires_in=timedelta(hours=1), data=True, actor="local")
    assert file.stat().st_mode & 0o077 == 0
    assert Shares(file, clock=lambda: now).get(share.id) == share
    later = Shares(file, clock=lambda: now + timedelta(hours=1))
    assert (later.get(share.id), later.of_run("run")) == (None, [])
    file.write_text("{broken")
    with pytest.raises(SetupError) as refused:
        later.get(share.id)
    assert refused.value.code == "server.shares"


async def test_a_run_that_goes_on_can_be_shown(lab: Lab, client: httpx.AsyncClient) -> None:
    gate = lab.gate("b")
    run = await lab.engine.start(graph({"a": {}, "b": {}}, ["a -> b"]))
    task = lab.driving(run)
    await lab.until(run, "step.started", "b")
    page = (await client.get(f"/api/v1/runs/{run.id}/html")).text
    assert "Running" in page
    gate.set()
    assert (await asyncio.wait_for(task, 20)).status == "completed"
