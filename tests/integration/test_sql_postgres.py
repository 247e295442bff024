"""The node that talks to databases, on a real Postgres."""

from __future__ import annotations

import asyncio
import socket

import psycopg
import pytest

from postgres_server import Postgres
from pyagent.errors import PyAgentError
from pyagent.sdk import NodeCancelled, NodeTimeout
from pyagent.testing import TestCancelToken, TestContext, run_node
from pyagent_nodes.io.sql import sql

pytestmark = pytest.mark.integration


@pytest.fixture
def postgres(postgres_cluster: Postgres) -> Postgres:
    """The server with a new table `people`."""
    execute(
        postgres_cluster,
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
        "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, born date, about jsonb, tags text[], raw bytea, "
        "worth numeric(12, 2), seen timestamptz DEFAULT now());"
        "INSERT INTO people (id, name) VALUES (1, 'Ann'), (2, 'Bob')",
    )
    return postgres_cluster


def open_connection(server: Postgres) -> psycopg.Connection:
    found = server.credential
    return psycopg.connect(found["url"], user=found["user"], password=found["password"], autocommit=True)


def execute(server: Postgres, statement: str) -> list[tuple]:
    with open_connection(server) as connection:
        done = connection.execute(statement)  # type: ignore[arg-type]
        return done.fetchall() if done.description else []


async def run(server: Postgres, items=({},), options=(), credential=(), **params):
    options = {"credentials": {"db": {**server.credential, **dict(credential)}}, **dict(options)}
    return await run_node(sql, items, {"credential": "db", **params}, **options)


async def error_of(server: Postgres, items=({},), options=(), credential=(), **params) -> PyAgentError:
    with pytest.raises(PyAgentError) as caught:
        await run(server, items, options, credential, **params)
    assert caught.value.hint
    return caught.value


async def test_types_become_json(postgres):
    statement = (
        "SELECT 12.50::numeric AS a, 'NaN'::float8 AS b, date '2024-05-06' AS c, timestamptz '2024-05-06 07:08Z' AS d, "
        "interval '1 day' AS e, '\\x00ff'::bytea AS f, '{\"x\": [1, null]}'::jsonb AS g, "
        "ARRAY[1.5::numeric, NULL] AS h, "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS i, true AS j, int8range(1, 5) AS k, '10.0.0.1'::inet AS l, "
        "NULL AS m, 9007199254740993 AS n"
    )
    [row] = (await run(postgres, statement=statement)).json()
    assert row == {
        "a": "12.50", "b": "nan", "c": "2024-05-06", "d": "2024-05-06T07:08:00+00:00", "e": 86400.0, "f": "AP8=",
        "g": {"x": [1, None]}, "h": ["1.5", None], "i": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "j": True,
        "k": "[1, 5)", "l": "10.0.0.1", "m": None, "n": 9007199254740993,
    }  # fmt: skip
    [row] = (await run(postgres, statement="SELECT 12.50 AS a", decimals="number")).json()
    assert row == {"a": 12.5}


async def test_values_are_bound_whatever_they_are(postgres):
    evil = "'; DROP TABLE people; --"
    values = {"t": evil, "d": "2024-05-06", "ids": [1, 2], "o": {"a": [1]}}
    statement = (
        "SELECT :t AS t, born, :o ->> 'a' AS o, name LIKE '%n' AS l FROM people "
        "WHERE id = ANY(:ids) AND (born IS NULL OR born > :d) ORDER BY id"
    )
    found = (await run(postgres, statement=statement, values=values)).json()
    assert found == [
        {"t": evil, "born": None, "o": "[1]", "l": True},
        {"t": evil, "born": None, "o": "[1]", "l": False},
    ]


async def test_a_query_cannot_write(postgres):
    for statement in (
        "DELETE FROM people",
        "INSERT INTO people (id, name) VALUES (3, 'x') RETURNING id",
        "CREATE TABLE x (a int)",
    ):
        assert (await error_of(postgres, statement=statement)).code == "node.sql_read_only"
    hidden = ("SELECT 1; DELETE FROM people", "SHOW server_version; COMMIT; DELETE FROM people")
    for statement in hidden:
        assert (await error_of(postgres, statement=statement)).code == "node.sql_statement"
    assert len(execute(postgres, "SELECT * FROM people")) == 2
    assert (await run(postgres, statement="SHOW transaction_read_only")).json() == [{"transaction_read_only": "on"}]


async def test_large_results_come_piece_by_piece_and_are_bounded(postgres):
    found = await run(postgres, statement="SELECT n FROM generate_series(1, 2000) AS n")
    assert [json["n"] for json in found.json()] == list(range(1, 2001))
    endless = "SELECT generate_series(1, 100000000000) AS n"
    assert (await error_of(postgres, statement=endless, max_rows=1000, timeout="20s")).code == "node.sql_rows"


