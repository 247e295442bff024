"""`data.set`: give items fields, take fields away."""

from __future__ import annotations

import json
import math
from typing import Any, Literal, TypeAlias

from pydantic import Field

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, with_field, without_field
from pyagent_nodes.data._values import kind, number_in

Type: TypeAlias = Literal["text", "number", "integer", "boolean", "list", "object"]

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


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
    convert: dict[FieldPath, Type] = Field(
        default_factory=dict,
        description="At last: fields that become another type, where they are there and not null",
        examples=[{"price": "number", "paid": "boolean"}],
    )


@node("data.set", title="Set fields", icon="pencil", effects="none", each_item=True)
async def set_(item: Item, params: SetParams, ctx: Context) -> Item:
    """Set, replace or remove fields of each item, or convert their type; binaries stay.

    Converted are: numbers and text into each other; true, yes, 1 and false, no, 0 into booleans; JSON text into lists
    and objects; anything into text, lists and objects as JSON. What does not fit is an error.
    """
    made: JsonObject = item.json
    if params.keep is not None:
        made = {}
        for path in params.keep:
            if (value := read_field(item.json, path)) is not MISSING:
                made = with_field(made, path, value)
    for path in params.remove:
        made = without_field(made, path)
    for path, value in params.fields.items():
        made = with_field(made, path, value)
    for path, wanted in params.convert.items():
        if (value := read_field(made, path, None)) is not None:
            made = with_field(made, path, _converted(value, wanted, path))
    return Item(made, item.binary, item.sources)


def _converted(value: Any, wanted: Type, path: str) -> Any:
    found: Any = MISSING
    match wanted:
        case "text":
            found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        case "number" | "integer":
            found = number_in(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value
            if not isinstance(found, int | float) or not math.isfinite(found):
                found = MISSING
            elif wanted == "integer":
                found = MISSING if found % 1 or not -(2**63) <= found < 2**64 else int(found)
        case "boolean":
            found = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower(), MISSING)
        case "list" | "object":
            found = _read_json(value) if isinstance(value, str) else value
            if not isinstance(found, list if wanted == "list" else dict):
                found = MISSING
    if found is MISSING:
        text = json.dumps(value, ensure_ascii=False, default=repr)
        raise NodeError(
            f"{path}: {text[:60]} ({kind(value)}) cannot become {wanted}",
            code="node.set_convert",
            hint="Correct the value before it, or take the field out of `convert`.",
        )
    return found


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return MISSING
