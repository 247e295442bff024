"""`flow.merge`: branches become one; the input ports are named by the edges."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pyagent.sdk import BlobRef, Context, Item, Items, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field

Group: TypeAlias = dict[str, Item]
"""Items that become one, by the port they came by."""


class MergeParams(NodeParams):
    """Parameters of `flow.merge`."""

    mode: Literal["append", "position", "key", "choose"] = Field(
        "append",
        description="All items one port after the other; the first with the first; those with equal keys; one port's",
    )
    by: FieldPath | dict[str, FieldPath] | None = Field(
        None, description="For `key`: the field compared, or the field of each port", examples=["id", {"left": "user"}]
    )
    keep: Literal["matched", "first", "all", "unmatched"] = Field(
        "matched",
        description="For `position` and `key`: items with a partner on every port; every item of the first port; "
        "every item; items without any partner",
    )
    clash: Literal["last", "first", "nest"] = Field(
        "last", description="Fields that several have: the last port wins, the first wins, or each port gets a field"
    )
    port: str | None = Field(None, description="For `choose`: the port; left out: the first that has items")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.by is not None) != (self.mode == "key"):
            raise ValueError("`by` is needed for mode `key`, and for it alone")
        if self.port is not None and self.mode != "choose":
            raise ValueError("`port` belongs to mode `choose`")
        return self


# `*`: an edge may name any port, as in `a -> merge.left`; one that names none comes by `in`.
@node("flow.merge", title="Merge", icon="merge", ports_in=("in", "*"), effects="none")
async def merge(items: Items, params: MergeParams, ctx: Context) -> Sequence[Item]:
    """Join branches into one: append, pair by position, pair by key, or choose a port.

    Name the ports on the edges, `a -> merge.left`, `b -> merge.right`; their order is that of the edges in the file.
    A combined item comes from all the items it was made of.
    """
    ports = ctx.ports
    if params.mode == "append":
        return Items.concat(list(ports.values()))
    if params.mode == "choose":
        if params.port is not None:
            return ports.get(params.port, Items.of(()))
        return next((given for given in ports.values() if len(given)), Items.of(()))
    # A port that got nothing is still a port: nothing on it has a partner.
    if len(ports) < 2 and params.keep == "matched" and "in" in ports:
        raise NodeError(
            f"mode `{params.mode}` pairs the items of several ports, and all came by one",
            code="node.merge_ports",
            hint="Name the ports on the edges: `a -> merge.left`, `b -> merge.right`.",
        )
    groups = _by_position(ports) if params.mode == "position" else _by_key(ports, _reader(params.by))
    kept = _keep(groups, list(ports), params.keep)
    return [_combine(group, params.clash) for group in kept]


def _by_position(ports: dict[str, Items] | Any) -> Iterator[Group]:
    for row in zip_longest(*ports.values()):
        yield {port: item for port, item in zip(ports, row, strict=True) if item is not None}


def _by_key(ports: Any, key: Callable[[Item, str], str | None]) -> Iterator[Group]:
    """Every combination of items with equal keys, in the order of the first port, then of the others."""
    tables: dict[str, dict[str, list[Item]]] = {}
    order: dict[str, None] = {}
    lonely: list[Group] = []
    for port, given in ports.items():
        table = tables.setdefault(port, {})
        for item in given:
            found = key(item, port)
            if found is None:
                lonely.append({port: item})
            else:
                table.setdefault(found, []).append(item)
                order[found] = None
    for found in order:
        groups: list[Group] = [{}]
        for port, table in tables.items():
            if same := table.get(found):
                groups = [{**group, port: item} for group in groups for item in same]
        yield from groups
    yield from lonely


def _keep(groups: Iterable[Group], ports: list[str], keep: str) -> Iterator[Group]:
    for group in groups:
        if (
            keep == "all"
            or (keep == "matched" and len(group) == len(ports))
            or (keep == "first" and ports[0] in group)
            or (keep == "unmatched" and len(group) == 1)
        ):
            yield group


def _combine(group: Group, clash: str) -> Item:
    json: JsonObject = {}
    binary: dict[str, BlobRef] = {}
    for port, item in group.items():
        if clash == "nest":
            json[port] = item.json
        else:
            json = {**json, **item.json} if clash == "last" else {**item.json, **json}
        binary = {**binary, **(item.binary or {})} if clash != "first" else {**(item.binary or {}), **binary}
    return Item(json, binary or None, tuple(source for item in group.values() for source in item.sources))


def _reader(by: str | dict[str, str] | None) -> Callable[[Item, str], str | None]:
    def key(item: Item, port: str) -> str | None:
        path = by.get(port) if isinstance(by, dict) else by
        if path is None:
            raise NodeError(
                f"`by` names no field for the port {port!r}", code="node.merge_ports", hint="Add the port to `by`."
            )
        value = read_field(item.json, path)
        # As in SQL: what is missing or null equals nothing, not even another null.
        return None if value is MISSING or value is None else _canonical(value)

    return key


def _canonical(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 and 1 are the same JSON number
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
