"""What a person answers is checked against what the step asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pyagent.errors import InputError, Where
from pyagent.runtime.log import encode


def checked_answer(step: str, wait: Mapping[str, Any], value: Any) -> Any:
    """The answer to a wait, with the defaults of its schema filled in; an approval may be just true or false.

    Raises `InputError` (`run.answer`) that names the field and has every problem in `details["problems"]`, each
    `{field, message}`.
    """
    try:
        encode(value)
    except TypeError as error:
        raise InputError(
            f"the answer is not what JSON can hold: {error}",
            code="run.answer",
            hint="It holds text, numbers up to 64 bits, true, false, null, lists and objects.",
            where=Where(step=step),
        ) from None
    if wait.get("kind") == "approval" and isinstance(value, bool):
        value = {"approved": value}
    schema = cast("dict[str, Any] | None", wait.get("response_schema"))
    if not schema:
        return value
    if isinstance(value, Mapping):
        value = {**_defaults(schema), **cast("Mapping[str, Any]", value)}
    problems = schema_problems(schema, value)
    if problems:
        first = problems[0]
        raise InputError(
            f"the answer does not fit: {first['field'] + ': ' if first['field'] else ''}{first['message']}",
            code="run.answer",
            hint=_asked_for(wait, schema),
            where=Where(step=step, field=first["field"] or None),
            details={"problems": problems},
        )
    return value


def _asked_for(wait: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if wait.get("kind") == "approval":
        return "It waits for an approval: `pyagent approve RUN`, or with --reject."
    fields = ", ".join(f"`{name}`" for name in _mapping(schema.get("properties")))
    asks = f"It waits for a form with {fields}" if fields else "It waits for a form"
    return f"{asks}: `pyagent answer RUN --set NAME=VALUE`, or without --set field by field on a terminal."


def schema_problems(schema: Mapping[str, Any], value: Any) -> list[dict[str, str]]:
    """What a JSON Schema says against a value: `{field, message}` each, the first fields first."""
    from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # jsonschema's annotations leave the method's type partly unknown. The empty registry: it would fetch what `$ref`
    # names, from anywhere.
    validator: Any = Draft202012Validator(
        dict(schema), format_checker=FormatChecker(("date", "email")), registry=Registry[Any]()
    )
    try:
        Draft202012Validator.check_schema(schema)
        found: list[ValidationError] = list(validator.iter_errors(value))
    except (SchemaError, Unresolvable, re.error, RecursionError) as error:
        return [{"field": "", "message": f"the question itself is broken, its schema cannot be used: {error}"}]
    order = list(cast("Mapping[str, Any]", schema.get("properties") or {}))
    problems: list[dict[str, str]] = []
    for error in found:
        path = [str(part) for part in error.absolute_path]
        if error.validator == "required":
            missing = [
                name for name in cast("list[str]", error.validator_value) if name not in _mapping(error.instance)
            ]
            problems.extend({"field": ".".join([*path, name]), "message": "is needed"} for name in missing)
        else:
            problems.append({"field": ".".join(path), "message": _said(error)})
    unique = {(problem["field"], problem["message"]): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: _place(order, problem["field"]))


def _place(order: list[str], field: str) -> int:
    name = field.partition(".")[0]
    return order.index(name) if name in order else len(order)


def _said(error: Any) -> str:
    """The validator's message without the value, which may be long and is on the screen anyway."""
    limit = error.validator_value
    match error.validator:
        case "minLength":
            return "is needed" if limit == 1 else f"must have at least {limit} characters"
        case "maxLength":
            return f"must have at most {limit} characters"
        case "enum":
            return f"must be one of {', '.join(map(str, limit))}"
        case "minimum":
            return f"must be {limit} or more"
        case "maximum":
            return f"must be {limit} or less"
        case "exclusiveMinimum":
            return f"must be more than {limit}"
        case "exclusiveMaximum":
            return f"must be less than {limit}"
        case "type":
            return f"must be {'an' if str(limit)[:1] in 'aio' else 'a'} {limit}"
        case "format":
            return f"is no {limit}"
        case "additionalProperties" if limit is False:
            known = _mapping(error.schema.get("properties"))
            return f"there is no field {', '.join(f'`{name}`' for name in error.instance if name not in known)}"
        case "pattern":
            return f"must look like {limit}"
        case _:
            return str(error.message)


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = _mapping(schema.get("properties"))
    return {name: found["default"] for name, found in properties.items() if "default" in _mapping(found)}


__all__ = ["checked_answer", "schema_problems"]
