"""Items that lie in pages outside of memory (SEMANTICS 1): the table of their pages, and how a page is written.

A page is a JSON object: the items' JSON, the binaries of those that have any, and where the items came from, packed
into runs, so that lineage costs a page a few bytes where items are passed on, filtered or split.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Protocol, Self, overload

from pyagent.sdk.items import BlobRef, Item, Items, ItemSource, JsonObject

PAGE_ITEMS = 4096
"""Items of a page at most; lists that are longer lie in pages."""
PAGE_BYTES = 1024 * 1024
"""Bytes of items from which on a page is full; one item may be larger, and has a page for itself."""


class PageSource(Protocol):
    """Reads pages, and keeps the last ones that were read."""

    def read(self, digest: str) -> Sequence[Item]:
        """A page's items, read in the calling thread: a few milliseconds. Raises `NotFound`, `StoreError`."""
        ...

    async def fetch(self, digest: str) -> Sequence[Item]:
        """As `read`; other tasks go on meanwhile."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A piece of a list: items of a page that is kept, or of a list in memory."""

    digest: str = ""
    """The page's blob; empty for items in memory."""
    held: Sequence[Item] = ()
    """The items in memory."""
    start: int = 0
    """Index of the piece's first item in the page."""
    count: int
    source: ItemSource | None = None
    """What the first item came from, the next ones from the next items of that port; None: the page says."""
    binaries: bool = False
    """Some items of the page have binaries."""

    def as_row(self) -> JsonObject:
        """The piece of a kept page as JSON."""
        row: JsonObject = {"page": self.digest, "count": self.count}
        if self.start:
            row["start"] = self.start
        if self.source is not None:
            row["from"] = list(self.source)
        if self.binaries:
            row["binaries"] = True
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The reverse of `as_row`."""
        source = row.get("from")
        return cls(
            digest=row["page"],
            count=row["count"],
            start=row.get("start", 0),
            source=ItemSource(*source) if source else None,
            binaries=row.get("binaries", False),
        )

    def cut(self, start: int, stop: int) -> Page:
        """The piece's own items from `start` up to `stop`."""
        source = self.source
        if source is not None:
            source = ItemSource(source.item + start, source.port)
        return replace(self, start=self.start + start, count=stop - start, source=source)

    def items(self, page: Sequence[Item]) -> Sequence[Item]:
        """The piece's items, from those of its page."""
        stop = self.start + self.count
        found = page if self.start == 0 and len(page) == self.count else page[self.start : stop]
        if self.source is None:
            return found
        port = self.source.port
        return [
            Item(item.json, item.binary, (ItemSource(index, port),))
            for index, item in enumerate(found, self.source.item)
        ]

    def item(self, page: Sequence[Item], index: int) -> Item:
        """One item of the piece."""
        found = page[self.start + index]
        if self.source is None:
            return found
        return Item(found.json, found.binary, (ItemSource(self.source.item + index, self.source.port),))


class PagedItems(Items):
    """Items that are read a page at a time, when they are wanted."""

    __slots__ = ("_source", "_starts", "pieces")
    paged = True

    def __init__(self, pieces: Sequence[Page], source: PageSource) -> None:
        super().__init__([piece.count for piece in pieces], self._page)
        self.pieces = tuple(pieces)
        self._source = source
        self._starts = [0, *accumulate(piece.count for piece in pieces)]

    @property
    def kept(self) -> bool:
        """Whether all of its pages are kept, none is in memory."""
        return all(piece.digest for piece in self.pieces)

    def of_pieces(self, pieces: Sequence[Page]) -> PagedItems:
        """Only these pieces, read from the same pages."""
        return PagedItems(pieces, self._source)

    def _page(self, number: int) -> Sequence[Item]:
        piece = self.pieces[number]
        return piece.items(self._source.read(piece.digest) if piece.digest else piece.held)

    def __iter__(self) -> Iterator[Item]:
        for number in range(len(self.pieces)):
            yield from self._page(number)

    async def batches(self) -> AsyncIterator[Sequence[Item]]:
        for piece in self.pieces:
            yield piece.items(await self._source.fetch(piece.digest) if piece.digest else piece.held)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return list(self.part(start, stop))
            return [self[place] for place in range(start, stop, step)]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError("item index out of range")
        number = bisect_right(self._starts, index) - 1
        piece = self.pieces[number]
        page = self._source.read(piece.digest) if piece.digest else piece.held
        return piece.item(page, index - self._starts[number])

    def part(self, start: int, stop: int) -> Items:
        start, stop = max(0, start), min(stop, len(self))
        found: list[Page] = []
        for piece, before in zip(self.pieces, self._starts, strict=False):
            first, last = max(start - before, 0), min(stop - before, piece.count)
            if first < last:
                found.append(piece if last - first == piece.count else piece.cut(first, last))
        return PagedItems(found, self._source)

    def marked(self, port: str, start: int) -> Items:
        sources = (ItemSource(start + before, port) for before in self._starts)
        marked = [replace(piece, source=source) for piece, source in zip(self.pieces, sources, strict=False)]
        return PagedItems(marked, self._source)

    def joined(self, parts: Sequence[Items]) -> Items:
        return PagedItems([piece for part in parts for piece in pieces_of(part)], self._source)


