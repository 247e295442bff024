"""Blobs and who refers to them, in SQLite, in files beside it and outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pyagent.errors import NotFound
from pyagent.store import codec, sealing
from pyagent.store.blobs import BlobFiles
from pyagent.store.outside import Upload, name_in


class Forgotten(NamedTuple):
    """Blobs whose rows are gone."""

    in_files: list[str]
    """Names of those in files beside the database."""
    outside: list[str]
    """Locations."""


@dataclass(slots=True)
class KeptBlob:
    """A blob as a transaction keeps it."""

    name: str
    """What it is called where it is kept: its digest, or that of a sealed one as the vault tells it."""
    digest: str
    size: int
    stored: bytes | None
    """The encoded bytes; None: they are not in the database, but in a file or outside."""
    content: bytes = b""
    """Of those, what is to be written before the transaction."""
    upload: Upload | None = None
    """The content, once it is outside."""


@dataclass(frozen=True, slots=True)
class FoundBlob:
    """Where a blob's bytes are: here, outside, or else in a file beside the database."""

    name: str
    stored: bytes | None
    location: str | None


def keep(connection: sqlite3.Connection, blob: KeptBlob) -> None:
    """Keep a blob's bytes, or know where they are."""
    connection.execute(
        "INSERT INTO blobs (digest, size, data, location, sealed_digest) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (digest) DO NOTHING",
        (
            *(blob.name, blob.size, blob.stored, None if blob.upload is None else blob.upload.location),
            None if blob.name == blob.digest else codec.encode(blob.digest.encode()),
        ),
    )


def refer(connection: sqlite3.Connection, number: int, digest: str) -> None:
    """The run refers to the blob from now on. Raises `NotFound` if it is not kept."""
    _refer(connection, number, find(connection, digest).name)


def refer_kept(connection: sqlite3.Connection, number: int, blob: KeptBlob) -> None:
    """As `refer`, to a blob that `keep` has kept."""
    _refer(connection, number, blob.name)


def _refer(connection: sqlite3.Connection, number: int, name: str) -> None:
    connection.execute(
        "INSERT INTO blob_refs (run, digest) VALUES (?, ?) ON CONFLICT (run, digest) DO NOTHING", (number, name)
    )


def find(connection: sqlite3.Connection, digest: str) -> FoundBlob:
    """A blob's bytes as they were kept, or where they are. Raises `NotFound`."""
    for names in (sealing.known_names, sealing.other_names):
        for name in names(digest):
            if (found := look(connection, name)) is not None:
                return found
    raise no_blob(digest)


def look(connection: sqlite3.Connection, name: str) -> FoundBlob | None:
    """As `find`, by what it is called where it is kept; None if it is not kept."""
    row = connection.execute("SELECT digest, data, location FROM blobs WHERE digest = ?", (name,)).fetchone()
    return None if row is None else FoundBlob(*row)


def size(connection: sqlite3.Connection, digest: str) -> int:
    """Bytes of a blob's content. Raises `NotFound`."""
    name = find(connection, digest).name
    return connection.execute("SELECT size FROM blobs WHERE digest = ?", (name,)).fetchone()[0]


def forget(connection: sqlite3.Connection, names: Iterable[str]) -> Forgotten:
    """Delete those of the blobs that nobody refers to; returns what is to be removed when that is committed."""
    in_files: list[str] = []
    outside: list[str] = []
    for name in names:
        row = connection.execute(
            "DELETE FROM blobs WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE digest = ?1)"
            " RETURNING data, location",
            (name,),
        ).fetchone()
        if row is not None and row[1] is not None:
            outside.append(row[1])
        elif row is not None and row[0] is None:  # `RETURNING data IS NULL` is 0 in SQLite 3.40
            in_files.append(name)
    return Forgotten(in_files, outside)


def remove_files(connection: sqlite3.Connection, files: BlobFiles, names: Iterable[str]) -> int:
    """Remove the files among these that no row knows; returns how many.

    In a transaction, although it writes nothing: whoever keeps the same content again looks for the file in a
    transaction too, so that it is not removed under them.
    """
    removed = 0
    for name in names:
        found = look(connection, name)
        if found is None or found.stored is not None or found.location is not None:
            files.remove(name)
            removed += 1
    return removed


# places outside


def folder_at(connection: sqlite3.Connection, base: str) -> str | None:
    """The name of the database's folder at a base that it has used."""
    row = connection.execute("SELECT folder FROM blob_places WHERE base = ?", (base,)).fetchone()
    return None if row is None else row[0]


def take_folder(connection: sqlite3.Connection, base: str, folder: str) -> str:
    """Have a folder at the base; returns the name of the one that was there first."""
    connection.execute("INSERT INTO blob_places (base, folder) VALUES (?, ?) ON CONFLICT DO NOTHING", (base, folder))
    return str(folder_at(connection, base))


def places(connection: sqlite3.Connection) -> list[str]:
    """The addresses of all places that the database has used."""
    return [f"{base}/{folder}" for base, folder in connection.execute("SELECT base, folder FROM blob_places")]


def locations(connection: sqlite3.Connection) -> list[str]:
    """Where all blobs outside are."""
    return [row[0] for row in connection.execute("SELECT location FROM blobs WHERE location IS NOT NULL")]


def known_locations(connection: sqlite3.Connection, page: Iterable[str]) -> set[str]:
    """Those of the locations that a row speaks of."""
    known: set[str] = set()
    for location in page:
        found = look(connection, name_in(location))
        if found is not None and found.location == location:
            known.add(location)
    return known


def no_blob(digest: str) -> NotFound:
    """The error for a blob that is not kept."""
    return NotFound(
        f"There is no blob {digest}.",
        code="blob.not_found",
        hint="It went with the last run that it belonged to.",
        details={"digest": digest},
    )
