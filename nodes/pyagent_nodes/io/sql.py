"""`io.sql`: queries and changes in SQLite and Postgres."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from pyagent.sdk import Context, Effects, Item, Items, JsonObject, NodeParams, node
from pyagent.sdk.fields import LITERAL, Duration, FieldPath, with_field
from pyagent_nodes.io._files import resolve
from pyagent_nodes.io._parsing import column_names
from pyagent_nodes.io._sql_connect import Connection, Target, connect, find_target
from pyagent_nodes.io._sql_errors import (
    SqlLocked,
    SqlTable,
    SqlTooMany,
    SqlUnknown,
    SqlValues,
    bind_names,
    is_broken,
    sql_error,
)
from pyagent_nodes.io._sql_values import Decimals, to_column, to_json, to_parameter

T = TypeVar("T")
_BATCH = 500
"""Rows fetched or written at once."""
_FETCHED = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/)*(select|with|values|table)\b", re.IGNORECASE | re.DOTALL)
"""What Postgres can give piece by piece, by a cursor."""


class SqlParams(NodeParams):
    """Parameters of `io.sql`."""

    mode: Literal["query", "execute", "insert", "upsert"] = Field(
        "query",
        description="`query` reads, and rows become items; `execute` runs the statement for each item; `insert` and "
        "`upsert` write the items as rows",
    )
    credential: str = Field("", description="The database: `url` (postgresql://…, sqlite:///…), `user`, `password`")
    url: str = Field("", description="A SQLite file in place of a credential", examples=["sqlite:///~/data.db"])
    statement: str = Field(
        "",
        description="For `query` and `execute`: one statement, taken as written, with `:name` for each value",
        json_schema_extra=LITERAL,
        examples=["SELECT * FROM orders WHERE day = :day"],
    )
    values: dict[str, Any] | None = Field(
        None,
        description="The statement's values by name; for `insert` and `upsert` the row, if it is not the item itself",
        examples=[{"day": "{{ $json.day }}"}],
    )
    table: str = Field("", description="For `insert` and `upsert`: where the rows go")
    schema_: str | None = Field(None, alias="schema", description="Postgres: the table's schema")
    columns: list[str] | None = Field(None, description="For `insert` and `upsert`: only these fields of each row")
    key: list[str] = Field(default_factory=list, description="For `upsert`: the columns that tell rows apart")
    decimals: Decimals = Field("text", description="Exact decimals as text (nothing is lost), or as numbers")
    into: FieldPath = Field("sql", description="For `execute`: the field that gets `{rows}`, how many were changed")
    max_rows: int = Field(100_000, ge=1, description="Most rows that come back; more are an error")
    timeout: Duration = Field("60s", validate_default=True, description="For each statement; then it is stopped")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.credential) == bool(self.url):
            raise ValueError("say where the database is: `credential`, or `url` for a SQLite file")
        writes = self.mode in ("insert", "upsert")
        if writes != bool(self.table) or writes == bool(self.statement):
            needed = "`table` and no `statement`" if writes else "`statement` and no `table`"
            raise ValueError(f"`mode: {self.mode}` needs {needed}")
        if (self.mode == "upsert") != bool(self.key):
            raise ValueError("`key` belongs to `mode: upsert`, which needs it")
        return self


def effects(params: SqlParams) -> Effects:
    """A query is opened for reading only; rows written by their key may be written again."""
    return "idempotent" if params.mode in ("query", "upsert") else "once"


@node("io.sql", title="SQL", icon="database", effects=effects)
async def sql(items: Items, params: SqlParams, ctx: Context) -> list[Item]:
    """Query or change a SQLite or Postgres database.

    All items are worked on in one transaction: if one fails, nothing was changed. `query` is opened for reading only
    and runs for each item; its rows become items that come from it. Other modes pass the items on; a statement with
    RETURNING gives its rows. Values never become part of the statement's text. Dates come as ISO text, bytes as
    base64, exact decimals as text; objects go as JSON.
    """
    credential = await ctx.credential(params.credential) if params.credential else None
    base = await asyncio.to_thread(lambda: ctx.work_dir)
    target = find_target(params.url, credential, lambda path: resolve(path, base))
    if params.mode in ("query", "execute"):
        await _check_values(items, params, ctx)
    timeout = params.timeout.total_seconds()
    give_up = time.monotonic() + timeout
    while True:
        try:
            return await _transaction(target, items, params, ctx, timeout)
        except SqlLocked:
            # All of it was rolled back: it may be tried until the time is up.
            if target.postgres or time.monotonic() > give_up:
                raise
            ctx.cancel.check()


async def _transaction(target: Target, items: Items, params: SqlParams, ctx: Context, timeout: float) -> list[Item]:
    read_only = params.mode == "query"
    async with connect(target, read_only=read_only, timeout=timeout, cancel=ctx.cancel) as connection:
        if params.mode in ("insert", "upsert"):
            made = await _write(connection, items, params, ctx)
        else:
            made = []
            for index, item in enumerate(items):
                ctx.progress(index / len(items))
                made += await _run(connection, item, index, params, ctx, before=len(made), many=len(items) > 1)
        if not read_only:
            await _commit(connection, params)
        return made


async def _commit(connection: Connection, params: SqlParams) -> None:
    """Commit, whoever asks for a stop now: the end is near and counts."""
    try:
        await asyncio.wait_for(connection.raw.commit(), connection.guard.timeout)
    except Exception as error:
        lost = isinstance(error, TimeoutError) or is_broken(error)
        if lost and effects(params) == "once":
            raise SqlUnknown("the connection broke while the changes were committed") from error
        raise sql_error(error) from error


async def _check_values(items: Items, params: SqlParams, ctx: Context) -> None:
    """See that each item has the statement's values before anything runs. Raises `SqlValues`."""
    names = bind_names(params.statement)
    for index in range(len(items)):
        given = (await ctx.params_for(params, index)).values or {}
        if missing := [name for name in names if name not in given]:
            raise SqlValues(
                f"the statement wants {', '.join(f':{name}' for name in missing)}, which `values` lacks",
                hint=r"Give it in `values`; a colon that is none of these is written \:.",
            )
        if extra := [name for name in given if name not in names]:
            raise SqlValues(f"`values` has {', '.join(extra)}, which the statement does not name")


