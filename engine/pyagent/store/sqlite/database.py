"""One SQLite file, opened: a writing and a reading connection, transactions that wait for others without blocking.

A transaction runs as a whole on the calling thread (tens of microseconds; a thread hop costs more). When another
process holds the write lock the event loop goes on, and the transaction is tried again after a short pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal, TypeVar, cast

from pyagent.errors import SetupError, StoreError
from pyagent.settings import SQLITE_SYNCHRONOUS
from pyagent.store import sealing
from pyagent.store.base import StoreFull, StoreUnavailable
from pyagent.store.files import private_file, private_folder
from pyagent.store.mounts import warn_of_network
from pyagent.store.sqlite import schema

T = TypeVar("T")
Synchronous = Literal["normal", "once", "full"]
"""Which commits are flushed to the disk: none, those marked `durable`, all. None is lost when a process dies."""

BUSY_LIMIT = 30.0
"""Seconds that a transaction waits for the locks of other processes."""
_FIRST_PAUSE = 0.0003
_LONGEST_PAUSE = 0.005
_MOVE_COMMITS = 500
"""Commits after which the log of writes is moved into the database; some 6 MB, which a move takes milliseconds for."""
_MOVE_PATIENCE = 0.2
"""Seconds that a move waits for the write lock; the next one comes soon."""
_CACHE_KIB = 2000
"""Of pages that each connection keeps. The system has the others, some microseconds away; a larger cache would stay
full of runs that only wait."""
_KEPT_LOG_BYTES = 16_000_000
"""Of an emptied log so much is kept on the disk: writing over it is cheaper than growing a file."""
_MAGIC = b"SQLite format 3\0"
_PAGE = 4096
_TREE_PAGES = (b"\x02", b"\x05", b"\x0a", b"\x0d")
"""First bytes of pages of trees: https://www.sqlite.org/fileformat.html, 1.6."""
_OLDEST_SQLITE = (3, 38, 0)
"""STRICT tables and JSON functions in every build."""


class StoreBusy(StoreUnavailable):
    """Other processes have held the store's lock for too long."""

    code = "store.busy"
    hint = "Find the process that holds the database open in a transaction (`lsof` on its file), end it, try again."


