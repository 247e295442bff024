"""Which nodes come before which, as sets of bits: many nodes have many others behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def ancestors(sources: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], dict[str, int]]:
    """For each node its bit, and the bits of those from which a chain of edges leads to it.

    `sources`: for each node those from which edges come, whatever cycles that makes.
    """
    bit = {node: 1 << number for number, node in enumerate(sources)}
    found = dict.fromkeys(sources, 0)
    order = _sources_first(sources)
    changed = True
    while changed:
        # Once, and once more for each cycle inside of another: each round brings what comes back one further.
        changed = False
        for node in order:
            before = found[node]
            for source in sources[node]:
                before |= bit[source] | found[source]
            if before != found[node]:
                found[node] = before
                changed = True
    return bit, found


def _sources_first(sources: Mapping[str, Sequence[str]]) -> list[str]:
    """The nodes, each behind those from which edges come, as far as cycles allow that."""
    order: list[str] = []
    seen: set[str] = set()
    for start in sources:
        if start in seen:
            continue
        seen.add(start)
        way = [(start, iter(sources[start]))]
        while way:
            node, rest = way[-1]
            following = next((source for source in rest if source not in seen), None)
            if following is None:
                order.append(node)
                way.pop()
            else:
                seen.add(following)
                way.append((following, iter(sources[following])))
    return order


__all__ = ["ancestors"]
