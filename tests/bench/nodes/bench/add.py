"""`bench.add`: add a field."""

from __future__ import annotations

from pyagent.sdk import Context, Item, Items, NodeParams, node


class AddParams(NodeParams):
    """Parameters of `bench.add`."""

    field: str


@node("bench.add", title="Add a field", effects="none")
async def add(items: Items, params: AddParams, ctx: Context) -> list[Item]:
    """Add a field to each item."""
    return [item.derive({**item.json, params.field: index}, index) for index, item in enumerate(items)]
