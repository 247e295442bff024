"""The command line on an empty store."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Command, command_line


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
