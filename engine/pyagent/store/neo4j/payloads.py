"""Blobs and who refers to them, in Neo4j: small ones on their node, others in chunks that are read one by one, or
outside."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyagent.store import codec, sealing
from pyagent.store.blobs import CHUNK, FILE_THRESHOLD, check_digest
from pyagent.store.neo4j.connection import Connection, Deleted, do, row, rows
from pyagent.store.neo4j.values import no_blob
from pyagent.store.outside import Upload

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction, ManagedTransaction

Uploads = Mapping[str, Upload]
"""By what they are called where they are kept, those of a transaction's large blobs that were not kept yet."""

_KEEP = """
MERGE (b:Blob {digest: $digest})
ON CREATE SET b.size = $size, b.data = $data, b.location = $location, b.sealed_digest = $sealed,
    b.created_at = datetime.realtime()
SET b.locked = true
RETURN b.location AS location
"""
_KEEP_CHUNK = """
MERGE (c:Chunk {digest: $digest, number: $number})
ON CREATE SET c.data = $data
SET c.at = datetime.realtime()
"""
_JOIN_CHUNKS = """
MATCH (b:Blob {digest: $digest})
MATCH (c:Chunk) WHERE c.digest = $digest AND c.number >= 0
MERGE (b)-[:HAS_CHUNK]->(c)
RETURN count(c) AS chunks
"""
_LOOK = "MATCH (b:Blob {digest: $digest}) RETURN b.size AS size, b.data AS data, b.location AS location"
_REFER = """
MATCH (b:Blob {digest: $digest})
SET b.locked = true
WITH b
MATCH (r:Run {id: $run})
MERGE (r)-[:REFERS_TO]->(b)
RETURN b.digest AS digest
"""
_FORGET = """
MATCH (b:Blob {digest: $digest})
SET b.locked = true
WITH b, b.location AS location WHERE NOT EXISTS { (b)<-[:REFERS_TO]-() }
OPTIONAL MATCH (b)-[:HAS_CHUNK]->(c:Chunk)
DETACH DELETE c, b
RETURN DISTINCT location
"""
_SWEEP = """
MATCH (c:Chunk) WHERE c.at < datetime.realtime() - duration({hours: 1}) AND NOT EXISTS { (c)<-[:HAS_CHUNK]-() }
WITH c LIMIT 1000
DETACH DELETE c
RETURN count(*) AS gone
"""


async def put(to: AsyncManagedTransaction, run_id: str, digest: str, data: bytes, uploads: Uploads | None) -> None:
    """Keep a blob that the run refers to from now on, a large one outside if there are to be uploads. Raises `Gone`,
    and `NotFound` for an unknown run."""
    if uploads is not None and len(data) >= FILE_THRESHOLD:
        await keep_outside(to, run_id, digest, uploads.get(sealing.kept_name(digest)))
    else:
        await keep(to, run_id, digest, data)