async def test_rows_are_inserted_and_upserted_with_their_columns_types(postgres):
    row = {"id": 3, "name": "Cai", "born": "2000-01-02", "about": {"a": "ü"}, "tags": ["x", "y"], "raw": "AP8=",
           "worth": "12.50"}  # fmt: skip
    await run(postgres, [row, {"id": 4, "name": "Dan", "about": "text"}], mode="insert", table="people")
    [found] = execute(postgres, "SELECT name, born::text, about, tags, raw, worth::text FROM people WHERE id = 3")
    assert found == ("Cai", "2000-01-02", {"a": "ü"}, ["x", "y"], b"\x00\xff", "12.50")
    changed = [{"id": 3, "name": "C."}, {"id": 5, "name": "Eve"}]
    for _ in range(2):
        await run(postgres, changed, mode="upsert", table="people", schema="public", key=["id"])
    assert execute(postgres, "SELECT name FROM people ORDER BY id")[2:] == [("C.",), ("Dan",), ("Eve",)]


async def test_all_or_nothing(postgres):
    many = [{"id": n, "name": f"n{n}"} for n in range(10, 1500)]
    assert (await error_of(postgres, [*many, {"id": 1, "name": "x"}], mode="insert", table="people")).code == (
        "node.sql_constraint"
    )
    error = await error_of(postgres, [{"id": 9, "name": "x", "born": "never"}], mode="insert", table="people")
    assert error.code == "node.sql_values"
    assert (
        await error_of(postgres, [{"id": 9, "name": "a\0"}], mode="insert", table="people")
    ).code == "node.sql_values"
    assert len(execute(postgres, "SELECT * FROM people")) == 2
    done = await run(postgres, mode="execute", statement="UPDATE people SET name = name || '!'")
    assert done.json() == [{"sql": {"rows": 2}}]


@pytest.mark.parametrize(
    ("statement", "line", "column"),
    [
        ("SELECT :v, *\nFORM people", 2, 1),
        ("SELECT :long_name, :long_name, :v,\n  nothing FROM people", 2, 3),
        ("EXPLAIN SELECT :v,\n nothing FROM people", 2, 2),
    ],
)
async def test_an_error_names_its_place(postgres, statement, line, column):
    values = {"v": "x", **({"long_name": "y"} if "long_name" in statement else {})}
    error = await error_of(postgres, statement=statement, values=values)
    assert (error.code, error.where.line, error.where.column) == ("node.sql_statement", line, column)


@pytest.mark.parametrize("mode", ["query", "execute"])
async def test_a_slow_statement_is_stopped_on_the_server_too(postgres, mode):
    error = await error_of(postgres, mode=mode, statement="SELECT pg_sleep(600)", timeout="300ms")
    assert error.code == "node.sql_timeout"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active'"
    assert execute(postgres, f"{running} AND pid <> pg_backend_pid()") == [(0,)]


@pytest.mark.parametrize("how", ["token", "task"])
async def test_cancelling_stops_a_statement_that_would_not_end(postgres, how):
    cancel, begun = TestCancelToken(), asyncio.Event()

    class Context(TestContext):
        def progress(self, fraction: float | None = None, message: str = "") -> None:
            begun.set()

    options = {"cancel": cancel, "context": Context}
    running = asyncio.create_task(run(postgres, options=options, statement="SELECT pg_sleep(600)"))
    await begun.wait()
    cancel.trigger() if how == "token" else running.cancel()
    with pytest.raises((NodeCancelled, asyncio.CancelledError)):
        await running


async def test_a_lock_is_waited_for_until_the_time_is_up(postgres):
    with open_connection(postgres) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE people IN EXCLUSIVE MODE")
        error = await error_of(postgres, [{"id": 9, "name": "x"}], mode="insert", table="people", timeout="500ms")
    assert error.code == "node.sql_timeout"


async def test_who_may_not_come_in_is_told_without_the_password(postgres):
    error = await error_of(postgres, statement="SELECT 1", credential={"password": "hush-hush"})
    assert error.code == "node.sql_connect"
    assert "hush" not in str(error.as_dict())
    url = postgres.credential["url"].replace("/data", "/none")
    assert (await error_of(postgres, statement="SELECT 1", credential={"url": url})).code == "node.sql_connect"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://127.0.0.1:{free.getsockname()[1]}/data"
    assert (await error_of(postgres, statement="SELECT 1", credential={"url": url})).code == "node.sql_connect"


async def test_a_connection_that_breaks_while_committing_leaves_the_outcome_unknown(postgres):
    """A constraint that is checked at the commit kills its own connection there."""
    execute(
        postgres,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON people DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()",
    )
    error = await error_of(postgres, [{"id": 9, "name": "x"}], mode="insert", table="people")
    assert error.code == "node.sql_unknown"
    assert isinstance(error, NodeTimeout)
    again = await error_of(postgres, [{"id": 9, "name": "x"}], mode="upsert", table="people", key=["id"])
    assert (again.code, isinstance(again, NodeTimeout)) == ("node.sql_connect", False)
