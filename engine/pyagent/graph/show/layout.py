"""Places a graph's nodes on the page and leads its edges around them.

Everything is computed along two axes, `main` (the way of the flow) and `cross`, and turned at the end, so that
graphs can run down or to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pyagent.graph.show.layers import Key, Layering, Link, layered

Direction = Literal["down", "right"]
Point = tuple[float, float]
_Neighbour = tuple[Key, float, float]
"""A node or dummy in an adjacent layer, how far off it one wants to be, and how much."""

PADDING = 36.0
LANE = 22.0
"""Width of the lane of an edge that passes a layer."""
TURN = 16.0
"""How far a back edge leads away from its nodes before it turns."""

_GAP_MAIN = {"down": 60.0, "right": 92.0}
_GAP_CROSS = {"down": 36.0, "right": 30.0}
_ROUNDS, _ROUNDS_LARGE, _LARGE = 120, 24, 600
_PULL = (1.0, 3.0, 12.0)
"""How much a link with no, one or two ends in passing wants to be straight (Gansner and others, 1993)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """Where a node stands: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The way of an edge: `curve` through anchors along the flow, or a back edge's `corners`."""

    points: tuple[Point, ...]
    back: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A graph placed on a page whose upper left corner is (0, 0)."""

    boxes: dict[str, Box]
    routes: tuple[Route, ...]
    """One for each edge, in their order."""
    width: float
    height: float


def arrange(sizes: Mapping[str, tuple[float, float]], edges: Sequence[Link], direction: Direction) -> Layout:
    """Place the nodes, given by their sizes (width, height) in the order of the file."""
    return _Arranger(sizes, edges, direction).layout()


class _Arranger:
    def __init__(self, sizes: Mapping[str, tuple[float, float]], edges: Sequence[Link], direction: Direction) -> None:
        self.down = direction == "down"
        self.edges = edges
        self.gap_main = _GAP_MAIN[direction]
        self.gap_cross = _GAP_CROSS[direction]
        self.thick = {node: height if self.down else width for node, (width, height) in sizes.items()}
        self.broad = {node: width if self.down else height for node, (width, height) in sizes.items()}
        self.plan: Layering = layered(list(sizes), edges)
        self.centre: dict[Key, float] = {}
        self.starts: list[float] = []
        self.depths: list[float] = []

    def layout(self) -> Layout:
        main = PADDING
        for row in self.plan.rows:
            self.starts.append(main)
            self.depths.append(max((self.thick[key[0]] for key in row if key[0]), default=0.0))
            main += self.depths[-1] + self.gap_main
        self.spread()
        self.straighten_lanes()
        low = min((self.centre[key] - self.half(key) for row in self.plan.rows for key in row), default=0.0)
        high = max((self.centre[key] + self.half(key) for row in self.plan.rows for key in row), default=0.0)
        shift = PADDING - low
        for key in self.centre:
            self.centre[key] += shift
        cross_size = high - low + 2 * PADDING
        main_size = max(main - self.gap_main, PADDING) + PADDING
        routes = tuple(self.route(index) for index in range(len(self.edges)))
        boxes = {node: self.box(node) for node in self.thick}
        width, height = (cross_size, main_size) if self.down else (main_size, cross_size)
        return Layout(boxes=boxes, routes=routes, width=width, height=height)

    def half(self, key: Key) -> float:
        return (self.broad[key[0]] if key[0] else LANE) / 2

    def apart(self, one: Key, other: Key) -> float:
        """How far the centres of neighbours in a layer must be from one another."""
        gap = self.gap_cross if one[0] and other[0] else self.gap_cross / 2 if one[0] or other[0] else 0.0
        return self.half(one) + self.half(other) + gap

    def spread(self) -> None:
        """Bring each node near the middle of its neighbours, by turns from both sides; the order stays."""
        for row in self.plan.rows:
            at = 0.0
            for position, key in enumerate(row):
                at += self.apart(row[position - 1], key) if position else 0.0
                self.centre[key] = at
            middle = at / 2
            for key in row:
                self.centre[key] -= middle
        near: dict[Key, list[_Neighbour]] = {}
        upper_of: dict[Key, list[_Neighbour]] = {}
        lower_of: dict[Key, list[_Neighbour]] = {}
        for upper, lower, out, into in self.plan.links:
            offset = self.offset(upper, out) - self.offset(lower, into)
            pull = _PULL[(not upper[0]) + (not lower[0])]
            upper_of.setdefault(lower, []).append((upper, offset, pull))
            lower_of.setdefault(upper, []).append((lower, -offset, pull))
        for key in self.centre:
            near[key] = [*upper_of.get(key, ()), *lower_of.get(key, ())]
        rows = self.plan.rows
        rounds = _ROUNDS if len(self.centre) < _LARGE else _ROUNDS_LARGE
        for turn in range(rounds):
            last = turn >= rounds // 4
            beside = near if last else (upper_of if turn % 2 == 0 else lower_of)
            for row in rows if turn % 2 == 0 else reversed(rows):
                self.settle(row, beside)

    def offset(self, key: Key, slot: float) -> float:
        return slot * self.broad[key[0]] if key[0] else 0.0

    def settle(self, row: list[Key], beside: dict[Key, list[_Neighbour]]) -> None:
        """The places nearest to the wanted ones, by least squares, that keep order and distance.

        Taking the distances off, that is isotonic regression; blocks of equal value are pooled (PAV).
        """
        blocks: list[tuple[float, float, int]] = []
        off = 0.0
        offsets: list[float] = []
        for position, key in enumerate(row):
            off += self.apart(row[position - 1], key) if position else 0.0
            offsets.append(off)
            around = beside.get(key, ())
            weight = sum(pull for _, _, pull in around) or 0.05
            pulled = sum((self.centre[other] + shift) * pull for other, shift, pull in around)
            wanted = pulled / weight if around else self.centre[key]
            value, count = (wanted - off) * weight, 1
            while blocks and blocks[-1][0] / blocks[-1][1] > value / weight:
                before = blocks.pop()
                value, weight, count = value + before[0], weight + before[1], count + before[2]
            blocks.append((value, weight, count))
        position = 0
        for value, weight, count in blocks:
            for key in row[position : position + count]:
                self.centre[key] = value / weight + offsets[position]
                position += 1

    def straighten_lanes(self) -> None:
        """A back edge's lane is one straight line; what stands outside of it moves further out."""
        # moving one lane may bend another that was straight: few rounds settle all but odd cases
        for index in sorted(self.plan.back, key=self.span) * 3:
            low, high = self.layers_of(index)
            keys: list[Key] = [("", index, at) for at in range(low, high + 1)]
            lane = max(self.centre[key] for key in keys)
            for key in keys:
                self.centre[key] = lane
                row = self.plan.rows[key[2]]
                for position in range(row.index(key) + 1, len(row)):
                    least = self.centre[row[position - 1]] + self.apart(row[position - 1], row[position])
                    self.centre[row[position]] = max(self.centre[row[position]], least)

    def span(self, index: int) -> int:
        low, high = self.layers_of(index)
        return high - low

    def layers_of(self, index: int) -> tuple[int, int]:
        edge = self.edges[index]
        return self.plan.layer[edge.target], self.plan.layer[edge.source]

    def box(self, node: str) -> Box:
        cross = self.centre[(node, -1, -1)] - self.broad[node] / 2
        main = self.starts[self.plan.layer[node]]
        x, y = (cross, main) if self.down else (main, cross)
        width, height = self.broad[node], self.thick[node]
        return Box(x=x, y=y, width=width if self.down else height, height=height if self.down else width)

    def route(self, index: int) -> Route:
        edge = self.edges[index]
        low, high = self.plan.layer[edge.source], self.plan.layer[edge.target]
        leave = self.centre[(edge.source, -1, -1)] + edge.source_slot * self.broad[edge.source]
        arrive = self.centre[(edge.target, -1, -1)] + edge.target_slot * self.broad[edge.target]
        start = self.starts[low] + self.thick[edge.source]
        end = self.starts[high]
        if index in self.plan.back:
            lane = self.centre[("", index, low)]
            below, above = start + TURN, end - TURN
            corners = [(leave, start), (leave, below), (lane, below), (lane, above), (arrive, above), (arrive, end)]
            return Route(points=tuple(self.turn(corners)), back=True)
        anchors = [(leave, start)]
        edge_of_layer = self.starts[low] + self.depths[low]
        if edge_of_layer > start:
            anchors.append((leave, edge_of_layer))
        for at in range(low + 1, high):
            cross = self.centre[("", index, at)]
            anchors += [(cross, self.starts[at]), (cross, self.starts[at] + self.depths[at])]
        anchors.append((arrive, end))
        return Route(points=tuple(self.turn(anchors)), back=False)

    def turn(self, points: Sequence[Point]) -> list[Point]:
        return [point if self.down else (point[1], point[0]) for point in points]
