"""The first release's database, as a kill left it (`replay/old_database.py`): it opens, and all its runs go on."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import StoreError
from pyagent.runtime.engine import Engine
from pyagent.runtime.inspect import step_data
from pyagent.runtime.journal import event, first_commit
from pyagent.runtime.log import Entry
from pyagent.runtime.versions import RulesNewer
from pyagent.store.base import KeyTaken, NewRun, Run
from pyagent.store.sqlite import SqliteStore
from pyagent.store.sqlite.database import Database
from pyagent.store.sqlite.schema import MIGRATIONS
from replay.old_database import talk

PACKED = Path(__file__).parents[1] / "replay" / "first_database.tar.xz"
SEEN = ["charge", 3, 5, 9, "ship"]
THREAD: Any = {"configurable": {"thread_id": "talk"}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where today's steps note what they do; the old program's notes are not there."""
    found = tmp_path / "home"
    found.mkdir()
    (found / "outbox").touch()
    (found / "letter.txt").write_text("hello")
    monkeypatch.setenv("HOME", str(found))
    # Code of then wrote where it liked; in a sandbox it would ask for the folder by `write`.
    monkeypatch.setenv("PYAGENT_SANDBOX", "off")
    return found


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database as it was found."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path / "store", filter="data")
    return tmp_path / "store" / "pyagent.db"


