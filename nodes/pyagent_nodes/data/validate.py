"""`data.validate`: items against a JSON Schema."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import LITERAL, MISSING, FieldPath, read_field, with_field

_BACKTRACKS = 100_000
"""Steps back that a pattern with look-around may take for one text; other patterns take linear time."""


def _refuse(address: str) -> Any:
    raise ValueError(f"schemas are not fetched: {address}")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """Raises `ValueError` for what is no schema."""
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            json.loads(schema),
            validate_formats=True,
            ignore_unknown_formats=True,
            retriever=_refuse,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        place = ".".join(map(str, getattr(error, "instance_path", ())))
        said = getattr(error, "message", str(error))
        raise ValueError(f"not a JSON Schema: {f'{place}: ' if place else ''}{said}") from None


def _schema(value: Any) -> Any:
    _validator(_text(value))
    return value


def _text(schema: Any) -> str:
    try:
        return json.dumps(schema, allow_nan=False)
    except ValueError:
        raise ValueError("not a JSON Schema: NaN and infinity are no JSON numbers") from None


class ValidateParams(NodeParams):
    """Parameters of `data.validate`."""

    schema_: Annotated[dict[str, Any] | bool, AfterValidator(_schema)] = Field(
        alias="schema",
        description="JSON Schema; draft 2020-12 if `$schema` does not say another. Taken as written: it holds no "
        "expressions. `$ref` may lead into the schema itself only",
        json_schema_extra=LITERAL,
        examples=[{"type": "object", "required": ["email"], "properties": {"email": {"format": "email"}}}],
    )
    field: FieldPath | None = Field(None, description="Check this field only; left out: the whole item")
    into: FieldPath = Field("errors", description="The field of an invalid item that gets the list of errors")
    max_errors: int = Field(100, ge=1, description="Errors listed at most")


@node(
    "data.validate", title="Validate", icon="shield-check", ports_out=("valid", "invalid"), effects="none",
    each_item=True,
)  # fmt: skip
async def validate(item: Item, params: ValidateParams, ctx: Context) -> dict[str, list[Item]]:
    """Check each item against a JSON Schema: what fits goes to `valid` unchanged, the rest to `invalid` with errors.

    Each error is `{path, message, rule}`: the path of the value (`address.zip`; empty for the whole), what is wrong,
    and the keyword of the schema. Formats (email, date-time, uri, uuid, ipv4, …) are checked. Patterns take linear
    time, or with look-around a bounded number of steps.
    """
    value: Any = item.json if params.field is None else read_field(item.json, params.field)
    if value is MISSING:
        errors: list[JsonObject] = [{"path": "", "message": f"{params.field!r} is missing", "rule": "required"}]
    else:
        errors = _errors(value, params)
    if not errors:
        return {"valid": [item]}
    return {"invalid": [Item(with_field(item.json, params.into, errors), item.binary, item.sources)]}


def _errors(value: Any, params: ValidateParams) -> list[JsonObject]:
    if (bad := _not_json(value)) is not None:
        return [{"path": ".".join(bad), "message": "NaN and infinity are no JSON numbers", "rule": "type"}]
    found: list[JsonObject] = []
    try:
        for error in _validator(_text(params.schema_)).iter_errors(value):
            path = ".".join(str(name).replace(".", r"\.") for name in error.instance_path)
            rule = next((str(part) for part in reversed(error.schema_path) if isinstance(part, str)), "")
            found.append({"path": path, "message": error.message, "rule": rule})
            if len(found) >= params.max_errors:
                break
    except ValueError as error:
        raise NodeError(
            f"the item cannot be checked: {error}", code="node.validate", hint="Make its values plain JSON."
        ) from None
    return found


def _not_json(value: Any) -> tuple[str, ...] | None:
    """The path of the first number that JSON does not have."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, float) and not math.isfinite(found):
            return path
        if isinstance(found, dict):
            waiting += [((*path, name), part) for name, part in cast("JsonObject", found).items()]
        elif isinstance(found, list):
            waiting += [((*path, str(index)), part) for index, part in enumerate(cast("list[Any]", found))]
    return None
