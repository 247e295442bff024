"""What is particular to SQLite: the file, its schema, locks, errors, blobs beside it."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from pyagent.errors import PyAgentError, SetupError, StoreError
from pyagent.store import Commit, StoreFull, StoreUnavailable
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore, StoreBusy
from pyagent.testing.store import OVER, entry, event, new_run, random_bytes, started


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    yield store
    await store.close()


async def code_of_opening(path: Path) -> str:
    with pytest.raises(PyAgentError) as caught:
        await SqliteStore(path, busy_limit=0.05).open()
    assert caught.value.hint
    return caught.value.code


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program in the middle of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


# the file


async def test_folder_and_files_are_for_their_user_only(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "deep" / "pyagent.db")
    await store.open()
    run, _ = await started(store)
    await store.put_blob(run.id, digest_of(b"x" * 100_000), b"x" * 100_000)
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert {path.name for path in store.path.parent.iterdir()} >= {"pyagent.db", "pyagent.db-wal", "pyagent.db-shm"}
    await store.close()
    assert {path.name for path in store.path.parent.iterdir()} == {"pyagent.db", "pyagent.db.blobs"}


async def test_many_handles_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "pyagent.db") for _ in range(5)]
    await asyncio.gather(*(store.open() for store in stores))
    await stores[0].create_run(new_run())
    for store in stores:
        assert len(await store.list_runs()) == 1
        await store.close()


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="not open"):
        await SqliteStore(tmp_path / "pyagent.db").last_cursor()


@pytest.mark.parametrize(
    ("setting", "plain", "durable"), [(None, 1, 2), ("normal", 1, 1), ("Once", 1, 2), ("FULL", 2, 2)]
)
async def test_the_setting_decides_how_commits_are_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, plain: int, durable: int
) -> None:
    if setting is not None:
        monkeypatch.setenv("PYAGENT_SQLITE_SYNCHRONOUS", setting)
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    seen: list[int] = []

    def look(connection: sqlite3.Connection) -> None:
        seen.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    await store.database.write(look)
    await store.database.write(look, durable=True)
    await store.database.write(look)
    assert seen == [plain, durable, plain]
    await store.close()


def test_a_wrong_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_SQLITE_SYNCHRONOUS", "off")
    with pytest.raises(SetupError) as caught:
        SqliteStore(tmp_path / "pyagent.db")
    assert caught.value.code == "setup.setting"


# locks


async def test_the_event_loop_goes_on_while_another_program_holds_the_lock(store: SqliteStore) -> None:
    turns = 0
    with locked(store.path) as other:
        creating = asyncio.create_task(store.create_run(new_run()))
        while turns < 200:
            await asyncio.sleep(0)
            turns += 1
        assert not creating.done()
        assert await store.list_runs() == []  # readers are not kept waiting
        other.execute("COMMIT")
        run = await asyncio.wait_for(creating, 10)
    assert (await store.get_run(run.id)).status == "queued"


async def test_a_lock_that_is_held_too_long_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "pyagent.db", busy_limit=0.05)
    await store.open()
    with locked(store.path):
        with pytest.raises(StoreBusy) as caught:
            await store.create_run(new_run())
        with pytest.raises(StoreBusy):
            store.database.write_now(lambda connection: None)
    assert isinstance(caught.value, StoreUnavailable)
    assert "lsof" in caught.value.hint
    await store.create_run(new_run())
    await store.close()


async def test_a_cancelled_task_does_not_commit(store: SqliteStore) -> None:
    with locked(store.path) as other:
        creating = asyncio.create_task(store.create_run(new_run()))
        await asyncio.sleep(0)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        other.execute("COMMIT")
    assert await store.list_runs() == []


# the log of writes


async def test_the_log_of_writes_is_moved_into_the_database_while_the_store_works(store: SqliteStore) -> None:
    _, lease = await started(store)
    before = store.path.stat().st_size
    n = 0
    while store.path.stat().st_size < before + 250_000:
        n += 1
        await store.commit(lease, Commit(entries=[entry(n, random_bytes(1000, n))]))
        await asyncio.sleep(0)
    assert n >= 300


async def test_the_log_of_writes_is_not_moved_beside_a_commit(store: SqliteStore) -> None:
    run, lease = await started(store)
    await store.commit(lease, Commit(entries=[entry(n, random_bytes(3000, n)) for n in range(1, 100)]))
    before = store.path.stat().st_size
    with locked(store.path):
        await asyncio.to_thread(store.database._move_log)
        assert store.path.stat().st_size == before
    await asyncio.to_thread(store.database._move_log)
    assert store.path.stat().st_size > before + 200_000
    assert len(await store.read_log(run.id)) == 99


# errors


async def test_a_full_disk_keeps_nothing_of_the_commit_and_the_store_goes_on(store: SqliteStore) -> None:
    run, lease = await started(store)

    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    await store.database.write(limit)
    bodies = [random_bytes(40_000, seed) for seed in range(3)]
    with pytest.raises(StoreFull) as caught:
        await store.commit(
            lease, Commit(entries=[entry(n, body) for n, body in enumerate(bodies, 1)], events=[event()])
        )
    assert "pyagent resume" in caught.value.hint
    assert await store.read_log(run.id) == []
    assert await store.read_events() == []
    await store.database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    await store.commit(lease, Commit(entries=[entry(n, body) for n, body in enumerate(bodies, 1)]))
    assert len(await store.read_log(run.id)) == 3


async def test_a_full_disk_is_noticed_while_a_blobs_file_is_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lease = await started(store)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    content = random_bytes(100_000, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreFull):
            await store.commit(lease, Commit(blobs=[(digest_of(content), content)], entries=[entry(1)]))
    assert await store.read_log(run.id) == []
    assert [path for path in store.path.parent.rglob("*") if ".new-" in path.name] == []
    await store.put_blob(run.id, digest_of(content), content)


@pytest.mark.parametrize("times", [1, 1000])
async def test_a_file_that_is_no_database_is_not_called_damaged_and_stays_as_it_is(tmp_path: Path, times: int) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text("id: triage\nnodes: {}\n" * times)
    with pytest.raises(StoreError, match="is not a PyAgent database") as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "store.foreign"
    assert "pyagent run" in caught.value.hint
    assert path.read_text().startswith("id: triage")
    assert [found.name for found in tmp_path.iterdir()] == ["graph.yaml"]


async def test_a_damaged_page_is_reported_with_what_to_do(store: SqliteStore) -> None:
    run, lease = await started(store)
    await store.commit(lease, Commit(entries=[entry(n, random_bytes(3000, n)) for n in range(1, 60)]))
    await store.close()
    content = bytearray(store.path.read_bytes())
    for page in range(60, len(content) // 4096):
        content[page * 4096 : page * 4096 + 60] = b"\xff" * 60
    store.path.write_bytes(content)
    await store.open()
    with pytest.raises(StoreUnavailable) as caught:
        await store.read_log(run.id)
    assert caught.value.code == "store.damaged"
    assert ".recover" in caught.value.hint


async def test_a_folder_in_the_files_place_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "pyagent.db").mkdir()
    assert await code_of_opening(tmp_path / "pyagent.db") == "store.unavailable"


async def test_a_path_below_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert await code_of_opening(tmp_path / "file" / "pyagent.db") == "store.unavailable"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "store.unavailable"),
        (OSError(errno.EROFS, "Read-only file system"), "store.read_only"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "store.full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "store.read_only"),
    ],
)
async def test_errors_of_the_system_have_codes_of_ours(store: SqliteStore, error: Exception, code: str) -> None:
    if isinstance(error, sqlite3.OperationalError):
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DIRECTORY
    assert isinstance(error, sqlite3.Error | OSError)
    translated = store.database.translate(error)
    assert translated.code == code
    assert translated.hint


async def test_a_read_only_file_is_reported(store: SqliteStore) -> None:
    await store.database.write(lambda connection: None)
    store.database.close()
    await store.open()

    def forbid(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA query_only = ON")

    await store.database.read(forbid)
    with pytest.raises(StoreUnavailable) as caught:
        await store.database.read(lambda connection: connection.execute("DELETE FROM runs"))
    assert caught.value.code == "store.read_only"


# blobs


async def test_small_blobs_are_in_the_database_and_large_ones_in_files(store: SqliteStore) -> None:
    run, lease = await started(store)
    files = store.path.with_name("pyagent.db.blobs")
    small, large = b"s" * 65_535, b"l" * 65_536
    await store.put_blob(run.id, digest_of(small), small)
    assert not files.exists()
    await store.commit(lease, Commit(blobs=[(digest_of(large), large)]))
    path = files / digest_of(large)[:2] / digest_of(large)
    assert path.stat().st_size < 200
    await store.release(lease)
    await store.delete_run(run.id)
    assert not path.exists()


async def test_a_damaged_or_lost_file_of_a_blob_is_noticed(store: SqliteStore) -> None:
    run, _ = await started(store)
    content = random_bytes(70_000, 1)
    digest = digest_of(content)
    await store.put_blob(run.id, digest, content)
    path = store.path.with_name("pyagent.db.blobs") / digest[:2] / digest
    stored = path.read_bytes()
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(StoreError) as caught:
        await store.get_blob(digest)
    assert caught.value.code == "store.blob_digest"
    path.unlink()
    with pytest.raises(StoreError) as caught:
        await store.get_blob(digest)
    assert caught.value.code == "store.blob_missing"


async def test_files_that_a_crash_left_behind_are_swept(store: SqliteStore) -> None:
    run, _ = await started(store)
    kept = b"k" * 100_000
    await store.put_blob(run.id, digest_of(kept), kept)
    folder = store.path.with_name("pyagent.db.blobs") / "ab"
    folder.mkdir(exist_ok=True)
    orphan, old, young = folder / ("ab" * 32), folder / ".new-old", folder / ".new-young"
    for path in (orphan, old, young):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert await store.sweep() == 1
    assert (orphan.exists(), old.exists(), young.exists()) == (False, False, True)
    assert await store.get_blob(digest_of(kept)) == kept


async def test_a_blob_put_while_its_last_run_is_deleted_is_not_lost(store: SqliteStore, tmp_path: Path) -> None:
    peer = SqliteStore(store.path)
    await peer.open()
    content = b"c" * 100_000
    digest = digest_of(content)
    for _ in range(15):
        first, lease = await started(store)
        second, _ = await started(store)
        await store.put_blob(first.id, digest, content)
        await store.release(lease)
        await asyncio.gather(store.delete_run(first.id), peer.put_blob(second.id, digest, content), peer.sweep())
        assert await peer.get_blob(digest) == content
        await store.claim(second.id, "worker", OVER)
        await store.delete_run(second.id)
    await peer.close()


async def test_deleted_data_is_not_left_in_the_file(store: SqliteStore) -> None:
    run, lease = await started(store)
    secret = b"secret " + random_bytes(8, 1).hex().encode()
    await store.post(run.id, "signal", body=secret)
    await store.commit(lease, Commit(entries=[entry(n, secret + bytes(2000)) for n in range(1, 50)], release=True))
    await store.commit(await store.claim(run.id, "worker", timedelta(minutes=1)), Commit(outputs=secret, release=True))
    await store.delete_run(run.id)
    for path in store.path.parent.iterdir():
        if path.is_file():
            assert secret not in path.read_bytes(), path


async def test_what_is_active_is_known_and_seen_again_when_another_connection_changes_it(tmp_path: Path) -> None:
    mine, others = SqliteStore(tmp_path / "pyagent.db"), SqliteStore(tmp_path / "pyagent.db")
    await mine.open()
    await others.open()
    await mine.put_graph("hook", "one", "id: hook")
    assert await mine.activations() == []
    await others.activate("hook", "one")
    assert [found.graph_hash for found in await mine.activations()] == ["one"]
    assert await mine.activations() is await mine.activations()
    await mine.set_problem("hook", "node", {"code": "x"})
    assert (await mine.activations())[0].problems == {"node": {"code": "x"}}
    await others.deactivate("hook")
    assert await mine.activations() == []
    await mine.close()
    await others.close()


async def test_the_latest_version_of_a_graph_is_not_put_again(store: SqliteStore) -> None:
    await store.put_graph("one", "a", "text a")
    await store.put_graph("one", "b", "text b")
    before = store.database.write_now(lambda to: to.total_changes)
    await store.put_graph("one", "b", "text b")
    assert store.database.write_now(lambda to: to.total_changes) == before
    await store.put_graph("one", "a", "text a")
    assert (await store.latest_graph("one")).hash == "a"