class Database:
    """The connections to one file. Methods ending in `_now` block, for callers without an event loop."""

    def __init__(self, path: Path, *, synchronous: Synchronous | None = None, busy_limit: float = BUSY_LIMIT) -> None:
        self.path = path
        self.synchronous: Synchronous = synchronous or _synchronous_setting()
        self.busy_limit = busy_limit
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._log_lock = threading.Lock()
        self._movers: tuple[sqlite3.Connection, ...] = ()
        self._commits = 0

    # opening and closing

    async def open(self) -> None:
        """Create the file if need be, and migrate. Raises `StoreError`."""
        if self._reader is None:
            await asyncio.to_thread(sealing.settle)
            await self._patiently(self._open_once)

    def open_now(self) -> None:
        """As `open`, blocking."""
        if self._reader is None:
            sealing.settle()
            self._patiently_now(self._open_once)

    def close(self) -> None:
        """Close both connections; safe to call twice."""
        with self._write_lock, self._read_lock, self._log_lock:
            for connection in (*self._movers, self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._movers = ()
            self._reader = self._writer = None

    def _open_once(self) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise SetupError(
                f"SQLite {sqlite3.sqlite_version} is too old; PyAgent needs 3.38.",
                hint="Use a Python that is built with a newer SQLite.",
            )
        with self._translated():
            private_folder(self.path.parent)
            private_file(self.path)  # here for its mode; SQLite gives the same one to the files that it puts beside
            warn_of_network(self.path)
            writer = self._connect()
            try:
                if not schema.check(writer, str(self.path)):
                    writer.execute("PRAGMA journal_mode = WAL")
                    writer.execute("BEGIN IMMEDIATE")
                    schema.migrate(writer, str(self.path))
                    writer.execute("COMMIT")
                if not os.access(self.path, os.W_OK):
                    raise self._read_only()
                reader = self._connect()
                reader.execute("PRAGMA query_only = ON")
            except BaseException:
                writer.close()
                raise
            self._writer, self._reader = writer, reader

    def _connect(self) -> sqlite3.Connection:
        # Every transaction is begun and ended by hand, and waiting is ours: no implicit BEGIN, no busy handler.
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if self.synchronous == 'full' else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG_BYTES}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA secure_delete = FAST")
        except BaseException:
            connection.close()
            raise
        return connection

    # transactions

    async def write(self, change: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Run the change in one transaction: all of it is kept or nothing. It may be called again after a conflict."""
        result = await self._patiently(lambda: self._write_once(change, durable))
        if self._move_is_due():
            asyncio.get_running_loop().run_in_executor(None, self._move_log)
        return result

    def write_now(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """As `write`, blocking."""
        result = self._patiently_now(lambda: self._write_once(change, False))
        if self._move_is_due():
            self._move_log()
        return result

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run the query on the reading connection."""
        return await self._patiently(lambda: self._read_once(query))

    def read_now(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, blocking."""
        return self._patiently_now(lambda: self._read_once(query))

    async def erase(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """As `write`; what the change deletes is overwritten, and does not stay in the log of writes either, unless a
        reader still needs it there."""
        result = await self._patiently(lambda: self._erase_once(change))
        await asyncio.to_thread(self._move_log)
        await self._patiently(self._cut_log_once)
        return result

    def foreign_version(self) -> int:
        """A number that changes when any other connection has committed to the file."""
        with self._write_lock, self._translated():
            return self._opened(self._writer).execute("PRAGMA data_version").fetchone()[0]

    async def foreign_version_soon(self) -> int:
        """As `foreign_version`, when no other process locks the file."""
        return await self._patiently(self.foreign_version)

    def _write_once(self, change: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        with self._write_lock, self._translated():
            connection = self._opened(self._writer)
            if not durable or self.synchronous != "once":
                return _transact(connection, change)
            connection.execute("PRAGMA synchronous = FULL")
            try:
                return _transact(connection, change)
            finally:
                connection.execute("PRAGMA synchronous = NORMAL")

    def _erase_once(self, change: Callable[[sqlite3.Connection], T]) -> T:
        with self._write_lock, self._translated():
            connection = self._opened(self._writer)
            connection.execute("PRAGMA secure_delete = ON")
            try:
                return _transact(connection, change)
            finally:
                connection.execute("PRAGMA secure_delete = FAST")

    def _read_once(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._read_lock, self._translated():
            return query(self._opened(self._reader))

    def _cut_log_once(self) -> None:
        """After a whole move the first write begins the log anew, and cuts off what was there."""
        with self._write_lock, self._translated():
            connection = self._opened(self._writer)
            connection.execute("PRAGMA journal_size_limit = 0")
            try:
                _transact(connection, lambda to: to.execute(f"PRAGMA user_version = {schema.version(to)}"))
            finally:
                connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG_BYTES}")

    def _move_is_due(self) -> bool:
        self._commits += 1
        if self._commits < _MOVE_COMMITS:
            return False
        self._commits = 0
        return True

    def _move_log(self) -> None:
        """Move what the log of writes holds into the database: flushes of the disk, so not on the event loop's thread.

        Never beside a commit, which is why SQLite's own moves are off and one connection holds the write lock while
        another moves: up to SQLite 3.51.2 a commit that begins the log anew during a move can damage the database
        (https://sqlite.org/wal.html). Most of the log is flushed before, so that the lock is held for less long. An
        error here costs nothing: the log stays until the next time.
        """
        with self._log_lock, contextlib.suppress(sqlite3.Error):
            if self._writer is None:  # closed meanwhile
                return
            with (
                contextlib.suppress(OSError),
                self.path.with_name(self.path.name + "-wal").open("rb") as log,  # SQLite has no locks on this file
            ):
                os.fsync(log.fileno())
            if not self._movers:
                self._movers = (self._connect(), self._connect())
            holder, mover = self._movers
            end = time.monotonic() + _MOVE_PATIENCE
            while True:
                try:
                    holder.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    if time.monotonic() > end:
                        return
                    time.sleep(_FIRST_PAUSE)
            try:
                mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                holder.execute("ROLLBACK")

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise StoreUnavailable(f"The store {self.path} is not open.", hint="Call `await store.open()` first.")
        return connection

    # waiting for others

    async def _patiently(self, attempt: Callable[[], T]) -> T:
        pauses: Iterator[float] | None = None
        while True:
            try:
                return attempt()
            except StoreBusy:
                pauses = pauses or self._pauses()
                pause = next(pauses, None)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    def _patiently_now(self, attempt: Callable[[], T]) -> T:
        pauses: Iterator[float] | None = None
        while True:
            try:
                return attempt()
            except StoreBusy:
                pauses = pauses or self._pauses()
                pause = next(pauses, None)
                if pause is None:
                    raise
            time.sleep(pause)

    def _pauses(self) -> Iterator[float]:
        """Growing pauses with jitter, so that processes do not meet again at every try."""
        end = time.monotonic() + self.busy_limit
        pause = _FIRST_PAUSE
        while (left := end - time.monotonic()) > 0:
            yield min(left, pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 1.6, _LONGEST_PAUSE)

    # errors

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self.translate(error) from error

    def translate(self, error: sqlite3.Error | OSError) -> StoreError:
        """The error as the store's callers know it."""
        if isinstance(error, OSError):
            return self._from_system(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusy(f"The store {self.path} is locked by another process.")
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._disk_is_full()):
            return StoreFull(f"No space is left for the store {self.path}.")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return self._read_only()
        if code == sqlite3.SQLITE_NOTADB and not self._may_be_database():
            return StoreError(
                f"{self.path} is not a PyAgent database.",
                code="store.foreign",
                hint="Give the path of a store, or of a file that does not exist yet; a graph is run by `pyagent run`."
                " If it was a store, its beginning is damaged: restore it from a backup.",
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreUnavailable(
                f"The store {self.path} is damaged: {error}.",
                code="store.damaged",
                hint=f"Restore it from a backup, or save what can be read with `sqlite3 {self.path} .recover`.",
            )
        if code == sqlite3.SQLITE_CANTOPEN:
            if self.path.is_dir():
                return self._cannot_open("it is a folder")
            # SQLite keeps files beside the database, even to read it.
            return self._cannot_open(str(error)) if os.access(self.path.parent, os.W_OK) else self._read_only()
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError | sqlite3.DataError):
            return StoreError(
                f"The store refused a change: {error}.",
                hint="This is a defect of whoever made the change; please report it.",
            )
        return StoreUnavailable(
            f"The store {self.path} cannot be used: {error}.",
            hint="See whether its disk is mounted and in order.",
        )

    def _from_system(self, error: OSError) -> StoreError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return StoreFull(f"No space is left for the store {self.path}.")
        if error.errno == errno.EROFS:
            return self._read_only()
        return self._cannot_open(error.strerror or str(error))

    def _read_only(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"The store {self.path} cannot be written.",
            code="store.read_only",
            hint="Give your user the right to write to the file and its folder, or set PYAGENT_STORE to another path.",
        )

    def _cannot_open(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"The store {self.path} cannot be opened: {reason}.",
            hint="See whether its folder can be read and written, or set PYAGENT_STORE to another path.",
        )

    def _may_be_database(self) -> bool:
        """Whether the file begins as a database does, or its second page does as a page of one."""
        try:
            with self.path.open("rb") as file:
                if file.read(len(_MAGIC)) == _MAGIC:
                    return True
                file.seek(_PAGE)
                return file.read(1) in _TREE_PAGES and self.path.stat().st_size % _PAGE == 0
        except OSError:
            return False

    def _disk_is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.path.parent).free < 1024 * 1024
        except OSError:
            return False


def _transact(connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = change(connection)
        connection.execute("COMMIT")
        return result
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # the error under way says more
                connection.execute("ROLLBACK")
        raise


def _synchronous_setting() -> Synchronous:
    return cast("Synchronous", SQLITE_SYNCHRONOUS.text())
