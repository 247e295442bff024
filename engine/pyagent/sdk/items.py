"""Items and deliveries: the data that travels on edges (SEMANTICS 1-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeAlias, overload

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object; values are None, bool, int, float, str, list and dict only."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A payload kept in the blob store under the hash of its content."""

    digest: str
    """BLAKE3 of the content, 64 hexadecimal digits."""
    size: int
    """Bytes, before compression."""
    name: str = ""
    """File name to show and to save under."""
    media_type: str = "application/octet-stream"

    def as_dict(self) -> JsonObject:
        """The reference as JSON."""
        return {"digest": self.digest, "size": self.size, "name": self.name, "media_type": self.media_type}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """The reverse of `as_dict`."""
        return cls(value["digest"], value["size"], value.get("name", ""), value.get("media_type", ""))


class ItemSource(NamedTuple):
    """Lineage: one input item of the same step that an output item came from."""

    item: int
    """Index among the step's input items of that port."""
    port: str = "in"


@dataclass(slots=True)
class Item:
    """One item. Treat it as immutable: nodes make new items instead of changing those they were given."""

    json: JsonObject
    binary: dict[str, BlobRef] | None = None
    sources: tuple[ItemSource, ...] = ()
    """The input items of the step that made this item; empty where the node did not say."""

    def derive(self, json: JsonObject, index: int, port: str = "in") -> Item:
        """A new item with other JSON, the same binaries, made from input item `index`."""
        return Item(json, self.binary, (ItemSource(index, port),))

    def as_dict(self) -> JsonObject:
        """`{json, binary?, from?}`, the form that is stored."""
        found: JsonObject = {"json": self.json}
        if self.binary:
            found["binary"] = {name: ref.as_dict() for name, ref in self.binary.items()}
        if self.sources:
            found["from"] = [[source.item, source.port] for source in self.sources]
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Item:
        """The reverse of `as_dict`."""
        binary = value.get("binary")
        return cls(
            value["json"],
            {name: BlobRef.from_dict(ref) for name, ref in binary.items()} if binary else None,
            tuple(ItemSource(item, port) for item, port in value.get("from", ())),
        )


class Items(Sequence[Item]):
    """A read-only sequence of items whose pages may live outside memory.

    `pages` gives the number of items of each page, `load` returns one page; a few pages are kept. A node that
    iterates needs one page at a time in memory, and with `async for` other steps go on while a page is read.
    """

    __slots__ = ("_cached", "_length", "_load", "_pages")
    _kept_pages = 4
    paged = False
    """Whether the items are read from pages (`pyagent.sdk.pages.PagedItems`)."""

    def __init__(self, pages: Sequence[int], load: Callable[[int], Sequence[Item]]) -> None:
        self._pages = list(pages)
        self._load = load
        self._length = sum(self._pages)
        self._cached: dict[int, Sequence[Item]] = {}

    @classmethod
    def of(cls, items: Iterable[Item]) -> Items:
        """Items that are all in memory, as one page."""
        return _HeldItems(list(items))

    @classmethod
    def concat(cls, parts: Sequence[Items]) -> Items:
        """The parts one after the other, without loading them."""
        if len(parts) == 1:
            return parts[0]
        held: list[Item] = []
        for part in parts:
            if not isinstance(part, _HeldItems):
                return next((part for part in parts if part.paged), part).joined(parts)
            held += part.held
        return _HeldItems(held)

    def _page(self, number: int) -> Sequence[Item]:
        if (page := self._cached.get(number)) is None:
            page = self._load(number)
            while len(self._cached) >= self._kept_pages:
                del self._cached[next(iter(self._cached))]
            self._cached[number] = page
        return page

    def __len__(self) -> int:
        return self._length

    def pages(self) -> Iterator[Sequence[Item]]:
        """The items page by page."""
        return (self._page(number) for number in range(len(self._pages)))

    async def batches(self) -> AsyncIterator[Sequence[Item]]:
        """The items page by page, a few thousand at a time in memory; other steps go on while a page is read."""
        for page in self.pages():
            yield page

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.batches():
            for item in page:
                yield item

    def part(self, start: int, stop: int) -> Items:
        """The items from index `start` up to `stop`, none of them read before it is wanted."""
        if len(self._pages) <= 1:
            return Items.of(self._page(0)[max(0, start) : max(0, stop)] if self._pages else ())
        sizes: list[int] = []
        where: list[tuple[int, int, int]] = []
        before = 0
        for number, size in enumerate(self._pages):
            first, last = max(start - before, 0), min(stop - before, size)
            if first < last:
                sizes.append(last - first)
                where.append((number, first, last))
            before += size

        def load(number: int) -> Sequence[Item]:
            page, first, last = where[number]
            return self._page(page)[first:last]

        return Items(sizes, load)

    def marked(self, port: str, start: int) -> Items:
        """The items, each with `(start + its index, port)` as its source; the pages stay where they are."""
        starts = [start]
        for size in self._pages:
            starts.append(starts[-1] + size)

        def load(number: int) -> list[Item]:
            page = self._page(number)
            return [
                Item(item.json, item.binary, (ItemSource(index, port),))
                for index, item in enumerate(page, starts[number])
            ]

        return Items(self._pages, load)

    def joined(self, parts: Sequence[Items]) -> Items:
        """What `concat` makes of parts, of which this is the first paged one, if there is any."""
        where = [(part, page) for part in parts for page in range(len(part._pages))]
        sizes = [part._pages[page] for part, page in where]
        return Items(sizes, lambda number: where[number][0]._page(where[number][1]))

    def __iter__(self) -> Iterator[Item]:
        for number in range(len(self._pages)):
            yield from self._page(number)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError("item index out of range")
        if len(self._pages) == 1:
            return self._page(0)[index]
        for number, size in enumerate(self._pages):
            if index < size:
                return self._page(number)[index]
            index -= size
        raise IndexError("item index out of range")

    def __repr__(self) -> str:
        return f"Items({self._length})"


class _HeldItems(Items):
    """Items that are all in memory, as one page."""

    __slots__ = ("held",)

    def __init__(self, held: list[Item]) -> None:
        # What the base class has for pages would cost more than a short list itself: almost all lists are short.
        self.held = held

    @property
    def _pages(self) -> list[int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [len(self.held)] if self.held else []

    def _page(self, number: int) -> Sequence[Item]:
        return self.held

    def marked(self, port: str, start: int) -> Items:
        if len(self.held) != 1:
            return super().marked(port, start)
        (item,) = self.held
        return _HeldItems([Item(item.json, item.binary, (ItemSource(start, port),))])

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.held)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        return self.held[index]

    def __repr__(self) -> str:
        return f"Items({len(self.held)})"


@dataclass(frozen=True, slots=True)
class Result:
    """What a step puts out: items by port, and whether a loop's header has more batches."""

    outputs: Mapping[str, Sequence[Item]] = field(default_factory=dict[str, Sequence[Item]])
    more: bool = False
    """A loop header's word that another iteration is to start even if nothing comes back (SEMANTICS 10)."""


Outputs: TypeAlias = Mapping[str, Sequence[Item]]
"""Items by output port; a port left out or empty delivers nothing."""
