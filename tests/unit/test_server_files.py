"""Choosing a path: folders are listed by names alone, without the engine's own things, and only for who may edit."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pyagent.server import files
from pyagent.server.capabilities import MEANINGS, refusal
from pyagent.server.context import ServerContext
from pyagent.server.lookups import Lookups
from pyagent.vault import TokenGrant
from server_lab import client_of, server_of_graphs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with the engine's data in its usual place."""
    made = tmp_path / "home"
    (made / "Documents" / "inbox").mkdir(parents=True)
    (made / "Documents" / "notes.txt").write_text("what it says")
    monkeypatch.setenv("HOME", str(made))
    for name in ("XDG_DATA_HOME", "PYAGENT_STORE", "PYAGENT_VAULT", "PYAGENT_VAULT_KEY", "PYAGENT_BLOBS"):
        monkeypatch.delenv(name, raising=False)
    # Folders in which programs work are seen by them, and the temporary one would be such a folder.
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/nowhere")
    return made


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    async with server_of_graphs(tmp_path / "graphs") as made:
        yield made


async def ask(server: ServerContext, folder: str = "", **more: Any) -> dict[str, Any]:
    async with client_of(server) as client:
        answer = await client.get("/api/v1/files", params={"folder": folder, **more})
    return {"status": answer.status_code, **answer.json()}


def names(found: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in found["entries"]]


async def test_a_folder_is_told_by_names_kinds_sizes_and_times_folders_first(server: ServerContext, home: Path) -> None:
    found = await ask(server, "~/Documents")
    (inbox, notes) = found["entries"]
    assert (inbox["name"], inbox["kind"], inbox["size"]) == ("inbox", "folder", None)
    assert (notes["name"], notes["kind"], notes["size"]) == ("notes.txt", "file", 12)
    assert datetime.fromisoformat(notes["modified"]) <= datetime.now(UTC)
    assert "what it says" not in str(found)
    assert (found["folder"], found["written"], found["parent"]) == (
        str(home / "Documents"),
        "~/Documents",
        str(home),
    )


async def test_without_a_folder_it_begins_where_the_server_was_started(
    server: ServerContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "Documents")
    found = await ask(server)
    assert (found["folder"], found["start"], found["home"]) == (
        str(home / "Documents"),
        str(home / "Documents"),
        str(home),
    )


async def test_outside_of_the_home_folder_paths_are_written_whole(server: ServerContext, home: Path) -> None:
    found = await ask(server, str(home.parent))
    assert found["written"] == str(home.parent)
    assert (await ask(server, "/"))["parent"] is None


async def test_hidden_files_come_when_asked_for_and_a_search_takes_any_case(server: ServerContext, home: Path) -> None:
    (home / "Documents" / ".Secret").touch()
    assert names(await ask(server, "~/Documents")) == ["inbox", "notes.txt"]
    assert names(await ask(server, "~/Documents", hidden=True)) == ["inbox", ".Secret", "notes.txt"]
    assert names(await ask(server, "~/Documents", search="NOTE")) == ["notes.txt"]


@pytest.mark.parametrize("way", ["~/Documents/../.local/share/pyagent", "{home}/.local/share/pyagent", "{link}"])
async def test_the_engines_own_folder_is_shown_by_no_way_that_leads_there(
    server: ServerContext, home: Path, way: str
) -> None:
    own = home / ".local" / "share" / "pyagent"
    own.mkdir(parents=True)
    (own / "credentials.vault").touch()
    link = home / "Documents" / "link"
    link.symlink_to(own)
    found = await ask(server, way.format(home=home, link=link))
    assert (found["status"], found["code"]) == (422, "files.own")
    assert names(await ask(server, str(own.parent))) == []


