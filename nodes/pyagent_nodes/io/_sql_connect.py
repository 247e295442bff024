"""Opens a database, and stops what runs in it when the step is stopped or takes too long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pyagent.sdk import CancelToken, InputError, NodeCancelled
from pyagent_nodes.io._sql_errors import SqlConnect, SqlTooSlow, sql_error

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
_BUSY = 0.1
"""Seconds that SQLite itself waits for another program, deaf to a stop; then the node waits on."""
_CLOSING = 1.0
"""Seconds that a connection has to close."""
_DIALECTS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A database, by its address."""

    url: URL
    path: Path | None
    """The file, of SQLite."""

    @property
    def postgres(self) -> bool:
        """Whether it is Postgres."""
        return self.path is None

    @property
    def label(self) -> str:
        """What errors call it; without a password."""
        return str(self.path) if self.path else f"{self.url.host or 'local'}/{self.url.database or ''}"


def find_target(url: str, credential: Mapping[str, str] | None, resolve: Callable[[str], Path]) -> Target:
    """The database of a URL, or of a credential with `url`, and maybe `user` and `password`. Raises `InputError`."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    hint = "Write sqlite:///path, or in a credential postgresql://host/database."
    try:
        found = make_url((credential or {}).get("url", "") or url)
        dialect = _DIALECTS.get(found.drivername.partition("+")[0])
    except (ArgumentError, ValueError) as error:
        raise InputError("the address of the database is none", code="input.database", hint=hint) from error
    if dialect is None:
        raise InputError(f"there is no driver for {found.drivername}", code="input.database", hint=hint)
    if credential is None and dialect != _DIALECTS["sqlite"]:
        raise InputError(
            "the address of a server belongs into a credential",
            code="input.database",
            hint="Put `url`, `user` and `password` into a credential, and name it in `credential`.",
        )
    if dialect == _DIALECTS["sqlite"]:
        if not found.database or found.database == ":memory:":
            raise InputError("SQLite needs a file", code="input.database", hint=hint)
        return Target(url=found, path=resolve(found.database))
    found = found.set(drivername=dialect)
    if credential and credential.get("user"):
        found = found.set(username=credential["user"])
    if credential and credential.get("password"):
        found = found.set(password=credential["password"])
    return Target(url=found, path=None)


@dataclass(slots=True)
class Guard:
    """Awaits what a database does; a stop, or the time limit, interrupts it there."""

    cancel: CancelToken
    timeout: float
    """Seconds for each call."""
    interrupt: Callable[[], Awaitable[None]] | None = None
    cursor: str = ""
    """Name of the cursor that the last statement was sent with, if it had one."""

    async def run(self, call: Awaitable[T]) -> T:
        """Await the call. Raises what it raises, `NodeCancelled` and `SqlTooSlow`."""
        working = asyncio.ensure_future(call)
        if self.cancel.cancelled:
            working.cancel()
            self.cancel.check()
        asked = asyncio.ensure_future(self.cancel.wait())
        try:
            await asyncio.wait({working, asked}, timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            stopped = asked.done()
        finally:
            asked.cancel()
            if not working.done():
                await self._end(working)
        if stopped:
            raise NodeCancelled(f"stopped ({self.cancel.reason})")
        raise SqlTooSlow(f"a statement took longer than {self.timeout:g} s")

    async def _end(self, working: asyncio.Future[Any]) -> None:
        if self.interrupt is not None:
            # Again and again: what is interrupted between two statements goes on with the next.
            for _ in range(10):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self.interrupt(), 0.2)
                await asyncio.wait({working}, timeout=0.05)
                if working.done():
                    break
        working.cancel()
        await asyncio.wait({working}, timeout=_CLOSING)
        if working.done() and not working.cancelled():
            working.exception()


@dataclass(slots=True)
class Connection:
    """An open connection with a transaction begun at its first statement."""

    raw: AsyncConnection
    guard: Guard
    postgres: bool
    lost: bool = field(default=False)


@asynccontextmanager
async def connect(
    target: Target, *, read_only: bool, timeout: float, cancel: CancelToken
) -> AsyncGenerator[Connection]:
    """Connect; what was not committed is rolled back at the end. Raises `SqlConnect`."""
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    guard = Guard(cancel, timeout)
    if target.path is not None:
        engine = create_async_engine(
            "sqlite+aiosqlite://", poolclass=NullPool, async_creator=_sqlite(target.path, read_only)
        )
        begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Any) -> None:
            connection.exec_driver_sql(begin)

    else:
        # Statements are prepared: one at a time, so that nothing can hide behind a semicolon.
        arguments = {"prepare_threshold": 0, "connect_timeout": max(2, round(timeout))}
        engine = create_async_engine(target.url, poolclass=NullPool, connect_args=arguments)

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def _remember(_connection: Any, cursor: Any, *_: Any) -> None:
            guard.cursor = getattr(getattr(cursor, "_cursor", None), "name", "") or ""

    connection: AsyncConnection | None = None
    try:
        try:
            connection = await guard.run(engine.connect())
            if target.postgres and read_only:
                await connection.execution_options(postgresql_readonly=True)
            driver: Any = (await connection.get_raw_connection()).driver_connection
        except (SQLAlchemyError, OSError, ValueError) as error:
            found = sql_error(error)
            raise SqlConnect(f"{target.label}: {found.message}", details=found.details) from error
        guard.interrupt = driver.cancel_safe if target.postgres else driver.interrupt
        yield Connection(connection, guard, target.postgres)
    finally:
        with contextlib.suppress(Exception):
            if connection is not None:
                await asyncio.wait_for(connection.close(), _CLOSING)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(engine.dispose(), _CLOSING)


def _sqlite(path: Path, read_only: bool) -> Callable[[], Any]:
    async def create() -> Any:
        import aiosqlite

        address = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"
        return await aiosqlite.connect(address, uri=True, timeout=_BUSY, isolation_level=None)

    return create
