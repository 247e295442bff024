"""Large blobs of a Neo4j store that lie outside: uploaded before the transaction that makes them known, removed after
the one that forgets them (`store.outside`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pyagent.store import sealing
from pyagent.store.base import Commit
from pyagent.store.blobs import FILE_THRESHOLD, check_digest
from pyagent.store.neo4j import payloads
from pyagent.store.neo4j.connection import Connection
from pyagent.store.neo4j.payloads import Uploads
from pyagent.store.outside import OutsideBlobs, Upload, name_in

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

T = TypeVar("T")


class LargeBlobs:
    """What of a Neo4j store's blobs is not in the database."""

    def __init__(self, connection: Connection, outside: OutsideBlobs) -> None:
        self.outside = outside
        self._connection = connection
        self._place = ""

    async def write(self, blobs: Iterable[tuple[str, bytes]], work: Callable[[Uploads | None], Awaitable[T]]) -> T:
        """Upload what is large among the blobs and not kept yet, then do the work, whose transaction makes it known;
        without a place outside the work gets None. Raises `StoreError` (`store.blob_digest`)."""
        if not self.outside.base:
            return await work(None)
        large = {digest: data for digest, data in blobs if len(data) >= FILE_THRESHOLD}
        for digest, data in large.items():
            check_digest(digest, data)
        named = {sealing.kept_name(digest): data for digest, data in large.items()}
        while True:
            known = await self._locations(list(named)) if named else {}
            uploads: dict[str, Upload] = {}
            for name in named.keys() - known.keys():
                uploads[name] = await self.outside.put(await self._address(), named[name])
            try:
                done = await work(uploads)
            except payloads.Gone:
                await self._remove_surplus(uploads)
                continue
            await self._remove_surplus(uploads)
            return done

    async def put_file(self, path: Path, work: Callable[[Upload], Awaitable[None]]) -> tuple[str, int]:
        """Upload a file, then do the work, whose transaction makes it known; digest and size in bytes."""
        while True:
            upload = await self.outside.put(await self._address(), path)
            try:
                await work(upload)
            except payloads.Gone:
                await self._remove_surplus({upload.name: upload})
                continue
            await self._remove_surplus({upload.name: upload})
            return upload.digest, upload.size

    async def sweep(self) -> int:
        """Remove orphans; returns how many went."""
        places = await self._connection.read(payloads.places)
        return await self.outside.sweep([f"{base}/{folder}" for base, folder in places.items()], self._known)

    async def _known(self, page: Sequence[str]) -> set[str]:
        known = await self._locations([name_in(location) for location in page])
        return {location for location in known.values() if location is not None}

    async def _locations(self, digests: Sequence[str]) -> dict[str, str | None]:
        return await self._connection.read(lambda of: payloads.locations_of(of, digests))

    async def _remove_surplus(self, uploads: Uploads) -> None:
        """Remove uploads of what was kept already when the transaction came: another worker was faster."""
        if uploads:
            known = await self._locations(list(uploads))
            await self.outside.remove(
                upload.location for upload in uploads.values() if known.get(upload.name) != upload.location
            )

    async def _address(self) -> str:
        """The database's place for new blobs, made if it has none."""
        if not self._place:
            base = self.outside.base
            folder = (await self._connection.read(payloads.places)).get(base)
            if folder is None:
                new = await self.outside.new_folder()

                async def take(to: AsyncManagedTransaction) -> str:
                    return await payloads.take_folder(to, base, new)

                folder = await self._connection.write(take)
            self._place = f"{base}/{folder}"
        return self._place


def blobs_of(commit: Commit | None) -> list[tuple[str, bytes]]:
    """What a commit brings, its successor's too."""
    if commit is None:
        return []
    return [*commit.blobs, *(blobs_of(commit.successor.first) if commit.successor is not None else ())]
