"""Which file an address means."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.errors import StoreError
from pyagent.store import default_path, open_store
from pyagent.store.location import sqlite_path
from pyagent.store.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:///var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:////var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:///with%20space.db", "/with space.db"),
        ("sqlite:data/app.db", "data/app.db"),
        ("/var/lib/app.db", "/var/lib/app.db"),
        ("data/app.db", "data/app.db"),
        ("data/odd:name.db", "data/odd:name.db"),
        ("app.db", "app.db"),
    ],
)
def test_an_address_means_a_file(address: str, path: str) -> None:
    assert sqlite_path(address) == Path(path)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert sqlite_path("~/app.db") == Path("/home/ann/app.db")


@pytest.mark.parametrize(
    "address", ["mongodb://localhost", "postgres://x/y", "sqlite://host/x", "sqlite:", "sqlite:///"]
)
def test_an_unknown_scheme_is_an_error_that_says_what_to_do(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(address)
    assert caught.value.code == "store.unknown_scheme"
    assert "sqlite:///" in caught.value.hint


def test_without_an_address_the_variable_counts_and_then_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "own.db"))
    store = open_store()
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / "own.db"
    assert sqlite_path("other.db") == Path("other.db")
    monkeypatch.delenv("PYAGENT_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert sqlite_path() == default_path() == tmp_path / "pyagent" / "pyagent.db"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_path() == Path("/home/ann/.local/share/pyagent/pyagent.db")
