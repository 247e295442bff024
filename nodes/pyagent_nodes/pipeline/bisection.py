"""Finds the parts of a change that make a check fail, with few checks: bisection, one culprit after the other.

Delta debugging (Zeller and Hildebrandt, 2002) cut down to what is needed here: the parts are kept in order, and
the shortest failing prefix names its last part as a culprit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Fails = Callable[[Sequence[str]], Awaitable[bool]]
"""Whether the check fails with only these parts kept."""


class Spent(Exception):
    """The budget of checks is used up."""


@dataclass(kw_only=True)
class Budget:
    """How many checks may still be made."""

    left: int

    def take(self) -> None:
        """Use one. Raises `Spent`."""
        if self.left <= 0:
            raise Spent
        self.left -= 1


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be taken back."""

    guilty: tuple[str, ...]
    """In their order."""
    exact: bool
    """False: the budget ended first, and `guilty` holds all that is not known to be innocent."""


async def find_guilty(parts: Sequence[str], fails: Fails, budget: Budget) -> Verdict:
    """The parts without which the check passes; the check is known to fail with all, and to pass with none.

    Each culprit costs about log2(n) + 1 checks. Where the parts' effects depend on one another the result still
    passes the check, but need not be the smallest.
    """
    kept = list(parts)
    guilty: list[str] = []
    passing = 0
    """The check passes with `kept[:passing]`."""
    failing = True
    try:
        while failing and kept:
            low, high = passing, len(kept)
            if low >= high:  # not as it was before: parts that seemed innocent fail together
                low = 0
            while high - low > 1:
                middle = (low + high) // 2
                budget.take()
                if await fails(kept[:middle]):
                    high = middle
                else:
                    low = middle
                passing = low
            guilty.append(kept.pop(high - 1))
            passing = high - 1
            if kept:
                budget.take()
                failing = await fails(kept)
    except Spent:
        return Verdict(guilty=_ordered(parts, [*guilty, *kept[passing:]]), exact=False)
    return Verdict(guilty=_ordered(parts, guilty), exact=True)


def _ordered(parts: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    chosen = set(found)
    return tuple(part for part in parts if part in chosen)
