"""Writes a graph as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyagent.graph.spec import Edge, GraphSpec, NodeSpec

_RESERVED = frozenset(
    {
        "end",
        "graph",
        "subgraph",
        "style",
        "class",
        "click",
        "default",
        "flowchart",
        "classdef",
        "linkstyle",
        "direction",
    }
)


def mermaid(spec: GraphSpec) -> str:
    """The graph as Mermaid text; bodies are subgraphs, ports that are named stand on their edges."""
    lines = ["flowchart TD", *_lines(spec.nodes, spec.edges, "  ")]
    return "\n".join(lines) + "\n"


def _lines(nodes: Sequence[NodeSpec], edges: Sequence[Edge], pad: str) -> Iterator[str]:
    for node in nodes:
        label = f"{_text(node.label)}<br/><small>{_text(str(node.use))}</small>"
        if node.body is None:
            yield f'{pad}{_id(node.id)}["{label}"]'
            continue
        yield f'{pad}subgraph {_id(node.id)}["{label}"]'
        yield from _lines(node.body.nodes, node.body.edges, pad + "  ")
        yield f"{pad}end"
    for edge in edges:
        port = f"|{_text(edge.source_port)}|" if edge.source_port else ""
        yield f"{pad}{_id(edge.source)} -->{port} {_id(edge.target)}"


def _id(node: str) -> str:
    return f"{node}_" if node in _RESERVED else node


def _text(text: str) -> str:
    """Without what Mermaid would read as its own: it knows numbered entities."""
    line = " ".join(text.split())
    return "".join(f"#{ord(letter)};" if letter in '"#<>&|`\\[]{}' else letter for letter in line)
