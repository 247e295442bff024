"""Draws a graph for a terminal: a tree in the order of the flow, with joins and loops as references."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from pyagent.graph.show.layers import Link, layered
from pyagent.graph.spec import Edge, GraphSpec, NodeSpec


def tree(spec: GraphSpec) -> Tree:
    """The graph as a Rich tree.

    A node stands below the last of the nodes that lead to it; the others refer to it by `→`, loops by `↺`.
    `↓` is what comes next, and nothing beside it.
    """
    heading = Text(spec.id, style="bold")
    if spec.name:
        heading.append(f"  {spec.name}", style="default")
    nodes, edges = sum(1 for _ in spec.places()), _edges(spec.nodes, spec.edges)
    heading.append(f"  {nodes} node{'s' * (nodes != 1)}, {edges} edge{'s' * (edges != 1)}", style="dim")
    root = Tree(heading, guide_style="dim")
    _grow(root, spec.nodes, spec.edges)
    return root


def text(spec: GraphSpec, *, width: int = 100) -> str:
    """The tree as plain text, `width` columns wide."""
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(tree(spec))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _edges(nodes: Sequence[NodeSpec], edges: Sequence[Edge]) -> int:
    return len(edges) + sum(_edges(node.body.nodes, node.body.edges) for node in nodes if node.body)


def _grow(root: Tree, nodes: Sequence[NodeSpec], edges: Sequence[Edge]) -> None:
    by_id = {node.id: node for node in nodes}
    known = [edge for edge in edges if edge.source in by_id and edge.target in by_id]
    plan = layered(list(by_id), [Link(edge.source, edge.target) for edge in known])
    rank = {node: (layer, place) for place, (node, layer) in enumerate(plan.layer.items())}
    parent: dict[str, int] = {}
    for index, edge in enumerate(known):
        if index in plan.back:
            continue
        held = parent.get(edge.target)
        if held is None or rank[edge.source] > rank[known[held].source]:
            parent[edge.target] = index
    outgoing: dict[str, list[int]] = {node: [] for node in by_id}
    for index, edge in enumerate(known):
        outgoing[edge.source].append(index)
    # a stack of its own: a graph may be deeper than Python's
    rest = [(root, node, "", "") for node in reversed(list(by_id)) if node not in parent]
    while rest:
        above, name, port, mark = rest.pop()
        branch = above.add(_label(by_id[name], port, mark))
        body = by_id[name].body
        if body is not None:
            _grow(branch.add(Text("body", style="italic dim")), body.nodes, body.edges)
        leaving = outgoing[name]
        if len(leaving) == 1 and parent.get(known[leaving[0]].target) == leaving[0]:
            # what simply comes next stays on this level, else a long chain would leave the page
            edge = known[leaving[0]]
            rest.append((above, edge.target, edge.source_port or "", "↓ "))
            continue
        below: list[tuple[Tree, str, str, str]] = []
        for index in leaving:
            edge = known[index]
            port = edge.source_port or ""
            if parent.get(edge.target) == index:
                below.append((branch, edge.target, port, ""))
            else:
                branch.add(_reference(edge.target, port, loop=index in plan.back))
        rest.extend(reversed(below))


def _label(node: NodeSpec, port: str, mark: str) -> Text:
    label = Text(mark, style="dim")
    if port:
        label.append(f"{port}: ", style="not dim cyan")
    label.append(node.id, style="not dim bold")
    if node.name and node.name != node.id:
        label.append(f"  {node.name}")
    label.append(f"  {node.use}", style="dim")
    words = [str(node.join)] if node.join.kind != "all" else []
    words += [f"retry {node.retry.attempts}"] if node.retry else []
    words += ["disabled"] if node.disabled else []
    if words:
        label.append(f"  [{', '.join(words)}]", style="yellow")
    return label


def _reference(target: str, port: str, *, loop: bool) -> Text:
    label = Text()
    if port:
        label.append(f"{port}: ", style="cyan")
    label.append("↺ " if loop else "→ ", style="magenta")
    label.append(target, style="italic")
    return label
