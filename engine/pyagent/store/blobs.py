"""Large payloads: named by their content (BLAKE3), and, from a size on, kept as files or objects (`store.chunks`).
Sealed ones are kept under another name (`store.sealing`)."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pyagent.errors import StoreError
from pyagent.native import blake3_hex
from pyagent.store import chunks, codec, sealing
from pyagent.store.chunks import CHUNK as CHUNK
from pyagent.store.files import flush_folder, private_folder

FILE_THRESHOLD = 64 * 1024
"""Bytes from which a blob is a file. Rows of 1 MiB chunks in SQLite were measured beside it: writing takes 5 times as
long (everything goes through the log of writes), reading 4 times, and what a deleted run held is not given back."""
DIGEST_LENGTH = 64


def digest_of(data: bytes) -> str:
    """The name of a blob: BLAKE3 of its content, 64 hexadecimal digits."""
    return blake3_hex(data)


def check_digest(digest: str, data: bytes) -> None:
    """Raises `StoreError` `store.blob_digest` if the content has another name, of those that it is kept under, too."""
    if not sealing.is_name_of(digest, digest_of(data)):
        raise does_not_fit(digest, len(data))


def check_range(start: int, end: int) -> None:
    """Raises `ValueError` for places that are none."""
    if start < 0 or end < 0:
        raise ValueError(f"{start} to {end} is no range of a blob")


def does_not_fit(digest: str, size: int) -> StoreError:
    """The error for a content that has another name; `size` is the content's, in bytes, or that of what is kept."""
    return StoreError(
        f"The content of blob {digest[:12]}… does not fit its digest.",
        code="store.blob_digest",
        hint="Name blobs by `pyagent.store.blobs.digest_of`; a kept one that does not fit is damaged.",
        details={"digest": digest, "size": size},
    )


def blob_missing(digest: str, place: object) -> StoreError:
    """The error for a blob that the database knows, and whose file or object is not there."""
    return StoreError(
        f"The file of blob {digest} is gone.",
        code="store.blob_missing",
        hint=f"Restore {place} from the backup that the database is from.",
        details={"digest": digest},
    )


class BlobFiles:
    """Files in 256 folders, each called as its content's digest says (`sealing.kept_name`), and perhaps by something
    behind that. Every file is complete from the moment it has its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where the blob lies."""
        return self.root / name[:2] / name

    def write(self, name: str, content: bytes) -> None:
        """Keep the content; when this returns it survives a power cut. Raises `OSError`, and `StoreError`
        (`store.blob_digest`) if it has another name."""
        check_digest(name, content)
        if not self.path(name).exists():
            self.copy(io.BytesIO(content))

    def copy(self, source: BinaryIO, behind: str = "") -> tuple[str, int]:
        """Keep what can be read from the source, a chunk at a time; returns digest and size in bytes. When this
        returns it survives a power cut. `behind` is added to the file's name. Raises `OSError`."""
        private_folder(self.root)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self.root)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                digest, size = chunks.write(source, file)
                file.flush()
                os.fsync(file.fileno())
            target = self.path(sealing.kept_name(digest) + behind)
            private_folder(target.parent)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        flush_folder(target.parent)
        return digest, size

    def read(self, name: str) -> bytes:
        """The whole content. Raises `FileNotFoundError`, and `StoreError` if it is damaged."""
        content = self.read_range(name, 0, None)
        check_digest(name[:DIGEST_LENGTH], content)
        return content

    def read_range(self, name: str, start: int, end: int | None) -> bytes:
        """The content from `start` up to `end` (None: to its end). Raises `FileNotFoundError`, and `StoreError` if what
        is read is damaged."""
        with self.path(name).open("rb") as file:
            if file.read(1) != chunks.CHUNKED:
                file.seek(0)
                return codec.decode(file.read())[start:end]
            pieces = _FilePieces(file)
            try:
                return chunks.read(pieces, chunks.index_of(pieces), start, end)
            except ValueError as error:
                raise does_not_fit(name[:DIGEST_LENGTH], os.fstat(file.fileno()).st_size) from error

    def remove(self, name: str) -> None:
        """Remove the blob, if it is there."""
        self.path(name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """The names of all files."""
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


class _FilePieces:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def tail(self, count: int) -> tuple[bytes, int]:
        length = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, length - count))
        return self._file.read(count), length

    def piece(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)
