"""The SQLite store, the default: no set-up, one file, any number of processes on one machine."""

from __future__ import annotations

from pyagent.store.sqlite.database import Database, StoreBusy, Synchronous
from pyagent.store.sqlite.store import SqliteStore

__all__ = ["Database", "SqliteStore", "StoreBusy", "Synchronous"]