async def _run(
    connection: Connection, item: Item, index: int, params: SqlParams, ctx: Context, *, before: int, many: bool
) -> list[Item]:
    """Run the statement for one item, of `many`; `before` is how many rows came back so far."""
    from sqlalchemy import text

    given = (await ctx.params_for(params, index)).values or {}
    values = {name: to_parameter(value, connection.postgres) for name, value in given.items()}
    run, statement, guard = connection.raw, text(params.statement), connection.guard
    streamed = params.mode == "query" and (not connection.postgres or _FETCHED.match(params.statement) is not None)
    made: list[Item] = []
    guard.cursor = ""
    try:
        if not streamed:
            done = await guard.run(run.execute(statement, values))
            if not done.returns_rows:
                said = with_field(item.json, params.into, {"rows": max(done.rowcount, 0)})
                return [Item(said, item.binary, item.sources)] if params.mode == "execute" else []
            names = column_names(done.keys())
            pieces: Any = iter(lambda: done.fetchmany(_BATCH), [])
            for rows in pieces:
                made += _items(rows, names, item, params, before + len(made))
            return made
        result = await guard.run(run.stream(statement, values, execution_options={"yield_per": _BATCH}))
        names = column_names(result.keys())
        while rows := await guard.run(result.fetchmany(_BATCH)):
            made += _items(rows, names, item, params, before + len(made))
        await result.close()
        return made
    except _driver_errors() as error:
        prefix = len(f'DECLARE "{guard.cursor}" CURSOR FOR ') if guard.cursor else 0
        raise sql_error(error, params.statement, prefix=prefix, item=index if many else None) from error


