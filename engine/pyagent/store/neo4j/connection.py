"""The driver: its sessions, retries and causal bookmarks, and its errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from pyagent.errors import StoreError
from pyagent.settings import shown_address
from pyagent.store import sealing
from pyagent.store.base import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from neo4j import AsyncDriver, AsyncManagedTransaction

T = TypeVar("T")
Work = Callable[["AsyncManagedTransaction"], Awaitable[T]]

RETRY_SECONDS = 20.0
"""How long a transaction is tried again after errors that pass: a new leader, a deadlock, a server that restarts."""
_GONE = "Neo.ClientError.Statement.EntityNotFound"
_DISK_FULL = ("Neo.TransientError.General.DatabaseOutOfDiskSpace", "Neo.TransientError.General.OutOfDiskSpace")


class Connection:
    """A pool of connections to one database. One object belongs to one event loop."""

    def __init__(self, url: str) -> None:
        """`url`: `neo4j://user:password@host:7687/database`, or `bolt`, with `+s` for TLS; what is left out is the
        server's default."""
        try:
            parts = urlsplit(url)
            port = parts.port or 7687
        except ValueError:
            raise StoreError(
                f"{shown_address(url)!r} is no address of a Neo4j server.",
                code="store.unknown_scheme",
                hint="neo4j://user:password@host:7687; in user and password write `/` as %2F, `@` as %40, `:` as %3A.",
            ) from None  # the error shows a part of the password
        self.user = unquote(parts.username or "neo4j")
        self._password = unquote(parts.password or "")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "127.0.0.1"
        self.address = urlunsplit((parts.scheme, f"{host}:{port}", "", parts.query, ""))
        """The address without user and password, as it may be shown."""
        self.database = parts.path.strip("/") or None
        self._driver: AsyncDriver | None = None
        self._bookmarks: Any = None

    async def open(self) -> None:
        """Connect. Raises `StoreUnavailable`, and `StoreSealed` where payloads are to be sealed and cannot be."""
        from neo4j import AsyncGraphDatabase

        await asyncio.to_thread(sealing.settle)

        if not (logger := logging.getLogger("neo4j")).handlers:
            # What goes wrong comes as an error; without a handler Python prints the driver's warnings beside it.
            logger.addHandler(logging.NullHandler())
        with self.translated():
            # The driver's own annotations leave its settings untyped.
            made: Any = AsyncGraphDatabase
            driver: AsyncDriver = made.driver(
                self.address,
                auth=(self.user, self._password),
                max_transaction_retry_time=RETRY_SECONDS,
                connection_acquisition_timeout=RETRY_SECONDS,
                notifications_min_severity="OFF",
            )
            try:
                await cast("Any", driver).verify_connectivity()
            except BaseException:
                await driver.close()
                raise
        self._bookmarks = made.bookmark_manager()
        self._driver = driver

    async def close(self) -> None:
        """Disconnect; safe to call twice."""
        driver, self._driver = self._driver, None
        if driver is not None:
            await driver.close()

    async def read(self, work: Work[T]) -> T:
        """Run the work in a transaction that reads, and again after errors that pass."""
        return await self._in_session("execute_read", work)

    async def write(self, work: Work[T]) -> T:
        """Run the work in a transaction that writes, and again after errors that pass; what it raises rolls back."""
        return await self._in_session("execute_write", work)

    async def write_at_once(self, query: str, parameters: dict[str, Any]) -> Any:
        """Run one query as a transaction of its own, in one round trip; its record, None if it returned none.

        None, too, after errors that pass: then nobody knows whether it was applied.
        """
        from neo4j.exceptions import DriverError, Neo4jError

        driver: Any = self._opened()
        with self.translated():
            try:
                async with driver.session(database=self.database, bookmark_manager=self._bookmarks) as session:
                    return await (await session.run(query, parameters)).single()
            except (DriverError, Neo4jError) as error:
                if error.is_retryable() or getattr(error, "code", "") == _GONE:
                    return None
                raise

    async def read_at_once(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """The records of one query that reads, in one round trip; after an error that passes it is run by `read`."""
        from neo4j.exceptions import DriverError, Neo4jError

        driver: Any = self._opened()
        with self.translated():
            try:
                async with driver.session(
                    database=self.database, bookmark_manager=self._bookmarks, default_access_mode="READ"
                ) as session:
                    return await _records(await session.run(query, parameters))
            except (DriverError, Neo4jError) as error:
                if not error.is_retryable():
                    raise
        return await self.read(lambda of: rows(of, query, **parameters))

    def _opened(self) -> AsyncDriver:
        if self._driver is None:
            raise StoreUnavailable("The store is not open.", hint="Call `await store.open()` first.")
        return self._driver

    async def _in_session(self, method: str, work: Work[T]) -> T:
        driver: Any = self._opened()
        with self.translated():
            session = driver.session(database=self.database, bookmark_manager=self._bookmarks)
            async with session:
                return await getattr(session, method)(_again_if_gone(work))

    def blocking_driver(self) -> Any:
        """Another driver to the same database, whose methods block; the caller closes it."""
        from neo4j import GraphDatabase

        made: Any = GraphDatabase
        return made.driver(
            self.address,
            auth=(self.user, self._password),
            max_transaction_retry_time=RETRY_SECONDS,
            notifications_min_severity="OFF",
        )

    @contextlib.contextmanager
    def translated(self) -> Generator[None]:
        """The driver's errors as ours."""
        from neo4j.exceptions import AuthError, DriverError, IncompleteCommit, Neo4jError

        try:
            yield
        except IncompleteCommit as error:
            raise CommitUnknown(
                f"The connection to {self.address} broke while a commit was on its way.",
                hint="Ask again when the server is back.",
            ) from error
        except AuthError as error:
            raise StoreUnavailable(
                f"{self.address} refuses the user {self.user}: {error.message}.",
                hint="Correct user and password in PYAGENT_STORE: neo4j://user:password@host:7687.",
            ) from error
        except Neo4jError as error:
            raise self._of_server(error) from error
        except (DriverError, OSError) as error:
            raise StoreUnavailable(
                f"{self.address} cannot be reached: {_first_line(error).rstrip(':')}",
                hint="Start the Neo4j server, or correct the address in PYAGENT_STORE.",
            ) from error

    def _of_server(self, error: Any) -> StoreError:
        code, message = str(error.code), _first_line(error.message)
        if code in _DISK_FULL:
            return StoreFull(f"The disk of {self.address} is full.", details={"server_code": code})
        if code.startswith("Neo.TransientError") or "ReadOnly" in code or "DatabaseUnavailable" in code:
            return StoreUnavailable(
                f"{self.address} cannot do that now: {message}",
                hint="Look into the Neo4j server's log; `pyagent doctor` asks it again.",
                details={"server_code": code},
            )
        return StoreError(
            f"{self.address} refuses: {message}",
            code="store.query",
            hint="This is a defect of PyAgent, or the server is older than 5.23.",
            details={"server_code": code},
        )


def _again_if_gone(work: Work[T]) -> Work[T]:
    """The work, tried again by the driver where another transaction deleted what this one waited to lock."""

    async def tried(transaction: AsyncManagedTransaction) -> T:
        from neo4j.exceptions import Neo4jError, TransientError

        try:
            return await work(transaction)
        except Deleted as error:
            raise TransientError(str(error)) from error
        except Neo4jError as error:
            if error.code == _GONE:
                raise TransientError(error.message) from error
            raise

    return tried


class Deleted(Exception):
    """What a transaction found was deleted by another one while this one waited to lock it, and the server did not say
    so: a write to a node that is gone may pass for one that has nothing to do."""


class CommitUnknown(StoreUnavailable):
    """The connection broke while a commit was on its way: it may have landed."""


async def rows(transaction: AsyncManagedTransaction, query: str, **parameters: Any) -> list[dict[str, Any]]:
    """The records of a query, as dictionaries."""
    return await _records(await transaction.run(query, parameters))  # pyright: ignore[reportArgumentType]


async def _records(result: Any) -> list[dict[str, Any]]:
    # Not `data()`: it walks through bytes one by one, four seconds for a megabyte.
    return [dict(zip(record.keys(), record.values(), strict=True)) async for record in result]


async def row(transaction: AsyncManagedTransaction, query: str, **parameters: Any) -> dict[str, Any] | None:
    """The first record of a query."""
    found = await rows(transaction, query, **parameters)
    return found[0] if found else None


async def do(transaction: AsyncManagedTransaction, query: str, **parameters: Any) -> None:
    """Run a query for what it changes."""
    result = await transaction.run(query, parameters)  # pyright: ignore[reportArgumentType]
    await result.consume()


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
