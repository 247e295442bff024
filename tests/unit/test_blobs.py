"""Large payloads: in pieces into the store and out of it, with little in memory, and damage is noticed."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pyagent.errors import NotFound, StoreError
from pyagent.runtime.context import RunBlobs
from pyagent.runtime.journal import StoreJournal
from pyagent.runtime.live import LiveRun
from pyagent.sdk import BlobRef, Blobs
from pyagent.store.blobs import CHUNK, BlobFiles, digest_of
from pyagent.testing import MemoryStore
from pyagent.testing.nodes import TestBlobs
from pyagent.testing.store_parts import random_bytes, started

MIB = 1 << 20


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path / "blobs")


def test_a_large_file_goes_through_little_memory(files: BlobFiles, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(48):
            file.write(random_bytes(MIB, number))
    tracemalloc.start()
    with path.open("rb") as source:
        digest, size = files.copy(source)
    for start in range(0, size, MIB):
        files.read_range(digest, start, start + MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 48 * MIB
    assert peak < 6 * MIB


def test_what_a_slow_source_gives_in_pieces_is_one_blob(files: BlobFiles) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 100_000))

    content = random_bytes(2_500_000, 1)
    assert files.copy(Slow(content)) == (digest_of(content), len(content))
    assert files.read(digest_of(content)) == content


def test_files_that_were_kept_whole_by_an_older_version_are_read(files: BlobFiles) -> None:
    content = b"old " * 50_000
    path = files.path(digest_of(content))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x00" + content)
    assert files.read(digest_of(content)) == content
    assert files.read_range(digest_of(content), 4, 11) == content[4:11]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:-30],
        lambda data: data[:5] + bytes([data[5] ^ 1]) + data[6:],
        lambda data: data[: CHUNK + 50] + b"x" + data[CHUNK + 51 :],
        lambda data: data[:-60] + b"\xff" * 60,
        lambda data: data[:1],
    ],
)
def test_a_range_of_a_damaged_file_is_an_error(files: BlobFiles, damage: Callable[[bytes], bytes]) -> None:
    content = random_bytes(2 * CHUNK, 2)
    digest, _ = files.copy(io.BytesIO(content))
    path = files.path(digest)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError) as caught:
        files.read_range(digest, 0, 2 * CHUNK)
    assert caught.value.code in ("store.blob_digest", "store.codec")


class Both:
    """The two things that a node may be given to put blobs into."""

    @pytest.fixture(params=["engine", "test"])
    async def blobs(self, request: pytest.FixtureRequest) -> AsyncIterator[Blobs]:
        if request.param == "test":
            yield TestBlobs()
            return
        store = MemoryStore()
        await store.open()
        run, lease = await started(store)
        live = SimpleNamespace(journal=StoreJournal(store, lease, run.log_length))
        yield RunBlobs(cast("LiveRun", live))
        await store.close()


class TestWhatNodesUse(Both):
    async def test_a_node_puts_a_file_and_reads_it_in_pieces(self, blobs: Blobs, tmp_path: Path) -> None:
        content = random_bytes(300_000, 3)
        (tmp_path / "source.bin").write_bytes(content)
        ref = await blobs.put(tmp_path / "source.bin", media_type="x/y")
        assert ref == BlobRef(digest_of(content), 300_000, "source.bin", "x/y")
        pieces = [piece async for piece in blobs.iter(ref, 131_072)]
        assert [len(piece) for piece in pieces] == [131_072, 131_072, 37_856]
        assert b"".join(pieces) == await blobs.get(ref) == content
        assert await blobs.read(ref, 5, 10) == content[5:10]
        await blobs.save(ref, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content

    async def test_a_blob_that_is_not_there_is_an_error(self, blobs: Blobs) -> None:
        with pytest.raises(NotFound) as caught:
            await blobs.get(BlobRef(digest_of(b"none"), 4))
        assert caught.value.code == "blob.not_found"
