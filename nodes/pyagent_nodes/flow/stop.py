"""`flow.stop`: the run ends here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyagent.sdk import Context, Items, NodeParams, Stop, node


class StopParams(NodeParams):
    """Parameters of `flow.stop`."""

    status: Literal["completed", "failed"] = Field("completed", description="How the run ends")
    message: str = Field("", description="Why, for people")


@node("flow.stop", title="Stop the run", icon="octagon", ports_out=(), effects="none")
async def stop(items: Items, params: StopParams, ctx: Context) -> Stop:
    """End the whole run at once, as completed or as failed; what still runs is cancelled."""
    return Stop(status=params.status, message=params.message)
