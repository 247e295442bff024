"""Large blobs of a SQLite store: in files beside the database, or outside; written before the transaction that makes
them known, removed after the one that forgets them.

A file beside is named by its digest alone, so that a transaction can see whether it is there still. What lies outside
is not looked at in a transaction: each upload has a name of its own (`store.outside`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pyagent.store import codec, sealing
from pyagent.store.blobs import FILE_THRESHOLD, BlobFiles, blob_missing, check_digest, digest_of
from pyagent.store.outside import OutsideBlobs, Upload
from pyagent.store.sqlite import payloads, rows
from pyagent.store.sqlite.database import Database
from pyagent.store.sqlite.payloads import FoundBlob, KeptBlob

T = TypeVar("T")

_PAGE = 1000
_LEFTOVER_AGE = 3600.0
"""Seconds after which a temporary file belongs to no living writer."""


class LargeBlobs:
    """What of a SQLite store's blobs is not in its file."""

    def __init__(self, database: Database, outside: OutsideBlobs) -> None:
        self.files = BlobFiles(database.path.with_name(database.path.name + ".blobs"))
        self.outside = outside
        self._database = database
        self._place = ""

    @staticmethod
    def prepared(blobs: Sequence[tuple[str, bytes]]) -> list[KeptBlob]:
        """New blobs as `write` takes them. Raises `StoreError` (`store.blob_digest`)."""
        kept: list[KeptBlob] = []
        for digest, data in dict(blobs).items():
            check_digest(digest, data)
            small = len(data) < FILE_THRESHOLD
            stored, content = (codec.encode(data), b"") if small else (None, data)
            kept.append(KeptBlob(sealing.kept_name(digest), digest, len(data), stored, content))
        return kept

    async def write(
        self, blobs: Sequence[KeptBlob], change: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> T:
        """Write the large ones among the blobs, then run the transaction that makes them known."""
        large = {blob.name: blob for blob in blobs if blob.stored is None}
        if not large:
            return await self._database.write(change, durable=durable)
        missing = list(large)
        while True:
            uploads = await self._bring([large[name] for name in missing])
            for blob in blobs:
                blob.upload = uploads.get(blob.name, blob.upload)
            try:
                return await self._commit(list(large.values()), change, durable=durable)
            except _Gone as gone:  # its last run was deleted meanwhile, or all of this took very long
                missing = gone.names
                await self._remove_stale([large[name] for name in missing])

    async def put_file(self, run_id: str, path: Path) -> tuple[str, int]:
        """Keep a file's content, that the run refers to from now on. Raises `NotFound`, `StoreError`, `OSError`."""
        with path.open("rb") as source:
            start = await asyncio.to_thread(source.read, FILE_THRESHOLD)
        if len(start) < FILE_THRESHOLD:
            digest = digest_of(start)
            await self.put(run_id, digest, start)
            return digest, len(start)
        await self._database.read(lambda of: rows.run_number(of, run_id))
        while True:
            blob = await self._copied(path)
            try:
                await self._commit([blob], partial(_refer, run_id=run_id, blob=blob))
                return blob.digest, blob.size
            except _Gone:
                await self._remove_stale([blob])

    async def put(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep a payload that the run refers to from now on. Raises `NotFound` and `StoreError`."""
        kept = self.prepared([(digest, data)])
        await self.write(kept, partial(_refer, run_id=run_id, blob=kept[0]))

    async def read(self, found: FoundBlob) -> bytes:
        """The whole content."""
        if found.location is not None:
            return await self.outside.read(found.location)
        return await asyncio.to_thread(self._read_file, found.name, self.files.read)

    def read_now(self, found: FoundBlob) -> bytes:
        """As `read`, blocking."""
        if found.location is not None:
            return self.outside.read_now(found.location)
        return self._read_file(found.name, self.files.read)

    async def read_range(self, found: FoundBlob, start: int, end: int) -> bytes:
        """The content from `start` up to `end`."""
        if found.location is not None:
            return await self.outside.read_range(found.location, start, end)
        read = partial(self.files.read_range, start=start, end=end)
        return await asyncio.to_thread(self._read_file, found.name, read)

    async def remove(self, forgotten: payloads.Forgotten) -> None:
        """Remove what a committed transaction has forgotten."""
        if forgotten.in_files:
            await self._database.write(lambda to: payloads.remove_files(to, self.files, forgotten.in_files))
        await self.outside.remove(forgotten.outside)

    async def sweep(self) -> int:
        """Remove what no row knows; returns how many blobs went."""
        names = await asyncio.to_thread(lambda: list(self.files.names()))
        removed = 0
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            removed += await self._database.write(partial(payloads.remove_files, files=self.files, names=page))
            await asyncio.sleep(0)
        await asyncio.to_thread(self.files.remove_leftovers, time.time() - _LEFTOVER_AGE)
        return removed + await self.outside.sweep(await self._database.read(payloads.places), self._known)

    async def _known(self, page: Sequence[str]) -> set[str]:
        return await self._database.read(lambda of: payloads.known_locations(of, page))

    async def _commit(
        self, large: Sequence[KeptBlob], change: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> T:
        """Run the transaction; uploads that turn out to be kept already, by another worker, go. Raises `_Gone`."""

        def apply(to: sqlite3.Connection) -> tuple[T, list[str]]:
            if gone := [blob.name for blob in large if not self._is_there(to, blob)]:
                raise _Gone(gone)
            done = change(to)
            return done, [
                blob.upload.location
                for blob in large
                if blob.upload is not None
                and ((found := payloads.look(to, blob.name)) is None or found.location != blob.upload.location)
            ]

        done, surplus = await self._database.write(apply, durable=durable)
        if surplus:
            await self.outside.remove(surplus)
        return done

    async def _remove_stale(self, blobs: Sequence[KeptBlob]) -> None:
        """Remove uploads that are too old to be committed."""
        await self.outside.remove(blob.upload.location for blob in blobs if blob.upload is not None)

    def _is_there(self, connection: sqlite3.Connection, blob: KeptBlob) -> bool:
        found = payloads.look(connection, blob.name)
        if found is not None and (found.location is not None or self.outside.base):
            return True
        if self.outside.base:
            return blob.upload is not None and blob.upload.is_fresh
        return self.files.path(blob.name).exists()

    async def _bring(self, blobs: Sequence[KeptBlob]) -> Mapping[str, Upload]:
        """Write what is not kept yet; returns what went outside."""
        known = await self._database.read(lambda of: {blob.name: payloads.look(of, blob.name) for blob in blobs})
        uploads: dict[str, Upload] = {}
        for blob in blobs:
            found = known[blob.name]
            if not self.outside.base:
                if found is None or found.location is None:
                    await asyncio.to_thread(self._write_file, blob.name, blob.content)
            elif found is None:
                uploads[blob.name] = await self.outside.put(await self._address(), blob.content)
        return uploads

    async def _copied(self, path: Path) -> KeptBlob:
        if self.outside.base:
            upload = await self.outside.put(await self._address(), path)
            return KeptBlob(upload.name, upload.digest, upload.size, None, upload=upload)
        digest, size = await asyncio.to_thread(self._copy_file, path)
        return KeptBlob(sealing.kept_name(digest), digest, size, None)

    async def _address(self) -> str:
        """The database's place for new blobs, made if it has none."""
        if not self._place:
            base = self.outside.base
            folder = await self._database.read(lambda of: payloads.folder_at(of, base))
            if folder is None:
                new = await self.outside.new_folder()
                folder = await self._database.write(lambda to: payloads.take_folder(to, base, new), durable=True)
            self._place = f"{base}/{folder}"
        return self._place

    def _write_file(self, name: str, data: bytes) -> None:
        try:
            self.files.write(name, data)
        except OSError as error:
            raise self._database.translate(error) from error

    def _copy_file(self, path: Path) -> tuple[str, int]:
        with path.open("rb") as source:
            try:
                return self.files.copy(source)
            except OSError as error:
                raise self._database.translate(error) from error

    def _read_file(self, name: str, read: Callable[[str], bytes]) -> bytes:
        try:
            return read(name)
        except FileNotFoundError as error:
            raise blob_missing(name, self.files.root) from error
        except OSError as error:
            raise self._database.translate(error) from error


def _refer(to: sqlite3.Connection, run_id: str, blob: KeptBlob) -> None:
    number = rows.run_number(to, run_id)
    payloads.keep(to, blob)
    payloads.refer_kept(to, number, blob)


class _Gone(Exception):
    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names
