"""The user's folders: where the cache is, and who may look into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.sdk.places import cache_folder, cache_path, private_folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_every_folder_that_is_made_is_private(tmp_path: Path) -> None:
    assert private_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    private_folder(tmp_path / "shared" / "own")
    assert mode(tmp_path / "shared") == 0o755


def test_the_cache_is_made_private_also_where_it_was_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "pyagent").mkdir()
    (tmp_path / "pyagent").chmod(0o755)
    assert cache_folder() == tmp_path / "pyagent"
    assert mode(tmp_path / "pyagent") == 0o700


@pytest.mark.parametrize("given", ["", "relative/cache"])
def test_a_cache_variable_that_is_no_absolute_path_does_not_count(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_path() == Path("/home/ann/.cache/pyagent")
