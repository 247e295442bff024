"""Render docs/reference/graph.schema.json: what editors check graph files by, as `pyagent graph schema` prints it."""

from __future__ import annotations

import json

from pyagent.graph.schema import graph_schema
from pyagent.runtime.checking import GraphChecker


def render() -> str:
    """The schema with the shipped node types."""
    return json.dumps(graph_schema(GraphChecker().catalogue), ensure_ascii=False, indent=1) + "\n"