async def keep(to: AsyncManagedTransaction, run_id: str, digest: str, data: bytes) -> None:
    """Keep a blob in the database, that the run refers to from now on. Raises `NotFound` for an unknown run."""
    small = len(data) < FILE_THRESHOLD
    stored = codec.encode(data) if small else None
    name, sealed = _called(digest)
    found = await row(to, _KEEP, digest=name, size=len(data), data=stored, location=None, sealed=sealed)
    if not small and found is not None and found["location"] is None:
        for number in range(0, (len(data) + CHUNK - 1) // CHUNK):
            await keep_chunk(to, digest, number, data[number * CHUNK : (number + 1) * CHUNK])
        await do(to, _JOIN_CHUNKS, digest=name)
    await _refer(to, run_id, name)


def _called(digest: str) -> tuple[str, bytes | None]:
    """What a new blob is called, and if that is not its digest, that one, sealed."""
    name = sealing.kept_name(digest)
    return name, None if name == digest else codec.encode(digest.encode())


async def keep_outside(to: AsyncManagedTransaction, run_id: str, digest: str, upload: Upload | None) -> None:
    """Keep a blob that lies outside, that the run refers to from now on. Raises `Gone` if it is not kept already, and
    no upload is there that it could be made of; and `NotFound` for an unknown run."""
    name, sealed = _called(digest)
    if upload is not None and upload.is_fresh:
        await do(to, _KEEP, digest=name, size=upload.size, data=None, location=upload.location, sealed=sealed)
    elif await row(to, "MATCH (b:Blob {digest: $digest}) SET b.locked = true RETURN 1", digest=name) is None:
        raise Gone(digest)
    await _refer(to, run_id, name)


async def keep_chunk(to: AsyncManagedTransaction, digest: str, number: int, data: bytes) -> None:
    """Keep a chunk, by itself or before the blob that it will be a part of."""
    await do(to, _KEEP_CHUNK, digest=sealing.kept_name(digest), number=number, data=codec.encode(data))


async def join(to: AsyncManagedTransaction, run_id: str, digest: str, size: int) -> bool:
    """Make a blob of the chunks that are kept, that the run refers to; False if some of them are gone."""
    name, sealed = _called(digest)
    found = await row(to, _KEEP, digest=name, size=size, data=None, location=None, sealed=sealed)
    if found is not None and found["location"] is not None:
        await _refer(to, run_id, name)
        return True
    joined = await row(to, _JOIN_CHUNKS, digest=name)
    await _refer(to, run_id, name)
    return joined is not None and joined["chunks"] == (size + CHUNK - 1) // CHUNK


async def refer(to: AsyncManagedTransaction, run_id: str, digest: str) -> None:
    """The run refers to the blob from now on. Raises `NotFound` if it is not kept."""
    for names in (sealing.known_names, sealing.other_names):
        for name in names(digest):
            if await row(to, _REFER, run=run_id, digest=name) is not None:
                return
    raise no_blob(digest)


async def _refer(to: AsyncManagedTransaction, run_id: str, name: str) -> None:
    """The run refers from now on to the blob that this transaction has just kept or found."""
    if await row(to, _REFER, run=run_id, digest=name) is None:
        if await row(to, "MATCH (r:Run {id: $run}) RETURN 1 AS one", run=run_id) is None:
            raise no_blob(name)
        raise Deleted(f"The blob {name} was found, and deleted before it could be locked.")


async def _find(of: AsyncManagedTransaction, digest: str) -> dict[str, Any]:
    """A blob's properties, `name` among them. Raises `NotFound`."""
    for names in (sealing.known_names, sealing.other_names):
        for name in names(digest):
            if (found := await row(of, _LOOK, digest=name)) is not None:
                return {**found, "name": name}
    raise no_blob(digest)


async def size(of: AsyncManagedTransaction, digest: str) -> int:
    """Bytes of a blob's content. Raises `NotFound`."""
    return int((await _find(of, digest))["size"])


async def read(of: AsyncManagedTransaction, digest: str, start: int, end: int | None) -> bytes | str:
    """The content from `start` up to `end` (None: to its end), or the location outside. Raises `NotFound`."""
    found = await _find(of, digest)
    if found["location"] is not None:
        return str(found["location"])
    if found["data"] is not None:
        return codec.decode(found["data"])[start:end]
    stop = min(found["size"], found["size"] if end is None else end)
    if start >= stop:
        return b""
    first, last = start // CHUNK, (stop - 1) // CHUNK
    query = (
        "MATCH (c:Chunk) WHERE c.digest = $digest AND c.number >= $first AND c.number <= $last"
        " RETURN c.data AS data ORDER BY c.number"
    )
    chunks = [codec.decode(one["data"]) for one in await rows(of, query, digest=found["name"], first=first, last=last)]
    offset = first * CHUNK
    return b"".join(chunks)[start - offset : stop - offset]


async def of_run(of: AsyncManagedTransaction, run_id: str) -> Sequence[str]:
    """Digests of the blobs that a run refers to, in the order in which all transactions lock them."""
    query = "MATCH (:Run {id: $run})-[:REFERS_TO]->(b:Blob) RETURN b.digest AS digest ORDER BY digest"
    return [found["digest"] for found in await rows(of, query, run=run_id)]


async def forget(to: AsyncManagedTransaction, digests: Iterable[str]) -> list[str]:
    """Delete those of the blobs that nobody refers to; returns where those of them are that lie outside."""
    gone = [await row(to, _FORGET, digest=digest) for digest in digests]
    return [found["location"] for found in gone if found is not None and found["location"] is not None]


async def sweep(to: AsyncManagedTransaction) -> int:
    """Delete chunks that broken uploads have left behind, at most a thousand; returns how many."""
    found = await row(to, _SWEEP)
    return 0 if found is None else int(found["gone"])


# places outside


async def take_folder(to: AsyncManagedTransaction, base: str, folder: str) -> str:
    """Have a folder at the base; returns the name of the one that was there first."""
    query = "MERGE (p:BlobPlace {base: $base}) ON CREATE SET p.folder = $folder RETURN p.folder AS folder"
    found = await row(to, query, base=base, folder=folder)
    assert found is not None
    return str(found["folder"])


async def places(of: AsyncManagedTransaction) -> dict[str, str]:
    """The database's folder at each base that it has used."""
    found = await rows(of, "MATCH (p:BlobPlace) RETURN p.base AS base, p.folder AS folder")
    return {one["base"]: one["folder"] for one in found}


async def locations(of: AsyncManagedTransaction) -> list[str]:
    """Where all blobs outside are."""
    query = "MATCH (b:Blob) WHERE b.location IS NOT NULL RETURN b.location AS location"
    return [one["location"] for one in await rows(of, query)]


async def locations_of(of: AsyncManagedTransaction, digests: Sequence[str]) -> dict[str, str | None]:
    """Those of the blobs that are kept, by what they are called there, and where they are outside."""
    query = "UNWIND $digests AS d MATCH (b:Blob {digest: d}) RETURN b.digest AS digest, b.location AS location"
    return {one["digest"]: one["location"] for one in await rows(of, query, digests=list(digests))}


class Gone(Exception):
    """A blob that lay outside is not kept any more: its last run was deleted meanwhile."""


class BlockingReader:
    """Reads blobs in the calling thread, any thread, by a driver of its own that is made when first needed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = None
        self._lock = threading.Lock()

    def read(self, digest: str) -> bytes | str:
        """The whole content, or the location outside. Raises `NotFound`, `StoreUnavailable`, and `StoreError` when the
        bytes are damaged."""
        with self._connection.translated(), self._opened().session(database=self._connection.database) as session:
            data = session.execute_read(_read_now, digest)
        if isinstance(data, bytes):
            check_digest(digest, data)
        return data

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        with self._lock:
            driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def _opened(self) -> Any:
        with self._lock:
            if self._driver is None:
                self._driver = self._connection.blocking_driver()
            return self._driver


def _read_now(of: ManagedTransaction, digest: str) -> bytes | str:
    name, found = digest, None
    for names in (sealing.known_names, sealing.other_names):
        for name in names(digest) if found is None else ():
            if (found := of.run(_LOOK, digest=name).single()) is not None:
                break
    if found is None:
        raise no_blob(digest)
    if found["location"] is not None:
        return str(found["location"])
    if found["data"] is not None:
        return codec.decode(found["data"])
    chunks = of.run(
        "MATCH (c:Chunk) WHERE c.digest = $digest AND c.number >= 0 RETURN c.data AS data ORDER BY c.number",
        digest=name,
    )
    return b"".join(codec.decode(chunk["data"]) for chunk in chunks)[: found["size"]]
