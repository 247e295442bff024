"""Puts the nodes of a directed graph into layers and orders each layer so that few edges cross.

The method is Sugiyama's (1981): longest-path layers, a dummy for each layer that an edge passes, barycentre sweeps.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Key = tuple[str, int, int]
"""`(node, -1, -1)`, or `("", edge, layer)` for the dummy of an edge in a layer."""

_SWEEPS = 12
_SWEEPS_LARGE = 4
_LARGE = 2500


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two nodes; slots say where on its side it leaves and arrives, from -0.5 to 0.5."""

    source: str
    target: str
    source_slot: float = 0.0
    target_slot: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Layering:
    """Nodes and dummies by layer."""

    rows: list[list[Key]]
    """Each layer from side to side."""
    layer: dict[str, int]
    """The layer of each node."""
    back: frozenset[int]
    """Edges that lead to the same or an earlier layer."""
    links: list[tuple[Key, Key, float, float]]
    """Neighbours in adjacent layers, upper one first, with their slots."""


def layered(nodes: Sequence[str], edges: Sequence[Link]) -> Layering:
    """The layers of the graph; `nodes` in the order of the file settles what is otherwise equal."""
    order, back = _order(nodes, edges)
    forward = [index for index in range(len(edges)) if index not in back]
    layer = _longest_paths(order, edges, forward)
    count = max(layer.values(), default=-1) + 1
    rows: list[list[Key]] = [[] for _ in range(count)]
    for node in order:
        rows[layer[node]].append((node, -1, -1))
    links: list[tuple[Key, Key, float, float]] = []
    for index in forward:
        edge = edges[index]
        above: Key = (edge.source, -1, -1)
        slot = edge.source_slot
        for passed in range(layer[edge.source] + 1, layer[edge.target]):
            dummy: Key = ("", index, passed)
            rows[passed].append(dummy)
            links.append((above, dummy, slot, 0.0))
            above, slot = dummy, 0.0
        links.append((above, (edge.target, -1, -1), slot, edge.target_slot))
    rows = _uncross(rows, links)
    _lanes(rows, layer, edges, back)
    for index in back:
        low, high = layer[edges[index].target], layer[edges[index].source]
        links.extend((("", index, at), ("", index, at + 1), 0.0, 0.0) for at in range(low, high))
    return Layering(rows=rows, layer=layer, back=frozenset(back), links=links)


def back_edges(nodes: Sequence[str], edges: Sequence[Link]) -> set[int]:
    """The edges that lead against the flow: those that close a cycle, walked depth first from the roots."""
    return _order(nodes, edges)[1]


def _order(nodes: Sequence[str], edges: Sequence[Link]) -> tuple[list[str], set[int]]:
    """Depth first from where nothing leads to: a topological order once the retreating edges are left out."""
    outgoing: dict[str, list[int]] = {node: [] for node in nodes}
    entered: set[str] = set()
    for index, edge in enumerate(edges):
        outgoing[edge.source].append(index)
        if edge.source != edge.target:
            entered.add(edge.target)
    back: set[int] = set()
    state: dict[str, int] = {}
    finished: list[str] = []
    # the last root first: reversing the finishing order then keeps the order of the file
    for node in reversed(nodes):
        if node not in entered:
            _visit(node, edges, outgoing, state, back, finished)
    for node in nodes:
        _visit(node, edges, outgoing, state, back, finished)
    finished.reverse()
    return finished, back


def _visit(
    root: str,
    edges: Sequence[Link],
    outgoing: dict[str, list[int]],
    state: dict[str, int],
    back: set[int],
    finished: list[str],
) -> None:
    if root in state:
        return
    state[root] = 1
    stack = [(root, list(outgoing[root]))]
    while stack:
        node, rest = stack[-1]
        if not rest:
            state[node] = 2
            finished.append(node)
            stack.pop()
            continue
        index = rest.pop()
        target = edges[index].target
        if state.get(target) == 1:
            back.add(index)
        elif target not in state:
            state[target] = 1
            stack.append((target, list(outgoing[target])))


