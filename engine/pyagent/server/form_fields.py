"""A form's fields: from a JSON Schema to HTML, and from what a browser sends back to the value that fits it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, cast

Kind = Literal["text", "long", "number", "integer", "yes", "choice", "choices", "date", "time", "email", "json"]
_LONG = 200
"""Characters that may be typed from which a field has several lines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field."""

    name: str
    label: str
    kind: Kind
    help: str
    required: bool
    default: Any
    choices: tuple[Any, ...]
    schema: Mapping[str, Any]


def fields_of(schema: Mapping[str, Any] | None) -> list[Field]:
    """The fields of an answer that this schema describes; one field `value` where it is no object."""
    schema = schema or {}
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return [_field("value", {"title": "Answer", **schema}, required=True)]
    required = cast("Sequence[str]", schema.get("required") or ())
    named = cast("Mapping[str, Any]", properties)
    return [_field(name, found, required=name in required) for name, found in named.items()]


def is_object(schema: Mapping[str, Any] | None) -> bool:
    """Whether the answer is an object with the fields as its properties."""
    return bool(schema and isinstance(schema.get("properties"), Mapping) and schema.get("properties"))


def _field(name: str, schema: Any, *, required: bool) -> Field:
    found = cast("dict[str, Any]", schema if isinstance(schema, dict) else {})
    named = [
        cast("dict[str, Any]", one) for one in cast("list[Any]", found.get("oneOf") or []) if isinstance(one, dict)
    ]
    choices = cast("list[Any]", found.get("enum") or [one["const"] for one in named if "const" in one])
    return Field(
        name=name,
        label=str(found.get("title") or name.replace("_", " ").capitalize()),
        kind=_kind(found, bool(choices)),
        help=str(found.get("description") or ""),
        required=required,
        default=found.get("default"),
        choices=tuple(choices),
        schema=found,
    )


def _kind(schema: Mapping[str, Any], choices: bool) -> Kind:
    type_ = schema.get("type")
    if isinstance(type_, list):
        type_ = next((one for one in cast("list[Any]", type_) if one != "null"), None)
    if choices:
        return "choice"
    if type_ == "array" and cast("dict[str, Any]", schema.get("items") or {}).get("enum"):
        return "choices"
    if type_ == "boolean":
        return "yes"
    if type_ in ("number", "integer"):
        return cast("Kind", type_)
    if type_ == "string":
        match schema.get("format"):
            case "date":
                return "date"
            case "time":
                return "time"
            case "email":
                return "email"
            case "textarea" | "multi-line" | "markdown":
                return "long"
            case _:
                return "long" if int(schema.get("maxLength") or 0) > _LONG else "text"
    return "text" if type_ is None and not schema.get("properties") else "json"


def read(fields: Sequence[Field], sent: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that a browser sent, and what is wrong with those that cannot be read, both by field.

    An empty field that is not required is left out. What the schema says of a value is checked elsewhere.
    """
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in fields:
        given = list(sent.get(field.name, ()))
        text = given[0].replace("\r\n", "\n") if given else ""
        if field.kind == "yes":
            values[field.name] = text == "true"
        elif field.kind == "choices":
            known = {str(one): one for one in cast("list[Any]", field.schema["items"]["enum"])}
            values[field.name] = [known[one] for one in given if one in known]
        elif not text.strip():
            if field.required:
                wrong[field.name] = "is needed"
        else:
            try:
                values[field.name] = _value(field, text)
            except ValueError as error:
                wrong[field.name] = str(error)
    return values, wrong


def _value(field: Field, text: str) -> Any:
    match field.kind:
        case "integer" | "number":
            return _number(field, text.strip())
        case "choice":
            known = {choice_key(one): one for one in field.choices}
            if text not in known:
                raise ValueError("is none of the choices")
            return known[text]
        case "json":
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                raise ValueError("is no JSON") from None
        case "email" | "date" | "time":
            return text.strip()
        case _:
            return text


