"""`data.aggregate`: many items become one."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, ItemSource, JsonObject, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, with_field
from pyagent_nodes.data._values import fingerprint


class AggregateParams(NodeParams):
    """Parameters of `data.aggregate`."""

    fields: list[FieldPath] | dict[FieldPath, FieldPath] | None = Field(
        None,
        description="Fields to collect, each into a list of the same name, or under another (`{ids: id}`); "
        "left out: whole items",
    )
    into: FieldPath = Field("items", description="For whole items: the field that gets the list")
    by: list[FieldPath] = Field(default_factory=list, description="One item for each combination of these fields")
    missing: bool = Field(False, description="Items without a collected field count as null; otherwise left out")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.fields is not None and not self.fields:
            raise ValueError("`fields` names no field")
        return self


@node("data.aggregate", title="Aggregate", icon="package", effects="none")
async def aggregate(items: Items, params: AggregateParams, ctx: Context) -> list[Item]:
    """Collect the items, or some of their fields, into one item, or into one for each group.

    Without groups there is always one item, with empty lists where nothing came. In groups 1 and 1.0 are the same,
    and a missing field is null.
    """
    groups: dict[bytes, _Group] = {}
    if not params.by:
        groups[b""] = _Group(params, {})
    for item in items:
        values = {path: read_field(item.json, path, None) for path in params.by}
        name = fingerprint(list(values.values())) if params.by else b""
        if (group := groups.get(name)) is None:
            group = groups[name] = _Group(params, values)
        group.add(item)
    return [group.item() for group in groups.values()]


class _Group:
    def __init__(self, params: AggregateParams, by: JsonObject) -> None:
        self._params = params
        self._by = by
        fields = params.fields
        names = {} if fields is None else fields if isinstance(fields, dict) else {path: path for path in fields}
        self._lists: dict[str, tuple[str, list[Any]]] = {into: (path, []) for into, path in names.items()}
        self._whole: list[JsonObject] = []
        self._sources: list[ItemSource] = []

    def add(self, item: Item) -> None:
        self._sources.extend(item.sources)
        if self._params.fields is None:
            self._whole.append(item.json)
        for path, found in self._lists.values():
            value = read_field(item.json, path)
            if value is not MISSING:
                found.append(value)
            elif self._params.missing:
                found.append(None)

    def item(self) -> Item:
        made: JsonObject = {}
        for path, value in self._by.items():
            made = with_field(made, path, value)
        if self._params.fields is None:
            made = with_field(made, self._params.into, self._whole)
        for into, (_, found) in self._lists.items():
            made = with_field(made, into, found)
        return Item(made, None, tuple(self._sources))
