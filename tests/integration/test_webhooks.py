"""Webhooks over real HTTP: what runs are given, who may, what comes back, and all that is wrong with requests."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from trigger_lab import PATIENCE, Served, hook, served_in

pytestmark = pytest.mark.integration


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_in(tmp_path) as made:
        yield made


async def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["hint"]


# what a run is given


async def test_a_request_starts_a_run_that_is_given_all_of_it_but_its_secrets(served: Served) -> None:
    await served.activate(hook(path="customers/{customer}/orders"))
    answer = await served.world.post(
        "/webhooks/customers/ann%20b/orders?a=1&a=2&b=",
        json={"count": 3},
        headers={"X-Note": "hello", "Authorization": "Bearer secret", "Cookie": "a=secret"},
    )
    assert answer.headers["location"] == f"/api/v1/runs/{answer.json()['run']}"
    seen = (await served.outputs(answer))["seen"]

    assert {name: seen[name] for name in ("method", "params", "query", "body")} == {
        "method": "POST",
        "params": {"customer": "ann b"},
        "query": {"a": ["1", "2"], "b": ""},
        "body": {"count": 3},
    }
    assert seen["headers"]["x-note"] == "hello"
    assert "secret" not in json.dumps(seen)
    (run,) = await served.runs()
    assert b"secret" not in run.inputs


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b'[1, "\xc3\xa4"]', "application/json", [1, "ä"]),
        (b'{"a": null}', "application/vnd.github+json; charset=utf-8", {"a": None}),
        (b"a=1&b=%C3%A4&a=2", "application/x-www-form-urlencoded", {"a": ["1", "2"], "b": "ä"}),
        ("grün".encode("latin-1"), "text/plain; charset=iso-8859-1", "grün"),
        (b"<a/>", "text/xml", "<a/>"),
        (b"", "", None),
        (b"", "application/json", None),
    ],
)
async def test_a_body_is_what_its_type_says(served: Served, content: bytes, kind: str, body: Any) -> None:
    await served.activate(hook())
    headers = {"Content-Type": kind} if kind else {}
    answer = await served.world.post("/webhooks/orders", content=content, headers=headers)
    assert (await served.outputs(answer))["seen"]["body"] == body


async def test_files_of_a_form_and_bodies_of_other_types_are_kept_as_binaries_of_the_item(served: Served) -> None:
    await served.activate(hook(outputs="""binary: "{{ $('end').first().binary }}", body: "{{ $json.body }}" """))
    photo = bytes(range(256)) * 1000
    answer = await served.world.post(
        "/webhooks/orders",
        data={"note": "two", "tag": ["a", "b"]},
        files=[("photo", ("../x/me.png", photo, "image/png")), ("photo", ("b.txt", b"", "text/plain"))],
    )
    run = await served.engine.wait(answer.json()["run"])
    inputs = json.loads(run.inputs)
    assert inputs["body"] == {"note": "two", "tag": ["a", "b"]}
    assert (inputs["files"]["photo"]["name"], inputs["files"]["photo"]["media_type"]) == ("me.png", "image/png")
    assert inputs["files"]["photo_2"]["size"] == 0
    assert await served.engine.store.get_blob(inputs["files"]["photo"]["digest"]) == photo
    log = await served.engine.log(run.id)
    items = [item for entry in log for given in (entry.outputs or {}).values() for item in given]
    assert items[0].binary is not None
    assert items[0].binary["photo"].size == len(photo)

    answer = await served.world.post("/webhooks/orders", content=photo, headers={"Content-Type": "image/png"})
    inputs = json.loads((await served.engine.wait(answer.json()["run"])).inputs)
    assert inputs["body"] is None
    assert await served.engine.store.get_blob(inputs["files"]["body"]["digest"]) == photo


async def test_the_body_can_be_the_inputs_that_a_graph_declares(served: Served) -> None:
    declared = "inputs: {count: {type: integer}, note: {type: string, default: none}}\n"
    await served.activate(hook(more="inputs: body", head=declared))
    good = await served.world.post("/webhooks/orders", json={"count": 3})
    assert (await served.outputs(good))["seen"] == {"count": 3, "note": "none"}

    await refused(await served.world.post("/webhooks/orders", json={"count": "x"}), 422, "input.invalid")
    await refused(await served.world.post("/webhooks/orders", json={"cuont": 3}), 422, "input.invalid")
    await refused(await served.world.post("/webhooks/orders"), 422, "input.invalid")
    await refused(await served.world.post("/webhooks/orders", json=[1]), 422, "input.invalid")
    text = await served.world.post("/webhooks/orders", content=b"3", headers={"Content-Type": "text/plain"})
    await refused(text, 415, "webhook.media_type")
    assert len(await served.runs()) == 1


async def test_the_fields_of_a_form_become_what_their_inputs_take(served: Served) -> None:
    declared = "inputs: {count: {type: integer}, open: {type: boolean}, note: {type: string}}\n"
    await served.activate(hook(more="inputs: body", head=declared))
    good = await served.world.post("/webhooks/orders", data={"count": "3", "open": "true", "note": "7"})
    assert (await served.outputs(good))["seen"] == {"count": 3, "open": True, "note": "7"}
    parts = {name: (None, text) for name, text in (("count", "4"), ("open", "false"), ("note", "x"))}
    good = await served.world.post("/webhooks/orders", files=parts)
    assert (await served.outputs(good))["seen"] == {"count": 4, "open": False, "note": "x"}
    await refused(await served.world.post("/webhooks/orders", data={"count": "many"}), 422, "input.invalid")


async def test_json_that_is_sent_as_a_form_is_told_which_header_it_needs(served: Served) -> None:
    await served.activate(hook(more="inputs: body", head="inputs: {count: {type: integer}}\n"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await served.world.post("/webhooks/orders", content=b'{"count": 3}', headers=form)
    await refused(answer, 415, "webhook.media_type")
    assert "Content-Type: application/json" in answer.json()["hint"]


async def test_what_somebody_must_agree_to_does_not_come_by_a_webhook(served: Served) -> None:
    declared = "inputs: {folder: {type: string, default: here, consent: it deletes.}}\n"
    await served.activate(hook(more="inputs: body", head=declared))
    await refused(await served.world.post("/webhooks/orders", json={"folder": "/"}), 422, "input.consent")
    assert (await served.world.post("/webhooks/orders", json={})).status_code == 202


async def test_a_graph_that_declares_inputs_is_given_those_parts_of_the_request(served: Served) -> None:
    await served.activate(hook(path="a/{b}", head="inputs: {params: {type: object}, body: {type: object}}\n"))
    answer = await served.world.post("/webhooks/a/x", json={"n": 1})
    assert (await served.outputs(answer))["seen"] == {"params": {"b": "x"}, "body": {"n": 1}}
    await refused(await served.world.post("/webhooks/a/x", json=[1]), 422, "input.invalid")


# addresses


async def test_only_active_graphs_have_addresses_and_edits_wait_until_they_are_activated(served: Served) -> None:
    await refused(await served.world.post("/webhooks/orders"), 404, "webhook.not_found")
    await served.activate(hook())
    (served.folder / "hook.yaml").write_text(hook(path="moved"))
    assert (await served.world.post("/webhooks/orders")).status_code == 202
    await refused(await served.world.post("/webhooks/moved"), 404, "webhook.not_found")
    await served.activate(hook(path="moved"))
    await refused(await served.world.post("/webhooks/orders"), 404, "webhook.not_found")
    assert (await served.world.post("/webhooks/moved")).status_code == 202
    assert (await served.api.post("/api/v1/graphs/hook/deactivate")).json() == {"deactivated": "hook"}
    await refused(await served.world.post("/webhooks/moved"), 404, "webhook.not_found")
    await refused(await served.api.post("/api/v1/graphs/hook/deactivate"), 404, "trigger.not_active")


async def test_a_path_that_names_more_goes_before_one_with_parameters(served: Served) -> None:
    await served.activate(hook("some", path="a/{b}"))
    await served.activate(hook("exact", path="a/new"))
    for path, graph in (("a/new", "exact"), ("a/old", "some")):
        run = (await served.world.post(f"/webhooks/{path}")).json()["run"]
        assert (await served.engine.store.get_run(run)).graph_id == graph
    for path in ("a", "a/", "a/b/c", "/a/new", "a/new/", ""):
        await refused(await served.world.post(f"/webhooks/{path}"), 404, "webhook.not_found")


async def test_two_graphs_with_one_address_are_not_both_activated(served: Served) -> None:
    await served.activate(hook("one", path="a/{b}"))
    (served.folder / "two.yaml").write_text(hook("two", path="a/{c}"))
    answer = await served.api.post("/api/v1/graphs/two/activate")
    await refused(answer, 422, "trigger.address_taken")
    assert "one" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_a_method_that_is_not_taken_is_told_which_are(served: Served, method: str) -> None:
    await served.activate(hook(more="methods: [POST, PATCH]"))
    answer = await served.world.request(method, "/webhooks/orders")
    assert (answer.status_code, answer.headers["allow"]) == (405, "PATCH, POST")
    assert await served.runs() == []


# bad bodies


def str_of_beginning(value: bytes | str) -> str:
    return repr(value[:60])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"a": ', "application/json"),
        (b"{'a': 1}", "application/json"),
        (b"NaN", "application/json"),
        (b'"\xff"', "application/json"),
        (b'"\\ud800"', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(2000)), "application/x-www-form-urlencoded"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
        (b"no parts at all", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"", "multipart/form-data"),
        (b"\xff", "text/plain"),
        (b"a", "text/plain; charset=klingon"),
        (b"a", "text/plain; charset=undefined"),
        # Decoding these would take minutes, and nobody else would be answered.
        (b"a-" + b"z" * 2_000_000, "text/plain; charset=punycode"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\na-' + b"z" * 2_000_000 + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x; charset=punycode",
        ),
    ],
    ids=str_of_beginning,
)
async def test_a_broken_body_is_refused_and_starts_nothing(served: Served, content: bytes, kind: str) -> None:
    await served.activate(hook())
    answer = await served.world.post("/webhooks/orders", content=content, headers={"Content-Type": kind})
    await refused(answer, 400, "webhook.body")
    assert await served.runs() == []


async def test_a_packed_body_is_refused(served: Served) -> None:
    await served.activate(hook())
    answer = await served.world.post("/webhooks/orders", content=b"x", headers={"Content-Encoding": "gzip"})
    await refused(answer, 415, "webhook.media_type")


async def test_a_body_that_is_too_large_is_refused_before_it_has_come(served: Served) -> None:
    await served.activate(hook(more="max_size: 1000"))
    assert (await served.world.post("/webhooks/orders", content=b"x" * 1000)).status_code == 202
    await refused(await served.world.post("/webhooks/orders", content=b"x" * 1001), 413, "webhook.too_large")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 1 << 16
            yield b"x" * (1 << 16)

    try:
        answer = await served.world.post("/webhooks/orders", content=endless())
        await refused(answer, 413, "webhook.too_large")
    except httpx.TransportError:
        pass  # the server has closed the connection while we were sending
    assert sent < 1 << 27
    assert len(await served.runs()) == 1


async def test_a_body_may_be_larger_than_those_of_the_api(served: Served) -> None:
    await served.activate(hook(more="max_size: 20 MiB"))
    answer = await served.world.post(
        "/webhooks/orders", content=b"x" * (12 << 20), headers={"Content-Type": "application/x-tar"}
    )
    assert answer.status_code == 202


async def test_a_client_that_breaks_off_starts_nothing(served: Served) -> None:
    await served.activate(hook())
    port = int(served.address.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /webhooks/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await served.world.post("/webhooks/orders")).status_code == 202
    assert len(await served.runs()) == 1


async def test_slow_senders_cannot_hold_more_memory_than_the_server_gives_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_WEBHOOK_MEMORY", "250 KB")
    async with served_in(tmp_path) as served:
        await _many_slow_senders(served)


async def _many_slow_senders(served: Served) -> None:
    await served.activate(hook(more="max_size: 1 MB"))
    port = int(served.address.rpartition(":")[2])
    head = b"POST /webhooks/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100001\r\n\r\n"
    senders = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for _, writer in senders:
        writer.write(head + b"x" * 100_000)
        await writer.drain()
    readers = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in senders]
    done, waiting = await asyncio.wait(readers, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    (refused_one,) = (task.result() for task in done)
    assert refused_one.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 5" in refused_one.lower()

    answer = await served.world.post("/webhooks/orders", content=b"x" * 100_000)
    await refused(answer, 503, "server.busy")
    for _, writer in senders:
        writer.write(b"x")
    for task in waiting:
        assert (await task).startswith(b"HTTP/1.1 202 ")
    assert (await served.world.post("/webhooks/orders", content=b"x" * 100_000)).status_code == 202
    for _, writer in senders:
        writer.close()


# who may


async def test_pages_of_other_sites_may_not_send_unless_they_are_named(served: Served) -> None:
    await served.activate(hook(path="closed", more="methods: [GET, POST]"))
    await served.activate(hook("open", path="open", more="origins: ['https://good.example']"))
    post = served.world.post
    await refused(await post("/webhooks/closed", headers={"Origin": "https://evil.example"}), 403, "webhook.origin")
    await refused(await post("/webhooks/closed", headers={"Origin": "null"}), 403, "webhook.origin")
    cross = await served.world.get("/webhooks/closed", headers={"Sec-Fetch-Site": "cross-site"})
    await refused(cross, 403, "webhook.origin")
    await refused(await post("/webhooks/open", headers={"Origin": "https://evil.example"}), 403, "webhook.origin")
    assert await served.runs() == []

    assert (await post("/webhooks/closed", headers={"Origin": served.address})).status_code == 202
    asked = await served.world.options("/webhooks/open", headers={"Origin": "https://good.example"})
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "POST")
    good = await post("/webhooks/open", headers={"Origin": "https://good.example"})
    assert good.status_code == 202
    assert good.headers["access-control-allow-origin"] == "https://good.example"


async def test_a_request_to_a_foreign_name_is_refused(served: Served) -> None:
    await served.activate(hook())
    await refused(await served.world.post("/webhooks/orders", headers={"Host": "evil.example"}), 421, "server.host")


async def test_the_sender_is_known_by_token_password_or_signature(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = {"token": "tok", "user": "ann", "password": "pä:ss", "secret": "key"}
    monkeypatch.setenv("PYAGENT_CREDENTIAL_SHOP", json.dumps(credential))
    for kind in ("header", "basic", "signature"):
        await served.activate(hook(kind, path=kind, more=f"authentication: {kind}, credential: shop"))
    await served.activate(hook("own", path="own", more="authentication: header, credential: shop, header: X-Token"))
    await served.activate(hook("none", path="none", more="authentication: header, credential: missing"))
    body = b'{"a": 1}'
    sign = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    wrong = hmac.new(b"key", body + b" ", hashlib.sha256).hexdigest()

    async def status(path: str, **headers: str) -> int:
        return (await served.world.post(f"/webhooks/{path}", content=body, headers=headers)).status_code

    for value in ("", "Bearer no", "Bearer", "tok2", "Basic dG9r"):
        assert await status("header", Authorization=value) == 401
    assert await status("header", Authorization="Bearer tok") == 202
    assert await status("own", **{"X-Token": "no"}) == 401
    assert await status("own", **{"X-Token": "tok"}) == 202
    for value in ("", "Basic !!!", "Basic YW5uOng=", "Bearer tok"):
        assert await status("basic", Authorization=value) == 401
    answer = await served.world.post("/webhooks/basic", auth=httpx.BasicAuth("ann", "pä:ss"))
    assert answer.status_code == 202
    for value in ("", f"sha256={wrong}", f"sha1={sign}", "sha256="):
        assert await status("signature", **{"X-Hub-Signature-256": value}) == 401
    assert await status("signature", **{"X-Hub-Signature-256": f"sha256={sign}"}) == 202
    await refused(await served.world.post("/webhooks/none"), 503, "webhook.credential")
    runs = await served.runs()
    assert len(runs) == 4
    assert not any(b"tok" in run.inputs or sign.encode() in run.inputs for run in runs)


# what comes back


async def test_outputs_a_whole_response_or_the_last_step_are_answered(served: Served) -> None:
    body = """body: "{{ $('end').first().json.body }}" """
    await served.activate(hook("outputs", path="outputs", more="answer: outputs", outputs=body))
    await served.activate(hook("last", path="last", more="answer: last, inputs: body"))
    whole = f"status: 201, headers: {{X-Made: yes it is, Content-Type: text/html}}, {body}"
    await served.activate(hook("response", path="response", more="answer: response", outputs=whole))

    answer = await served.world.post("/webhooks/outputs", json={"a": 1})
    assert (answer.status_code, answer.json()) == (200, {"body": {"a": 1}})
    assert (await served.world.post("/webhooks/last", json={"a": 2})).json() == {"a": 2}
    answer = await served.world.post("/webhooks/response", content="<b>hi</b>", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.text, answer.headers["x-made"]) == (201, "<b>hi</b>", "yes it is")
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "outputs",
    ["status: 99", "status: soon", "headers: [1]", "headers: {Set-Cookie: a=b}", 'headers: {X-A: "a\\r\\nb"}'],
)
async def test_outputs_that_make_no_response_are_told_of(served: Served, outputs: str) -> None:
    await served.activate(hook(more="answer: response", outputs=outputs))
    await refused(await served.world.post("/webhooks/orders"), 500, "webhook.response")


async def test_a_run_that_fails_is_answered_without_its_secrets(served: Served) -> None:
    text = hook(more="answer: outputs").replace("flow.noop@1", "flow.fail@1, with: {message: the password is x}")
    await served.activate(text)
    answer = await served.world.post("/webhooks/orders")
    await refused(answer, 500, "webhook.run_failed")
    assert "password" not in answer.text


async def test_a_run_that_takes_too_long_is_answered_with_where_to_look(served: Served) -> None:
    text = hook(more="answer: outputs, wait: 200ms").replace("flow.noop@1", "flow.wait@1, with: {signal: go}")
    await served.activate(text)
    answer = await served.world.post("/webhooks/orders")
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/runs/{answer.json()['run']}")


async def test_the_same_request_again_starts_nothing_and_gets_the_same_answer(served: Served) -> None:
    await served.activate(hook(more="answer: outputs", outputs="""n: "{{ $('end').first().json.body.n }}" """))
    await served.activate(hook("github", path="github", more="key_header: X-GitHub-Delivery"))

    async def send(n: int) -> httpx.Response:
        return await served.world.post("/webhooks/orders", json={"n": n}, headers={"Idempotency-Key": "k1"})

    answers = await asyncio.gather(*(send(n) for n in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert len(await served.runs()) == 1
    for _ in range(2):
        assert (await served.world.post("/webhooks/github", headers={"X-GitHub-Delivery": "d1"})).status_code == 202
    assert len(await served.runs()) == 2
    await refused(
        await served.world.post("/webhooks/orders", headers={"Idempotency-Key": "k" * 201}), 400, "webhook.key"
    )


# trying it


async def test_a_test_address_works_once_after_somebody_listens_and_runs_the_file_with_its_pins(served: Served) -> None:
    await refused(await served.world.post("/webhooks-test/orders"), 404, "webhook.not_found")
    (served.folder / "hook.yaml").write_text(hook() + "pins: {end: [{pinned: true}]}\n")
    listening = (await served.api.post("/api/v1/graphs/hook/listen")).raise_for_status().json()
    assert listening["addresses"] == [{"path": "/webhooks-test/orders", "methods": ["POST"]}]

    await refused(await served.world.post("/webhooks/orders"), 404, "webhook.not_found")
    await refused(await served.world.get("/webhooks-test/orders"), 405, "webhook.method")
    await refused(await served.world.post("/webhooks-test/orders", content=b"{", headers=JSON), 400, "webhook.body")
    answer = await served.world.post("/webhooks-test/orders", json={"n": 1})
    assert (await served.outputs(answer))["seen"] == {"pinned": True}
    await refused(await served.world.post("/webhooks-test/orders"), 404, "webhook.not_found")
    (run,) = await served.runs()
    assert (run.production, run.labels) == (False, {"listen": listening["id"]})

    (served.folder / "plain.yaml").write_text("pyagent: 1\nid: plain\nnodes: [{id: a, use: flow.noop@1}]\n")
    await refused(await served.api.post("/api/v1/graphs/plain/listen"), 422, "trigger.no_webhook")
    await refused(await served.api.post("/api/v1/graphs/nobody/listen"), 404, "graph.not_found")


JSON = {"Content-Type": "application/json"}


async def test_of_many_requests_to_a_test_address_one_starts_a_run(served: Served) -> None:
    (served.folder / "hook.yaml").write_text(hook())
    (await served.api.post("/api/v1/graphs/hook/listen")).raise_for_status()
    answers = await asyncio.gather(*(served.world.post("/webhooks-test/orders") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [404] * 7
    assert len(await served.runs()) == 1


async def test_triggers_are_listed_with_address_times_last_run_and_problem(served: Served) -> None:
    await served.activate(hook())
    clock = "pyagent: 1\nid: clock\nnodes: [{id: tick, use: flow.schedule@1, with: {every: 1h}}]\n"
    await served.activate(clock)
    folder = "pyagent: 1\nid: folder\nnodes: [{id: inbox, use: io.watch_folder@1, with: {folder: /no/such/folder}}]\n"
    await served.activate(folder)
    run = (await served.world.post("/webhooks/orders")).json()["run"]
    (served.folder / "hook.yaml").write_text(hook(path="moved"))

    async def told() -> list[Any]:
        while True:
            found = (await served.api.get("/api/v1/triggers?next=2")).raise_for_status().json()["triggers"]
            if found[1]["problem"]:
                return found
            await served.engine.store.changed(1)

    clock_, folder_, hook_ = await asyncio.wait_for(told(), PATIENCE)
    assert (clock_["node"], clock_["type"], len(clock_["next"])) == ("tick", "flow.schedule@1", 2)
    assert folder_["problem"]["code"] == "node.folder"
    assert hook_["address"] == {"path": "/webhooks/orders", "methods": ["POST"]}
    assert (hook_["last_run"]["id"], hook_["edited"]) == (run, True)
    assert (await served.world.get("/api/v1/triggers")).status_code == 401