async def test_of_a_folder_with_a_store_in_it_the_rest_is_shown(
    server: ServerContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = home / "project"
    (project / "runs.db.blobs").mkdir(parents=True)
    own = ("runs.db", "runs.db-wal", "server-token", "server-shares.json", "credentials.vault", "credentials.vault.key")
    for name in (*own, "data.csv"):
        (project / name).touch()
    monkeypatch.setenv("PYAGENT_STORE", str(project / "runs.db"))
    assert names(await ask(server, str(project), hidden=True)) == ["data.csv"]
    assert (await ask(server, str(project / "runs.db.blobs")))["code"] == "files.own"


async def test_a_link_is_told_and_not_followed(server: ServerContext, home: Path) -> None:
    (home / "Documents" / "away").symlink_to("/etc")
    (home / "Documents" / "ring").symlink_to("ring")
    found = {entry["name"]: entry for entry in (await ask(server, "~/Documents"))["entries"]}
    assert (found["away"]["kind"], found["away"]["target"], found["away"]["size"]) == ("link", "/etc", None)
    # Who opens it sees where it leads.
    assert (await ask(server, "~/Documents/away"))["folder"] == str(Path("/etc").resolve())
    assert (await ask(server, "~/Documents/ring"))["code"] == "files.unreadable"


@pytest.mark.parametrize(
    ("folder", "status", "code"),
    [
        ("Documents", 422, "files.path"),
        ("../..", 422, "files.path"),
        ("~root/x", 422, "files.path"),
        ("/etc/\0/x", 422, "files.path"),
        ("~/missing", 404, "files.not_found"),
        ("~/Documents/notes.txt", 422, "files.not_a_folder"),
        ("~/Documents/notes.txt/x", 422, "files.not_a_folder"),
        (f"~/{'x' * 300}", 422, "files.unreadable"),
        (f"/{'x/' * 3000}", 422, "input.invalid"),
    ],
)
async def test_what_is_no_folder_is_a_plain_error(
    server: ServerContext, home: Path, folder: str, status: int, code: str
) -> None:
    found = await ask(server, folder)
    assert (found["status"], found["code"]) == (status, code)
    assert found["message"]
    assert found["hint"]


async def test_a_folder_that_nobody_may_read_is_a_plain_error(
    server: ServerContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, whom no folder refuses.
    monkeypatch.setattr(os, "scandir", refused)
    found = await ask(server, "~/Documents")
    assert (found["status"], found["code"]) == (422, "files.unreadable")
    assert "Permission denied" in found["message"]


async def test_of_a_huge_folder_the_first_are_told_and_a_search_finds_the_others(
    server: ServerContext, home: Path
) -> None:
    for number in range(files.MOST + 5):
        (home / "Documents" / f"{number:05}").touch()
    found = await ask(server, "~/Documents")
    assert len(found["entries"]) == files.MOST
    assert found["more"]
    assert names(found)[:2] == ["inbox", "00000"]
    found = await ask(server, "~/Documents", search="0100")
    assert names(found)[-1] == f"{files.MOST + 4:05}"
    assert not found["more"]


async def test_a_name_that_is_no_text_is_left_out(server: ServerContext, home: Path) -> None:
    (home / "Documents" / os.fsdecode(b"bad\xff")).touch()
    (home / "Documents" / "a\u202fb").touch()
    assert names(await ask(server, "~/Documents")) == ["inbox", "a\u202fb", "notes.txt"]


async def test_a_folder_whose_name_is_no_text_is_a_plain_error_by_whatever_way_it_is_come_to(
    server: ServerContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = home / os.fsdecode(b"odd\xff")
    odd.mkdir()
    (home / "Documents" / "link").symlink_to(odd)
    found = await ask(server, "~/Documents/link")
    assert (found["status"], found["code"]) == (422, "files.path")
    assert (await ask(server, "~/Documents", search="link"))["entries"][0]["target"] == f"{home}/odd\ufffd"
    monkeypatch.chdir(odd)
    found = await ask(server)
    assert (found["folder"], found["start"]) == (str(home), str(home))


@pytest.mark.parametrize(
    ("capabilities", "graphs", "may"),
    [
        (frozenset(MEANINGS), None, True),
        (frozenset({"edit"}), None, True),
        (frozenset({"read", "run", "approve"}), None, False),
        (frozenset(MEANINGS), frozenset({"one"}), False),
    ],
)
async def test_only_who_may_edit_any_graph_may_look(
    capabilities: frozenset[str], graphs: frozenset[str] | None, may: bool
) -> None:
    grant = TokenGrant(
        ids=("1",), label="x", expires=datetime.now(UTC) + timedelta(days=1), capabilities=capabilities, graphs=graphs
    )

    async def no_run(_: str) -> str:
        raise AssertionError

    refused = await refusal(grant, "GET", "/api/v1/files", no_run)
    assert (refused is None) == may


async def test_a_stranger_sees_nothing(server: ServerContext) -> None:
    async with client_of(server, token="") as stranger:
        assert (await stranger.get("/api/v1/files")).status_code == 401


async def test_a_disk_that_does_not_answer_is_told_and_keeps_nobody_from_others(
    server: ServerContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, view = threading.Event(), files._view

    def slow(wanted: Any) -> Any:
        if wanted.folder == "/gone":
            answers.wait()
        return view(wanted)

    monkeypatch.setattr(files, "_view", slow)
    server.lookups = Lookups(patience=0, most=2)
    gone = [await ask(server, "/gone") for _ in range(3)]
    assert [(found["status"], found["code"]) for found in gone] == [
        (504, "files.no_answer"),
        (504, "files.no_answer"),
        (503, "server.busy"),
    ]
    server.lookups.patience = 20
    other = asyncio.create_task(server.lookups.run("somebody else", lambda: "found"))
    assert await other == "found"
    answers.set()
    while (found := await ask(server, "~/Documents"))["status"] == 503:
        pass
    assert names(found) == ["inbox", "notes.txt"]
