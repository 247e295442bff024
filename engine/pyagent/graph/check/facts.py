"""What node types and edges say of each node: all that an editor needs to draw it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pyagent.graph.check.context import ERROR_PORT, Check, Level
from pyagent.graph.spec import NodeSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeFacts:
    """One node as its type sees it, with the parameters that it has."""

    title: str
    """What people call its type; of a type that is not installed its name."""
    installed: bool
    kind: str
    """`action`, `trigger`, `loop`, `map` or `call`."""
    trigger: bool
    """A run may start here."""
    effects: str
    """`none`, `idempotent` or `once`: the node's own word, else its type's."""
    ports_in: tuple[str, ...]
    """The first is the default one; `*`: an edge may name any other."""
    ports_out: tuple[str, ...]
    """The first is the default one; `error` included where it is routed."""
    ports_known: bool
    """The ports are those that there are; else only those that edges name, since nothing tells of the others."""
    owner: str | None
    """The node whose body it is in."""
    loop_header: bool
    back_edges: tuple[str, ...]
    """The edges that bring the next iteration to this header."""


def node_facts(check: Check) -> dict[str, NodeFacts]:
    """The facts of each node, bodies included; of equal ids those of the first."""
    found: dict[str, NodeFacts] = {}
    for level in check.levels:
        backs = _back_edges(check, level)
        ins: defaultdict[str, list[str | None]] = defaultdict(list)
        outs: defaultdict[str, list[str | None]] = defaultdict(list)
        for edge in level.edges:
            outs[edge.source].append(edge.source_port)
            ins[edge.target].append(edge.target_port)
        for node in level.nodes:
            if node.id not in found:
                found[node.id] = _facts(check, level, node, backs, ins.get(node.id, ()), outs.get(node.id, ()))
    return found


def _facts(
    check: Check,
    level: Level,
    node: NodeSpec,
    backs: dict[str, tuple[str, ...]],
    ins: Iterable[str | None],
    outs: Iterable[str | None],
) -> NodeFacts:
    type_ = check.type_of(node)
    ports = check.ports_out(node)
    kind = type_.kind if type_ else "action"
    return NodeFacts(
        title=type_.title if type_ else node.use.type,
        installed=type_ is not None,
        kind=kind,
        trigger=kind == "trigger",
        effects=check.effects(node) or "once",
        ports_in=tuple(type_.ports_in) if type_ else _named("in", ins),
        ports_out=ports if ports is not None else _out_of(node, outs),
        ports_known=ports is not None,
        owner=level.owner,
        loop_header=node.id in backs,
        back_edges=backs.get(node.id, ()),
    )


def _back_edges(check: Check, level: Level) -> dict[str, tuple[str, ...]]:
    """The edges that come back, by header, in the order of the file; for several triggers those of all."""
    known = level.known_edges
    found: defaultdict[str, set[int]] = defaultdict(set)
    for shape in check.shapes(level):
        for header, loop in shape.loops.items():
            found[header].update(known[edge] for edge in loop.back_edges)
    return {header: tuple(str(level.edges[at]) for at in sorted(edges)) for header, edges in found.items()}


def _out_of(node: NodeSpec, outs: Iterable[str | None]) -> tuple[str, ...]:
    named = [port for port in outs if port != ERROR_PORT]
    return (*_named("out", named), *([ERROR_PORT] if node.on_error == "route" else []))


def _named(first: str, ports: Iterable[str | None]) -> tuple[str, ...]:
    """The ports that edges name, the one that they leave out called `first`."""
    return tuple(dict.fromkeys(port or first for port in ports)) or (first,)


__all__ = ["NodeFacts", "node_facts"]
