"""The command line on an empty store; two stores between which runs go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from command_line import Command, command_line
from pyagent.store.base import Store
from pyagent.store.sqlite import SqliteStore
from pyagent.testing import MemoryStore


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the store; graphs are looked for here. Files of tests put theirs into it."""
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("PYAGENT_GRAPHS", str(tmp_path))
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line and gives its exit code, output and errors."""
    return command_line(capsys)


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Where runs come from."""
    store = SqliteStore(tmp_path / "source.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=["sqlite", "memory"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Where they go to."""
    store: Store = SqliteStore(tmp_path / "target.db") if request.param == "sqlite" else MemoryStore()
    await store.open()
    yield store
    await store.close()