def _number(field: Field, text: str) -> int | float:
    # People write decimals with a comma, too; digits of other scripts are not what the schema's numbers are.
    plain = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    try:
        if len(plain) > 40 or not plain.isascii():
            raise ValueError
        number = float(plain)
        whole = int(plain) if plain.lstrip("+-").isdigit() else None
    except ValueError:
        raise ValueError("is no number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("is no number")
    if field.kind == "integer":
        if whole is None and not number.is_integer():
            raise ValueError("must be a whole number")
        found = int(number) if whole is None else whole
        if abs(found) >= 2**63:
            raise ValueError("is too large")
        return found
    return number if whole is None or abs(whole) >= 2**63 else whole


def choice_key(value: Any) -> str:
    """How a choice is sent by the browser."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def render(fields: Sequence[Field], sent: Mapping[str, Sequence[str]], wrong: Mapping[str, str]) -> str:
    """The fields as HTML, with what was typed before and what is wrong beside each."""
    return "\n".join(_html(field, list(sent.get(field.name, ())) if sent else None, wrong) for field in fields)


def _html(field: Field, typed: list[str] | None, wrong: Mapping[str, str]) -> str:
    name = escape(field.name)
    ident = f"field-{name}"
    said = wrong.get(field.name, "")
    notes = [f"{ident}-help"] if field.help else []
    notes += [f"{ident}-error"] if said else []
    marks = f' aria-describedby="{" ".join(notes)}"' if notes else ""
    marks += ' aria-invalid="true"' if said else ""
    # `required` of the browser is for what nobody can mean to leave empty.
    marks += " required" if field.required and field.kind not in ("yes", "choices") else ""
    need = "" if field.required or field.kind == "yes" else ' <span class="soft">(may be left out)</span>'
    help_ = f'<p class="help" id="{ident}-help">{escape(field.help)}</p>' if field.help else ""
    error = f'<p class="error" id="{ident}-error">{escape(field.label)} {escape(said)}</p>' if said else ""
    if field.kind == "yes":
        chosen = "true" in typed if typed is not None else field.default is True
        box = f'<input type="checkbox" id="{ident}" name="{name}" value="true"{_checked(chosen)}{marks}>'
        return f'<div class="field yes">{box} <label for="{ident}">{escape(field.label)}</label>{help_}{error}</div>'
    if field.kind == "choices":
        return _several(field, typed, ident, help_, error)
    label = f'<label for="{ident}">{escape(field.label)}{need}</label>'
    return f'<div class="field">{label}{help_}{_control(field, typed, ident, name, marks)}{error}</div>'


def _several(field: Field, typed: list[str] | None, ident: str, help_: str, error: str) -> str:
    chosen = typed if typed is not None else [str(one) for one in cast("list[Any]", field.default or [])]
    boxes = "".join(
        f'<div class="yes"><input type="checkbox" id="{ident}-{number}" name="{escape(field.name)}"'
        f' value="{escape(str(one))}"{_checked(str(one) in chosen)}> <label for="{ident}-{number}">{escape(str(one))}'
        "</label></div>"
        for number, one in enumerate(cast("list[Any]", field.schema["items"]["enum"]))
    )
    return f'<fieldset class="field"><legend>{escape(field.label)}</legend>{help_}{boxes}{error}</fieldset>'


def _control(field: Field, typed: list[str] | None, ident: str, name: str, marks: str) -> str:
    default = "" if field.default is None else field.default
    as_text = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    value = (typed[0] if typed else "") if typed is not None else (choice_key(default) if default != "" else "")
    if field.kind == "choice":
        options = [] if field.required and value else ['<option value=""></option>']
        for one in field.choices:
            key = choice_key(one)
            chosen = " selected" if key == value else ""
            options.append(f'<option value="{escape(key)}"{chosen}>{escape(_title(field, one))}</option>')
        return f'<select id="{ident}" name="{name}"{marks}>{"".join(options)}</select>'
    if typed is None:
        value = as_text
    if field.kind in ("long", "json"):
        # A line break right after the tag belongs to the tag.
        return f'<textarea id="{ident}" name="{name}" rows="5"{marks}>\n{escape(value)}</textarea>'
    types = {"number": "text", "integer": "text", "date": "date", "time": "time", "email": "email"}
    mode = {"number": ' inputmode="decimal"', "integer": ' inputmode="numeric"'}.get(field.kind, "")
    type_ = types.get(field.kind, "text")
    return f'<input type="{type_}" id="{ident}" name="{name}" value="{escape(value)}"{mode}{marks}>'


def _title(field: Field, choice: Any) -> str:
    for one in cast("list[Any]", field.schema.get("oneOf") or []):
        if isinstance(one, dict) and cast("dict[str, Any]", one).get("const") == choice:
            return str(cast("dict[str, Any]", one).get("title") or choice)
    return choice_key(choice)


def _checked(yes: bool) -> str:
    return " checked" if yes else ""


__all__ = ["Field", "fields_of", "is_object", "read", "render"]
