"""What two sequences have in common, found in bounded time: what is compared may come from anybody.

Short sequences are compared by `difflib`. Of long ones what stands once in both is matched first, in the longest order
that both share (patience diff, after Bram Cohen), and what lies between by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

_SHORT = 1_000_000
"""Pairs of items that `difflib` may look at: 1,000 items on each side."""
_MOST = 8_000_000
"""In all parts of two sequences together; what is left then counts as changed."""


class Block(NamedTuple):
    """`size` items from `one[a]` on are those from `other[b]` on."""

    a: int
    b: int
    size: int


class Opcode(NamedTuple):
    """A part that is the same in both, or that stands in place of the other."""

    equal: bool
    begin: int
    end: int
    start: int
    stop: int


def blocks(one: Sequence[Hashable], other: Sequence[Hashable], *, autojunk: bool = False) -> list[Block]:
    """What is the same in both, in order; blocks that touch are one. `autojunk` as of `SequenceMatcher`."""
    found: list[Block] = []
    left = _MOST
    open_ = [(0, len(one), 0, len(other))]
    while open_:
        begin, end, start, stop = open_.pop()
        pairs = (end - begin) * (stop - start)
        if not pairs:
            continue
        if pairs <= min(_SHORT, left):
            left -= pairs
            matcher = SequenceMatcher(None, one[begin:end], other[start:stop], autojunk)
            found += [Block(begin + a, start + b, size) for a, b, size in matcher.get_matching_blocks() if size]
            continue
        edges = _edges(one, other, begin, end, start, stop)
        if edges:
            head, tail = edges
            found += [Block(begin, start, head)] if head else []
            found += [Block(end - tail, stop - tail, tail)] if tail else []
            open_.append((begin + head, end - tail, start + head, stop - tail))
            continue
        anchors = [(begin - 1, start - 1), *_anchors(one, other, begin, end, start, stop), (end, stop)]
        if len(anchors) == 2:
            # Nothing stands once in both, and it is too long to look at every pair.
            continue
        found += [Block(a, b, 1) for a, b in anchors[1:-1]]
        open_ += [(before[0] + 1, after[0], before[1] + 1, after[1]) for before, after in pairwise(anchors)]
    return _joined(sorted(found))


def opcodes(one: Sequence[Hashable], other: Sequence[Hashable], *, autojunk: bool = False) -> list[Opcode]:
    """Both sequences from their beginning to their end, as parts that are the same and parts that are not."""
    found: list[Opcode] = []
    a = b = 0
    for block in [*blocks(one, other, autojunk=autojunk), Block(len(one), len(other), 0)]:
        if a < block.a or b < block.b:
            found.append(Opcode(False, a, block.a, b, block.b))
        a, b = block.a + block.size, block.b + block.size
        if block.size:
            found.append(Opcode(True, block.a, a, block.b, b))
    return found


def _edges(
    one: Sequence[Hashable], other: Sequence[Hashable], begin: int, end: int, start: int, stop: int
) -> tuple[int, int] | None:
    """How much both begin, and how much both end with; None: neither."""
    most = min(end - begin, stop - start)
    head = 0
    while head < most and one[begin + head] == other[start + head]:
        head += 1
    tail = 0
    while tail < most - head and one[end - 1 - tail] == other[stop - 1 - tail]:
        tail += 1
    return (head, tail) if head or tail else None


def _anchors(
    one: Sequence[Hashable], other: Sequence[Hashable], begin: int, end: int, start: int, stop: int
) -> list[tuple[int, int]]:
    """Places of what stands once in both parts, as many as are in the same order in both."""
    many = Counter(one[begin:end])
    many_there = Counter(other[start:stop])
    there = {other[place]: place for place in range(start, stop) if many_there[other[place]] == 1}
    both = [(place, there[one[place]]) for place in range(begin, end) if many[one[place]] == 1 and one[place] in there]
    # the longest increasing sequence of their places in `other`
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(both):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place)
            last.append(index)
        else:
            ends[length], last[length] = place, index
    found: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(both[index])
        index = before[index]
    return found[::-1]


def _joined(found: list[Block]) -> list[Block]:
    """Neighbours that touch as one."""
    joined: list[Block] = []
    for block in found:
        if joined and joined[-1].a + joined[-1].size == block.a and joined[-1].b + joined[-1].size == block.b:
            joined[-1] = joined[-1]._replace(size=joined[-1].size + block.size)
        else:
            joined.append(block)
    return joined


__all__ = ["Block", "Opcode", "blocks", "opcodes"]
