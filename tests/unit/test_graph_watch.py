"""Changes of graph files on disk are told, however they come about."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watchfiles import _rust_notify

from pyagent.runtime import graph_watch
from pyagent.runtime.graph_files import text_hash
from pyagent.runtime.graph_watch import GraphChange, GraphListener, GraphWatch, GraphWatchEnded
from pyagent.runtime.library import BrokenFile, GraphFile, GraphLibrary

TEXT = "pyagent: 1\nid: greet\nnodes: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "graphs"
    made.mkdir()
    (made / "greet.yaml").write_text(TEXT)
    return made


async def until(listener: GraphListener, graph: str, hash: str | None) -> list[GraphChange]:
    """The changes up to the one that leaves the graph with that text."""
    found: list[GraphChange] = []
    while not any(change.graph == graph and change.text_hash == hash for change in found):
        found += await listener.take()
    return found


async def test_a_write_over_the_file_is_told_with_the_hash_of_its_text(folder: Path) -> None:
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        changed = f"{TEXT}# changed\n"
        (folder / "greet.yaml").write_text(changed)
        found = await until(listener, "greet", text_hash(changed))
    assert found[-1].file == folder / "greet.yaml"
    assert found[-1].kind == "changed"


async def test_a_file_that_takes_the_name_of_another_as_vim_writes_is_a_change(folder: Path) -> None:
    file = folder / "greet.yaml"
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        for number in range(3):
            changed = f"{TEXT}# {number}\n"
            file.rename(folder / "greet.yaml~")
            (folder / "4913").write_text("")
            (folder / "4913").unlink()
            file.write_text(changed)
            (folder / "greet.yaml~").unlink()
            await until(listener, "greet", text_hash(changed))


async def test_what_is_no_file_and_names_that_are_not_utf8_keep_nothing_from_being_told(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "circle.yaml").symlink_to("circle.yaml")
    (folder / os.fsdecode(b"odd\xff.yaml")).write_text("id: [")
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        (folder / "greet.yaml").write_text(f"{TEXT}#\n")
        await until(listener, "greet", text_hash(f"{TEXT}#\n"))
        os.mkfifo(folder / "later.yaml")
        (folder / "greet.yaml").write_text(TEXT)
        await until(listener, "greet", text_hash(TEXT))


async def test_a_folder_whose_name_is_not_utf8_is_watched_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_watch, "POLL", 0.01)
    folder = tmp_path / os.fsdecode(b"odd\xff")
    folder.mkdir()
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        (folder / "greet.yaml").write_text(TEXT)
        await until(listener, "greet", text_hash(TEXT))


async def test_files_come_and_go_by_the_ids_of_their_graphs(folder: Path) -> None:
    other = TEXT.replace("greet", "other")
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        (folder / "somewhere.yaml").write_text(other)
        [added] = (await until(listener, "other", text_hash(other)))[-1:]
        assert (added.kind, added.file.name) == ("added", "somewhere.yaml")
        (folder / "somewhere.yaml").unlink()
        [removed] = await until(listener, "other", None)
        assert removed.kind == "removed"


async def test_a_file_that_breaks_is_still_the_one_of_its_graph(folder: Path) -> None:
    (folder / "greet.yaml").rename(folder / "hello.yml")
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        (folder / "hello.yml").write_text("id: [")
        found = await until(listener, "greet", text_hash("id: ["))
    assert {change.graph for change in found} == {"greet"}


async def test_a_folder_that_goes_and_comes_again_is_watched_again(folder: Path) -> None:
    watch = GraphWatch(GraphLibrary([folder, folder / "later" / "still"]))
    async with watch.listening() as listener:
        for number in range(2):
            shutil.rmtree(folder)
            await until(listener, "greet", None)
            changed = f"{TEXT}# {number}\n"
            (folder / "later" / "still").mkdir(parents=True)
            (folder / "later" / "still" / "greet.yaml").write_text(changed)
            await until(listener, "greet", text_hash(changed))


async def test_a_folder_of_another_name_takes_its_graphs_with_it(folder: Path) -> None:
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        folder.rename(folder.parent / "away")
        await until(listener, "greet", None)
        (folder.parent / "away").rename(folder)
        await until(listener, "greet", text_hash(TEXT))


async def test_a_write_that_changes_nothing_is_not_told(folder: Path) -> None:
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        os.utime(folder / "greet.yaml", (1, 1))
        (folder / "notes.txt").write_text("no graph")
        changed = f"{TEXT}# changed\n"
        (folder / "greet.yaml").write_text(changed)
        assert len(await until(listener, "greet", text_hash(changed))) >= 1
        assert listener.waiting == 0


async def test_one_watcher_serves_all_and_rests_when_nobody_listens(folder: Path) -> None:
    watch = GraphWatch(GraphLibrary([folder]))
    assert not watch.watching
    async with watch.listening() as one:
        work = watch.watching
        async with watch.listening() as other:
            assert watch.watching is work
            (folder / "greet.yaml").write_text(f"{TEXT}#\n")
            await asyncio.gather(*(until(listener, "greet", text_hash(f"{TEXT}#\n")) for listener in (one, other)))
    assert not watch.watching


async def test_whoever_comes_later_misses_nothing_from_then_on(folder: Path) -> None:
    watch = GraphWatch(GraphLibrary([folder]))
    async with watch.listening():
        (folder / "greet.yaml").write_text(f"{TEXT}# before\n")
        async with watch.listening() as late:
            (folder / "greet.yaml").write_text(f"{TEXT}# after\n")
            await until(late, "greet", text_hash(f"{TEXT}# after\n"))


async def test_a_slow_listener_is_told_only_what_is_last() -> None:
    def change(kind: str, text: str) -> GraphChange:
        return GraphChange(graph="a", file=Path("a.yaml"), text_hash=text or None, kind=kind)  # type: ignore[arg-type]

    listener = GraphListener()
    for text in "123":
        listener.tell(change("changed", text))
    assert await listener.take() == [change("changed", "3")]
    listener.tell(change("removed", ""))
    listener.tell(change("added", "4"))
    assert await listener.take() == [change("changed", "4")]
    listener.tell(change("added", "5"))
    listener.tell(change("changed", "6"))
    assert await listener.take() == [change("added", "6")]
    listener.tell(change("added", "7"))
    listener.tell(change("removed", ""))
    assert listener.waiting == 0


async def test_a_watch_that_fails_is_told_and_can_begin_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = GraphLibrary([folder])
    watch = GraphWatch(library)

    def broken() -> Iterator[GraphFile | BrokenFile]:
        raise OSError("gone")

    async with watch.listening() as listener:
        monkeypatch.setattr(library, "entries", broken)
        (folder / "greet.yaml").write_text(f"{TEXT}#\n")
        with pytest.raises(GraphWatchEnded, match="gone"):
            await listener.take()
        monkeypatch.undo()
        async with watch.listening() as again:
            (folder / "greet.yaml").write_text(f"{TEXT}# again\n")
            await until(again, "greet", text_hash(f"{TEXT}# again\n"))


async def test_a_library_that_cannot_be_read_refuses_whoever_listens(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = GraphLibrary([folder])
    monkeypatch.setattr(library, "entries", lambda: 1 / 0)
    with pytest.raises(GraphWatchEnded):
        async with GraphWatch(library).listening():
            pytest.fail("it was let in")


async def test_without_notices_of_the_system_files_are_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(_rust_notify, "RustNotify", none_left)
    monkeypatch.setattr(graph_watch, "POLL", 0.01)
    async with GraphWatch(GraphLibrary([folder])).listening() as listener:
        (folder / "greet.yaml").write_text(f"{TEXT}# polled\n")
        await until(listener, "greet", text_hash(f"{TEXT}# polled\n"))


async def test_a_watch_that_was_left_and_fails_later_ends_no_other(folder: Path) -> None:
    watch = GraphWatch(GraphLibrary([folder]))
    async with watch.listening():
        first = watch._work  # pyright: ignore[reportPrivateUsage]
    assert first is not None
    async with watch.listening() as listener:
        first._fail(RuntimeError("too late"))  # pyright: ignore[reportPrivateUsage]
        assert watch.watching
        (folder / "greet.yaml").write_text(f"{TEXT}#\n")
        await until(listener, "greet", text_hash(f"{TEXT}#\n"))
