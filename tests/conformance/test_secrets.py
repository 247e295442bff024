"""Secrets do not reach logs, events, step rows or errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leaky_nodes import LEAKY, SECRET, fail, leak
from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Items, NoParams, Registry, node
from pyagent.store import open_store


@node("leaky.nested", title="Nested", effects="idempotent")
async def nested(items: Items, params: NoParams, ctx: Context) -> None:
    """Says a password that begins with a name that it read before."""
    name = (await ctx.credential("who"))["user"]
    ctx.log(f"{name} comes in by {(await ctx.credential('mail'))['password']}")


async def test_a_secret_that_begins_with_another_is_masked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_WHO", json.dumps({"user": "correct"}))
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps({"password": SECRET}))
    registry = Registry({})
    registry.add(nested)
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    await store.open()
    try:
        await Engine(store, registry=registry).run(
            "pyagent: 1\nid: nested\nnodes: [{id: say, use: leaky.nested@1}]\nedges: []\n"
        )
        said = [event for event in await store.read_events() if event.kind == "step.log"]
    finally:
        await store.close()

    assert [event.data["message"] for event in said] == ["•••• comes in by ••••"]


async def test_a_credential_is_masked_wherever_a_node_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", json.dumps({"password": SECRET}))
    registry = Registry({})
    registry.add(leak)
    registry.add(fail)
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    await store.open()
    try:
        run = await Engine(store, registry=registry).run(LEAKY)
        events = await store.read_events()
        steps = await store.steps(run.id)
        log = await store.read_log(run.id)
    finally:
        await store.close()

    assert run.status == "failed"
    assert "RuntimeError: still" in (run.error or {})["message"]
    assert SECRET not in repr((run, events, steps, log))
    assert {event.kind for event in events} >= {"step.log", "step.progress", "step.token", "step.failed", "run.failed"}
