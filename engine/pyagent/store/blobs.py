"""Large payloads: named by their content (BLAKE3), and, from a size on, kept as files beside the database."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from pyagent.errors import StoreError
from pyagent.store.files import flush_folder, private_folder

FILE_THRESHOLD = 64 * 1024
"""Bytes from which a blob is a file: a database page cache is no place for them."""


def digest_of(data: bytes) -> str:
    """The name of a blob: BLAKE3 of its content, 64 hexadecimal digits."""
    return blake3(data).hexdigest()


def check_digest(digest: str, data: bytes) -> None:
    """Raises `StoreError` `store.blob_digest` if the content has another name."""
    if digest_of(data) != digest:
        raise StoreError(
            f"The content of blob {digest[:12]}… does not fit its digest.",
            code="store.blob_digest",
            hint="Name blobs by `pyagent.store.blobs.digest_of`; a kept one that does not fit is damaged.",
            details={"digest": digest, "size": len(data)},
        )


class BlobFiles:
    """Files named by digest, in 256 folders. Every file is complete from the moment it has its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the blob lies."""
        return self.root / digest[:2] / digest

    def write(self, digest: str, stored: bytes) -> None:
        """Keep the bytes; when this returns they survive a power cut. Raises `OSError`."""
        target = self.path(digest)
        if target.exists():
            return
        private_folder(target.parent)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=target.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(stored)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        flush_folder(target.parent)

    def read(self, digest: str) -> bytes:
        """The bytes. Raises `FileNotFoundError`."""
        return self.path(digest).read_bytes()

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
        for file in self.root.glob("[0-9a-f][0-9a-f]/.new-*"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < older_than:
                    file.unlink()