def _longest_paths(order: Sequence[str], edges: Sequence[Link], forward: Sequence[int]) -> dict[str, int]:
    following: dict[str, list[str]] = {node: [] for node in order}
    entered: set[str] = set()
    for index in forward:
        following[edges[index].source].append(edges[index].target)
        entered.add(edges[index].target)
    layer = dict.fromkeys(order, 0)
    for node in order:
        for target in following[node]:
            layer[target] = max(layer[target], layer[node] + 1)
    # what nothing leads to stands right before what it feeds
    for node in order:
        if node not in entered and following[node]:
            layer[node] = min(layer[target] for target in following[node]) - 1
    return layer


def _uncross(rows: list[list[Key]], links: list[tuple[Key, Key, float, float]]) -> list[list[Key]]:
    above: dict[Key, list[tuple[Key, float]]] = {}
    below: dict[Key, list[tuple[Key, float]]] = {}
    for upper, lower, out, into in sorted(links, key=lambda link: link[2]):
        below.setdefault(upper, []).append((lower, into))
        above.setdefault(lower, []).append((upper, out))
    best, fewest = rows, _crossings(rows, below)
    current = [list(row) for row in rows]
    large = sum(map(len, rows)) > _LARGE
    for sweep in range(_SWEEPS_LARGE if large else _SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        for at in range(1, len(current)) if down else range(len(current) - 2, -1, -1):
            beside = current[at - 1] if down else current[at + 1]
            _by_barycentre(current[at], beside, above if down else below)
        crossings = _crossings(current, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in current], crossings
    return best


def _by_barycentre(row: list[Key], beside: list[Key], neighbours: dict[Key, list[tuple[Key, float]]]) -> None:
    position = {key: float(index) for index, key in enumerate(beside)}
    weights: dict[Key, float] = {}
    for index, key in enumerate(row):
        near = [position[other] + slot for other, slot in neighbours.get(key, ()) if other in position]
        weights[key] = sum(near) / len(near) if near else float(index)
    row.sort(key=lambda key: weights[key])


def _crossings(rows: list[list[Key]], below: dict[Key, list[tuple[Key, float]]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        position = {key: index for index, key in enumerate(lower)}
        seen: list[float] = []
        for key in upper:
            ends = [position[other] + slot for other, slot in below.get(key, ()) if other in position]
            for end in ends:
                total += len(seen) - bisect_right(seen, end)
                insort(seen, end)
    return total


def _lanes(rows: list[list[Key]], layer: dict[str, int], edges: Sequence[Link], back: set[int]) -> None:
    """Give each back edge a lane beside its cycle, in every layer from its target to its source."""
    following: dict[str, list[str]] = {}
    leading: dict[str, list[str]] = {}
    for index, edge in enumerate(edges):
        if index not in back:
            following.setdefault(edge.source, []).append(edge.target)
            leading.setdefault(edge.target, []).append(edge.source)
    # short loops first, so that lanes of outer loops come outside of theirs
    for index in sorted(back, key=lambda index: layer[edges[index].source] - layer[edges[index].target]):
        edge = edges[index]
        cycle = _reached(edge.target, following) & _reached(edge.source, leading)
        cycle |= {edge.source, edge.target}
        inner = {other for other in back if edges[other].source in cycle and edges[other].target in cycle}
        for at in range(layer[edge.target], layer[edge.source] + 1):
            row = rows[at]
            last = -1
            for position, (node, through, _) in enumerate(row):
                passes = through >= 0 and edges[through].source in cycle and edges[through].target in cycle
                if node in cycle or passes or through in inner:
                    last = position
            row.insert(last + 1, ("", index, at))


def _reached(start: str, following: dict[str, list[str]]) -> set[str]:
    found = {start}
    rest = [start]
    while rest:
        for node in following.get(rest.pop(), ()):
            if node not in found:
                found.add(node)
                rest.append(node)
    return found
