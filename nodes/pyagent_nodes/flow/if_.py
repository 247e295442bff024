"""`flow.if`: two ways."""

from __future__ import annotations

from pydantic import Field

from pyagent.sdk import Context, Item, NodeParams, node
from pyagent.sdk.fields import Condition


class IfParams(NodeParams):
    """Parameters of `flow.if`."""

    when: Condition = Field(description="The condition, evaluated for each item", examples=["{{ $json.score > 0.8 }}"])


@node("flow.if", title="If", icon="split", ports_out=("true", "false"), effects="none", each_item=True)
async def if_(item: Item, params: IfParams, ctx: Context) -> dict[str, list[Item]]:
    """Send each item to `true` or `false` by a condition."""
    return {"true" if params.when is True else "false": [item]}
