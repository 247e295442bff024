"""A node's parameters in words: what the command line and the generated reference say of a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterText:
    """One parameter, or a field of one."""

    name: str
    """`rules`, or `rules[].when` for a field of what `rules` lists."""
    type: str
    required: bool
    default: Any
    """None where it is required, too."""
    description: str


def parameter_texts(schema: Schema) -> Iterator[ParameterText]:
    """Every parameter of a node's schema, each followed by the fields of the objects that it holds."""
    yield from _texts(_resolved(schema, schema), schema, "", ())


def _texts(part: Schema, schema: Schema, before: str, within: tuple[str, ...]) -> Iterator[ParameterText]:
    required = cast("list[str]", part.get("required", ()))
    for name, field in cast("Mapping[str, Schema]", part.get("properties", {})).items():
        yield ParameterText(
            name=before + name,
            type=type_text(field, schema),
            required=name in required,
            default=field.get("default"),
            description=" ".join(str(field.get("description", "")).split()),
        )
        for model, suffix in _models(field, schema, ""):
            title = str(model.get("title", ""))
            # a model may hold itself
            if title not in within:
                yield from _texts(model, schema, f"{before}{name}{suffix}.", (*within, title))


def _models(field: Schema, schema: Schema, suffix: str) -> Iterator[tuple[Schema, str]]:
    """The objects with fields of their own that a field may hold, and what leads to them: `[]` to a list's elements."""
    field = _resolved(field, schema)
    for choice in cast("list[Schema]", field.get("anyOf") or field.get("oneOf") or ()):
        yield from _models(choice, schema, suffix)
    if field.get("type") == "array":
        yield from _models(cast("Schema", field.get("items") or {}), schema, f"{suffix}[]")
    elif field.get("properties"):
        yield field, suffix
    elif isinstance(field.get("additionalProperties"), Mapping):
        yield from _models(cast("Schema", field["additionalProperties"]), schema, f"{suffix}.<name>")


def _resolved(field: Schema, schema: Schema) -> Schema:
    while "$ref" in field:
        field = cast("Schema", schema["$defs"][str(field["$ref"]).rpartition("/")[2]])
    return field


def type_text(field: Schema, schema: Schema) -> str:
    """A field's type in a few words: `text`, `list of {when, to}`, `all | each`, `duration`, …"""
    field = _resolved(field, schema)
    if choices := cast("list[Schema]", field.get("anyOf") or field.get("oneOf")):
        told = dict.fromkeys(type_text(choice, schema) for choice in choices)
        told.pop("nothing", None)
        return " | ".join(told) or "nothing"
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "const" in field:
        return str(field["const"])
    if field.get("format") == "condition":
        return "condition"
    if "(ms|s|m|h|d)" in str(field.get("pattern", "")):
        return "duration"
    kinds: Any = field.get("type", "anything")
    if isinstance(kinds, list):
        return " | ".join(_KINDS.get(str(kind), str(kind)) for kind in cast("list[Any]", kinds) if kind != "null")
    if kinds == "array":
        inner = cast("Schema", field.get("items") or {})
        return f"list of {type_text(inner, schema)}" if inner else "list"
    if kinds == "object":
        if names := cast("Mapping[str, Any]", field.get("properties") or {}):
            return "{" + ", ".join(names) + "}"
        values = field.get("additionalProperties")
        return f"names to {type_text(cast('Schema', values), schema)}" if isinstance(values, Mapping) else "object"
    return _KINDS.get(str(kinds), str(kinds))


_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "nothing"}
