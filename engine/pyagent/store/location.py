"""Which store an address means: `PYAGENT_STORE`, a URL or a path."""

from __future__ import annotations

from pathlib import Path

from pyagent.settings import data_folder, store_file
from pyagent.store.base import Store
from pyagent.store.sqlite import SqliteStore


def default_path() -> Path:
    """`pyagent/pyagent.db` in the user's data folder (XDG_DATA_HOME)."""
    return data_folder() / "pyagent" / "pyagent.db"


def sqlite_path(url: str | None = None) -> Path:
    """The file that an address means, as `settings.store_file`. Raises `StoreError` `store.unknown_scheme`."""
    return store_file(url)


def open_store(url: str | None = None) -> Store:
    """The store that an address means; `await store.open()` is the caller's.

    None: PYAGENT_STORE, else a SQLite file in the user's data folder. Raises `StoreError` `store.unknown_scheme`.
    """
    return SqliteStore(sqlite_path(url))
