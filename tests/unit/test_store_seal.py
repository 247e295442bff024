"""Stores that seal: nothing of a payload is in their files, and who has the vault reads all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import StoreError
from pyagent.runtime.store_check import check_store
from pyagent.store import codec, sealing
from pyagent.store.blobs import digest_of
from pyagent.store.sealing import StoreSealed
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import new_run
from pyagent.vault import Vault, make_vault
from sealed_store import CANARY, LARGE, digests_of, files_with, fill, sealed


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    return sealed(tmp_path, monkeypatch)


async def opened(folder: Path, **more: Any) -> SqliteStore:
    store = SqliteStore(folder / "pyagent.db", **more)
    await store.open()
    return store


async def test_no_file_of_a_sealed_store_holds_a_payload_or_its_hash_and_all_of_it_is_read(
    tmp_path: Path, vault: Vault
) -> None:
    store = await opened(tmp_path)
    run_id = await fill(store)
    hashes = digests_of(LARGE, CANARY.encode())
    # While it is open: the log of writes is looked at, too.
    assert (tmp_path / "pyagent.db-wal").stat().st_size > 0
    assert files_with(tmp_path, CANARY.encode(), *hashes) == []
    await store.close()
    assert files_with(tmp_path, CANARY.encode(), *hashes) == []

    store = await opened(tmp_path)
    assert CANARY in str(await store.steps(run_id)) or CANARY in str(await store.read_log(run_id))
    assert CANARY.encode() in (await store.get_run(run_id)).inputs
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    assert store.blob_now(digest_of(LARGE)) == LARGE
    assert await store.read_blob(digest_of(LARGE), 5, 50) == LARGE[5:50]
    assert await store.blob_size(digest_of(LARGE)) == len(LARGE)
    assert {digest_of(LARGE), digest_of(CANARY.encode())} <= set(await store.blobs_of(run_id))
    found = await store.langgraph_saver().aget_tuple({"configurable": {"thread_id": "1"}})
    assert found is not None
    assert found.checkpoint["channel_values"] == {"messages": [CANARY] * 500}
    assert (await check_store(store))[1] == []
    await store.close()


async def test_a_content_is_kept_once_and_goes_with_its_last_run(tmp_path: Path, vault: Vault) -> None:
    store = await opened(tmp_path)
    files = tmp_path / "pyagent.db.blobs"
    (tmp_path / "large").write_bytes(LARGE)
    for run in ("run-a", "run-b"):
        await store.create_run(new_run(id=run))
        await store.put_blob(run, digest_of(LARGE), LARGE)
        assert await store.put_blob_file(run, tmp_path / "large") == (digest_of(LARGE), len(LARGE))
    names = [path.name for path in files.rglob("*") if path.is_file()]
    assert len(names) == 1
    assert names != [digest_of(LARGE)]
    await store.delete_run("run-a")
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    await store.delete_run("run-b")
    assert not [path for path in files.rglob("*") if path.is_file()]
    await store.close()


async def test_large_blobs_elsewhere_are_sealed_too(tmp_path: Path, vault: Vault) -> None:
    store = await opened(tmp_path, blobs=str(tmp_path / "elsewhere"))
    await store.create_run(new_run(id="run-a"))
    await store.put_blob("run-a", digest_of(LARGE), LARGE)
    assert len([path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]) == 1
    assert files_with(tmp_path, CANARY.encode(), *digests_of(LARGE)) == []
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    assert await store.read_blob(digest_of(LARGE), 1, 3) == LARGE[1:3]
    store.outside.grace = -1
    assert await store.sweep() == 0, "what is kept is no orphan"
    assert await store.faults() == []
    await store.delete_run("run-a")
    assert not [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]
    await store.close()


async def test_what_was_kept_before_is_read_and_what_is_sealed_is_read_when_the_setting_is_off(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_SEAL", "off")
    store = await opened(tmp_path)
    plain = await fill(store)
    await store.close()
    assert files_with(tmp_path, CANARY.encode())

    monkeypatch.setenv("PYAGENT_SEAL", "on")
    store = await opened(tmp_path)
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    # A fork refers to what is kept already; what is given again is kept again, sealed.
    other = b"another" * 20_000
    await store.create_run(new_run(id="run-sealed", inputs=CANARY.encode()))
    await store.put_blob("run-sealed", digest_of(LARGE), LARGE)
    await store.put_blob("run-sealed", digest_of(other), other)
    await store.delete_run(plain)
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    await store.close()

    monkeypatch.setenv("PYAGENT_SEAL", "off")
    monkeypatch.setattr(sealing, "_kept", sealing._Kept())
    store = await opened(tmp_path)
    assert await store.get_blob(digest_of(other)) == other
    assert (await store.get_run("run-sealed")).inputs == CANARY.encode()
    assert set(await store.blobs_of("run-sealed")) == {digest_of(LARGE), digest_of(other)}
    assert await store.faults() == []
    await store.close()


def another_vault(folder: Path) -> None:
    for path in folder.glob("vault*"):
        if path.is_file():
            path.unlink()
    make_vault()


def lock(folder: Path) -> None:
    (folder / "vault.key").unlink()


def remove(folder: Path) -> None:
    (folder / "vault").unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [(remove, "there is no vault"), (lock, "key file"), (another_vault, "a key that the vault does not have")],
)
async def test_without_its_vault_a_sealed_store_says_so(
    tmp_path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], words: str
) -> None:
    store = await opened(tmp_path)
    run_id = await fill(store)
    await store.close()
    monkeypatch.setattr(sealing, "_kept", sealing._Kept())
    monkeypatch.setattr("pyagent.vault._opened", {})
    harm(tmp_path)
    monkeypatch.setenv("PYAGENT_SEAL", "off")
    store = await opened(tmp_path)
    with pytest.raises(StoreSealed, match=words) as caught:
        await store.get_run(run_id)
    assert caught.value.code == "store.sealed"
    assert caught.value.hint
    faults = (await check_store(store))[1]
    assert [fault for fault in faults if words in fault.what], "the check names it, too"
    await store.close()


async def test_a_store_that_is_to_be_sealed_is_not_opened_without_a_vault(tmp_path: Path, vault: Vault) -> None:
    remove(tmp_path)
    with pytest.raises(StoreSealed, match=r"PYAGENT_SEAL is on, and there is no vault"):
        await opened(tmp_path)
    assert not (tmp_path / "pyagent.db").exists()


async def test_after_a_rotation_new_payloads_have_the_new_key_and_old_ones_and_names_stay(
    tmp_path: Path, vault: Vault
) -> None:
    store = await opened(tmp_path)
    await store.create_run(new_run(id="run-old", inputs=CANARY.encode()))
    await store.put_blob("run-old", digest_of(LARGE), LARGE)
    vault.rotate()
    await store.create_run(new_run(id="run-new", inputs=CANARY.encode()))
    await store.put_blob("run-new", digest_of(LARGE), LARGE)
    await store.close()
    with sqlite3.connect(tmp_path / "pyagent.db") as database:
        inputs = [row[0] for row in database.execute("SELECT inputs FROM runs ORDER BY run")]
        blobs = database.execute("SELECT count(*) FROM blobs").fetchone()
    from pyagent.native import codec_describe

    old, new = (codec_describe(payload)[4] for payload in inputs)
    assert old is not None
    assert new is not None
    assert old != new
    assert blobs == (1,)
    store = await opened(tmp_path)
    assert [(await store.get_run(run)).inputs for run in ("run-old", "run-new")] == [CANARY.encode()] * 2
    await store.close()


def test_a_sealed_payload_that_was_changed_is_damaged(vault: Vault) -> None:
    stored = codec.encode(CANARY.encode() * 10)
    assert codec.is_sealed(stored)
    assert codec.decode(stored) == CANARY.encode() * 10
    with pytest.raises(StoreError, match="damaged") as caught:
        codec.decode(stored[:-1] + bytes([stored[-1] ^ 1]))
    assert caught.value.code == "store.codec"
