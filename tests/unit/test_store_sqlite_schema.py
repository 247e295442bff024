"""The schema of the SQLite store, its migrations, and whether its queries use indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyagent.errors import PyAgentError, StoreError
from pyagent.store import Commit, codec
from pyagent.store.sqlite import SqliteStore, leases, rows, schema
from pyagent.testing.store import entry, event, new_run, step


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    yield store
    await store.close()


async def code_of_opening(path: Path) -> str:
    with pytest.raises(PyAgentError) as caught:
        await SqliteStore(path, busy_limit=0.05).open()
    assert caught.value.hint
    return caught.value.code


async def test_a_newer_schema_is_refused(store: SqliteStore) -> None:
    await store.close()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    assert await code_of_opening(store.path) == "store.schema_newer"


async def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    before = path.read_bytes()
    assert await code_of_opening(path) == "store.foreign"
    assert path.read_bytes() == before


async def test_migrations_run_once_in_order_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    run = await store.create_run(new_run())
    await store.close()
    second = (*schema.MIGRATIONS, "CREATE TABLE extra (a TEXT) STRICT;\nINSERT INTO extra VALUES (';');")
    broken = (*second, "CREATE TABLE more (a TEXT) STRICT;\nCREATE TABLE extra (a TEXT) STRICT;")
    for migrations, works in ((second, True), (second, True), (broken, False)):
        monkeypatch.setattr(schema, "MIGRATIONS", migrations)
        if works:
            await store.open()
            assert (await store.get_run(run.id)).id == run.id
            await store.close()
        else:
            with pytest.raises(StoreError):
                await store.open()
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(second),)
        assert connection.execute("SELECT a FROM extra").fetchall() == [(";",)]
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'more'").fetchone() == (0,)


async def test_a_database_that_the_first_schema_made_is_brought_up_to_date_and_keeps_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", current[:1])
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    await store.put_graph("triage", "hash-1", "text")
    await store.close()
    with closing(sqlite3.connect(store.path)) as old:
        old.execute(
            "INSERT INTO runs VALUES"
            " (1, 'old', 'triage', 'hash-1', '', ?, 1, 'k', 0, NULL, NULL, NULL, 'o', 'a', 1, ?, 7)",
            (codec.encode(b'{"mail": 1}'), codec.encode_json({"team": "a"})),
        )
        old.execute("INSERT INTO run_state (run, updated_at) VALUES (1, 8)")
        old.commit()
    monkeypatch.setattr(schema, "MIGRATIONS", current)

    await store.open()

    run = await store.get_run("old")
    assert (run.inputs, run.key, run.owner, run.labels, run.status) == (
        b'{"mail": 1}',
        "k",
        "o",
        {"team": "a"},
        "queued",
    )
    assert (run.continues, run.continued_as, run.slot) == (None, None, None)
    assert await store.claimable() == ["old"]
    assert await store.activations() == []
    assert (await store.activate("triage", "hash-1")).graph_id == "triage"
    await store.close()


async def test_a_database_with_a_row_for_each_event_keeps_all_it_has_and_its_runs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = schema.MIGRATIONS
    path = tmp_path / "pyagent.db"
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    stamp = rows.stamp(at)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        monkeypatch.setattr(schema, "MIGRATIONS", current[:3])
        old.execute("BEGIN")
        schema.migrate(old, str(path))
        for number, run in enumerate(("first", "second"), 1):
            old.execute(
                "INSERT INTO runs (run, id, graph_id, graph_hash, trigger, inputs, production, key_window, owner,"
                " actor, semantics, labels, created_at) VALUES (?, ?, 'triage', 'h', '', ?, 1, 0, 'o', 'a', 1, ?, 7)",
                (number, run, codec.encode(b"{}"), codec.encode_json({})),
            )
            old.execute(
                "INSERT INTO run_state (run, status, updated_at, log_length, step_count, lease_owner, lease_token,"
                " lease_expires_at) VALUES (?, 'running', 8, 1200, 3, 'worker', 4, ?)",
                (number, stamp),
            )
            old.executemany(
                "INSERT INTO log VALUES (?, ?, 'step.ended', ?, ?)",
                [(number, seq, f"s{seq}", codec.encode(b"%d" % seq * 200)) for seq in range(1, 1201)],
            )
            wait = codec.encode_json({"kind": "signal", "name": "paid", "key": run})
            old.executemany(
                "INSERT INTO steps VALUES (?, ?, ?, 'n', '', ?, 2, ?, NULL, 3, ?, NULL, ?, ?, ?)",
                [
                    (number, "late", 3, "waiting", stamp, None, wait, "paid", run),
                    (number, "early", 1, "completed", None, codec.encode_json({"out": 4}), None, None, None),
                ],
            )
        old.executemany(
            "INSERT INTO events (cursor, run, kind, step, at, data) VALUES (?, ?, 'step.log', 's', ?, ?)",
            [
                (cursor, 1 if cursor < 700 or cursor % 2 else 2, stamp, codec.encode_json({"n": cursor, "big": 2**70}))
                for cursor in range(1, 1001)
                if cursor not in (300, 301)  # of a run that was deleted
            ],
        )
        old.execute("UPDATE sqlite_sequence SET seq = 1005 WHERE name = 'events'")
        old.execute("COMMIT")
    monkeypatch.setattr(schema, "MIGRATIONS", current)
    store = SqliteStore(path, clock=lambda: at)
    await store.open()

    events = await store.read_events(limit=5000)
    assert [one.cursor for one in events] == [cursor for cursor in range(1, 1001) if cursor not in (300, 301)]
    assert {one.run_id for one in events if one.cursor < 700} == {"first"}
    assert all(one.data == {"n": one.cursor, "big": 2**70} and one.at == at for one in events)
    assert [one.cursor for one in await store.read_events(996, "second")] == [998, 1000]
    assert await store.last_cursor() == 1005
    for run in ("first", "second"):
        log = await store.read_log(run)
        assert [(one.seq, one.step, one.body) for one in log] == [
            (seq, f"s{seq}", b"%d" % seq * 200) for seq in range(1, 1201)
        ]
        early, late = await store.steps(run)
        assert (early.step, early.items_out, early.attempt, early.items_in) == ("early", {"out": 4}, 2, 3)
        assert (late.step, late.started_at, late.wait) == ("late", at, {"kind": "signal", "name": "paid", "key": run})
        lease = await store.claim(run, "other", timedelta(minutes=1))
        assert (lease.adopted, lease.token) == (True, 5)
        await store.commit(lease, Commit(entries=[entry(1201)], events=[event()], status="waiting", release=True))
    assert [one.cursor for one in await store.read_events(1000)] == [1006, 1007]
    await store.post(None, "signal", name="paid", key="second")
    assert await store.claimable() == ["second"]
    lease = await store.claim("second", "other", timedelta(minutes=1))
    await store.commit(lease, Commit(steps=[step("late", status="completed")], release=True))
    assert await store.claimable() == []
    await store.close()
    with closing(sqlite3.connect(path)) as migrated:
        tables = {row[0] for row in migrated.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert not tables & {"log", "events", "steps"}


async def test_a_migration_that_fails_leaves_the_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current = schema.MIGRATIONS
    path = tmp_path / "pyagent.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        monkeypatch.setattr(schema, "MIGRATIONS", current[:3])
        old.execute("BEGIN")
        schema.migrate(old, str(path))
        values = (codec.encode(b"{}"), codec.encode_json({}))
        old.execute(
            "INSERT INTO runs (run, id, graph_id, graph_hash, trigger, inputs, production, key_window, owner,"
            " actor, semantics, labels, created_at) VALUES (1, 'r', 'g', 'h', '', ?, 1, 0, 'o', 'a', 1, ?, 7)",
            values,
        )
        old.execute("INSERT INTO events VALUES (1, 1, 'k', 's', 1, x'7f00')")
        old.execute("COMMIT")
    monkeypatch.setattr(schema, "MIGRATIONS", current)
    assert await code_of_opening(path) == "store.codec"
    with closing(sqlite3.connect(path)) as kept:
        assert kept.execute("PRAGMA user_version").fetchone() == (3,)
        assert kept.execute("SELECT count(*) FROM events").fetchone() == (1,)


async def test_queries_of_every_commit_use_an_index(store: SqliteStore) -> None:
    def plans(connection: sqlite3.Connection) -> list[str]:
        queries = [
            "SELECT 1 FROM runs r JOIN run_state s ON s.run = r.run WHERE r.id = 'x'",
            "SELECT max(place) FROM batches",
            "SELECT 1 FROM batches WHERE run = 1 AND place > 2 AND log_end > 3 ORDER BY place",
            "SELECT 1 FROM batches b CROSS JOIN runs r ON r.run = b.run WHERE b.place >= 2 ORDER BY b.place",
            "SELECT 1 FROM messages WHERE run = 1",
            "SELECT 1 FROM messages WHERE run IS NULL AND name = 'a' AND key = 'b'",
            "DELETE FROM waits WHERE run = 1 AND step = 'a'",
            "UPDATE run_state SET seen = 1 WHERE run = (SELECT run FROM runs WHERE id = 'x') AND lease_token = 1",
            "SELECT 1 FROM run_state o WHERE o.slot = 'a' AND o.status IN ('queued', 'running', 'waiting', 'paused')",
            "SELECT 1 FROM runs WHERE continues = 'x'",
            "SELECT 1 FROM posted WHERE run = 1 AND once = 'a'",
            "DELETE FROM messages WHERE id = 1 AND (run = 1 OR run IS NULL)",
        ]
        return [
            row[3] for query in queries for row in connection.execute(f"EXPLAIN QUERY PLAN {query}") if row[3][0] == "S"
        ]

    def plans_of_taking(connection: sqlite3.Connection) -> list[str]:
        woken = connection.execute(f"EXPLAIN QUERY PLAN {leases.WOKEN}", {"now": 1, "limit": 1})
        found = [row[3] for row in woken if row[3] != "SCAN c" and "ORDER BY" not in row[3]]
        of = {"priority": 0, "fairness": "a", "after": 1, "page": 2, "free": None, "slot": "s"}
        for query, given in ((leases.QUEUED, of), (leases.FREE_SLOTS, of), (leases.BUSY, of), (leases.LINE, (0, 1, 2))):
            found += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", given)]
        made = ("SCAN found", "SCAN CONSTANT ROW", "SCAN json_each")  # rows that the query makes itself
        return [plan for plan in found if not plan.startswith(made)]

    found = [*await store.database.read(plans), *await store.database.read(plans_of_taking)]
    assert found
    assert [plan for plan in found if plan.startswith("SCAN")] == ["SCAN m USING INDEX signals"]
    assert not [plan for plan in found if "ORDER BY" in plan]
