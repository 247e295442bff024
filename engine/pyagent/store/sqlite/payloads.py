"""Blobs and who refers to them, in SQLite and in files beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from pyagent.errors import NotFound
from pyagent.store.blobs import BlobFiles


def keep(connection: sqlite3.Connection, digest: str, size: int, data: bytes | None) -> None:
    """Keep a blob's bytes, or, with None, know that they are in a file."""
    connection.execute(
        "INSERT INTO blobs (digest, size, data) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING", (digest, size, data)
    )


def refer(connection: sqlite3.Connection, number: int, digest: str) -> None:
    """The run refers to the blob from now on. Raises `NotFound` if it is not kept."""
    if connection.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone() is None:
        raise no_blob(digest)
    connection.execute(
        "INSERT INTO blob_refs (run, digest) VALUES (?, ?) ON CONFLICT (run, digest) DO NOTHING", (number, digest)
    )


def find(connection: sqlite3.Connection, digest: str) -> bytes | None:
    """A blob's bytes as they were kept; None: they are in a file. Raises `NotFound`."""
    row = connection.execute("SELECT data FROM blobs WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise no_blob(digest)
    return row[0]


def size(connection: sqlite3.Connection, digest: str) -> int:
    """Bytes of a blob's content. Raises `NotFound`."""
    row = connection.execute("SELECT size FROM blobs WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise no_blob(digest)
    return row[0]


def forget(connection: sqlite3.Connection, digests: Iterable[str]) -> list[str]:
    """Delete those of the blobs that nobody refers to; returns the ones whose bytes are in files."""
    in_files: list[str] = []
    for digest in digests:
        row = connection.execute(
            "DELETE FROM blobs WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE digest = ?1)"
            " RETURNING data",
            (digest,),
        ).fetchone()
        if row is not None and row[0] is None:  # `RETURNING data IS NULL` is 0 in SQLite 3.40
            in_files.append(digest)
    return in_files


def remove_files(connection: sqlite3.Connection, files: BlobFiles, digests: Iterable[str]) -> int:
    """Remove the files among these that no row knows; returns how many.

    In a transaction, although it writes nothing: whoever keeps the same content again looks for the file in a
    transaction too, so that it is not removed under them.
    """
    removed = 0
    for digest in digests:
        if connection.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone() is None:
            files.remove(digest)
            removed += 1
    return removed


def no_blob(digest: str) -> NotFound:
    """The error for a blob that is not kept."""
    return NotFound(
        f"There is no blob {digest}.",
        code="blob.not_found",
        hint="It went with the last run that it belonged to.",
        details={"digest": digest},
    )
