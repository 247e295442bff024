"""Which store an address means: `PYAGENT_STORE`, a URL or a path."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from pyagent.errors import StoreError
from pyagent.store.base import Store
from pyagent.store.sqlite import SqliteStore


def default_path() -> Path:
    """`pyagent/pyagent.db` in the user's data folder (XDG_DATA_HOME)."""
    home = os.environ.get("XDG_DATA_HOME", "")
    # The specification of the variable: a relative path is to be ignored.
    root = Path(home) if home.startswith("/") else Path("~/.local/share").expanduser()
    return root / "pyagent" / "pyagent.db"


def sqlite_path(url: str | None = None) -> Path:
    """The file that an address means. None: PYAGENT_STORE, else the default.

    Takes a path, `sqlite:///absolute/path` (a fourth slash is no matter) or `sqlite:relative/path`. Raises `StoreError`
    `store.unknown_scheme`.
    """
    address = url or os.environ.get("PYAGENT_STORE", "")
    if not address:
        return default_path()
    scheme, colon, rest = address.partition(":")
    if not colon or "/" in scheme or "\\" in scheme or len(scheme) == 1:
        return Path(address).expanduser()
    if scheme != "sqlite" or (rest.startswith("//") and not rest.startswith("///")) or rest in ("", "///"):
        raise StoreError(
            f"{address!r} is no address of a store.",
            code="store.unknown_scheme",
            hint="Set PYAGENT_STORE to a path or to sqlite:///absolute/path, or unset it for the default.",
        )
    path = unquote(rest)
    return Path("/" + path.lstrip("/") if path.startswith("/") else path).expanduser()


def open_store(url: str | None = None) -> Store:
    """The store that an address means; `await store.open()` is the caller's.

    None: PYAGENT_STORE, else a SQLite file in the user's data folder. Raises `StoreError` `store.unknown_scheme`.
    """
    return SqliteStore(sqlite_path(url))
