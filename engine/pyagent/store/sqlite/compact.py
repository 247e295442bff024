"""Gives a SQLite store's free pages back to the disk: `VACUUM`, beside other processes, with room and time looked at
first."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pyagent.errors import StoreError
from pyagent.store.base import StoreFull
from pyagent.store.sqlite import rows
from pyagent.store.sqlite.database import Database, StoreBusy

PER_SECOND = 40_000_000
"""Bytes that a slow disk rewrites in a second: what the time of the lock is reckoned by."""
PATIENCE = 10.0
"""Seconds for which others may have to wait, where runs are at work: a third of what they wait before they give up."""
_MARGIN = 16_000_000
_PAUSE = 0.02


class RunsAtWork(StoreError):
    """Workers would have to wait for too long while the store is compacted."""

    code = "store.at_work"
    hint = "Stop servers and workers (Ctrl-C hands their runs over), compact, and start them again."


async def compact(database: Database, now: datetime) -> list[str]:
    """Rewrite the file without what was deleted; returns what is to be known about it.

    Others may have the file open: they read on, and wait to write. Raises `StoreFull` where the disk has no room for
    it, `RunsAtWork`, and `StoreBusy`.
    """
    await database.erase(lambda to: None)
    content, at_work = await database.read(lambda of: (_content(of), _at_work(of, now)))
    _require_room(database.path, content)
    seconds = content / PER_SECOND
    if at_work and seconds > PATIENCE:
        raise RunsAtWork(
            f"{at_work} runs are at work, and would have to wait for about {seconds:.0f} s.",
            details={"runs": at_work, "seconds": round(seconds)},
        )
    await asyncio.to_thread(_vacuum, database)
    # What was rewritten stands in the log of writes, and goes into the file when it is moved there.
    await database.erase(lambda to: None)
    log = database.path.with_name(database.path.name + "-wal")
    if log.exists() and log.stat().st_size > _MARGIN:
        return ["Another process still reads the store as it was: the rest is given back when it has read on."]
    return []


def _content(connection: sqlite3.Connection) -> int:
    """Bytes of pages in use."""
    values = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")]
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return (values[0] - values[1]) * size


def _at_work(connection: sqlite3.Connection, now: datetime) -> int:
    query = "SELECT count(*) FROM run_state WHERE lease_owner IS NOT NULL AND lease_expires_at > ?"
    return int(connection.execute(query, (rows.stamp(now),)).fetchone()[0])


def _require_room(path: Path, content: int) -> None:
    """The content is written twice: into a temporary file, and into the log of writes beside the store."""
    needed: dict[int, tuple[Path, int]] = {}
    for folder in (path.parent, _temporary_folder(os.environ)):
        device = folder.stat().st_dev
        known = needed.get(device, (folder, _MARGIN))
        needed[device] = (known[0], known[1] + content)
    for folder, bytes_ in needed.values():
        if (free := shutil.disk_usage(folder).free) < bytes_:
            raise StoreFull(
                f"To compact the store takes {bytes_:,} bytes at {folder} for a while, and {free:,} are free.",
                hint="Free some space, or name another folder for what is temporary by SQLITE_TMPDIR.",
                details={"needed": bytes_, "free": free, "folder": str(folder)},
            )


def _temporary_folder(environment: Mapping[str, str]) -> Path:
    """Where SQLite puts temporary files (https://sqlite.org/tempfiles.html)."""
    named = (environment.get("SQLITE_TMPDIR"), environment.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108
    for name in named:
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path()


def _vacuum(database: Database) -> None:
    end = time.monotonic() + database.busy_limit
    try:
        # A connection of its own: on the others everything would wait.
        connection = sqlite3.connect(database.path, timeout=0, isolation_level=None)
        try:
            # The log is moved by `Database` alone, see there; memory would not do for what is temporary.
            for pragma in (
                "wal_autocheckpoint = 0",
                "temp_store = FILE",
                "synchronous = NORMAL",
                "secure_delete = FAST",
            ):
                connection.execute(f"PRAGMA {pragma}")
            while True:
                try:
                    connection.execute("VACUUM")
                    return
                except sqlite3.OperationalError as error:
                    if not isinstance(database.translate(error), StoreBusy) or time.monotonic() > end:
                        raise
                time.sleep(_PAUSE)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise database.translate(error) from error


__all__ = ["PATIENCE", "RunsAtWork", "compact"]
