"""Checks of how things flow: loops, joins, what no trigger reaches, writes that meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import cast

from pyagent.errors import GraphError
from pyagent.graph.check import repair
from pyagent.graph.check.context import ERROR_PORT, Check, Level
from pyagent.graph.check.reach import ancestors
from pyagent.graph.fixes import Fix, take_out
from pyagent.graph.spec import NodeSpec
from pyagent.graph.topology import Topology

MAX_TRIED = 200_000
"""Edges times outcomes that are looked at for joins: some tenths of a second."""


def check_flow(check: Check) -> None:
    """All checks of this module, level by level, for each trigger."""
    writers: dict[int, dict[str, list[tuple[str, NodeSpec]]]] = {}
    for level in reversed(check.levels):
        outlines = check.outlines(level)
        for _, error in outlines:
            if error is not None:
                _loop_error(check, level, error)
        shapes = check.shapes(level)
        if len(shapes) < len(outlines):
            continue
        _unreachable(check, level, shapes)
        backs = _back_edges(level, shapes)
        _headers(check, level, shapes)
        for node in level.nodes:
            _count(check, level, node, backs)
        for shape in shapes:
            _never(check, level, shape, several=len(shapes) > 1)
        _writes(check, level, shapes, backs, writers)


def _loop_error(check: Check, level: Level, error: GraphError) -> None:
    known = level.known_edges
    fix: Fix | None = None
    if error.code == "graph.loop.irreducible" and error.details["entry_edges"]:
        entries = [known[edge] for edge in cast("list[int]", error.details["entry_edges"])]
        lines = [check.tree.locate(level.edge_path(edge))[0] for edge in entries]
        ways = ", ".join(f"`{level.edges[edge]}` (line {line})" for edge, line in zip(entries, lines, strict=True))
        path = level.edge_path(entries[-1])
        message = f"{error.message}; it is entered by {ways}"
        fix = repair.several_entries(level, cast("list[str]", error.details["entries"])[0], entries)
    elif error.code == "graph.loop.done_returns":
        path, message = level.edge_path(known[cast("int", error.details["edge"])]), error.message
        fix = take_out("Remove the edge", path)
    else:
        path, message = level.node_path(str(error.where.node)), error.message
    if any(problem.code == error.code and problem.message == message for problem in check.problems):
        return
    check.report(error.code, message, path, hint=error.hint, node=error.where.node, fix=fix)


def _unreachable(check: Check, level: Level, shapes: list[Topology]) -> None:
    for node in level.index:
        if any(shape.reaches(node) for shape in shapes):
            continue
        check.report(
            "graph.node.unreachable",
            f"nothing leads to `{node}`: it never runs",
            (*level.node_path(node), "id"),
            hint="Lead an edge to it from what a trigger reaches, or remove it.",
            severity="warning",
            node=node,
        )


def _back_edges(level: Level, shapes: list[Topology]) -> set[int]:
    """Positions of the edges that are back edges for some trigger."""
    known = level.known_edges
    return {known[edge] for shape in shapes for edge, role in shape.edges.items() if role.back_of is not None}


def _headers(check: Check, level: Level, shapes: list[Topology]) -> None:
    headers = {header for shape in shapes for header in shape.loops}
    for node in level.nodes:
        found = check.type_of(node)
        path = level.node_path(node.id)
        if node.loop is not None and node.id not in headers:
            check.report(
                "graph.loop.no_header",
                f"`{node.id}` says `loop`, but heads none",
                (*path, "loop"),
                hint="Put `loop` on the node that all ways into the cycle lead to.",
                severity="warning",
                node=node.id,
                key=True,
                fix=take_out("Remove loop", (*path, "loop")),
            )
        elif found is not None and found.kind == "loop" and node.id not in headers and not node.disabled:
            check.report(
                "graph.loop.no_header",
                f"nothing comes back to the loop `{node.id}`",
                path,
                hint=f"Lead an edge from the end of its body back to `{node.id}`.",
                severity="warning",
                node=node.id,
            )


def _count(check: Check, level: Level, node: NodeSpec, backs: set[int]) -> None:
    """`N of M` names the number of edges that come in, and no more of them than there are."""
    if node.join.kind != "count":
        return
    edges = [position for position in level.incoming[node.id] if position not in backs]
    count, of = node.join.count, node.join.of
    if of != len(edges):
        message = f"`{node.join}`, but {len(edges)} edge{'s' * (len(edges) != 1)} come{'s' * (len(edges) == 1)} in"
        hint = "M is the number of incoming edges; a loop's back edges are not counted."
    elif not 1 <= count <= of:
        message, hint = f"`{node.join}` can never be met", f"N is between 1 and {of}."
    else:
        return
    path = (*level.node_path(node.id), "join")
    check.report("graph.join.count", message, path, hint=hint, node=node.id, fix=repair.count(node, len(edges), path))


def _never(check: Check, level: Level, shape: Topology, *, several: bool) -> None:
    """Joins that no outcome can meet; said of the node where it begins, not of those behind it."""
    coming_of = _coming(level, shape)
    starts = _starts(check, level, shape, coming_of)
    for name in shape.nodes:
        if name in starts:
            continue
        node, coming = level.nodes[level.index[name]], coming_of[name]
        needed = max(node.join.count, 1)
        deliver = [position for position in coming if _delivers(check, level, position)]
        behind = any(level.edges[position].source not in starts for position in deliver)
        if behind and _most(check, level, shape, name, deliver) >= needed:
            continue
        if node.join.kind == "count" and node.join.of != len(coming) and not several:
            continue
        from_trigger = f" in runs that start at `{shape.roots[0]}`" if several else ""
        path = (*level.node_path(name), "join")
        check.report(
            "graph.join.never",
            f"the join `{node.join}` of `{name}` can never be met{from_trigger}",
            path,
            hint=_why(level, coming, deliver, needed),
            severity="warning" if several else "error",
            node=name,
            fix=take_out("Wait for all", path) if node.join.kind == "count" and deliver else None,
        )


def _coming(level: Level, shape: Topology) -> dict[str, list[int]]:
    """The edges that meet by each node's join: all that take part, a header's back edges left out."""
    found: dict[str, list[int]] = {name: [] for name in shape.nodes}
    for index, position in enumerate(level.known_edges):
        role = shape.edges.get(index)
        if role is not None and role.back_of is None:
            found[level.edges[position].target].append(position)
    return found


def _starts(check: Check, level: Level, shape: Topology, coming_of: Mapping[str, Sequence[int]]) -> set[str]:
    """The nodes that some outcomes start: each step that can fail or succeed, and not both, is tried either way.

    Steps of other loops have many outcomes in one run, so their edges may deliver whatever happens here.
    """
    ways = [
        [(level.edges[position].source, position, _choice(check, level, shape, name, position)) for position in coming]
        for name, coming in coming_of.items()
    ]
    deliver = {position for coming in coming_of.values() for position in coming if _delivers(check, level, position)}
    errors = {source for coming in ways for source, _, failing in coming if failing}
    choosers = sorted({source for coming in ways for source, _, failing in coming if failing is not None} & errors)
    needed = {name: max(level.nodes[level.index[name]].join.count, 1) for name in coming_of}
    # Where that is too much, or no join wants several edges, steps are taken for independent: what is refused then
    # cannot start, either.
    whole = max(needed.values(), default=0) > 1 and 2 ** len(choosers) * len(deliver) <= MAX_TRIED
    tried = list(product((False, True), repeat=len(choosers))) if whole else [()]
    found: set[str] = set()
    while True:
        before = len(found)
        for fails in tried:
            outcome = dict(zip(choosers, fails, strict=False))
            runs: set[str] = set()
            for name, coming in zip(coming_of, ways, strict=True):
                put = [
                    position
                    for source, position, failing in coming
                    if position in deliver
                    and source in (runs if failing is not None else found)
                    and outcome.get(source, failing) == failing
                ]
                count = len(put) if whole else _most(check, level, shape, name, put)
                if name in shape.roots or count >= needed[name]:
                    runs.add(name)
                    found.add(name)
        if len(found) == before:
            return found


def _choice(check: Check, level: Level, shape: Topology, target: str, position: int) -> bool | None:
    """Whether the edge delivers when its step fails (True) or succeeds (False); None: that decides nothing here."""
    around = shape.loops_around(target)
    if around and around[-1] == target:
        around = around[:-1]
    edge = level.edges[position]
    type_ = check.type_of(level.nodes[level.index[edge.source]])
    if type_ is None or type_.each_item or shape.loops_around(edge.source) != around:
        return None
    return check.source_port(level, edge) == ERROR_PORT


def _delivers(check: Check, level: Level, position: int) -> bool:
    """Whether the edge's port can deliver: a disabled node passes its items on by its first port only."""
    edge = level.edges[position]
    source = level.nodes[level.index[edge.source]]
    if not source.disabled:
        return True
    ports = check.ports_out(source)
    return ports is None or not ports or check.source_port(level, edge) == ports[0]


