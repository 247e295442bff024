"""Large payloads: named by their content (BLAKE3), and, from a size on, kept as files beside the database.

A file is a sequence of chunks, each passed through the codec by itself, so that a range is read without the rest and
nobody needs the whole in memory. Behind the chunks stands an index with each chunk's length in the file and a hash of
its content, and behind that a footer of fixed size: content size, chunk size, number of chunks.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pyagent.errors import StoreError
from pyagent.native import Blake3, blake3_hex
from pyagent.store import codec
from pyagent.store.files import flush_folder, private_folder

FILE_THRESHOLD = 64 * 1024
"""Bytes from which a blob is a file. Rows of 1 MiB chunks in SQLite were measured beside it: writing takes 5 times as
long (everything goes through the log of writes), reading 4 times, and what a deleted run held is not given back."""
CHUNK = 1024 * 1024
"""Bytes of content that are compressed, kept and read together."""
_CHUNKED = b"\x02"
"""First byte of a file; 0 and 1 are the codec's own tags, of files that were kept whole."""
_ENTRY = struct.Struct("<I16s")
_FOOTER = struct.Struct("<QII")


def digest_of(data: bytes) -> str:
    """The name of a blob: BLAKE3 of its content, 64 hexadecimal digits."""
    return blake3_hex(data)


def check_digest(digest: str, data: bytes) -> None:
    """Raises `StoreError` `store.blob_digest` if the content has another name."""
    if digest_of(data) != digest:
        raise _does_not_fit(digest, len(data))


def check_range(start: int, end: int) -> None:
    """Raises `ValueError` for places that are none."""
    if start < 0 or end < 0:
        raise ValueError(f"{start} to {end} is no range of a blob")


def _does_not_fit(digest: str, size: int) -> StoreError:
    return StoreError(
        f"The content of blob {digest[:12]}… does not fit its digest.",
        code="store.blob_digest",
        hint="Name blobs by `pyagent.store.blobs.digest_of`; a kept one that does not fit is damaged.",
        details={"digest": digest, "size": size},
    )


class BlobFiles:
    """Files named by digest, in 256 folders. Every file is complete from the moment it has its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the blob lies."""
        return self.root / digest[:2] / digest

    def write(self, digest: str, content: bytes) -> None:
        """Keep the content; when this returns it survives a power cut. Raises `OSError`, and `StoreError`
        (`store.blob_digest`) if it has another name."""
        check_digest(digest, content)
        if not self.path(digest).exists():
            self.copy(io.BytesIO(content))

    def copy(self, source: BinaryIO) -> tuple[str, int]:
        """Keep what can be read from the source, a chunk at a time; returns digest and size in bytes. When this
        returns it survives a power cut. Raises `OSError`."""
        private_folder(self.root)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self.root)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                digest, size = _write_chunks(source, file)
                file.flush()
                os.fsync(file.fileno())
            target = self.path(digest)
            private_folder(target.parent)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        flush_folder(target.parent)
        return digest, size

    def read(self, digest: str) -> bytes:
        """The whole content. Raises `FileNotFoundError`, and `StoreError` if it is damaged."""
        content = self.read_range(digest, 0, None)
        check_digest(digest, content)
        return content

    def read_range(self, digest: str, start: int, end: int | None) -> bytes:
        """The content from `start` up to `end` (None: to its end). Raises `FileNotFoundError`, and `StoreError` if what
        is read is damaged."""
        with self.path(digest).open("rb") as file:
            if file.read(1) != _CHUNKED:
                file.seek(0)
                return codec.decode(file.read())[start:end]
            try:
                return _read_chunks(file, start, end)
            except (struct.error, ValueError, IndexError) as error:
                raise _does_not_fit(digest, os.fstat(file.fileno()).st_size) from error

    def remove(self, digest: str) -> None:
        """Remove the blob, if it is there."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """The digests of all files."""
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            for file in folder.iterdir():
                if not file.name.startswith("."):
                    yield file.name

    def remove_leftovers(self, older_than: float) -> None:
        """Remove temporary files that killed writers left behind, last written before the given Unix time."""
        for file in self.root.glob("**/.new-*"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < older_than:
                    file.unlink()


def _write_chunks(source: BinaryIO, file: BinaryIO) -> tuple[str, int]:
    whole = Blake3()
    index: list[bytes] = []
    size = 0
    file.write(_CHUNKED)
    while chunk := _full_chunk(source):
        whole.update(chunk)
        size += len(chunk)
        stored = codec.encode(chunk)
        file.write(stored)
        index.append(_ENTRY.pack(len(stored), Blake3(chunk).digest(16)))
    file.writelines(index)
    file.write(_FOOTER.pack(size, CHUNK, len(index)))
    return whole.hexdigest(), size


def _full_chunk(source: BinaryIO) -> bytes:
    """The next chunk, full but for the last one; a pipe or a slow disk may give less at once."""
    chunk = source.read(CHUNK)
    while 0 < len(chunk) < CHUNK and (more := source.read(CHUNK - len(chunk))):
        chunk += more
    return chunk


def _read_chunks(file: BinaryIO, start: int, end: int | None) -> bytes:
    """The range; `ValueError` if an index or a chunk is damaged."""
    length = file.seek(max(0, file.seek(0, os.SEEK_END) - _FOOTER.size))
    size, chunk_size, count = _FOOTER.unpack(file.read(_FOOTER.size))
    if count * chunk_size < size or 1 + count * _ENTRY.size > length:
        raise ValueError("footer")
    stop = int(size if end is None else min(end, size))
    if start >= stop:
        return b""
    file.seek(length - count * _ENTRY.size)
    index = list(_ENTRY.iter_unpack(file.read(count * _ENTRY.size)))
    first, last = start // chunk_size, (stop - 1) // chunk_size
    file.seek(1 + sum(stored for stored, _ in index[:first]))
    found: list[bytes] = []
    for stored, expected in index[first : last + 1]:
        chunk = codec.decode(file.read(stored), limit=chunk_size)
        if Blake3(chunk).digest(16) != expected:
            raise ValueError("chunk")
        found.append(chunk)
    joined = found[0] if len(found) == 1 else b"".join(found)
    offset = first * chunk_size
    return joined[start - offset : stop - offset]
