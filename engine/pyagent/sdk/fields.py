"""Parameter types that many nodes share, and fields of JSON named by dotted paths (`customer.orders.0.id`)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, TypeAlias, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, JsonValue, WithJsonSchema

from pyagent.graph.duration import format_duration
from pyagent.graph.parts import DURATION_PATTERN, Duration
from pyagent.sdk.items import JsonObject

_WORDS = {"true": True, "false": False, "": False}
_SEPARATOR = re.compile(r"(?<!\\)\.")


def _truth(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, str):
        if "{{" in value:  # not evaluated yet: a graph that is being checked or drawn
            return value
        if (word := value.strip().lower()) in _WORDS:
            return _WORDS[word]
    raise ValueError(f"{_short(value)} is neither true nor false; write a comparison, e.g. {{{{ $json.count > 0 }}}}")


Condition: TypeAlias = Annotated[
    Any, AfterValidator(_truth), WithJsonSchema({"type": ["boolean", "string"], "format": "condition"})
]
"""True or false: a boolean, null (false), a number (0 is false), or the text `true`, `false` or nothing.

Other text, lists and objects are refused, because what they mean differs from language to language.
"""


def _from_seconds(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise ValueError(f"{value} seconds is no length of time") from None


DurationOrSeconds: TypeAlias = Annotated[
    Duration,
    BeforeValidator(_from_seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number"}]}),
    Field(examples=["15m"]),
]
"""A duration (`15m`), or a plain number of seconds, as programs hand them on."""


def _path(value: str) -> str:
    if not value or any(not part for part in _SEPARATOR.split(value)):
        raise ValueError(r"a path is names with dots between them, e.g. customer.name; write a dot in a name as \.")
    return value


FieldPath: TypeAlias = Annotated[str, AfterValidator(_path), Field(examples=["customer.name"])]
r"""Where a field is: names and list indexes with dots between them; `\.` is a dot in a name."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""What `read_field` gives for a field that is not there (null is there)."""


LITERAL: dict[str, JsonValue] = {"expressions": False}
"""`Field(json_schema_extra=LITERAL)`: the parameter is taken as written, `{{` in it is no expression (program code)."""


PATH: dict[str, JsonValue] = {"format": "path"}
"""`Field(json_schema_extra=PATH)`: a file or a folder of the machine that runs are executed on; forms let one look for
it. A parameter of type `pathlib.Path` is one by itself."""

FOLDER: dict[str, JsonValue] = {"format": "directory-path"}
"""The same for what can only be a folder."""


def literal_fields(model: type[BaseModel]) -> frozenset[str]:
    """The names (as a graph file writes them) of the parameters that are taken as written."""
    return frozenset(
        field.alias or name for name, field in model.model_fields.items() if field.json_schema_extra == LITERAL
    )


def split_path(path: str) -> tuple[str, ...]:
    """The names of a path."""
    return tuple(part.replace(r"\.", ".") for part in _SEPARATOR.split(path))


def read_field(value: Any, path: str, default: Any = MISSING) -> Any:
    """The value at `path`, or `default`."""
    for name in split_path(path):
        if isinstance(value, dict):
            value = cast("JsonObject", value).get(name, MISSING)
        elif isinstance(value, list) and (index := _index(name)) is not None and index < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[index]
        else:
            return default
        if value is MISSING:
            return default
    return value


def with_field(json: JsonObject, path: str, new: Any) -> JsonObject:
    """A copy of `json` with the field at `path` set; what does not change is shared, not copied.

    Objects on the way are made; an index may replace a list's element or follow the last one.
    Raises `ValueError` where the path leads through something else.
    """
    return cast("JsonObject", _with(json, split_path(path), new, path))


def without_field(json: JsonObject, path: str) -> JsonObject:
    """A copy of `json` without the field at `path`; `json` itself where there is no such field."""
    return json if read_field(json, path) is MISSING else cast("JsonObject", _without(json, split_path(path)))


def _with(value: Any, names: tuple[str, ...], new: Any, path: str) -> Any:
    if not names:
        return new
    name, *rest = names
    if value is MISSING or value is None:
        value = {}
    if isinstance(value, dict):
        fields = cast("JsonObject", value)
        return {**fields, name: _with(fields.get(name, MISSING), tuple(rest), new, path)}
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        index = _index(name)
        if index is not None and index <= len(elements):
            old = elements[index] if index < len(elements) else MISSING
            return [*elements[:index], _with(old, tuple(rest), new, path), *elements[index + 1 :]]
        raise ValueError(f"{path}: {name!r} is no index of a list of {len(elements)}")
    raise ValueError(f"{path}: {_short(value)} has no field {name!r}")


def _without(value: Any, names: tuple[str, ...]) -> Any:
    name, *rest = names
    if isinstance(value, dict):
        fields = dict(cast("JsonObject", value))
        if rest:
            fields[name] = _without(fields[name], tuple(rest))
        else:
            del fields[name]
        return fields
    elements = list(cast("list[Any]", value))
    if rest:
        elements[int(name)] = _without(elements[int(name)], tuple(rest))
    else:
        del elements[int(name)]
    return elements


def _index(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


__all__ = [
    "FOLDER",
    "LITERAL",
    "MISSING",
    "PATH",
    "Condition",
    "Duration",
    "DurationOrSeconds",
    "FieldPath",
    "format_duration",
    "literal_fields",
    "read_field",
    "split_path",
    "with_field",
    "without_field",
]
