"""A run's inputs, checked against what the graph declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pyagent.errors import InputError, Where
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.log import encode


def given_json(value: Any, what: str, *, field: str) -> bytes:
    """The JSON of something that somebody gave. Raises `InputError` (`input.invalid`) that names it."""
    try:
        return encode(value)
    except TypeError as error:
        raise InputError(
            f"{what} is not what JSON can hold: {error}",
            hint="JSON holds text in Unicode, numbers up to 64 bits, true, false, null, lists and objects.",
            where=Where(field=field),
        ) from None


def text_value(schema: Mapping[str, Any], text: str) -> Any:
    """An input's value from text: as it is for inputs that take text; JSON for the others, else the text as it is."""
    types = schema.get("type", [])
    if "string" in (types if isinstance(types, list) else [types]):
        return text
    try:
        return strict_json(text)
    except ValueError:
        return text


def strict_json(text: str) -> Any:
    """The JSON value of a text. Raises `ValueError`, also for NaN and for what is nested too deep."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def checked_inputs(graph: GraphSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with defaults filled in. A graph that declares none takes any.

    Raises `InputError` (`input.invalid`) that names the input and what is wrong with it.
    """
    for name, value in given.items():
        given_json(value, f"input {name}", field=f"inputs.{name}")
    if not graph.inputs:
        return dict(given)
    from jsonschema import Draft202012Validator, ValidationError

    for name in given:
        if name not in graph.inputs:
            near = get_close_matches(name, graph.inputs, n=1)
            raise InputError(
                f"there is no input `{name}`",
                hint=(f"Did you mean `{near[0]}`? " if near else "")
                + f"The graph {graph.id} takes: {', '.join(graph.inputs)}.",
                where=Where(field=f"inputs.{name}"),
            )
    defaults = {name: schema["default"] for name, schema in graph.inputs.items() if "default" in schema}
    values = {**defaults, **given}
    # jsonschema's annotations leave the method's type partly unknown.
    validator: Any = Draft202012Validator(graph.inputs_schema())
    errors: list[ValidationError] = sorted(validator.iter_errors(values), key=lambda error: str(error.path))
    if errors:
        first = errors[0]
        place = ".".join(str(part) for part in first.absolute_path)
        known = f"The graph {graph.id} takes: {', '.join(graph.inputs)}."
        if first.validator == "required" and not place:
            missing = next(name for name in graph.inputs if name not in values)
            raise InputError(
                f"the input `{missing}` is missing",
                hint=f"Give it: `--input {missing}=…`, or in the `inputs` of a request. {known}",
                where=Where(field=f"inputs.{missing}"),
                details={"problems": [error.message for error in errors]},
            )
        raise InputError(
            f"input {place}: {first.message}" if place else first.message,
            hint=known,
            where=Where(field=f"inputs.{place}" if place else "inputs"),
            details={"problems": [error.message for error in errors]},
        )
    return values


def needed_consents(graph: GraphSpec, values: Mapping[str, Any]) -> dict[str, str]:
    """What somebody must agree to before a run with these inputs starts, by input.

    An input's schema may say `consent: what its value makes this machine do`. The graph's author vouches for the
    input's `default`; any other value is asked about.
    """
    return {
        name: str(schema["consent"])
        for name, schema in graph.inputs.items()
        if schema.get("consent") and name in values and values[name] != schema.get("default")
    }