@pytest.fixture
async def store(old: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(old)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def engine(store: SqliteStore, home: Path) -> Engine:
    return Engine(store)


async def order(engine: Engine, n: int) -> Run:
    """The run of this number, that was not forked."""
    return next(
        run for run in await engine.store.list_runs() if run.labels.get("n") == str(n) and run.forked_from is None
    )


def did(home: Path) -> list[str]:
    """What steps have done under today's program."""
    return (home / "outbox").read_text().split("\n")[:-1]


def content(path: Path) -> tuple[int, str]:
    """The version of a database's schema and a digest of all that it holds."""
    with closing(sqlite3.connect(path)) as connection:
        dump = "\n".join(connection.iterdump())
        return connection.execute("PRAGMA user_version").fetchone()[0], hashlib.sha256(dump.encode()).hexdigest()


async def test_its_runs_are_as_they_were(engine: Engine) -> None:
    found = {n: (await order(engine, n)).status for n in range(1, 8)}

    assert found == dict(
        enumerate(["completed", "waiting", "waiting", "failed", "running", "cancelled", "queued"], start=1)
    )
    events = await engine.store.read_events(0, limit=10_000)
    assert [event.cursor for event in events] == list(range(1, len(events) + 1))
    assert {event.kind for event in events} >= {"run.queued", "step.completed", "run.failed", "run.cancelled"}
    with pytest.raises(KeyTaken):
        await engine.start(
            (await engine.store.get_graph((await order(engine, 2)).graph_hash)).text, {"n": 2}, key="order-2"
        )
    assert await engine.store.faults() == []


@pytest.mark.parametrize("choice", ["done", "retry"])
async def test_the_step_that_was_cut_short_is_settled_by_a_person_and_done_once(
    engine: Engine, home: Path, choice: Any
) -> None:
    run = await order(engine, 5)
    unknown = await engine.drive(run.id)

    assert unknown.status == "waiting"
    assert {step.step for step in await engine.store.steps(run.id) if step.status == "unknown"} == {"ship"}
    assert did(home) == []
    await engine.resolve(run.id, "ship", choice, **({"items": [{"shipped": 5}]} if choice == "done" else {}))
    assert (await engine.drive(run.id)).status == "completed"
    assert did(home) == (["ship 5"] if choice == "retry" else [])
    assert await engine.outputs(run.id) == {"seen": SEEN, "sizes": [3, 5, 9], "shipped": 5}
    kinds = [event.kind for event in await engine.store.read_events(0, run.id)]
    assert kinds.count("run.adopted") == kinds.count("run.completed") == 1


async def test_runs_that_wait_are_answered_and_what_they_did_is_not_done_again(engine: Engine, home: Path) -> None:
    person, signal = await order(engine, 2), await order(engine, 3)
    await engine.answer(person.id, "", {"approved": True}, actor="ben")
    await engine.signal("paid", {"by": "ben"}, key="3")
    for run in (person, signal):
        assert (await engine.drive(run.id)).status == "completed"

    assert did(home) == ["ship 2", "ship 3"]


async def test_a_run_that_failed_is_resumed_where_it_failed(engine: Engine, home: Path) -> None:
    run = await order(engine, 4)
    (home / "mended").touch()
    await engine.resume(run.id)

    assert (await engine.drive(run.id)).status == "completed"
    assert did(home) == ["ship 4"]


async def test_a_run_that_nobody_had_begun_is_executed(engine: Engine, home: Path) -> None:
    run = await engine.drive((await order(engine, 7)).id)
    assert run.status == "waiting"
    await engine.answer(run.id, "", {"approved": True})
    assert (await engine.drive(run.id)).status == "completed"
    assert did(home) == ["charge 7", "ship 7"]


async def test_what_had_ended_can_be_read_with_its_lineage_and_blobs_and_forked(engine: Engine, home: Path) -> None:
    run = await order(engine, 1)
    assert await engine.outputs(run.id) == {"seen": SEEN, "sizes": [3, 5, 9], "shipped": 1}
    lines = await step_data(engine, run.id, "lines")
    assert [item.json["size"] for item in lines.outputs["out"]] == [3, 5, 9]
    origins = [lines.origin(source) for item in lines.outputs["out"] for source in item.sources]
    assert [(origin.step, origin.index) for origin in origins if origin] == [("split", 0), ("split", 1), ("split", 2)]
    letter = next(iter((await step_data(engine, run.id, "letter")).outputs.values()))[0]
    assert "dear customer, " * 20_000 in letter.json.values()  # from a blob in a file of its own
    (made,) = [found for found in await engine.store.list_runs() if found.forked_from == run.id]
    assert (await engine.outputs(made.id))["shipped"] == 1

    text = (await engine.store.get_graph(run.graph_hash)).text
    by_word = "{type: object, reduce: merge, migrate: '{{ Object.fromEntries($state.seen.map(word => [word, 1])) }}'}"
    changed = text.replace("{type: array, reduce: append}", by_word).replace("seen: ship", "seen: '{{ ({ship: 1}) }}'")
    fork = await engine.drive((await engine.fork(run.id, "ship", graph=changed, once="repeat")).id)
    assert (await engine.outputs(fork.id))["seen"] == {"charge": 1, "3": 1, "5": 1, "9": 1, "ship": 1}
    assert did(home) == ["ship 1"]


async def test_all_its_runs_are_taken_up_by_one_worker(engine: Engine, home: Path) -> None:
    work = asyncio.ensure_future(engine.work())
    await engine.answer((await order(engine, 2)).id, "", {"approved": True})
    for n in (2, 5, 7):
        while (await order(engine, n)).status not in ("completed", "waiting"):
            await engine.store.changed(0.05)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    assert sorted(did(home)) == ["charge 7", "ship 2"]
    assert await engine.store.faults() == []


async def test_a_langgraph_thread_goes_on_where_it_stopped(store: SqliteStore) -> None:
    compiled = talk().compile(checkpointer=store.langgraph_saver(), interrupt_before=["second"])
    assert (await compiled.aget_state(THREAD)).next == ("second",)

    assert await compiled.ainvoke(None, THREAD) == {"words": ["begin", "first", "second"]}


async def test_a_checkpoint_of_a_newer_langgraph_is_refused_and_stays(store: SqliteStore) -> None:
    saver = store.langgraph_saver()
    compiled = talk().compile(checkpointer=saver, interrupt_before=["second"])
    found = await saver.aget_tuple(THREAD)
    assert found is not None
    config = {"configurable": {"thread_id": "talk", "checkpoint_ns": ""}}
    newer = {**found.checkpoint, "v": 99, "id": found.checkpoint["id"].replace("-", "f-", 1)[:36]}
    await saver.aput(config, newer, {}, found.checkpoint["channel_versions"])
    before = content(store.path)
    with pytest.raises(StoreError) as refused:
        await compiled.ainvoke(None, THREAD)

    assert (refused.value.code, refused.value.details["version"]) == ("store.checkpoint_newer", 99)
    assert content(store.path) == before


async def test_a_run_by_rules_of_a_newer_program_is_left_to_that_one(engine: Engine) -> None:
    known = await order(engine, 2)
    data = {"inputs": {"n": 9}, "trigger": "", "at": known.created_at.isoformat(), "semantics": 2}
    newer = NewRun(
        id="newer", graph_id="order", graph_hash=known.graph_hash, trigger="", inputs=known.inputs, semantics=2
    )
    first = first_commit([Entry("run.started", None, data)], [])
    await engine.store.create_run(newer, [event("run.queued", graph="order", actor="ann")], first)
    with pytest.raises(RulesNewer):
        await engine.drive("newer")
    with pytest.raises(RulesNewer):
        await engine.fork("newer", "letter")
    work = asyncio.ensure_future(engine.work())
    while (await order(engine, 7)).status != "waiting":
        await engine.store.changed(0.05)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    assert (await engine.store.get_run("newer")).status not in ("failed", "completed")
    assert len(await engine.store.read_log("newer")) == 1


async def opening_fails(path: Path) -> StoreError:
    """How it fails to open; what it holds is untouched."""
    before = content(path)
    with pytest.raises(StoreError) as refused:
        await SqliteStore(path, busy_limit=0.05).open()
    assert refused.value.hint
    assert content(path) == before
    return refused.value


async def test_a_schema_of_a_newer_program_is_refused_and_nothing_is_changed(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    assert (await opening_fails(old)).code == "store.schema_newer"


async def test_a_file_that_cannot_be_written_is_not_migrated(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = Database._connect

    def read_only(self: Database) -> sqlite3.Connection:
        connection = connect(self)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr(Database, "_connect", read_only)

    assert (await opening_fails(old)).code == "store.read_only"
    monkeypatch.undo()
    store = SqliteStore(old)
    await store.open()
    await store.close()
    assert content(old)[0] == len(MIGRATIONS)


KILLED = """
import asyncio, os, signal, sys
from pyagent.store.sqlite import SqliteStore, schema

place = int(sys.argv[2])

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Watched(tuple):
    def __getitem__(self, key):
        found = tuple.__getitem__(self, key)
        return (*found[:place], killed, *found[place:]) if isinstance(key, slice) else found

schema.MIGRATIONS = Watched(schema.MIGRATIONS)
asyncio.run(SqliteStore(sys.argv[1]).open())
"""


OPENING = """
import asyncio, sys
from pyagent.store.sqlite import SqliteStore
print(flush=True)
asyncio.run(SqliteStore(sys.argv[1]).open())
"""


def open_and_die(path: Path, place: int) -> int:
    """Open the store in another process, which kills itself before the migration at this place."""
    return subprocess.run([sys.executable, "-c", KILLED, path, str(place)], check=False).returncode


def open_and_be_killed(path: Path, seconds: float) -> None:
    """Open the store in another process, and kill that so long after it began."""
    with subprocess.Popen([sys.executable, "-c", OPENING, path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        child.kill()


@pytest.mark.integration
async def test_a_kill_between_any_two_migrations_leaves_the_old_database(old: Path) -> None:
    before = content(old)
    for place in range(len(MIGRATIONS)):
        assert open_and_die(old, place) == -signal.SIGKILL
        assert content(old) == before
    await _whole(old)


@pytest.mark.integration
async def test_a_kill_at_any_moment_of_a_migration_leaves_the_old_or_the_new_database(old: Path) -> None:
    before, kept = content(old), old.parent.with_name("kept")
    shutil.copytree(old.parent, kept)
    found: set[bool] = set()
    for milliseconds in (0, 1, 2, 4, 6, 8, 10, 14, 20, 30, 100, 2000):
        shutil.rmtree(old.parent)
        shutil.copytree(kept, old.parent)
        open_and_be_killed(old, milliseconds / 1000)
        after = content(old)
        found.add(after[0] == len(MIGRATIONS))
        assert after == before or after[0] == len(MIGRATIONS)
        await _whole(old)
    assert found == {False, True}


async def _whole(path: Path) -> None:
    """Today's program opens it, and finds everything."""
    store = SqliteStore(path)
    await store.open()
    assert len(await store.list_runs()) == 8
    assert await store.faults() == []
    await store.close()
    assert content(path)[0] == len(MIGRATIONS)
