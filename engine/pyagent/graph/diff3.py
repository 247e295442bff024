"""Three-way comparison of sequences: which parts of two descendants stand against which part of their ancestor.

After Khanna, Kunal and Pierce, "A Formal Investigation of Diff3" (2007).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyagent.graph.matching import blocks

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk(Generic[T]):
    """A part of the ancestor and what became of it."""

    base: list[T]
    ours: list[T]
    theirs: list[T]

    @property
    def conflict(self) -> bool:
        """Whether both changed it, and not alike."""
        return self.ours != self.theirs and self.base != self.ours and self.base != self.theirs

    def merged(self) -> list[T]:
        """What both sides agree on; in a conflict, ours."""
        return self.theirs if self.base == self.ours else self.ours


def chunks(base: Sequence[H], ours: Sequence[H], theirs: Sequence[H]) -> Iterator[Chunk[H]]:
    """The parts of the three sequences in order: stable ones, and between them those that a side changed."""
    left, right = _matches(base, ours), _matches(base, theirs)
    at_base = at_ours = at_theirs = 0
    position = 0
    while True:
        # the next item of the ancestor that both kept
        while position < len(base) and not (position in left and position in right):
            position += 1
        end = position < len(base)
        stop_ours, stop_theirs = (left[position], right[position]) if end else (len(ours), len(theirs))
        if position > at_base or stop_ours > at_ours or stop_theirs > at_theirs:
            yield Chunk(
                base=list(base[at_base:position]),
                ours=list(ours[at_ours:stop_ours]),
                theirs=list(theirs[at_theirs:stop_theirs]),
            )
        if not end:
            return
        begin = position
        while (
            position in left
            and position in right
            and left[position] - stop_ours == position - begin
            and right[position] - stop_theirs == position - begin
        ):
            position += 1
        kept = list(base[begin:position])
        yield Chunk(base=kept, ours=kept, theirs=kept)
        at_base, at_ours, at_theirs = position, stop_ours + len(kept), stop_theirs + len(kept)


def _matches(base: Sequence[H], other: Sequence[H]) -> dict[int, int]:
    """Position in `base` to position in `other` of what is the same in both."""
    # items that stand everywhere, such as blank lines, are no anchors in long sequences: without that it is quadratic
    found = blocks(base, other, autojunk=True)
    return {block.a + offset: block.b + offset for block in found for offset in range(block.size)}
