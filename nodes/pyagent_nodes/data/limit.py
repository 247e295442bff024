"""`data.limit`: only so many items."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyagent.sdk import Context, Items, NodeParams, node


class LimitParams(NodeParams):
    """Parameters of `data.limit`."""

    count: int = Field(1, ge=0, description="Items at most")
    keep: Literal["first", "last"] = Field("first", description="The first items, or the last")
    offset: int = Field(0, ge=0, description="Items passed over before counting, from the start or from the end")


@node("data.limit", title="Limit", icon="list-end", effects="none")
async def limit(items: Items, params: LimitParams, ctx: Context) -> Items:
    """Pass on the first or last items, in their order; the others are dropped and not even read."""
    if params.keep == "first":
        return items.part(params.offset, params.offset + params.count)
    stop = max(0, len(items) - params.offset)
    return items.part(max(0, stop - params.count), stop)
