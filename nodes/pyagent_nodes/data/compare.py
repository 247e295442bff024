"""`data.compare`: what two lists of items have in common and where they differ."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, split_path, without_field
from pyagent_nodes.data._values import NotJson, equal, fingerprint, fold, paced

PORTS = ("only_first", "only_second", "same", "different")


class CompareParams(NodeParams):
    """Parameters of `data.compare`."""

    by: list[FieldPath] | dict[FieldPath, FieldPath] = Field(
        min_length=1,
        description="Fields that say which items belong together; where their names differ, `{first's: second's}`",
        examples=[["id"], {"email": "contact.mail"}],
    )
    fields: list[FieldPath] | None = Field(None, description="Compare only these fields; left out: all")
    ignore: list[FieldPath] = Field(default_factory=list, description="Fields that do not count")
    ignore_case: bool = Field(False, description="Upper and lower case are the same, in keys and in fields")
    tolerance: float = Field(0, ge=0, allow_inf_nan=False, description="Numbers that differ by no more are the same")
    null_is_missing: bool = Field(False, description="A field that is null is the same as one that is missing")
    different: Literal["both", "first", "second"] = Field(
        "both", description="What goes to `different`: both items with their changes, or one of them as it is"
    )
    duplicates: Literal["pair", "fail"] = Field(
        "pair", description="Several items with the same key: the first with the first and so on, or an error"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.fields is not None and not self.fields:
            raise ValueError("`fields` names no field")
        return self

    @property
    def keys(self) -> dict[str, str]:
        """The key's field in the second list, by that in the first."""
        return self.by if isinstance(self.by, dict) else {path: path for path in self.by}


@node("data.compare", title="Compare", icon="diff", ports_in=("first", "second"), ports_out=PORTS, effects="none")
async def compare(items: Items, params: CompareParams, ctx: Context) -> AsyncIterator[dict[str, list[Item]]]:
    """Compare two lists of items by a key: what only one has, what is the same in both, and what differs.

    Name the ports on the edges: `old -> compare.first`, `new -> compare.second`. An item of `different` is `{key,
    first, second, changes: [{field, first, second}]}`, with a missing side left out; fields of objects are compared
    one by one, lists as a whole. `same` gives the first list's item. An item whose key is missing or null has no
    partner. 1 and 1.0 are the same; 1 and "1" are not. The second list's items are read again when their partner
    comes; what is held of it is its keys.
    """
    first, second = (ctx.ports.get(port, Items.of(())) for port in ("first", "second"))
    waiting: dict[bytes, deque[int]] = {}
    partnered = bytearray(len(second))
    async for index, item in paced(second, ctx):
        if (mark := _mark(item, list(params.keys.values()), params)) is not None:
            found = waiting.setdefault(mark, deque())
            found.append(index)
            if len(found) > 1 and params.duplicates == "fail":
                raise _twice(item, list(params.keys.values()), "second")
    seen: set[bytes] = set()
    async for _, item in paced(first, ctx):
        mark = _mark(item, list(params.keys), params)
        if mark is not None and params.duplicates == "fail":
            if mark in seen:
                raise _twice(item, list(params.keys), "first")
            seen.add(mark)
        partners = waiting.get(mark) if mark is not None else None
        if not partners:
            yield {"only_first": [item]}
            continue
        index = partners.popleft()
        partnered[index] = 1
        other = second[index]
        if changes := _changes(item.json, other.json, params):
            yield {"different": [_different(item, other, changes, params)]}
        else:
            yield {"same": [Item(item.json, item.binary, item.sources + other.sources)]}
    async for index, item in paced(second, ctx):
        if not partnered[index]:
            yield {"only_second": [item]}


def _mark(item: Item, paths: list[str], params: CompareParams) -> bytes | None:
    values = [read_field(item.json, path, None) for path in paths]
    return None if any(value is None for value in values) else fingerprint(values, ignore_case=params.ignore_case)


def _twice(item: Item, paths: list[str], port: str) -> NodeError:
    key = {path: read_field(item.json, path) for path in paths}
    return NodeError(
        f"several items of {port} have the key {key}",
        code="node.compare_duplicates",
        hint="Put data.unique before it, add fields to `by`, or set `duplicates: pair`.",
    )


def _different(first: Item, second: Item, changes: list[JsonObject], params: CompareParams) -> Item:
    sources = first.sources + second.sources
    if params.different == "both":
        key = {path: read_field(first.json, path) for path in params.keys}
        made: JsonObject = {"key": key, "first": first.json, "second": second.json, "changes": changes}
        return Item(made, {**(first.binary or {}), **(second.binary or {})} or None, sources)
    shown = first if params.different == "first" else second
    return Item(shown.json, shown.binary, sources)


def _changes(first: JsonObject, second: JsonObject, params: CompareParams) -> list[JsonObject]:
    found: list[JsonObject] = []
    if params.fields is not None:
        for path in params.fields:
            left, right = _trimmed(path, first, params), _trimmed(path, second, params)
            _walk(left, right, split_path(path), params, found)
        return found
    # Keys with other names are equal by how the items were found.
    renamed = {path: other for path, other in params.keys.items() if path != other}
    for path in [*params.ignore, *renamed]:
        first = without_field(first, path)
    for path in [*params.ignore, *renamed.values()]:
        second = without_field(second, path)
    _walk(first, second, (), params, found)
    return found


def _trimmed(path: str, json: JsonObject, params: CompareParams) -> Any:
    """The field, without what is to be ignored inside it."""
    for ignored in params.ignore:
        json = without_field(json, ignored)
    return read_field(json, path)


def _walk(first: Any, second: Any, path: tuple[str, ...], params: CompareParams, found: list[JsonObject]) -> None:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in {**first, **second}:
            _walk(first.get(name, MISSING), second.get(name, MISSING), (*path, name), params, found)
        return
    if _same(first, second, params):
        return
    change: JsonObject = {"field": ".".join(name.replace(".", r"\.") for name in path)}
    if first is not MISSING:
        change["first"] = first
    if second is not MISSING:
        change["second"] = second
    found.append(change)


def _same(first: Any, second: Any, params: CompareParams) -> bool:
    if params.null_is_missing:
        first, second = (None if value is MISSING else value for value in (first, second))
    if first is MISSING or second is MISSING:
        return first is second
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    for value in (first, second):
        if isinstance(value, float) and not math.isfinite(value):
            raise NotJson(f"{value} is no JSON number")
    if isinstance(first, int | float) and isinstance(second, int | float):
        return first == second or _near(first, second, params.tolerance)
    if isinstance(first, str) and isinstance(second, str):
        return first == second or (params.ignore_case and fold(first) == fold(second))
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return False
        return all(_same_part(one, other, params) for one, other in zip(first, second, strict=True))
    return equal(first, second)


def _near(first: float, second: float, tolerance: float) -> bool:
    """Whether the numbers differ by at most `tolerance` as written: 0.3 and 0.1 differ by 0.2."""
    if not tolerance:
        return False
    from fractions import Fraction

    return abs(Fraction(repr(first)) - Fraction(repr(second))) <= Fraction(repr(tolerance))


def _same_part(first: Any, second: Any, params: CompareParams) -> bool:
    found: list[JsonObject] = []
    _walk(first, second, (), params, found)
    return not found
