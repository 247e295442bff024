"""Which nodes some outcomes start, in closed form: one bit for each way in which all nodes of a small graph may end.

Without loops nothing of this depends on timing: each step's edges have delivered or are closed in the end, so a node
starts where enough of them deliver. Tests compare it with the interpreter, which plays each outcome through; this one
answers for a thousand nodes at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

WAYS = ("", "out", "error")
"""What a step may do: put out nothing, something (on each of its ports), or fail."""
Link = tuple[int, int]
"""Edges between two nodes: how many from ports that success delivers on, and how many from `error`."""
Coming = tuple[tuple[Link, ...], int]
"""What leads to a node, one `Link` for each node before it, and how many edges its join wants."""


def prefixes(size: int, links: Sequence[Link]) -> Iterator[tuple[Coming, ...]]:
    """All graphs of so many nodes whose edges lead forwards, with every number that joins can want.

    Nodes stand in the order of their longest way from a start, and those of one length in the order of what leads to
    them: others are the same graphs with other names.
    """

    def further(nodes: tuple[Coming, ...], depths: tuple[int, ...]) -> Iterator[tuple[Coming, ...]]:
        if len(nodes) == size:
            yield nodes
            return
        for coming in product(links, repeat=len(nodes)):
            depth = max((depths[place] + 1 for place, link in enumerate(coming) if any(link)), default=0)
            if depths and depth < depths[-1]:
                continue
            for wanted in range(1, max(edges_of(coming), 1) + 1):
                if depths and depth == depths[-1] and (coming, wanted) < ((*nodes[-1][0], (0, 0)), nodes[-1][1]):
                    continue
                yield from further((*nodes, (coming, wanted)), (*depths, depth))

    yield from further((), ())


def edges_of(coming: tuple[Link, ...]) -> int:
    """How many edges come in."""
    return sum(map(sum, coming))


class Outcomes:
    """All outcomes of so many nodes."""

    def __init__(self, size: int) -> None:
        ways = list(product(WAYS, repeat=size))
        self.all = (1 << len(ways)) - 1
        self._puts = [
            tuple(sum(1 << bit for bit, chosen in enumerate(ways) if chosen[node] == way) for way in ("out", "error"))
            for node in range(size)
        ]

    def started(self, nodes: Sequence[Coming]) -> list[int]:
        """For each node, the outcomes in which it starts."""
        found: list[int] = []
        for coming, wanted in nodes:
            found.append(self.reached(found, coming)[wanted] if edges_of(coming) else self.all)
        return found

    def reached(self, started: Sequence[int], coming: tuple[Link, ...]) -> list[int]:
        """By number, the outcomes in which at least so many of the edges deliver."""
        found = [self.all]
        for begun, puts, link in zip(started, self._puts, coming, strict=False):
            for put, count in zip(puts, link, strict=True):
                for _ in range(count):
                    found = more(found, begun & put)
        return found


def more(reached: list[int], delivers: int) -> list[int]:
    """The same with one more edge, that delivers in these outcomes."""
    longer = [*reached, 0]
    return [reached[0], *(longer[count] | (longer[count - 1] & delivers) for count in range(1, len(longer)))]
