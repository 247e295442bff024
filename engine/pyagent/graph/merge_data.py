"""Merges the data of three versions of a graph: node by node, edge by edge, field by field.

The outcome is told twice: as it is if every conflict goes to our side, and if every one goes to theirs. Where there
is no conflict both are the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from pyagent.graph.diff3 import chunks
from pyagent.graph.identity import ABSENT, LEVEL, Data, EdgeKey, Flat, flatten, same, unflatten
from pyagent.graph.parts import Edge, parse_edge
from pyagent.graph.yaml_tree import Path

Clash = Literal["changed", "added", "deleted", "dangling", "order"]
"""Why there is a conflict."""


class Pair(NamedTuple):
    """A merged value, with conflicts settled by our side and by theirs."""

    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Found:
    """A conflict: a path by identity, and what the versions say there."""

    path: Path
    kind: Clash
    base: Any
    ours: Any
    theirs: Any


def merge_data(base: Data, ours: Data, theirs: Data) -> tuple[Pair, list[Found]]:
    """The merged data of three graphs in canonical spelling, and the conflicts in the order in which they were met."""
    run = _Run()
    keys = merged_order(list(base), list(ours), list(theirs), {*ours, *theirs}).items
    flats = [flatten(base), flatten(ours), flatten(theirs)]
    before, mine, other = flats
    if before is None or mine is None or other is None:
        return run.value((), base, ours, theirs), list(run.found.values())
    graphs = _Graphs(run, before, mine, other)
    try:
        graphs.merge()
    except _Cyclic:
        run.found.clear()
        return _whole(run, base, ours, theirs), list(run.found.values())
    left, right = graphs.result()
    return Pair(unflatten(left, keys), unflatten(right, keys)), list(run.found.values())


class _Cyclic(Exception):
    """Each side moved a node into the body of the other's."""


def _whole(run: _Run, base: Data, ours: Data, theirs: Data) -> Pair:
    """`nodes` and `edges` taken as one value each."""
    merged = run.value((), *({k: v for k, v in data.items() if k != "nodes"} for data in (base, ours, theirs)))
    nodes = run.clash(("nodes",), "changed", base.get("nodes", []), ours.get("nodes", []), theirs.get("nodes", []))
    return Pair({**merged.ours, "nodes": nodes.ours}, {**merged.theirs, "nodes": nodes.theirs})


@dataclass(slots=True)
class _Run:
    found: dict[Path, Found] = field(default_factory=dict[Path, Found])

    def clash(self, path: Path, kind: Clash, base: Any, ours: Any, theirs: Any) -> Pair:
        """Note a conflict; one at each place."""
        self.found.setdefault(path, Found(path, kind, base, ours, theirs))
        return Pair(ours, theirs)

    def value(self, path: Path, base: Any, ours: Any, theirs: Any) -> Pair:
        """Any value, or its absence."""
        if same(ours, theirs) or same(base, theirs):
            return Pair(ours, ours)
        if same(base, ours):
            return Pair(theirs, theirs)
        if ours is ABSENT or theirs is ABSENT:
            return self.clash(path, "deleted", base, ours, theirs)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            if base is ABSENT and len(path) == 2 and path[0] == "nodes":
                return self.clash(path, "added", base, ours, theirs)
            before = cast("Data", base) if isinstance(base, dict) else Data()
            return self.mapping(path, before, cast("Data", ours), cast("Data", theirs))
        if isinstance(base, list) and isinstance(ours, list) and isinstance(theirs, list):
            found = self.items(path, cast("list[Any]", base), cast("list[Any]", ours), cast("list[Any]", theirs))
            if found is not None:
                return found
        return self.clash(path, "added" if base is ABSENT else "changed", base, ours, theirs)

    def mapping(self, path: Path, base: Data, ours: Data, theirs: Data) -> Pair:
        """Key by key."""
        left, right = Data(), Data()
        for key in merged_order(list(base), list(ours), list(theirs), {*ours, *theirs}).items:
            here = (*path, key)
            versions = (base.get(key, ABSENT), ours.get(key, ABSENT), theirs.get(key, ABSENT))
            if _is_drawn(here):
                pair = _layout(*versions)
            elif _is_section(here) and ABSENT in versions:
                # a side without the section is one without entries
                pair = self.value(here, *({} if version is ABSENT else version for version in versions))
                pair = Pair(*(ABSENT if value == {} else value for value in pair))
            elif here[0] == "canvas" and len(here) == 3 and ABSENT in versions[1:] and _same_words(*versions):
                # moving a note does not keep it from being taken away
                pair = Pair(ABSENT, ABSENT)
            else:
                pair = self.value(here, *versions)
            if pair.ours is not ABSENT:
                left[key] = pair.ours
            if pair.theirs is not ABSENT:
                right[key] = pair.theirs
        return Pair(left, right)

    def items(self, path: Path, base: list[Any], ours: list[Any], theirs: list[Any]) -> Pair | None:
        """A list: place by place where items stayed in their places, else by diff3; None where that clashes."""
        if len(base) == len(ours) == len(theirs) and _in_place(base, ours) and _in_place(base, theirs):
            pairs = [
                self.value((*path, index), *values) for index, values in enumerate(zip(base, ours, theirs, strict=True))
            ]
            return Pair([pair.ours for pair in pairs], [pair.theirs for pair in pairs])
        merged: list[str] = []
        for chunk in chunks(*([_key(item) for item in items] for items in (base, ours, theirs))):
            if chunk.conflict:
                return None
            merged += chunk.merged()
        values = [json.loads(item) for item in merged]
        return Pair(values, values)


