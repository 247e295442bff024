"""Lists of items too long for memory: pages written as a node gives its items, and read when they are wanted.

A page is a blob of the run. A written page belongs to the run at once; that a step put it out is known when the entry
with the table of its pages is committed. Pages of a try that came to nothing stay until the run is deleted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from pyagent.errors import NodeError, PyAgentError
from pyagent.native import blake3_hex
from pyagent.runtime.log import Outputs, decode, encode
from pyagent.sdk.items import BlobRef, Item, Items
from pyagent.sdk.pages import PAGE_ITEMS, Page, PagedItems, PageText, pieces_of, read_page

KEPT_BYTES = 2 * 1024 * 1024
"""Bytes of the pages that a reader keeps, as they are stored; the items take some ten times as much."""


class PageStore(Protocol):
    """What a reader needs of a store."""

    async def get_blob(self, digest: str) -> bytes: ...
    def blob_now(self, digest: str) -> bytes: ...


class PageReader:
    """Reads pages of a store's blobs and keeps the last ones; safe to be used by several threads."""

    def __init__(self, store: PageStore) -> None:
        self.store = store
        self.uncommitted: dict[str, bytes] = {}
        """Pages on their way into the store."""
        self._kept: OrderedDict[str, tuple[list[Item], int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read(self, digest: str) -> Sequence[Item]:
        """The items of a page. Raises `NotFound`, `StoreError`."""
        if (found := self._found(digest)) is not None:
            return found
        data = self.uncommitted.get(digest)
        return self._keep(digest, self.store.blob_now(digest) if data is None else data)

    def committed(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        """These blobs are in the store now."""
        for digest, _ in blobs:
            self.uncommitted.pop(digest, None)

    async def fetch(self, digest: str) -> Sequence[Item]:
        """As `read`, without holding up other tasks."""
        if (found := self._found(digest)) is not None:
            return found
        data = self.uncommitted.get(digest)
        return self._keep(digest, await self.store.get_blob(digest) if data is None else data)

    def _found(self, digest: str) -> list[Item] | None:
        with self._lock:
            found = self._kept.get(digest)
            if found is None:
                return None
            self._kept.move_to_end(digest)
            return found[0]

    def _keep(self, digest: str, data: bytes) -> list[Item]:
        items = read_page(decode(data))
        with self._lock:
            if digest not in self._kept:
                self._kept[digest] = (items, len(data))
                self._size += len(data)
            while self._size > KEPT_BYTES and len(self._kept) > 1:
                _, (_, size) = self._kept.popitem(last=False)
                self._size -= size
        return items


class PageWriter:
    """Takes a step's items by port and keeps full pages at once, so that only the last ones are in memory."""

    def __init__(self, reader: PageReader, keep: Callable[[str, bytes], Awaitable[None]]) -> None:
        """`keep`: keeps a blob, by its digest."""
        self._reader = reader
        self._keep = keep
        self._ports: dict[str, tuple[PageText, list[Page]]] = {}

    async def add(self, port: str, items: Sequence[Item]) -> None:
        """Take items of a port. Raises `NodeError` (`node.returned`) for what is not JSON, and `StoreError`."""
        text, pages = self._ports.setdefault(port, (PageText(encode), []))
        if isinstance(items, PagedItems) and items.kept and len(items) > PAGE_ITEMS:
            # They are kept already: their table will do.
            if text.items:
                await self._write(text, pages)
            pages += items.pieces
            return
        for batch in items.pages() if isinstance(items, Items) else (items,):
            for item in batch:
                try:
                    full = text.add(item)
                except TypeError as error:
                    raise not_json(error) from error
                if full:
                    await self._write(text, pages)

    async def _write(self, text: PageText, pages: list[Page]) -> None:
        page = text.take()
        digest = blake3_hex(page.data)
        await self._keep(digest, page.data)
        pages.append(Page(digest=digest, count=page.count, binaries=page.binaries))

    async def close(self) -> Outputs:
        """Keep the rest; the items by port, those of a port without a full page in memory."""
        outputs: Outputs = {}
        for port, (text, pages) in self._ports.items():
            if not pages:
                outputs[port] = Items.of(text.items)
                continue
            if text.items:
                await self._write(text, pages)
            outputs[port] = PagedItems(pages, self._reader)
        return {port: items for port, items in outputs.items() if len(items)}


async def gathered(pieces: AsyncIterator[tuple[str, Sequence[Item]]], writer: PageWriter | None) -> Outputs:
    """What a node gives piece by piece, as items by port; without a writer all in memory."""
    if writer is not None:
        async for port, items in pieces:
            await writer.add(port, items)
        return await writer.close()
    found: dict[str, list[Item]] = {}
    async for port, items in pieces:
        found.setdefault(port, []).extend(items)
    return {port: Items.of(items) for port, items in found.items() if items}


def paged(items: Items, kept: dict[str, bytes]) -> list[Page]:
    """Items in memory as pages, whose content is put into `kept`. Raises `TypeError` for what is not JSON."""
    text = PageText(encode)
    pages: list[Page] = []

    def write() -> None:
        page = text.take()
        digest = blake3_hex(page.data)
        kept[digest] = page.data
        pages.append(Page(digest=digest, count=page.count, binaries=page.binaries))

    for piece in pieces_of(items):
        if piece.digest:
            if text.items:
                write()
            pages.append(piece)
            continue
        for item in piece.items(piece.held):
            if text.add(item):
                write()
    if text.items:
        write()
    return pages


def table(pages: Sequence[Page]) -> dict[str, Any]:
    """The table of kept pages as JSON."""
    return {"pages": [piece.as_row() for piece in pages]}


def is_table(outputs: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a port's items are kept as a table of pages, not as a list."""
    return isinstance(outputs, dict)


def from_table(value: Mapping[str, Any], reader: PageReader) -> PagedItems:
    """The reverse of `table`."""
    return PagedItems([Page.from_row(row) for row in value["pages"]], reader)


def binaries_of(items: Items) -> dict[str, BlobRef]:
    """The binaries of the items by digest; pages without any are not read."""
    if isinstance(items, PagedItems):
        some = [piece for piece in items.pieces if piece.binaries or not piece.digest]
        if not some:
            return {}
        items = items.of_pieces(some)
    return {ref.digest: ref for item in items if item.binary for ref in item.binary.values()}


def pages_of(items: Items) -> list[str]:
    """The digests of the pages that hold the items."""
    if not isinstance(items, PagedItems):
        return []
    return list(dict.fromkeys(piece.digest for piece in items.pieces if piece.digest))


def blobs_in(body: Mapping[str, Any]) -> set[str]:
    """The blobs that an entry, as it is kept, names: that of its outputs, and the pages that stand in the entry."""
    outputs: Mapping[str, Any] = body.get("outputs") or {}
    found = {str(row["page"]) for made in outputs.values() if is_table(made) for row in made["pages"]}
    return found | {str(body["blob"])} if "blob" in body else found


def not_json(error: TypeError) -> PyAgentError:
    """The error for items that cannot be kept."""
    return NodeError(
        f"what the step put out cannot be kept: {error}",
        code="node.returned",
        hint="Items hold JSON only: text, numbers up to 64 bits, true, false, null, lists and objects.",
    )