@dataclass(frozen=True, slots=True)
class Written:
    """A page as it is to be kept."""

    data: bytes
    count: int
    binaries: bool


class PageText:
    """Gathers items into pages. `encode` makes JSON bytes of a value and raises `TypeError` for what is not JSON."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        self._encode = encode
        self._clear()

    def _clear(self) -> None:
        self.items: list[Item] = []
        """What was gathered for the next page."""
        self._json: list[bytes] = []
        self._binary: dict[str, JsonObject] = {}
        self._size = 0

    def add(self, item: Item) -> bool:
        """Gather an item; whether the page is full now. Raises `TypeError`."""
        text = self._encode(item.json)
        if item.binary:
            self._binary[str(len(self.items))] = {name: ref.as_dict() for name, ref in item.binary.items()}
        self.items.append(item)
        self._json.append(text)
        self._size += len(text)
        return len(self.items) == PAGE_ITEMS or self._size >= PAGE_BYTES

    def take(self) -> Written:
        """The page of what was gathered; the next one begins."""
        tail: JsonObject = {}
        if self._binary:
            tail["binary"] = self._binary
        if came := packed(self.items):
            tail["from"] = came
        more = b"," + self._encode(tail)[1:] if tail else b"}"
        page = Written(b'{"json":[' + b",".join(self._json) + b"]" + more, len(self.items), bool(self._binary))
        self._clear()
        return page


def read_page(page: Mapping[str, Any]) -> list[Item]:
    """A page's items, from its JSON."""
    rows: list[JsonObject] = page["json"]
    sources = unpacked(page["from"]) if "from" in page else (() for _ in rows)
    made = [Item(json, None, found) for json, found in zip(rows, sources, strict=True)]
    for index, refs in page.get("binary", {}).items():
        made[int(index)].binary = {name: BlobRef.from_dict(ref) for name, ref in refs.items()}
    return made


def packed(items: Sequence[Item]) -> list[Any]:
    """The sources of the items: runs `[port, first, count, step]` of items with one source each, the next one's `step`
    further, and `[[[index, port], …]]` for an item with several or none; nothing if no item has any."""
    found: list[Any] = []
    port, first, count, step = "", 0, 0, 0
    known = False
    for item in items:
        sources = item.sources
        if len(sources) != 1:
            if count:
                found.append([port, first, count, step])
                count = 0
            known = known or bool(sources)
            found.append([[list(source) for source in sources]])
            continue
        known = True
        index, of = sources[0]
        if count and of == port:
            ahead = index - first
            if count == 1 and 0 <= ahead <= 1:
                step, count = ahead, 2
                continue
            if count > 1 and ahead == step * count:
                count += 1
                continue
        if count:
            found.append([port, first, count, step])
        port, first, count, step = of, index, 1, 0
    if count:
        found.append([port, first, count, step])
    return found if known else []


def unpacked(runs: Iterable[Sequence[Any]]) -> Iterator[tuple[ItemSource, ...]]:
    """The reverse of `packed`."""
    for run in runs:
        if len(run) == 1:
            yield tuple(ItemSource(*source) for source in run[0])
            continue
        port, first, count, step = run
        if step:
            for index in range(first, first + count * step, step):
                yield (ItemSource(index, port),)
        else:
            sources = (ItemSource(first, port),)
            for _ in range(count):
                yield sources


def pieces_of(items: Items) -> Sequence[Page]:
    """The pieces of any items; those that are not paged are in memory."""
    if isinstance(items, PagedItems):
        return items.pieces
    return [Page(held=page, count=len(page)) for page in items.pages() if page]
