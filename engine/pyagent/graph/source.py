"""What a graph may be given as: a model, a document, a file, YAML text, or an id that others look up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # every command looks at its arguments; few read a graph
    from pyagent.graph.spec import GraphSpec
    from pyagent.graph.yaml import Document

GraphLike: TypeAlias = "GraphSpec | Document | Path | str"
"""A graph: a model, a document, a path, an id, or YAML text."""


def is_path(graph: str) -> bool:
    """Whether a graph is given as a file rather than by its id."""
    return graph.endswith((".yaml", ".yml")) or os.sep in graph


def read_graph(graph: GraphLike) -> Document | None:
    """The graph as a document; None for an id. Raises `GraphError`."""
    from pyagent.graph.spec import GraphSpec
    from pyagent.graph.yaml import dump, load_file, load_text

    if isinstance(graph, GraphSpec):
        return load_text(dump(graph))
    if isinstance(graph, Path):
        return load_file(graph)
    if not isinstance(graph, str):
        return graph
    if "\n" in graph:
        return load_text(graph)
    return load_file(Path(graph)) if is_path(graph) else None