def _is_section(path: Path) -> bool:
    """Whether what stands there are entries that only say how something is drawn."""
    return path == ("layout",) or (path[0] == "canvas" and len(path) < 3)


def _is_drawn(path: Path) -> bool:
    """Whether the value only says how something is drawn, and no words."""
    if path[0] == "layout":
        return len(path) == 2
    return path[0] == "canvas" and (
        (len(path) == 3 and path[1] == "colors") or (len(path) == 4 and path[3] in ("at", "size", "color"))
    )


def _same_words(base: Any, ours: Any, theirs: Any) -> bool:
    """Whether a note or frame that one side took away says on the other what it said before."""
    there = theirs if ours is ABSENT else ours
    if not isinstance(base, dict) or not isinstance(there, dict):
        return False
    before, after = cast("Data", base), cast("Data", there)
    return all(same(before.get(key), after.get(key)) for key in ("text", "title"))


def _layout(base: Any, ours: Any, theirs: Any) -> Pair:
    """Places never clash: ours, unless only theirs is another one."""
    found = theirs if same(base, ours) else ours
    if found is ABSENT and base is not ABSENT and not same(base, theirs):
        found = theirs
    return Pair(found, found)


def _key(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False)


def _in_place(base: list[Any], other: list[Any]) -> bool:
    """Whether no item of `base` moved to another place."""
    before, after = [_key(item) for item in base], [_key(item) for item in other]
    known = set(before)
    return all(old == new or new not in known for old, new in zip(before, after, strict=True))


class Ordered(NamedTuple):
    """The order of what three lists became."""

    items: list[Any]
    clash: bool
    """Both sides brought what all have into different orders."""


def merged_order(base: Iterable[Any], ours: list[Any], theirs: list[Any], members: Collection[Any]) -> Ordered:
    """The members, which are in `ours` or `theirs`, in the order of the side that changed it; new ones stay behind
    what they stood behind, ours first."""
    before = list(base)
    mine, other = set(ours), set(theirs)
    all_three = {item for item in before if item in mine and item in other}
    old, left, right = ([item for item in items if item in all_three] for items in (before, ours, theirs))
    first, second = (theirs, ours) if left == old and right != old else (ours, theirs)
    known = set(first)
    skeleton = [item for item in first if item in members]
    followers: dict[Any, list[Any]] = {}
    previous: Any = ABSENT
    for item in second:
        if item not in known and item in members:
            followers.setdefault(previous, []).append(item)
        elif item in known and item in members:
            previous = item
    result: list[Any] = []
    pending = followers.get(ABSENT, [])
    old_ones = set(before)
    for item in skeleton:
        if item in old_ones:
            result += pending
            pending = []
        result.append(item)
        pending = [*pending, *followers.get(item, [])]
    result += pending
    return Ordered(result, left != old and right != old and left != right)


