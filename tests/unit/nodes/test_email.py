"""The node that sends mail, with real and with broken servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from pyagent.errors import PyAgentError
from pyagent.sdk import Item, NodeCancelled, NodeTimeout
from pyagent.testing import TestBlobs, TestCancelToken, run_node
from pyagent_nodes.io.email import email
from smtp_server import mail_server, scripted_server

BASE = {"credential": "mail", "to": "bea@example.org", "subject": "Hello", "text": "Hi"}
SCRIPT = ["220 ready", "250 hello", "250 sender", "250 recipient"]


def on(at: int, **more: str) -> dict:
    credential = {"host": "127.0.0.1", "port": str(at), "security": "none", "from": "Ann <ann@example.org>", **more}
    return {"credentials": {"mail": credential}}


async def error_of(port: int, params=(), items=({},), more=(), **options) -> PyAgentError:
    with pytest.raises(PyAgentError) as caught:
        await run_node(email, items, {**BASE, **dict(params)}, **on(port, **dict(more)), **options)
    assert caught.value.hint
    return caught.value


async def test_a_mail_arrives_as_it_was_meant():
    blobs = TestBlobs()
    ref = await blobs.put(b"\x00\xff" * 1000, name="grüße.bin", media_type="image/png")
    params = {
        **BASE,
        "to": ["Béa Ü <bea@example.org>", "cai@müller.example"],
        "cc": "dan@example.org, Eve Doe <eve@example.org>, ",
        "bcc": "secret@example.org",
        "reply_to": "answers@example.org",
        "subject": "Grüße 😀 " + "long " * 40,
        "text": ".\r\n..two\nÜ " + "x" * 3000,
        "html": "<p>Ü</p>",
        "attachments": ["*"],
        "headers": {"X-Case": "ä"},
    }
    async with mail_server() as server:
        run = await run_node(email, [Item({"id": 1}, {"pic": ref})], params, blobs=blobs, **on(server.port))
    [mail] = server.mails
    message = mail.message
    assert mail.sender == "ann@example.org"
    assert mail.recipients == [
        "bea@example.org", "cai@xn--mller-kva.example", "dan@example.org", "eve@example.org", "secret@example.org",
    ]  # fmt: skip
    assert b"secret@" not in mail.content
    assert message["subject"].rstrip() == params["subject"].rstrip()
    assert message["to"] == "Béa Ü <bea@example.org>, cai@xn--mller-kva.example"
    assert message["reply-to"] == "answers@example.org"
    assert message["x-case"] == "ä"
    assert message.get_body(["plain"]).get_content().splitlines() == params["text"].splitlines()
    assert message.get_body(["html"]).get_content().strip() == "<p>Ü</p>"
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("grüße.bin", "image/png")
    assert attached.get_content() == b"\x00\xff" * 1000
    [json] = run.json()
    assert json["email"]["message_id"] == message["message-id"]
    assert json["email"]["answer"] == "250 2.0.0 Taken"
    assert json["id"] == 1


async def test_every_try_of_an_item_has_the_same_identity_and_every_item_its_own():
    async with mail_server() as server:
        for attempt in (1, 2):
            await run_node(email, [{}, {}], BASE, attempt=attempt, **on(server.port))
    first, second, *again = [mail.message["message-id"] for mail in server.mails]
    assert first != second
    assert again == [first, second]


@pytest.mark.parametrize(
    "params",
    [
        {"subject": "a\r\nBcc: evil@example.org"},
        {"subject": "a\nX: y"},
        {"to": "bea@example.org\r\nX: y"},
        {"to": ["Bea\n <bea@example.org>"]},
        {"from": "ann@example.org\r\nX: y"},
        {"reply_to": "ann@example.org\x00"},
        {"headers": {"X-A": "1\r\n\r\nbody"}},
        {"headers": {"X-A: y\r\nX-B": "1"}},
        {"headers": {"Bcc": "x@example.org"}},
        {"headers": {"Content-Type": "text/html"}},
        {"subject": "a\u2028b"},
    ],
)
async def test_no_header_can_be_smuggled_in(params):
    assert (await error_of(1, params)).code == "node.email_header"


@pytest.mark.parametrize("to", ["bea", "bea@", "@example.org", "a b@example.org", "<>", ", ,", "a@b@c"])
async def test_what_is_no_address_is_told(to):
    async with mail_server() as server:
        assert (await error_of(server.port, {"to": to})).code == "node.email_address"
    assert server.mails == []


async def test_a_refused_recipient_is_an_error_in_the_servers_words_and_nobody_gets_the_mail():
    async with mail_server() as server:
        error = await error_of(server.port, {"to": ["bea@example.org", "nobody@example.org"]})
        later = await error_of(server.port, {"to": "later@example.org"})
        spam = await error_of(server.port, {"headers": {"X-Refuse": "yes"}})
    assert error.code == "node.email_refused"
    assert "550 5.1.1 There is nobody of that name" in error.message
    assert list(error.details["recipients"]) == ["nobody@example.org"]
    assert (later.code, later.details["smtp"]) == ("node.email_later", 451)
    assert (spam.code, "looks like spam" in spam.message) == ("node.email_refused", True)
    assert server.mails == []


async def test_items_fail_alone():
    async with mail_server() as server:
        items = [{"to": "bea@example.org"}, {"to": "nobody@example.org"}, {"to": "cai@example.org"}]
        run = await run_node(
            email, items, lambda json, index: {**BASE, "to": json["to"]}, on_error="route", **on(server.port)
        )
    assert len(run.json("out")) == 2
    assert run.json("error")[0]["error"]["code"] == "node.email_refused"
    assert len(server.mails) == 2


async def test_addresses_in_other_scripts_need_a_server_that_takes_them():
    async with mail_server(utf8=True) as server, mail_server(utf8=False) as old:
        await run_node(email, [{}], {**BASE, "to": "用户@例子.example"}, **on(server.port))
        assert (await error_of(old.port, {"to": "用户@例子.example"})).code == "node.email_unsupported"
    assert server.mails[0].recipients == ["用户@xn--fsqu00a.example"]


@pytest.mark.parametrize(
    "script", [["220 ready", None], [*SCRIPT[:2], None], [*SCRIPT, None], [*SCRIPT, "354 go", "cut"]]
)
async def test_a_connection_broken_before_the_end_of_the_message_may_be_tried_again(script):
    text = "x" * 20_000_000 if script[-1] == "cut" else "Hi"
    async with scripted_server(script) as server:
        error = await error_of(server.port, {"text": text})
    assert error.code in ("node.email_broken", "node.email_connect")
    assert not isinstance(error, NodeTimeout)


@pytest.mark.parametrize(
    "script", [[*SCRIPT, "354 go", None], [*SCRIPT, "354 go", "hang"], [*SCRIPT, "354 go", "what"]]
)
async def test_a_connection_broken_after_it_leaves_the_outcome_unknown(script):
    async with scripted_server(script) as server:
        error = await error_of(server.port, {"timeout": "1s"})
    assert error.code == "node.email_unknown"
    assert isinstance(error, NodeTimeout)
    assert server.heard[-1].endswith("\r\n.\r\n")


async def test_a_server_that_hangs_is_left_when_the_step_is_cancelled():
    for script in (["hang"], [*SCRIPT, "hang"], [*SCRIPT, "354 go", "hang"]):
        async with scripted_server(script) as server:
            cancel = TestCancelToken()
            running = asyncio.create_task(run_node(email, [{}], BASE, cancel=cancel, **on(server.port)))
            await server.hangs.wait()
            cancel.trigger()
            with pytest.raises(NodeCancelled):
                await asyncio.wait_for(running, 1)


async def test_no_server_no_user_and_no_protocol_are_told():
    async with mail_server(login=("ann", "secret")) as server:
        await run_node(email, [{}], BASE, **on(server.port, user="ann", password="secret"))
        assert (await error_of(server.port, more={"user": "ann", "password": "wrong"})).code == "node.email_login"
        assert (await error_of(server.port)).code == "node.email_refused"
    assert (await error_of(server.port)).code == "node.email_connect"
    async with scripted_server(["HTTP/1.1 400 Bad Request", None]) as server:
        assert (await error_of(server.port)).code == "node.email_connect"
    assert (await error_of(1, more={"host": "mail.example.org"})).code == "input.credential"
    assert (await error_of(1, more={"port": "x"})).code == "input.credential"
    assert (await error_of(1, more={"security": "maybe"})).code == "input.credential"
    assert (await error_of(1, more={"from": ""})).code == "node.email_address"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_connections_are_encrypted_and_certificates_checked(security, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with mail_server(**{security: context}) as server:
        trusted = {"security": security, "ca_file": str(certificate / "cert.pem")}
        await run_node(email, [{}], BASE, **on(server.port, **trusted))
        assert (await error_of(server.port, more={"security": security})).code == "node.email_connect"
        assert len(server.mails) == 1


async def test_a_server_without_starttls_gets_nothing():
    async with mail_server() as server:
        assert (await error_of(server.port, more={"security": "starttls"})).code == "node.email_unsupported"
    assert server.mails == []


async def test_too_large_attachments_are_told():
    blobs = TestBlobs()
    item = Item({}, {"a": await blobs.put(b"12345", name="a")})
    params = {"attachments": ["a"], "max_size": 4}
    assert (await error_of(1, params, [item], blobs=blobs)).code == "node.email_size"
    assert (await error_of(1, {"attachments": ["b"]}, [item], blobs=blobs)).code == "node.binary_missing"
