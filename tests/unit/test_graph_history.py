"""What a graph's file once said: by git where it is in a repository, and by the store."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyagent.errors import NotFound
from pyagent.runtime.git import blobs, commits_of
from pyagent.runtime.graph_files import text_hash
from pyagent.runtime.graph_history import history, past_text
from pyagent.runtime.library import GraphLibrary
from pyagent.testing import MemoryStore

TEXT = "pyagent: 1\nid: greet\nnodes: []\n"


def git(folder: Path, *arguments: str, at: int = 0, author: str = "Ann") -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": author,
        "GIT_COMMITTER_EMAIL": "ann@example.org",
        "GIT_AUTHOR_DATE": f"{1_700_000_000 + at} +0000",
        "GIT_COMMITTER_DATE": f"{1_700_000_000 + at} +0000",
    }
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)
    return done.stdout.decode().strip()


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    made = MemoryStore()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repository" / "graphs"
    made.mkdir(parents=True)
    git(made.parent, "init", "-q", "-b", "main")
    return made


def commit(folder: Path, text: str, message: str, at: int, *, name: str = "greet.yaml") -> str:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message, at=at)
    return git(folder, "rev-parse", "HEAD")


async def test_commits_that_changed_the_file_are_told_newest_first(folder: Path, store: MemoryStore) -> None:
    one = commit(folder, TEXT, "First\n\nand more of it", 0)
    commit(folder, "another file", "Not this one", 1, name="other.txt")
    two = commit(folder, f"{TEXT}# two\n", "Second: “é”", 2)
    found = await history(GraphLibrary([folder]), store, "greet", 10)
    assert [(past.source, past.ref, past.subject, past.author) for past in found] == [
        ("git", two, "Second: “é”", "Ann"),
        ("git", one, "First", "Ann"),
    ]
    assert [past.hash for past in found] == [text_hash(f"{TEXT}# two\n"), text_hash(TEXT)]
    assert found[0].at.timestamp() == 1_700_000_002
    assert [past.ref for past in await history(GraphLibrary([folder]), store, "greet", 1)] == [two]


async def test_versions_of_the_store_stand_beside_commits_unless_they_say_the_same(
    folder: Path, store: MemoryStore
) -> None:
    commit(folder, TEXT, "First", 0)
    await store.put_graph("greet", "a" * 64, TEXT)
    await store.put_graph("greet", "b" * 64, f"{TEXT}# not committed\n")
    found = await history(GraphLibrary([folder]), store, "greet", 10)
    assert [(past.source, past.text) for past in found] == [("store", f"{TEXT}# not committed\n"), ("git", TEXT)]
    assert (await past_text(GraphLibrary([folder]), store, "greet", "b" * 64)).source == "store"


async def test_a_file_of_another_name_keeps_its_history(folder: Path, store: MemoryStore) -> None:
    text = TEXT + "".join(f"# line {number}\n" for number in range(20))
    one = commit(folder, text, "First", 0)
    git(folder, "mv", "greet.yaml", "hello.yaml")
    git(folder, "commit", "-q", "-m", "Renamed", at=1)
    found = await history(GraphLibrary([folder]), store, "greet", 10)
    assert [past.subject for past in found] == ["Renamed", "First"]
    assert (await past_text(GraphLibrary([folder]), store, "greet", one)).text == text


async def test_a_removed_and_restored_file_and_a_merge_are_told(folder: Path, store: MemoryStore) -> None:
    commit(folder, TEXT, "First", 0)
    git(folder, "checkout", "-q", "-b", "side")
    commit(folder, f"{TEXT}# side\n", "Side", 1)
    git(folder, "checkout", "-q", "main")
    commit(folder, "x", "Main", 2, name="other.txt")
    git(folder, "merge", "-q", "--no-ff", "-m", "Merged", "side", at=3)
    (folder / "greet.yaml").unlink()
    git(folder, "commit", "-q", "-am", "Removed", at=4)
    commit(folder, f"{TEXT}# again\n", "Again", 5)
    texts = {past.subject: past.text for past in await history(GraphLibrary([folder]), store, "greet", 10)}
    assert texts["Again"] == f"{TEXT}# again\n"
    assert texts["Side"] == f"{TEXT}# side\n"
    assert texts["First"] == TEXT
    assert "Removed" not in texts


@pytest.mark.parametrize("place", ["none", "empty", "untracked", "bare", "broken"])
async def test_a_file_without_commits_has_the_versions_of_the_store(
    tmp_path: Path, place: str, store: MemoryStore
) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    if place == "bare":
        git(tmp_path, "init", "-q", "--bare", "place")
    elif place != "none":
        git(folder, "init", "-q", "-b", "main")
    if place == "untracked":
        commit(folder, "x", "Other", 0, name="other.txt")
    if place == "broken":
        (folder / ".git" / "HEAD").write_text("nonsense")
    (folder / "greet.yaml").write_text(TEXT)
    await store.put_graph("greet", "a" * 64, TEXT)
    assert [past.source for past in await history(GraphLibrary([folder]), store, "greet", 10)] == ["store"]


async def test_a_shallow_clone_tells_what_it_has(folder: Path, tmp_path: Path, store: MemoryStore) -> None:
    commit(folder, TEXT, "First", 0)
    last = commit(folder, f"{TEXT}# two\n", "Second", 1)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{folder.parent}", "shallow")
    found = await history(GraphLibrary([tmp_path / "shallow" / "graphs"]), store, "greet", 10)
    assert [past.ref for past in found] == [last]


async def test_a_link_is_told_by_the_file_that_it_leads_to(folder: Path, tmp_path: Path, store: MemoryStore) -> None:
    commit(folder, TEXT, "First", 0)
    links = tmp_path / "links"
    links.mkdir()
    (links / "greet.yaml").symlink_to(folder / "greet.yaml")
    assert [past.subject for past in await history(GraphLibrary([links]), store, "greet", 10)] == ["First"]


def test_a_copy_has_a_history_of_its_own(folder: Path) -> None:
    text = TEXT + "".join(f"# line {number}\n" for number in range(20))
    commit(folder, text, "First", 0)
    made = commit(folder, f"{text}# copy\n", "Copied", 1, name="copy.yaml")
    assert [one.id for one in commits_of(folder / "copy.yaml", 10)] == [made]


def test_names_that_look_like_options_or_patterns_are_names(folder: Path) -> None:
    for name in ("--all.yaml", ":(glob)*.yaml", "[a].yaml"):
        made = commit(folder, f"{TEXT}# {name}\n", f"Only {name}", 0, name=name)
        found = commits_of(folder / name, 10)
        assert [one.id for one in found] == [made]
        assert blobs(folder, [found[0].blob or ""]).popitem()[1].decode() == f"{TEXT}# {name}\n"


def test_nothing_that_a_repository_names_is_run(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    commit(folder, TEXT, "First", 0)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "gpg.program", "pager.log"):
        git(folder, "config", key, str(program))
    git(folder, "config", "diff.evil.textconv", str(program))
    git(folder, "config", "log.showSignature", "true")
    git(folder, "config", "core.hooksPath", str(tmp_path))
    (folder.parent / ".gitattributes").write_text("*.yaml diff=evil filter=evil\n")
    git(folder, "config", "filter.evil.smudge", str(program))
    [found] = commits_of(folder / "greet.yaml", 10)
    assert blobs(folder, [found.blob or ""]) == {found.blob: TEXT.encode()}
    assert not ran.exists()


def test_the_environment_does_not_lead_git_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = commit(folder, TEXT, "First", 0)
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert [one.id for one in commits_of(folder / "greet.yaml", 10)] == [made]


def test_without_git_there_are_no_commits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(folder, TEXT, "First", 0)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert commits_of(folder / "greet.yaml", 10) == []


def test_a_message_of_any_signs_is_one_line_of_text(folder: Path) -> None:
    message = "odd \x1e \x1f \t :100644 signs"
    commit(folder, TEXT, message, 0)
    [found] = commits_of(folder / "greet.yaml", 10)
    assert found.subject == message


async def test_what_is_not_there_is_said(folder: Path, store: MemoryStore) -> None:
    commit(folder, TEXT, "First", 0)
    library = GraphLibrary([folder])
    with pytest.raises(NotFound):
        await past_text(library, store, "greet", "0" * 40)
    with pytest.raises(NotFound):
        await history(library, store, "nobody", 10)
    shutil.rmtree(folder.parent / ".git")
    assert await history(library, store, "greet", 10) == []


def test_of_contents_only_as_much_is_read_as_fits(folder: Path) -> None:
    commit(folder, TEXT, "small", 1)
    commit(folder, TEXT + "# " + "x" * 5000 + "\n", "large", 2)
    names = [found.blob or "" for found in commits_of(folder / "greet.yaml", 10)]
    assert [len(blob) for blob in blobs(folder, names).values()] == [len(TEXT) + 5003, len(TEXT)]
    assert [len(blob) for blob in blobs(folder, [*names, "0" * 40], most=1000).values()] == [len(TEXT)]


async def test_a_link_out_of_the_library_tells_only_of_graphs(folder: Path, tmp_path: Path, store: MemoryStore) -> None:
    secret = commit(folder, "password: hunter2\n", "what nobody should see", 1, name="settings.yml")
    graph = commit(folder, TEXT, "a graph by now", 2, name="settings.yml")
    outside = tmp_path / "library"
    outside.mkdir()
    (outside / "greet.yaml").symlink_to(folder / "settings.yml")
    library = GraphLibrary([outside])
    assert [past.ref for past in await history(library, store, "greet", 10)] == [graph]
    with pytest.raises(NotFound):
        await past_text(library, store, "greet", secret)
    inside = GraphLibrary([outside, folder])
    assert len(await history(inside, store, "greet", 10)) == 2
