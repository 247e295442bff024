"""`data.set`: give items fields, take fields away."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pyagent.sdk import Context, Item, JsonObject, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, with_field, without_field


class SetParams(NodeParams):
    """Parameters of `data.set`."""

    fields: dict[FieldPath, Any] = Field(
        default_factory=dict,
        description="Value by path; `customer.name` sets a field inside an object",
        examples=[{"total": "{{ $json.price * $json.count }}"}],
    )
    keep: list[FieldPath] | None = Field(
        None, description="Only these fields of the incoming item stay; left out: all; an empty list: none"
    )
    remove: list[FieldPath] = Field(default_factory=list, description="Fields of the incoming item to take away")


@node("data.set", title="Set fields", icon="pencil", effects="none", each_item=True)
async def set_(item: Item, params: SetParams, ctx: Context) -> Item:
    """Set, replace or remove fields of each item; binaries stay."""
    json: JsonObject = item.json
    if params.keep is not None:
        json = {}
        for path in params.keep:
            if (value := read_field(item.json, path)) is not MISSING:
                json = with_field(json, path, value)
    for path in params.remove:
        json = without_field(json, path)
    for path, value in params.fields.items():
        json = with_field(json, path, value)
    return Item(json, item.binary, item.sources)