def _items(rows: Sequence[Any], names: Sequence[str], item: Item, params: SqlParams, before: int) -> list[Item]:
    if before + len(rows) > params.max_rows:
        raise SqlTooMany(f"there are more than {params.max_rows} rows")
    return [
        Item(dict(zip(names, (to_json(value, params.decimals) for value in row), strict=True)), None, item.sources)
        for row in rows
    ]


async def _write(connection: Connection, items: Items, params: SqlParams, ctx: Context) -> list[Item]:
    """Insert or upsert each item's row."""
    guard = connection.guard
    types = await _column_types(connection, params)
    statements: dict[tuple[str, ...], Any] = {}
    done = 0
    async for batch in _batches(_rows(items, params, ctx, types)):
        fields = tuple(batch[0])
        if fields not in statements:
            statements[fields] = _statement(fields, params, connection.postgres)
        try:
            await guard.run(connection.raw.execute(statements[fields], batch))
        except _driver_errors() as error:
            raise sql_error(error) from error
        done += len(batch)
        ctx.progress(done / len(items))
    return list(items)


async def _batches(rows: AsyncIterator[JsonObject]) -> AsyncIterator[list[JsonObject]]:
    """Rows that follow one another and have the same fields."""
    batch: list[JsonObject] = []
    async for row in rows:
        if batch and (len(batch) == _BATCH or tuple(row) != tuple(batch[0])):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


async def _rows(items: Items, params: SqlParams, ctx: Context, types: dict[str, Any]) -> AsyncIterator[JsonObject]:
    for index, item in enumerate(items):
        row = (await ctx.params_for(params, index)).values
        row = item.json if row is None else row
        names = params.columns if params.columns is not None else list(row)
        if unknown := [name for name in names if name not in types]:
            raise SqlTable(
                f"item {index}: the table {params.table!r} has no column {', '.join(map(repr, unknown))}",
                hint=f"Its columns are {', '.join(types)}. Choose the item's fields with `columns`.",
            )
        made = {name: to_column(row.get(name), types[name], name) for name in names}
        if lacking := [name for name in params.key if made.get(name) is None]:
            raise SqlValues(f"item {index} has no {', '.join(lacking)}, which `key` names")
        if not made:
            raise SqlValues(f"item {index} has no fields to write")
        yield made


def _statement(fields: Sequence[str], params: SqlParams, postgres: bool) -> Any:
    """INSERT for these fields. SQLAlchemy quotes all names."""
    from sqlalchemy import column, insert, table
    from sqlalchemy.dialects.postgresql import insert as postgres_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    target = table(params.table, *(column(name) for name in fields), schema=params.schema_)
    if params.mode == "insert":
        return insert(target)
    upsert: Any = postgres_insert(target) if postgres else sqlite_insert(target)
    keys = [target.c[name] for name in params.key]
    changed = {name: upsert.excluded[name] for name in fields if name not in params.key}
    if not changed:
        return upsert.on_conflict_do_nothing(index_elements=keys)
    return upsert.on_conflict_do_update(index_elements=keys, set_=changed)


async def _column_types(connection: Connection, params: SqlParams) -> dict[str, Any]:
    """The table's columns with their types. Raises `SqlTable`."""
    from sqlalchemy import inspect
    from sqlalchemy.exc import NoSuchTableError

    def look(synchronous: Any) -> dict[str, Any]:
        inspector = inspect(synchronous)
        try:
            found = inspector.get_columns(params.table, schema=params.schema_)
        except NoSuchTableError:
            found = []
        if not found:
            names = ", ".join(sorted(inspector.get_table_names(schema=params.schema_))[:20])
            raise SqlTable(f"there is no table {params.table!r}", hint=f"There are: {names or 'none'}.")
        return {column["name"]: column["type"] for column in found}

    try:
        return await connection.guard.run(connection.raw.run_sync(look))
    except _driver_errors() as error:
        raise sql_error(error) from error


def _driver_errors() -> tuple[type[Exception], ...]:
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, OverflowError, TypeError, ValueError, OSError)
