"""`data.split`: a list in an item becomes items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, cast

from pydantic import Field

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, split_path, with_field, without_field

_PIECE = 1000
"""Items made at once."""


class SplitParams(NodeParams):
    """Parameters of `data.split`."""

    field: FieldPath = Field(description="The list")
    include: Literal["none", "all"] | list[FieldPath] = Field(
        "none", description="Other fields of the item that each new item gets too: none, all, or these"
    )
    into: FieldPath | None = Field(
        None,
        description="The field that gets the element; left out: an element that is an object becomes the item's "
        "fields, any other gets the list's own name",
    )
    missing: Literal["skip", "fail"] = Field("skip", description="What to do where the list is missing or null")


@node("data.split", title="Split out", icon="ungroup", effects="none", each_item=True)
async def split(item: Item, params: SplitParams, ctx: Context) -> AsyncIterator[list[Item]]:
    """Make an item of each element of a list; each comes from the item that held the list."""
    found = read_field(item.json, params.field)
    if found is MISSING or found is None:
        if params.missing == "skip":
            return
        raise NodeError(f"there is no list {params.field!r}", code="node.split_missing", hint="Correct `field`.")
    if not isinstance(found, list):
        raise NodeError(
            f"{params.field!r} is {type(found).__name__}, not a list", code="node.split_type", hint="Correct `field`."
        )
    base: JsonObject = {}
    if params.include == "all":
        base = without_field(item.json, params.field)
    elif params.include != "none":
        for path in params.include:
            if (value := read_field(item.json, path)) is not MISSING:
                base = with_field(base, path, value)
    elements = cast("list[Any]", found)
    for start in range(0, len(elements), _PIECE):
        piece = elements[start : start + _PIECE]
        yield [Item(_made(base, element, params), item.binary, item.sources) for element in piece]


def _made(base: JsonObject, element: Any, params: SplitParams) -> JsonObject:
    if params.into is not None:
        return with_field(base, params.into, element)
    if isinstance(element, dict):
        return {**base, **cast("JsonObject", element)}
    name = split_path(params.field)[-1]
    return {**base, name: element}
