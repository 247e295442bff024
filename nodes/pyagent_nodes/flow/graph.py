"""`flow.graph`: another graph as one step."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pyagent.sdk import Call, Context, Items, NodeParams, node


class GraphParams(NodeParams):
    """Parameters of `flow.graph`."""

    graph: str = Field(min_length=1, description="Id of the graph")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Its inputs, evaluated for the first item")
    wait: bool = Field(True, description="Wait for it, as part of this run; otherwise start it as a run of its own")
    on_parent: Literal["abandon", "cancel"] = Field(
        "abandon", description="Not waited for: what becomes of it when this run is cancelled"
    )
    items: bool = Field(
        False,
        description="Its first nodes get the items that come in, and what its last nodes put out comes out; "
        "left out: one item of the inputs goes in, and one of the outputs comes out",
    )

    @model_validator(mode="after")
    def _items_are_waited_for(self) -> GraphParams:
        if self.items and not self.wait:
            raise ValueError("items come out of a graph that is waited for: take out `items`, or `wait: false`")
        return self


@node("flow.graph", title="Call a graph", icon="workflow", kind="call", effects="none")
async def graph(items: Items, params: GraphParams, ctx: Context) -> Call:
    """Run another graph and put its outputs out as one item, or with `items` what its last nodes put out."""
    return Call(
        graph=params.graph,
        inputs=params.inputs,
        wait=params.wait,
        on_parent=params.on_parent,
        items=items if params.items else None,
    )
