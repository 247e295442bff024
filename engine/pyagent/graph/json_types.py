"""The JSON types that state channels are declared with, and which values are of them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

JsonType: TypeAlias = Literal["string", "number", "integer", "boolean", "array", "object", "null", "any"]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (),
}


def fits(json_type: JsonType, value: Any) -> bool:
    """Whether a value is of a channel's declared type; null, a channel's value before any write, always is.

    As in JSON Schema, a number without a fraction is an integer, and true is no number.
    """
    if value is None or json_type == "any":
        return True
    if isinstance(value, bool):
        return json_type == "boolean"
    if json_type == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[json_type])


def type_of(value: Any) -> JsonType:
    """The narrowest type that a JSON value is of, as it is declared: 1.0 is a number."""
    if value is None:
        return "null"
    names: tuple[JsonType, ...] = ("string", "boolean", "integer", "number", "array", "object")
    for name in names:
        if type(value) in _TYPES[name]:
            return name
    return "any"