class _Graphs:
    """Nodes and edges of the three versions, and what they become for each side."""

    def __init__(self, run: _Run, base: Flat, ours: Flat, theirs: Flat) -> None:
        self.run = run
        self.base, self.ours, self.theirs = base, ours, theirs
        self.sides = (ours, theirs)
        self.nodes: tuple[dict[str, Data], dict[str, Data]] = ({}, {})
        self.edges: tuple[dict[str, set[EdgeKey]], dict[str, set[EdgeKey]]] = ({}, {})
        self.contested: set[str] = set()
        """Nodes that are wholly as one side has them, with their edges, because the other side took them away."""

    def merge(self) -> None:
        base, ours, theirs = self.base, self.ours, self.theirs
        self.head = self.run.mapping((), base.head, ours.head, theirs.head)
        for name in dict.fromkeys([*base.nodes, *ours.nodes, *theirs.nodes]):
            versions = [flat.nodes.get(name, ABSENT) for flat in (base, ours, theirs)]
            pair = self.run.value(("nodes", name), *versions)
            for variant, value in zip(self.nodes, pair, strict=True):
                if value is not ABSENT:
                    variant[name] = value
            if (pair.ours is ABSENT) != (pair.theirs is ABSENT):
                self.contested.add(name)
        for level in dict.fromkeys([*base.edges, *ours.edges, *theirs.edges]):
            self.merge_edges(level)
        while self.settle():
            pass
        for variant in self.nodes:
            _check_levels(variant)

    def merge_edges(self, level: str) -> None:
        before, left, right = (set(flat.edges.get(level, ())) for flat in (self.base, self.ours, self.theirs))
        # an edge is there or not: where the sides differ, one of them is as it was
        merged = (left & right) | (left - before) | (right - before)
        self.edges[0][level], self.edges[1][level] = set(merged), set(merged)
        for gone in sorted(before - left - right):
            ours = _successors(gone, left - before - right)
            theirs = _successors(gone, right - before - left)
            if ours and theirs:
                self.run.clash(
                    self.edge_path(level, gone),
                    "changed",
                    gone[0],
                    [edge for edge, _ in sorted(ours)],
                    [edge for edge, _ in sorted(theirs)],
                )
                self.edges[0][level] -= theirs - left
                self.edges[1][level] -= ours - right

    def edge_path(self, level: str, edge: EdgeKey) -> Path:
        return (*(("nodes", level, "body") if level else ()), "edges", edge[0])

    def settle(self) -> bool:
        """Give what hangs in the air to the side that it comes from; False when nothing more does."""
        for name in self.contested:
            for variant, side in zip(self.nodes, self.sides, strict=True):
                variant.pop(name, None)
                if name in side.nodes:
                    variant[name] = side.nodes[name]
        for index, side in enumerate(self.sides):
            for level, found in self.edges[index].items():
                mine = set(side.edges.get(level, ()))
                touched = {edge for edge in found | mine if self.contested.intersection(_ends(edge))}
                found -= touched - mine
                found |= touched & mine
        known = len(self.contested)
        for variant, edges in zip(self.nodes, self.edges, strict=True):
            for name, node in list(variant.items()):
                owner = cast("str", node[LEVEL])
                if owner and owner not in variant:
                    self.contest(owner)
                    self.contest(name)
            for level, found in edges.items():
                if level and level not in variant and found:
                    self.contest(level)
                for edge in found:
                    for end in _ends(edge):
                        if not _at(variant, end, level) and self.was_whole(level, edge, end):
                            self.contest(end)
        return len(self.contested) > known

    def was_whole(self, level: str, edge: EdgeKey, end: str) -> bool:
        """Whether a version that has the edge has the node too: the merge alone would part them."""
        return any(edge in flat.edges.get(level, ()) and _at(flat.nodes, end, level) for flat in self.sides)

    def contest(self, name: str) -> None:
        if name in self.contested:
            return
        self.contested.add(name)
        versions = [_shown(flat.nodes.get(name, ABSENT)) for flat in (self.base, self.ours, self.theirs)]
        path = ("nodes", name)
        self.run.found = {place: found for place, found in self.run.found.items() if place[:2] != path}
        gone = versions[1] is ABSENT or versions[2] is ABSENT
        self.run.clash(path, "deleted" if gone else "changed", *versions)

    def result(self) -> tuple[Flat, Flat]:
        """The two outcomes."""
        orders: list[dict[str, list[str]]] = []
        edges: list[dict[str, list[EdgeKey]]] = []
        for index in (0, 1):
            orders.append({})
            edges.append({})
            for level in dict.fromkeys([*self.ours.order, *self.theirs.order]):
                members = {name for name, node in self.nodes[index].items() if node[LEVEL] == level}
                self.keep(orders[index], "order", level, members, index)
            for level in dict.fromkeys([*self.ours.edges, *self.theirs.edges]):
                self.keep(edges[index], "edges", level, self.edges[index].get(level, set()), index)
        self.dangling()
        flats = [Flat(head, self.nodes[index], orders[index], edges[index]) for index, head in enumerate(self.head)]
        for flat in flats:
            self.tidy_layout(flat)
        return flats[0], flats[1]

    def keep(self, into: dict[str, list[Any]], name: str, level: str, members: set[Any], index: int) -> None:
        """One list of a level, in the merged order; an empty one if the versions have it so."""
        tables = [cast("dict[str, list[Any]]", getattr(flat, name)) for flat in (self.base, *self.sides)]
        base, ours, theirs = (table.get(level, []) for table in tables)
        ordered = merged_order(base, ours, theirs, members)
        if ordered.clash and name == "edges":
            # joined deliveries come in the order of the edges
            path = (*(("nodes", level, "body") if level else ()), "edges")
            self.run.clash(path, "order", *([edge for edge, _ in edges] for edges in (base, ours, theirs)))
            if index:
                ordered = merged_order(base, theirs, ours, members)
        there = [level in table for table in tables]
        if ordered.items or (there[2] if there[0] == there[1] else there[1]):
            into[level] = ordered.items

    def dangling(self) -> None:
        """Name the edges that are there for one side only because a node of theirs is."""
        for level in self.edges[0].keys() | self.edges[1].keys():
            left, right = (edges.get(level, set()) for edges in self.edges)
            for edge in sorted(left ^ right):
                if not self.contested.intersection(_ends(edge)):
                    continue
                versions = [
                    edge[0] if edge in flat.edges.get(level, ()) else ABSENT for flat in (self.base, *self.sides)
                ]
                self.run.clash(self.edge_path(level, edge), "dangling", *versions)

    def tidy_colors(self, flat: Flat) -> None:
        """No colours of nodes that the merge took away."""
        canvas = flat.head.get("canvas")
        colors = cast("Data", canvas).get("colors") if isinstance(canvas, dict) else None
        if not isinstance(colors, dict):
            return
        kept = {name: color for name, color in cast("Data", colors).items() if self.stays(flat, name)}
        if kept != colors:
            rest: Data = {**cast("Data", canvas), "colors": kept}
            rest = {key: value for key, value in rest.items() if value or key != "colors"}
            flat.head = {**flat.head, "canvas": rest}
            if not rest:
                del flat.head["canvas"]

    def stays(self, flat: Flat, name: str) -> bool:
        """Whether what is drawn for a node of that id stays: the merge did not take the node away."""
        return name in flat.nodes or not (name in self.ours.nodes or name in self.theirs.nodes)

    def tidy_layout(self, flat: Flat) -> None:
        """No places of nodes that the merge took away; no new node right on top of another."""
        self.tidy_colors(flat)
        layout = flat.head.get("layout")
        if not isinstance(layout, dict):
            return
        places = {name: place for name, place in cast("Data", layout).items() if self.stays(flat, name)}
        mine = {name for name in places if name in self.ours.nodes or name not in flat.nodes}
        taken = [place for name, place in places.items() if name in mine and _is_place(place)]
        for name in [name for name in places if name not in mine]:
            if not _is_place(places[name]) or name in self.base.nodes:
                continue
            x, y = cast("tuple[float, float]", tuple(places[name]))
            while any(abs(x - left) < _WIDTH and abs(y - top) < _HEIGHT for left, top in taken):
                y += _HEIGHT
            places[name] = [x, y]
            taken.append([x, y])
        flat.head = {**flat.head, "layout": places}
        if not places and layout:
            del flat.head["layout"]


