"""Cases that every place for large blobs outside of a store passes: a folder, and a server that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from pyagent.errors import StoreError
from pyagent.runtime.store_check import check_store
from pyagent.store import Store, outside
from pyagent.store.base import Commit
from pyagent.store.blobs import digest_of
from pyagent.store.outside import OutsideBlobs
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store_parts import OVER, entry, new_run, random_bytes, started

LARGE = 200_000


@dataclass(frozen=True)
class Place:
    """A place, and what a test does to it behind the store's back."""

    setting: str
    listed: Callable[[], Sequence[str]]
    """Of all that lies there."""
    change: Callable[[str, bytes | None], None]
    """Put another content under a key; None: remove it."""
    content: Callable[[str], bytes]


def folder_place(root: Path) -> Place:
    """A folder, which need not be there yet."""

    def change(key: str, content: bytes | None) -> None:
        (root / key).unlink() if content is None else (root / key).write_bytes(content)

    return Place(
        setting=str(root),
        listed=lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()),
        change=change,
        content=lambda key: (root / key).read_bytes(),
    )


class OpenedStore(Store, Protocol):
    """A store with blobs outside."""

    outside: OutsideBlobs


Opened = Callable[..., Awaitable[OpenedStore]]


class BlobPlaceCases:
    """Needs a fixture `place`; a store other than SQLite overrides `made` as well."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> Callable[[str, str], OpenedStore]:
        """A store with a name of its own, not opened, that puts large blobs where the setting says."""
        return lambda name, setting: SqliteStore(tmp_path / name, blobs=setting)

    @pytest.fixture
    async def opened(self, place: Place, made: Callable[[str, str], OpenedStore]) -> AsyncIterator[Opened]:
        async with AsyncExitStack() as stack:

            async def open_store(name: str = "pyagent.db", setting: str | None = None) -> OpenedStore:
                store = made(name, place.setting if setting is None else setting)
                await store.open()
                stack.push_async_callback(store.close)
                return store

            yield open_store

    @pytest.fixture
    async def store(self, opened: Opened) -> OpenedStore:
        return await opened()

    async def test_large_blobs_lie_there_and_go_with_their_last_run(self, store: OpenedStore, place: Place) -> None:
        run, lease = await started(store)
        other = await store.create_run(new_run())
        small, large = b"s" * 65_535, b"l" * 65_536
        await store.commit(lease, Commit(blobs=[(digest_of(small), small), (digest_of(large), large)]))
        [key] = place.listed()
        assert f"/{digest_of(large)[:2]}/{digest_of(large)}-" in f"/{key}"
        await store.put_blob(other.id, digest_of(large), large)
        assert place.listed() == [key]
        stats = await store.stats()
        where = {name: (at.blobs, at.bytes) for name, at in stats.blobs_at.items()}
        assert where["the database"] == (1, 65_535)
        assert where[next(name for name in where if "://" in name)] == (1, 65_536)
        await store.delete_run(other.id)
        assert place.listed() == [key]
        await store.release(lease)
        await store.delete_run(run.id)
        assert place.listed() == []

    async def test_missing_and_damaged_blobs_are_told(self, store: OpenedStore, place: Place) -> None:
        run, _ = await started(store)
        first, second, whole = (random_bytes(LARGE, which) for which in (1, 2, 3))
        for content in (first, second, whole):
            await store.put_blob(run.id, digest_of(content), content)
        keys = {key.rpartition("/")[2][:64]: key for key in place.listed()}
        place.change(keys[digest_of(first)], None)
        kept = place.content(keys[digest_of(second)])
        place.change(keys[digest_of(second)], kept[:500] + bytes([kept[500] ^ 1]) + kept[501:])
        for content, code in ((first, "store.blob_missing"), (second, "store.blob_digest")):
            for read in (store.get_blob(digest_of(content)), store.read_blob(digest_of(content), 0, 5000)):
                with pytest.raises(StoreError) as caught:
                    await read
                assert caught.value.code == code
                assert caught.value.hint
        assert await store.get_blob(digest_of(whole)) == whole
        [gone] = await store.faults()
        assert gone.startswith(f"Blob {digest_of(first)} is gone from ")
        _, faults = await check_store(store)
        told = "\n".join(fault.what for fault in faults)
        assert digest_of(first) in told
        assert digest_of(second)[:12] in told
        assert digest_of(whole)[:12] not in told

    async def test_an_upload_that_no_commit_followed_is_swept_after_a_time(
        self, store: OpenedStore, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, lease = await started(store)
        kept, lost = random_bytes(LARGE, 1), random_bytes(LARGE, 2)
        await store.put_blob(run.id, digest_of(kept), kept)
        with pytest.raises(StoreError, match="does not follow"):
            await store.commit(lease, Commit(entries=[entry(7)], blobs=[(digest_of(lost), lost)]))
        assert len(place.listed()) == 2
        store.outside.sweep_pause = 0
        assert await store.sweep() == 0
        store.outside.grace = -1
        assert await store.sweep() == 1
        [key] = place.listed()
        assert digest_of(kept) in key
        assert await store.get_blob(digest_of(kept)) == kept

    async def test_an_upload_that_a_sweep_may_have_taken_is_not_committed(
        self, store: OpenedStore, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, _ = await started(store)
        asked: list[str] = []

        def is_fresh(upload: outside.Upload) -> bool:
            asked.append(upload.location)
            return len(asked) > 1

        monkeypatch.setattr(outside.Upload, "is_fresh", property(is_fresh))
        content = random_bytes(LARGE, 1)
        await store.put_blob(run.id, digest_of(content), content)
        assert len(asked) == 2
        assert await store.get_blob(digest_of(content)) == content
        assert len(place.listed()) == 1

    async def test_two_stores_at_one_place_leave_one_another_alone(self, opened: Opened, place: Place) -> None:
        one = await opened("one.db")
        two = await opened("two.db")
        content = random_bytes(LARGE, 1)
        for store in (one, two):
            run = await store.create_run(new_run())
            await store.put_blob(run.id, digest_of(content), content)
        assert len({key.split("/")[-3] for key in place.listed()}) == 2
        await two.delete_run(run.id)
        two.outside.grace = -1
        assert await two.sweep() == 0
        assert await one.get_blob(digest_of(content)) == content

    async def test_a_blob_put_while_its_last_run_is_deleted_is_not_lost(self, opened: Opened, place: Place) -> None:
        store = await opened()
        peer = await opened()
        content = random_bytes(LARGE, 1)
        digest = digest_of(content)
        for _ in range(10):
            first, lease = await started(store)
            second, _ = await started(store)
            await store.put_blob(first.id, digest, content)
            await store.release(lease)
            await asyncio.gather(store.delete_run(first.id), peer.put_blob(second.id, digest, content), peer.sweep())
            assert await peer.get_blob(digest) == content
            assert len(place.listed()) == 1
            await store.claim(second.id, "worker", OVER)
            await store.delete_run(second.id)
        assert place.listed() == []

    async def test_several_who_put_the_same_content_at_once_keep_it_once(self, opened: Opened, place: Place) -> None:
        stores = [await opened() for _ in range(3)]
        content = random_bytes(LARGE, 1)
        runs = [await store.create_run(new_run()) for store in stores]
        await asyncio.gather(
            *(store.put_blob(run.id, digest_of(content), content) for store, run in zip(stores, runs, strict=True))
        )
        assert len(place.listed()) == 1
        assert await stores[0].get_blob(digest_of(content)) == content

    async def test_blobs_stay_where_they_are_when_the_setting_changes(self, opened: Opened, place: Place) -> None:
        before = await opened()
        run = await before.create_run(new_run())
        old, new = random_bytes(LARGE, 1), random_bytes(LARGE, 2)
        await before.put_blob(run.id, digest_of(old), old)
        after = await opened(setting="")
        for content in (new, old):
            await after.put_blob(run.id, digest_of(content), content)
        assert len(place.listed()) == 1
        for store in (before, after):
            assert await store.get_blob(digest_of(old)) == old
            assert await store.get_blob(digest_of(new)) == new
            assert await store.faults() == []

    async def test_a_file_of_many_parts_comes_back_by_ranges(self, store: OpenedStore, tmp_path: Path) -> None:
        run, _ = await started(store)
        path = tmp_path / "large"
        pieces = [random_bytes(1 << 20, number) for number in range(20)]
        path.write_bytes(b"".join(pieces))
        digest, size = await store.put_blob_file(run.id, path)
        assert size == 20 << 20
        for number in (0, 7, 19):
            assert await store.read_blob(digest, number << 20, (number + 1) << 20) == pieces[number]
        assert await store.read_blob(digest, (3 << 20) - 5, (3 << 20) + 5) == pieces[2][-5:] + pieces[3][:5]
        assert store.blob_now(digest) == path.read_bytes()
