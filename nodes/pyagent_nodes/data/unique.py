"""`data.unique`: each item once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field, without_field
from pyagent_nodes.data._values import fingerprint, paced


class UniqueParams(NodeParams):
    """Parameters of `data.unique`."""

    by: list[FieldPath] = Field(
        default_factory=list, description="Items with the same values in these fields are one; left out: whole items"
    )
    ignore: list[FieldPath] = Field(
        default_factory=list, description="For whole items: fields that do not count", examples=[["fetched_at"]]
    )
    keep: Literal["first", "last"] = Field("first", description="Which of several equal items stays")
    ignore_case: bool = Field(False, description="Upper and lower case are the same")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.by and self.ignore:
            raise ValueError("give `by` or `ignore`, not both")
        return self


@node("data.unique", title="Remove duplicates", icon="fingerprint", ports_out=("out", "duplicates"), effects="none")
async def unique(items: Items, params: UniqueParams, ctx: Context) -> AsyncIterator[dict[str, list[Item]]]:
    """Keep one of equal items; the others go to `duplicates`, which need not be connected.

    1 and 1.0 are equal, 1 and "1" are not, the order of an object's names does not count, and a missing field counts
    as null. Items are told apart by 16-byte fingerprints. Binaries do not count.
    """
    if params.keep == "first":
        seen: set[bytes] = set()
        async for _, item in paced(items, ctx):
            mark = _mark(item, params)
            yield {"duplicates" if mark in seen else "out": [item]}
            seen.add(mark)
        return
    last: dict[bytes, int] = {}
    marks: list[bytes] = []
    async for index, item in paced(items, ctx):
        marks.append(_mark(item, params))
        last[marks[-1]] = index
    async for index, item in paced(items, ctx):
        yield {"out" if last[marks[index]] == index else "duplicates": [item]}


def _mark(item: Item, params: UniqueParams) -> bytes:
    value: Any = item.json
    if params.by:
        value = [read_field(item.json, path, None) for path in params.by]
    for path in params.ignore:
        value = without_field(value, path)
    return fingerprint(value, ignore_case=params.ignore_case)
