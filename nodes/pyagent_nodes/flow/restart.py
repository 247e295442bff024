"""`flow.restart`: the run ends here and begins anew."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pyagent.sdk import Context, Items, NodeParams, Restart, node


class RestartParams(NodeParams):
    """Parameters of `flow.restart`."""

    items: Literal["given", "inputs"] = Field(
        "given", description="What the successor's trigger puts out: the items given to this step, or its inputs"
    )
    inputs: dict[str, Any] | None = Field(None, description="The successor's inputs; left out: the same")
    state: dict[str, Any] | None = Field(
        None, description="What its state channels begin with, others as declared; left out: all as they are now"
    )
    version: Literal["newest", "same"] = Field("newest", description="The version of the graph that it runs")


@node("flow.restart", title="Begin anew", icon="refresh-cw", ports_out=(), effects="none")
async def restart(items: Items, params: RestartParams, ctx: Context) -> Restart:
    """End the run as completed and start its successor with these items, inputs and state, exactly once.

    For services that go on for ever: no history grows without bound. What still runs is cancelled. The successor has
    the run's start key, owner and labels; signals and requests that the old run has not read reach it.
    """
    return Restart(
        inputs=params.inputs,
        items=list(items) if params.items == "given" else None,
        state=params.state,
        version=params.version,
    )