def _most(check: Check, level: Level, shape: Topology, target: str, edges: list[int]) -> int:
    """How many of the edges can deliver together: a step that is no item-wise one fails or succeeds, not both."""
    total = 0
    per_source: dict[str, Counter[bool]] = {}
    for position in edges:
        failing = _choice(check, level, shape, target, position)
        if failing is None:
            total += 1
        else:
            per_source.setdefault(level.edges[position].source, Counter())[failing] += 1
    return total + sum(max(counts.values()) for counts in per_source.values())


def _why(level: Level, coming: list[int], deliver: list[int], needed: int) -> str:
    dead = [position for position in coming if position not in deliver]
    if dead:
        edges = ", ".join(f"`{level.edges[position]}`" for position in dead)
        return f"A disabled node passes its items on by its first port, so these deliver nothing: {edges}."
    if len(coming) < needed:
        return f"Only {len(coming)} of its edges take part."
    return "A step delivers on `error` or on its other ports, never on both. Lower N, or use `all`."


def _writes(
    check: Check,
    level: Level,
    shapes: list[Topology],
    backs: set[int],
    writers: dict[int, dict[str, list[tuple[str, NodeSpec]]]],
) -> None:
    """Writes to a `replace` channel of which neither comes before the other.

    A body's writes count as its map node's: they are applied when the map ends.
    """
    found = writers.pop(id(level), {})
    for node in level.nodes:
        for name in node.write:
            channel = check.spec.state.get(name)
            if channel is not None and channel.reduce == "replace":
                found.setdefault(name, []).append((node.id, node))
    if level.parent is not None and level.owner is not None:
        above = writers.setdefault(id(level.parent), {})
        for name, nodes in found.items():
            above.setdefault(name, []).extend((level.owner, node) for _, node in nodes)
    if not found:
        return
    order = _order(level, backs)
    for name, nodes in found.items():
        nodes.sort(key=lambda writer: check.rank[writer[1].id])
        writers_here = 0
        for here, _ in nodes:
            writers_here |= order.bit[here]
        reported: set[str] = set()
        for number, (one, first) in enumerate(nodes):
            unordered = writers_here & ~order.related(one)
            for other, second in nodes[number + 1 :] if unordered else ():
                if second.id in reported or not unordered & order.bit[other]:
                    continue
                if any(shape.reaches(one) and shape.reaches(other) for shape in shapes):
                    reported.add(second.id)
                    message = f"`{first.id}` and `{second.id}` may write `{name}` at the same time"
                    _concurrent(check, name, second, message)
        for here, node in nodes:
            if node.id not in reported and _overlaps(level, here, shapes, order):
                message = f"iterations of the loop around `{here}` may write `{name}` at the same time"
                _concurrent(check, name, node, message)


