"""`data.sort`: items in order."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pyagent.sdk import Context, Item, Items, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field
from pyagent_nodes.data._dates import BadDate, read_date
from pyagent_nodes.data._values import TextOrder, number_in, order, paced, text_order


class SortKey(NodeParams):
    """One field to sort by."""

    field: FieldPath = Field(description="The field")
    order: Literal["ascending", "descending"] = Field("ascending", description="Smallest or largest first")
    as_: Literal["value", "text", "number", "date"] = Field(
        "value",
        alias="as",
        description="Compare values as they are; numbers as text; text that is a number as number; text that is an "
        "ISO date as that moment. What does not fit compares as it is",
    )
    text: TextOrder = Field(
        "exact", description="How text compares: by code points, without case, or naturally (file2 before file10)"
    )


def _key(value: Any) -> Any:
    if isinstance(value, str):
        return {"field": value[1:], "order": "descending"} if value.startswith("-") else {"field": value}
    return value


class SortParams(NodeParams):
    """Parameters of `data.sort`."""

    by: list[Annotated[SortKey, BeforeValidator(_key, json_schema_input_type=SortKey | str)]] = Field(
        min_length=1,
        description="Fields to sort by, the most important first; a name alone sorts ascending, `-name` descending",
        examples=[["country", "-price"], [{"field": "file", "text": "natural"}]],
    )
    missing: Literal["last", "first"] = Field(
        "last", description="Where items go whose field is missing or null, whatever the order"
    )


@node("data.sort", title="Sort", icon="arrow-down-up", effects="none")
async def sort(items: Items, params: SortParams, ctx: Context) -> list[Item]:
    """Sort the items by one or several fields; equal ones keep their order.

    Values of different types have an order too: false < true < numbers < text < lists < objects. Numbers compare
    exactly, whatever their size; lists element by element; objects by their names, then their values. All items are
    held in memory.
    """
    given: list[Item] = []
    columns: list[list[Any]] = [[] for _ in params.by]
    async for _, item in paced(items, ctx):
        given.append(item)
        for key, column in zip(params.by, columns, strict=True):
            value = read_field(item.json, key.field, None)
            column.append(None if value is None else _comparable(value, key))
    indexes = await asyncio.to_thread(_sorted, len(given), params, columns)
    return [given[index] for index in indexes]


def _sorted(count: int, params: SortParams, columns: list[list[Any]]) -> list[int]:
    indexes = list(range(count))
    # Python's sort is stable: sorted by the least important field first, the most important one decides.
    for key, column in zip(reversed(params.by), reversed(columns), strict=True):
        present = [index for index in indexes if column[index] is not None]
        absent = [index for index in indexes if column[index] is None]
        present.sort(key=column.__getitem__, reverse=key.order == "descending")
        indexes = present + absent if params.missing == "last" else absent + present
    return indexes


def _comparable(value: Any, key: SortKey) -> tuple[Any, ...]:
    if key.as_ == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        return (3, text_order(str(value), key.text))
    if key.as_ == "number" and isinstance(value, str) and (number := number_in(value)) is not None:
        return (2, number)
    if key.as_ == "date" and isinstance(value, str):
        try:
            return (2, read_date(value, "", UTC).timestamp())
        except BadDate:
            return order(value, key.text)
    return order(value, key.text)
