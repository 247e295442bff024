"""What two sequences have in common: right for all, and found in bounded time for hostile ones."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyagent.graph import matching
from pyagent.graph.editing import read_data
from pyagent.graph.matching import blocks, opcodes
from pyagent.graph.merge import merge
from pyagent.graph.yaml import dump, load_text

WORDS = st.lists(st.sampled_from("abcdef"), max_size=40)


@given(WORDS, WORDS, st.sampled_from([0, 20, 10_000]))
def test_what_is_told_as_the_same_is_the_same_and_in_order(one: list[str], other: list[str], short: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_SHORT", short)
        found = blocks(one, other)
        at_one = at_other = 0
        for a, b, size in found:
            assert size
            assert (a >= at_one, b >= at_other) == (True, True)
            assert one[a : a + size] == other[b : b + size]
            at_one, at_other = a + size, b + size
        told = opcodes(one, other)
    built: list[str] = []
    for equal, begin, end, start, stop in told:
        built += one[begin:end] if equal else other[start:stop]
        assert equal == (one[begin:end] == other[start:stop])
    assert built == other
    assert [part.begin for part in told] == [0, *(part.end for part in told)][: len(told)]


@given(WORDS, WORDS)
def test_short_ones_are_compared_as_difflib_does(one: list[str], other: list[str]) -> None:
    wanted = [tuple(block) for block in SequenceMatcher(None, one, other, False).get_matching_blocks() if block.size]
    assert [tuple(block) for block in blocks(one, other)] == wanted


def test_of_long_ones_all_that_stands_once_in_both_is_found() -> None:
    one = [f"line {number}" for number in range(20_000)]
    other = [line if number % 2 else f"{line}, changed" for number, line in enumerate(one)]
    assert sum(block.size for block in blocks(one, other)) == 10_000
    moved = one[10_000:] + one[:10_000]
    assert sum(block.size for block in blocks(one, moved)) == 10_000


def test_of_long_ones_that_repeat_little_no_more_is_looked_at_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    class Counting(SequenceMatcher[str]):
        def __init__(self, isjunk: None, one: list[str], other: list[str], autojunk: bool) -> None:
            nonlocal looked
            looked += len(one) * len(other)
            super().__init__(isjunk, one, other, autojunk)

    monkeypatch.setattr(matching, "SequenceMatcher", Counting)
    choose = random.Random(1)
    ones = [f"{number}" if number % 500 == 0 else choose.choice("ab") for number in range(50_000)]
    others = [f"{number}" if number % 500 == 0 else choose.choice("ab") for number in range(50_000)]
    found = blocks(ones, others)
    assert looked <= 8_000_000
    assert sum(block.size for block in found) >= 100


def test_thousands_of_conflicts_are_merged_each_told_once() -> None:
    def text(value: int) -> str:
        nodes = "".join(f"  - id: n{number}\n    use: data.set@1\n    with: {{v: {value}}}\n" for number in range(1000))
        return f"pyagent: 1\nid: x\nnodes:\n{nodes}"

    found = merge(text(0), text(1), text(2))
    assert len(found.conflicts) == 1000
    assert found.with_ours == text(1)
    assert found.with_theirs == text(2)


def test_an_edit_of_a_long_list_that_repeats_little_looks_at_no_more_than_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matching, "_SHORT", 100)
    choose = random.Random(2)
    old, new = ([choose.choice("ab") for _ in range(300)] for _ in range(2))
    data = {"pyagent": 1, "id": "x", "nodes": [{"id": "a", "use": "data.set@1", "with": {"l": old}}]}
    changed = {**data, "nodes": [{**data["nodes"][0], "with": {"l": new}}]}  # pyright: ignore
    found = load_text(dump(read_data(data))).update(read_data(changed))
    assert load_text(found.text).spec.to_data() == read_data(changed).to_data()