_WIDTH, _HEIGHT = 160, 80
"""Nodes that are drawn nearer to each other than this overlap."""


def _is_place(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(cast("list[Any]", value)) == 2
        and all(type(part) in (int, float) for part in cast("list[Any]", value))
    )


def _shown(node: Any) -> Any:
    return node if node is ABSENT else {key: value for key, value in node.items() if key != LEVEL}


def _at(nodes: dict[str, Data], name: str, level: str) -> bool:
    return name in nodes and nodes[name][LEVEL] == level


def _parsed(edge: EdgeKey) -> Edge | None:
    try:
        return parse_edge(edge[0])
    except ValueError:
        return None


def _ends(edge: EdgeKey) -> tuple[str, ...]:
    found = _parsed(edge)
    return () if found is None else (found.source, found.target)


def _successors(gone: EdgeKey, added: set[EdgeKey]) -> set[EdgeKey]:
    """The new edges that begin or end as `gone` did: it was led elsewhere."""
    old = _parsed(gone)
    if old is None:
        return set()
    found: set[EdgeKey] = set()
    for edge in added:
        new = _parsed(edge)
        if new is None:
            continue
        begins = (new.source, new.source_port) == (old.source, old.source_port)
        ends = (new.target, new.target_port) == (old.target, old.target_port)
        if begins or ends:
            found.add(edge)
    return found


def _check_levels(nodes: dict[str, Data]) -> None:
    """Raises `_Cyclic` where nodes stand in each other's bodies."""
    safe = {""}
    for name in nodes:
        way: list[str] = []
        here = name
        while here not in safe:
            if here in way:
                raise _Cyclic
            way.append(here)
            here = cast("str", nodes[here][LEVEL]) if here in nodes else ""
        safe.update(way)
