"""The node that talks to databases, on SQLite."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from pathlib import Path

import pytest
from pydantic import ValidationError

from pyagent.errors import PyAgentError
from pyagent.sdk import NodeCancelled
from pyagent.testing import TestCancelToken, TestContext, run_node
from pyagent_nodes.io.sql import sql

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "a #%ü.db"
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE "people" (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "a b" BLOB, day DATE)')
        connection.executemany("INSERT INTO people (name) VALUES (?)", [("Ann",), ("Bob",)])
    connection.close()
    return path


async def run(base: Path, items=({},), options=(), **params):
    return await run_node(
        sql, items, {"url": f"sqlite:///{base.name}", **params}, work_dir=base.parent, **dict(options)
    )


async def error_of(base: Path, items=({},), options=(), **params) -> PyAgentError:
    with pytest.raises(PyAgentError) as caught:
        await run(base, items, options, **params)
    assert caught.value.hint
    return caught.value


def rows(base: Path, statement: str = "SELECT id, name FROM people ORDER BY id") -> list[tuple]:
    connection = sqlite3.connect(base)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


async def test_a_query_runs_for_each_item_with_its_values(base):
    found = await run_node(
        sql,
        [{"q": 2}, {"q": 0}],
        lambda json, index: {
            "url": f"sqlite:///{base}",
            "statement": "SELECT id, name, id AS ID, id FROM people WHERE id >= :least ORDER BY id",
            "values": {"least": json["q"]},
        },
    )
    assert found.json() == [
        {"id": 2, "name": "Bob", "ID": 2, "id_2": 2},
        {"id": 1, "name": "Ann", "ID": 1, "id_2": 1},
        {"id": 2, "name": "Bob", "ID": 2, "id_2": 2},
    ]
    assert found.sources() == [[0], [1], [1]]


async def test_values_never_become_part_of_the_statement(base):
    evil = "x'; DROP TABLE people; --"
    found = await run(base, statement="SELECT :v AS v, '12:30' AS t, 'a\\:b' AS u", values={"v": evil})
    assert found.json() == [{"v": evil, "t": "12:30", "u": "a:b"}]


@pytest.mark.parametrize("values", [{}, {"a": 1, "b": 2}, {"b": 1}])
async def test_values_and_statement_must_fit(base, values):
    assert (await error_of(base, statement="SELECT :a", values=values)).code == "node.sql_values"


async def test_types_become_json_and_objects_go_as_json(base):
    statement = "SELECT x'00ff' AS b, 1.5 AS f, NULL AS n, :o ->> '$.a' AS o, json_array_length(:l) AS l"
    found = await run(base, statement=statement, values={"o": {"a": "ü"}, "l": [1, 2]})
    assert found.json() == [{"b": base64.b64encode(b"\x00\xff").decode(), "f": 1.5, "n": None, "o": "ü", "l": 2}]


async def test_a_query_cannot_write(base):
    for statement in (
        "DELETE FROM people",
        "INSERT INTO people (name) VALUES ('x') RETURNING id",
        "CREATE TABLE x (a)",
    ):
        assert (await error_of(base, statement=statement)).code == "node.sql_read_only"
    assert (await error_of(base, statement="SELECT 1; DELETE FROM people")).code == "node.sql_statement"
    assert len(rows(base)) == 2
    assert (await error_of(base.with_name("none.db"), statement="SELECT 1")).code == "node.sql_connect"
    assert not base.with_name("none.db").exists()


async def test_execute_changes_all_or_nothing(base):
    def params(json, index):
        statement = "UPDATE people SET name = :name WHERE id = :id"
        return {"url": f"sqlite:///{base}", "mode": "execute", "statement": statement, "values": json}

    done = await run_node(sql, [{"id": 1, "name": "A"}, {"id": 9, "name": "B"}], params)
    assert [json["sql"]["rows"] for json in done.json()] == [1, 0]
    assert rows(base) == [(1, "A"), (2, "Bob")]
    with pytest.raises(PyAgentError) as caught:
        await run_node(sql, [{"id": 1, "name": "X"}, {"id": 2, "name": None}], params)
    assert (caught.value.code, caught.value.details["item"]) == ("node.sql_constraint", 1)
    assert rows(base) == [(1, "A"), (2, "Bob")]
    returning = {"mode": "execute", "statement": "DELETE FROM people RETURNING id"}
    assert (await run(base, **returning)).json() == [{"id": 1}, {"id": 2}]
    assert rows(base) == []


async def test_items_are_inserted_and_upserted_as_rows(base):
    many = [{"name": f"n{n}"} if n % 2 else {"name": f"n{n}", "day": "2024-01-02", "a b": "AP8="} for n in range(1100)]
    done = await run(base, many, mode="insert", table="people")
    assert done.json() == many
    assert len(rows(base)) == 1102
    assert rows(base, 'SELECT "a b", day FROM people WHERE id = 3') == [(b"\x00\xff", "2024-01-02")]
    changed = [{"id": 1, "name": "Ann B.", "x": 1}, {"id": 5000, "name": "new", "x": 1}]
    for _ in range(2):
        await run(base, changed, mode="upsert", table="people", key=["id"], columns=["id", "name"])
    assert rows(base)[0] == (1, "Ann B.")
    assert rows(base)[-1] == (5000, "new")


async def test_one_bad_row_undoes_all(base):
    error = await error_of(base, [{"name": "x"}, {"name": None}], mode="insert", table="people")
    assert error.code == "node.sql_constraint"
    assert len(rows(base)) == 2


async def test_names_of_tables_and_columns_are_checked_and_quoted(base):
    evil = 'people" (name) VALUES (1); DROP TABLE people; --'
    assert (await error_of(base, [{"name": "x"}], mode="insert", table=evil)).code == "node.sql_table"
    assert (await error_of(base, [{'name") --': "x"}], mode="insert", table="people")).code == "node.sql_table"
    assert (await error_of(base, [{"a b": "no base64"}], mode="insert", table="people")).code == "node.sql_values"
    upsert = {"mode": "upsert", "table": "people", "key": ["id"]}
    assert (await error_of(base, [{"name": "x"}], **upsert)).code == "node.sql_values"
    assert (await error_of(base, [{"id": 2**70, "name": "x"}], **upsert)).code == "node.sql_values"
    assert (
        await error_of(base, [{"name": "x"}], mode="upsert", table="people", key=["name"])
    ).code == "node.sql_statement"
    assert len(rows(base)) == 2


async def test_an_error_names_its_place(base):
    error = await error_of(base, statement="SELECT *\nFORM people")
    assert (error.code, error.where.line, error.where.column) == ("node.sql_statement", 2, 1)
    assert error.where.field == "with.statement"
    assert (await error_of(base, statement="SELECT nothing FROM people")).code == "node.sql_statement"


async def test_more_rows_than_allowed_are_an_error(base):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    assert (await error_of(base, statement=endless, max_rows=1200)).code == "node.sql_rows"


@pytest.mark.parametrize("mode", ["query", "execute"])
async def test_a_slow_statement_is_stopped(base, mode):
    assert (await error_of(base, mode=mode, statement=FOREVER, timeout="300ms")).code == "node.sql_timeout"


@pytest.mark.parametrize("how", ["token", "task"])
async def test_cancelling_stops_a_statement_that_would_not_end(base, how):
    cancel, begun = TestCancelToken(), asyncio.Event()

    class Context(TestContext):
        def progress(self, fraction: float | None = None, message: str = "") -> None:
            begun.set()

    options = {"cancel": cancel, "context": Context}
    running = asyncio.create_task(run(base, options=options, statement=FOREVER))
    await begun.wait()
    cancel.trigger() if how == "token" else running.cancel()
    with pytest.raises((NodeCancelled, asyncio.CancelledError)):
        await running


async def test_a_database_that_is_held_is_waited_for_and_then_told(base):
    holder = sqlite3.connect(base, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    insert = {"mode": "insert", "table": "people", "items": [{"name": "x"}]}
    error = await error_of(base, **insert, timeout="1s")
    assert error.code == "node.sql_locked"
    waiting = asyncio.create_task(run(base, **insert, timeout="20s"))
    asyncio.get_running_loop().call_later(0.4, holder.execute, "COMMIT")
    await waiting
    holder.close()
    assert len(rows(base)) == 3


async def test_what_is_no_database_is_told(base):
    other = base.with_name("other.db")
    other.write_bytes(b"no database at all" * 100)
    assert (await error_of(other, statement="SELECT * FROM x")).code == "node.sql_connect"
    assert (await error_of(base.parent, statement="SELECT 1", url="sqlite:///.")).code == "node.sql_connect"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"url": "postgresql://ann:secret@127.0.0.1/x"}, "input.database"),
        ({"url": "mysql://127.0.0.1/x"}, "input.database"),
        ({"url": "sqlite://"}, "input.database"),
        ({"url": "no address"}, "input.database"),
        ({"credential": "none"}, "credential.not_found"),
    ],
)
async def test_addresses_are_checked_and_passwords_stay_out_of_graphs(given, code):
    with pytest.raises(PyAgentError) as caught:
        await run_node(sql, [{}], {"statement": "SELECT 1", **given})
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {"statement": "SELECT 1"},
        {"url": "sqlite:///x", "credential": "y", "statement": "SELECT 1"},
        {"url": "sqlite:///x"},
        {"url": "sqlite:///x", "statement": "SELECT 1", "table": "t"},
        {"url": "sqlite:///x", "mode": "insert", "statement": "SELECT 1"},
        {"url": "sqlite:///x", "mode": "upsert", "table": "t"},
        {"url": "sqlite:///x", "mode": "insert", "table": "t", "key": ["id"]},
    ],
)
async def test_parameters_that_do_not_fit_are_refused(params):
    with pytest.raises(ValidationError):
        await run_node(sql, [{}], params)


@pytest.mark.parametrize(
    ("mode", "effects"), [("query", "idempotent"), ("execute", "once"), ("insert", "once"), ("upsert", "idempotent")]
)
def test_effects_follow_the_mode(mode, effects):
    params = {"url": "sqlite:///x", "mode": mode}
    params |= {"table": "t"} if mode in ("insert", "upsert") else {"statement": "SELECT 1"}
    params |= {"key": ["id"]} if mode == "upsert" else {}
    assert sql.effects_for(sql.validate_params(params)) == effects
