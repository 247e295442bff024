"""Blobs and who refers to them, in Neo4j: small ones on their node, others in chunks that are read one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from pyagent.store import codec
from pyagent.store.blobs import CHUNK, FILE_THRESHOLD, check_digest
from pyagent.store.neo4j.connection import Connection, do, row, rows
from pyagent.store.neo4j.values import no_blob

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction, ManagedTransaction

_KEEP = """
MERGE (b:Blob {digest: $digest})
ON CREATE SET b.size = $size, b.data = $data, b.created_at = datetime.realtime()
SET b.locked = true
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
WITH b WHERE NOT EXISTS { (b)<-[:REFERS_TO]-() }
OPTIONAL MATCH (b)-[:HAS_CHUNK]->(c:Chunk)
DETACH DELETE c, b
"""
_SWEEP = """
MATCH (c:Chunk) WHERE c.at < datetime.realtime() - duration({hours: 1}) AND NOT EXISTS { (c)<-[:HAS_CHUNK]-() }
WITH c LIMIT 1000
DETACH DELETE c
RETURN count(*) AS gone
"""


async def keep(to: AsyncManagedTransaction, run_id: str, digest: str, data: bytes) -> None:
    """Keep a blob that the run refers to from now on. Raises `NotFound` for an unknown run."""
    small = len(data) < FILE_THRESHOLD
    await do(to, _KEEP, digest=digest, size=len(data), data=codec.encode(data) if small else None)
    if not small:
        for number in range(0, (len(data) + CHUNK - 1) // CHUNK):
            await keep_chunk(to, digest, number, data[number * CHUNK : (number + 1) * CHUNK])
        await do(to, _JOIN_CHUNKS, digest=digest)
    await refer(to, run_id, digest)


async def keep_chunk(to: AsyncManagedTransaction, digest: str, number: int, data: bytes) -> None:
    """Keep a chunk, by itself or before the blob that it will be a part of."""
    await do(to, _KEEP_CHUNK, digest=digest, number=number, data=codec.encode(data))


async def join(to: AsyncManagedTransaction, run_id: str, digest: str, size: int) -> bool:
    """Make a blob of the chunks that are kept, that the run refers to; False if some of them are gone."""
    await do(to, _KEEP, digest=digest, size=size, data=None)
    joined = await row(to, _JOIN_CHUNKS, digest=digest)
    await refer(to, run_id, digest)
    return joined is not None and joined["chunks"] == (size + CHUNK - 1) // CHUNK


def read_chunk(source: BinaryIO) -> bytes:
    """The next chunk of a file, full but for the last one."""
    chunk = source.read(CHUNK)
    while 0 < len(chunk) < CHUNK and (more := source.read(CHUNK - len(chunk))):
        chunk += more
    return chunk


async def refer(to: AsyncManagedTransaction, run_id: str, digest: str) -> None:
    """The run refers to the blob from now on. Raises `NotFound` if it is not kept."""
    if await row(to, _REFER, run=run_id, digest=digest) is None:
        raise no_blob(digest)


async def size(of: AsyncManagedTransaction, digest: str) -> int:
    """Bytes of a blob's content. Raises `NotFound`."""
    found = await row(of, "MATCH (b:Blob {digest: $digest}) RETURN b.size AS size", digest=digest)
    if found is None:
        raise no_blob(digest)
    return int(found["size"])


async def read(of: AsyncManagedTransaction, digest: str, start: int, end: int | None) -> bytes:
    """The content from `start` up to `end` (None: to its end). Raises `NotFound`."""
    query = "MATCH (b:Blob {digest: $digest}) RETURN b.size AS size, b.data AS data"
    found = await row(of, query, digest=digest)
    if found is None:
        raise no_blob(digest)
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
    chunks = [codec.decode(one["data"]) for one in await rows(of, query, digest=digest, first=first, last=last)]
    offset = first * CHUNK
    return b"".join(chunks)[start - offset : stop - offset]


async def of_run(of: AsyncManagedTransaction, run_id: str) -> Sequence[str]:
    """Digests of the blobs that a run refers to, in the order in which all transactions lock them."""
    query = "MATCH (:Run {id: $run})-[:REFERS_TO]->(b:Blob) RETURN b.digest AS digest ORDER BY digest"
    return [found["digest"] for found in await rows(of, query, run=run_id)]


async def forget(to: AsyncManagedTransaction, digests: Iterable[str]) -> None:
    """Delete those of the blobs that nobody refers to."""
    for digest in digests:
        await do(to, _FORGET, digest=digest)


async def sweep(to: AsyncManagedTransaction) -> int:
    """Delete chunks that broken uploads have left behind, at most a thousand; returns how many."""
    found = await row(to, _SWEEP)
    return 0 if found is None else int(found["gone"])


class BlockingReader:
    """Reads blobs in the calling thread, any thread, by a driver of its own that is made when first needed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = None
        self._lock = threading.Lock()

    def read(self, digest: str) -> bytes:
        """The whole content. Raises `NotFound`, `StoreUnavailable`, and `StoreError` when the bytes are damaged."""
        with self._connection.translated(), self._opened().session(database=self._connection.database) as session:
            data = session.execute_read(_read_now, digest)
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


def _read_now(of: ManagedTransaction, digest: str) -> bytes:
    found = of.run("MATCH (b:Blob {digest: $digest}) RETURN b.size AS size, b.data AS data", digest=digest).single()
    if found is None:
        raise no_blob(digest)
    if found["data"] is not None:
        return codec.decode(found["data"])
    chunks = of.run(
        "MATCH (c:Chunk) WHERE c.digest = $digest AND c.number >= 0 RETURN c.data AS data ORDER BY c.number",
        digest=digest,
    )
    return b"".join(codec.decode(chunk["data"]) for chunk in chunks)[: found["size"]]
