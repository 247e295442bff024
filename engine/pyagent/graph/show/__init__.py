"""Pictures of a graph: `tree` and `text` for a terminal, `mermaid`, and `svg` for pages."""

from __future__ import annotations

from pyagent.graph.show.mermaid import mermaid
from pyagent.graph.show.svg import svg
from pyagent.graph.show.text import text, tree

__all__ = ["mermaid", "svg", "text", "tree"]
