"""Lists of items that lie in pages: what is read when, and that nothing of an item is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.sdk import BlobRef, Item, Items, ItemSource
from pyagent.sdk.outcome import mark
from pyagent.sdk.pages import PAGE_BYTES, PAGE_ITEMS, Page, PagedItems, PageText, packed, read_page, unpacked

sources = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["in", "left"])).map(lambda found: ItemSource(*found)), max_size=3
).map(tuple)


class Shelf:
    """Ten pages of ten numbers each; says which were read."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def read(self, digest: str) -> Sequence[Item]:
        self.seen.append(digest)
        first = int(digest) * 10
        return [Item({"n": number}, None, (ItemSource(number * 2),)) for number in range(first, first + 10)]

    async def fetch(self, digest: str) -> Sequence[Item]:
        return self.read(digest)

    def items(self) -> PagedItems:
        return PagedItems([Page(digest=str(number), count=10) for number in range(10)], self)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def values(items: Sequence[Item]) -> list[int]:
    return [item.json["n"] for item in items]


def test_an_item_is_found_in_its_page_and_no_other_is_read(shelf: Shelf) -> None:
    items = shelf.items()
    assert len(items) == 100
    assert (items[0].json, items[37].json, items[-1].json) == ({"n": 0}, {"n": 37}, {"n": 99})
    assert shelf.seen == ["0", "3", "9"]
    with pytest.raises(IndexError):
        items[100]


def test_slices_are_those_of_a_list(shelf: Shelf) -> None:
    items, plain = shelf.items(), list(range(100))
    for cut in (slice(3, 27), slice(None, 5), slice(-5, None), slice(95, 200), slice(20, 10), slice(90, 10, -7)):
        assert values(items[cut]) == plain[cut]


async def test_iterating_reads_a_page_at_a_time_and_stops_reading_when_it_is_left(shelf: Shelf) -> None:
    for item in shelf.items():
        if item.json["n"] == 15:
            break
    assert shelf.seen == ["0", "1"]
    shelf.seen.clear()
    async for item in shelf.items():
        if item.json["n"] == 25:
            break
    assert shelf.seen == ["0", "1", "2"]


def test_a_part_is_made_without_reading_and_keeps_what_its_items_came_from(shelf: Shelf) -> None:
    part = mark(shelf.items(), port="in").part(15, 35)
    assert shelf.seen == []
    assert values(part) == list(range(15, 35))
    assert [item.sources for item in part] == [(ItemSource(number, "in"),) for number in range(15, 35)]
    assert [piece.count for piece in part.pieces] == [5, 10, 5]  # type: ignore[attr-defined]
    assert values(part.part(-3, 2)) == [15, 16]
    assert len(part.part(30, 40)) == 0


def test_marked_items_name_themselves_and_others_say_what_they_came_from(shelf: Shelf) -> None:
    items = shelf.items()
    assert items[7].sources == (ItemSource(14),)
    assert mark(items, port="left", start=1000)[42].sources == (ItemSource(1042, "left"),)


def test_parts_of_all_kinds_are_joined_unread(shelf: Shelf) -> None:
    loaded = Items([2, 2], lambda page: [Item({"n": -page}), Item({"n": -page})])
    joined = Items.concat([Items.of([Item({"n": 1000})]), shelf.items(), loaded, shelf.items()])
    assert shelf.seen == []
    assert len(joined) == 205
    assert values(joined) == [1000, *range(100), 0, 0, -1, -1, *range(100)]
    assert [joined[index].json["n"] for index in (0, 1, 101, 104, 204)] == [1000, 0, 0, -1, 99]
    assert joined.paged


@given(st.lists(sources, max_size=30))
def test_lineage_comes_back_as_it_was(given: list[tuple[ItemSource, ...]]) -> None:
    runs = packed([Item({}, None, found) for found in given])
    if any(given):
        assert list(unpacked(orjson.loads(orjson.dumps(runs)))) == given
    else:
        assert runs == []


@pytest.mark.parametrize(
    "given",
    [range(5000), [7] * 5000, range(100, 4000)],
    ids=["passed on", "split out of one", "the middle"],
)
def test_lineage_in_order_takes_one_run(given: Sequence[int]) -> None:
    assert len(packed([Item({}, None, (ItemSource(index),)) for index in given])) == 1


def test_a_page_gives_its_items_back_whole() -> None:
    ref = BlobRef("0" * 64, 3, "a.txt", "text/plain")
    given = [
        Item({"text": "ä", "deep": [{"n": 1.5}, None]}),
        Item({}, {"file": ref}, (ItemSource(3), ItemSource(4, "left"))),
        Item({"n": 1}, None, (ItemSource(5),)),
    ]
    text = PageText(orjson.dumps)
    for item in given:
        assert not text.add(item)
    page = text.take()
    assert (page.count, page.binaries) == (3, True)
    assert read_page(orjson.loads(page.data)) == given
    assert text.items == []


def test_a_page_is_full_by_number_or_by_size() -> None:
    text = PageText(orjson.dumps)
    assert [text.add(Item({})) for _ in range(PAGE_ITEMS)].index(True) == PAGE_ITEMS - 1
    text.take()
    assert text.add(Item({"text": "x" * PAGE_BYTES}))


def test_a_table_comes_back_as_it_was() -> None:
    pages = [
        Page(digest="a", count=3),
        Page(digest="b", count=2, start=4, source=ItemSource(9, "in"), binaries=True),
    ]
    assert [Page.from_row(orjson.loads(orjson.dumps(page.as_row()))) for page in pages] == pages
