"""A database that the first release's schema made, with runs in flight: it opens, migrates, and they finish."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from pyagent.runtime.engine import Engine
from pyagent.store.base import KeyTaken, Run
from pyagent.store.sqlite import SqliteStore
from pyagent.store.sqlite.schema import MIGRATIONS

OLD = Path(__file__).parents[1] / "replay" / "first_schema.sql"
SENT = {"total": 12}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.executescript(OLD.read_text(encoding="utf-8"))
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
    made = SqliteStore(tmp_path / "old.db")
    await made.open()
    yield made
    await made.close()
    with closing(sqlite3.connect(tmp_path / "old.db")) as new:
        assert new.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


async def runs_of(store: SqliteStore) -> dict[str, Run]:
    return {run.status: run for run in await store.list_runs()}


async def test_a_waiting_run_of_an_old_database_is_answered_and_finishes(store: SqliteStore) -> None:
    engine = Engine(store)
    run = (await runs_of(store))["waiting"]
    with pytest.raises(KeyTaken):
        await engine.start("parcel", {"items": []}, key="order-7")
    before = await store.read_events(0, run.id)
    await engine.signal("paid", {"by": "ben"})
    assert await store.claimable() == [(await runs_of(store))["running"].id, run.id][::-1]
    ended = await engine.drive(run.id)

    assert ended.status == "completed"
    outputs = await engine.outputs(run.id)
    assert (outputs["sent"], outputs["paid"]["value"]) == (SENT, {"by": "ben"})
    after = await store.read_events(0, run.id)
    assert after[: len(before)] == before
    assert [event.kind for event in after][-1] == "run.completed"
    assert {step.status for step in await store.steps(run.id)} == {"completed"}


async def test_a_run_whose_worker_died_under_the_old_program_is_taken_over(store: SqliteStore) -> None:
    engine = Engine(store)
    run = (await runs_of(store))["running"]
    waiting = await engine.drive(run.id)
    assert waiting.status == "waiting"
    assert "run.adopted" in [event.kind for event in await store.read_events(0, run.id)]
    await engine.signal("paid", 1, run_id=run.id)
    assert (await engine.drive(run.id)).status == "completed"
    assert (await engine.outputs(run.id))["sent"] == SENT


async def test_what_had_ended_is_as_it_was_and_can_be_replayed_and_forked(store: SqliteStore) -> None:
    engine = Engine(store)
    run = (await runs_of(store))["completed"]
    assert (await engine.outputs(run.id))["sent"] == SENT
    state, entries = await engine.replay(run.id)
    for entry in entries:
        state.apply(entry)
    assert state.ended is not None
    assert state.ended["outputs"]["sent"] == SENT
    fork = await engine.fork(run.id, "sum")
    assert (await engine.drive(fork.id)).status == "completed"
    assert (await engine.outputs(fork.id))["sent"] == SENT
    await store.delete_run(run.id)
    assert await store.faults() == []


async def test_cursors_go_on_after_those_of_the_old_database(store: SqliteStore) -> None:
    events = await store.read_events(0)
    assert [event.cursor for event in events] == list(range(1, len(events) + 1))
    engine = Engine(store)
    run = (await runs_of(store))["waiting"]
    await engine.cancel(run.id)
    await engine.drive(run.id)
    assert (await store.read_events(len(events)))[0].cursor == len(events) + 1
