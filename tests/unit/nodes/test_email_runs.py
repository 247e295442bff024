"""What becomes of a run whose mail was, was not, or may have been sent."""

from __future__ import annotations

import asyncio
import json

import pytest

from pyagent.runtime.engine import Engine
from pyagent.testing import MemoryStore
from smtp_server import mail_server, scripted_server

GRAPH = """
pyagent: 1
id: mail
name: Mail
inputs: {{}}
outputs: {{to: "{{{{ $('send').first().json.email.recipients }}}}"}}
nodes:
  - id: send
    use: io.email@1
    with: {{credential: mail, to: bea@example.org, subject: Hi, text: Hello}}
    {more}
"""
SCRIPT = ["220 ready", "250 hello", "250 sender", "250 recipient", "354 go"]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    def use(port: int) -> None:
        credential = {"host": "127.0.0.1", "port": port, "security": "none", "from": "ann@example.org"}
        monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps(credential))

    return use


async def test_a_mail_whose_outcome_nobody_knows_waits_for_a_person_and_is_not_sent_again(use):
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    async with scripted_server([*SCRIPT, None]) as server:
        use(server.port)
        run = await engine.run(GRAPH.format(more="retry: {attempts: 5, initial: 1ms}"))
        assert run.status == "waiting"
        assert [line for line in server.heard if line.startswith("DATA")] == ["DATA\r\n"]
    await engine.resolve(run.id, "send", "done", items=[{"email": {"recipients": ["bea@example.org"]}}])
    run = await engine.drive(run.id)
    assert await engine.outputs(run.id) == {"to": ["bea@example.org"]}


async def test_a_mail_that_was_not_sent_is_tried_again_where_the_graph_says_so(use):
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    async with scripted_server([*SCRIPT[:3], None]) as broken, mail_server() as server:
        use(broken.port)
        retry = "retry: {attempts: 50, initial: 50ms}"
        running = asyncio.create_task(engine.run(GRAPH.format(more=retry)))
        await asyncio.wait_for(broken.left.wait(), 10)
        use(server.port)
        run = await running
        assert run.status == "completed", run.error
    assert [mail.recipients for mail in server.mails] == [["bea@example.org"]]