def _concurrent(check: Check, channel: str, node: NodeSpec, message: str) -> None:
    level = check.level_of[node.id]
    check.report(
        "graph.state.concurrent_write",
        message,
        (*level.node_path(node.id), "write", channel),
        hint="If both can happen in one run it fails: give the channel another reducer, or put one after the other.",
        severity="warning",
        node=node.id,
        key=True,
    )


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Which nodes of a level come before which: sets of nodes as bits, since many nodes have many others behind."""

    bit: dict[str, int]
    before: dict[str, int]
    after: dict[str, int]

    def related(self, node: str) -> int:
        """The node itself, and those that come before or after it."""
        return self.bit[node] | self.before[node] | self.after[node]


def _order(level: Level, backs: set[int]) -> _Order:
    """What chains of edges, back edges left out, lead to."""
    before: dict[str, list[str]] = {node.id: [] for node in level.nodes}
    after: dict[str, list[str]] = {node.id: [] for node in level.nodes}
    for position in level.known_edges:
        if position not in backs:
            edge = level.edges[position]
            before[edge.target].append(edge.source)
            after[edge.source].append(edge.target)
    bit, found = ancestors(before)
    return _Order(bit=bit, before=found, after=ancestors(after)[1])


def _overlaps(level: Level, node: str, shapes: list[Topology], order: _Order) -> bool:
    """Whether the node is a side branch of a loop: the next iteration does not wait for it (SEMANTICS 10)."""
    known = level.known_edges
    for shape in shapes:
        if not shape.reaches(node) or not (around := shape.loops_around(node)):
            continue
        sources = {level.edges[known[edge]].source for edge in shape.loops[around[-1]].back_edges}
        if not any((order.bit[node] | order.after[node]) & order.bit[source] for source in sources):
            return True
    return False
