"""`flow.filter`: only items that a condition holds for."""

from __future__ import annotations

from pydantic import Field

from pyagent.sdk import Context, Item, NodeParams, node
from pyagent.sdk.fields import Condition


class FilterParams(NodeParams):
    """Parameters of `flow.filter`."""

    when: Condition = Field(description="The condition, evaluated for each item", examples=["{{ $json.open }}"])


@node("flow.filter", title="Filter", icon="filter", ports_out=("out", "rest"), effects="none", each_item=True)
async def filter_(item: Item, params: FilterParams, ctx: Context) -> dict[str, list[Item]]:
    """Pass on the items that the condition holds for; the others go to `rest`, which need not be connected."""
    return {"out" if params.when is True else "rest": [item]}
