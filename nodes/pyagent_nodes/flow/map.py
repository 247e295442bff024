"""`flow.map`: a body or a graph for each item."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Literal

from pydantic import Field

from pyagent.sdk import Context, Items, Map, NodeParams, node


class MapParams(NodeParams):
    """Parameters of `flow.map`."""

    batch: int = Field(1, ge=1, description="Items in each element")
    parallel: int = Field(8, ge=1, description="Elements at work at once")
    on_error: Literal["stop", "skip", "route"] = Field(
        "stop", description="A failing element stops the map, is left out, or goes to the port `error`"
    )
    graph: str | None = Field(None, min_length=1, description="Run this graph for each element instead of the body")


def ports(params: MapParams) -> Sequence[str]:
    """`out`, and `error` where failures go there."""
    return ("out", "error") if params.on_error == "route" else ("out",)


@node("flow.map", title="Map", icon="layers", kind="map", ports_out=ports, effects="none")
async def map_(items: Items, params: MapParams, ctx: Context) -> Map:
    """Run the node's body, or a graph, for each item (or batch of items); results come in item order."""
    every = iter(items)
    elements = [list(islice(every, params.batch)) for _ in range(0, len(items), params.batch)]
    return Map(elements=elements, parallel=params.parallel, on_error=params.on_error, graph=params.graph)
