"""Typed parameters: a pydantic model is a node's whole interface."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

M = TypeVar("M", bound=BaseModel)


class NodeParams(BaseModel):
    """Base of every node's parameters. A field's description is its documentation and its form label.

    A string that holds `{{ … }}` is evaluated before the model validates it, once for each item where the node
    works item by item.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NoParams(NodeParams):
    """For nodes without parameters."""


def parameter_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema, with durations among its defaults as graph files write them."""
    from pyagent.graph.schema import model_schema

    return model_schema(model)


def has_template(value: Any) -> bool:
    """Whether an expression stands anywhere in the value."""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, Mapping):
        return any(has_template(part) for part in cast(Mapping[str, Any], value).values())
    if isinstance(value, list | tuple):
        return any(has_template(part) for part in cast(list[Any], value))
    return False


def lenient(model: type[M], values: Mapping[str, Any]) -> M:
    """The parameters with their expressions still in place, for what does not depend on them, as port names do.

    What validates is as the model has it; what does not is left as it was written.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        given = values.get(field.alias or name, values.get(name))
        if given is not None:
            found[name] = _lenient_value(_adapter(model, name), field.annotation, given)
        elif not field.is_required():
            found[name] = field.get_default(call_default_factory=True)
        else:
            found[name] = None
    return model.model_construct(**found)


@lru_cache(maxsize=1024)
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """What validates one field by itself; to build it takes longer than to use it a hundred times."""
    annotation: Any = model.model_fields[name].annotation
    return TypeAdapter(annotation)


def _lenient_value(adapter: TypeAdapter[Any], annotation: Any, given: Any) -> Any:
    try:
        return adapter.validate_python(given)
    except ValidationError:
        pass
    types = [part for part in (annotation, *typing.get_args(annotation)) if isinstance(part, type)]
    models = [part for part in types if issubclass(part, BaseModel)]
    if models and isinstance(given, Mapping):
        return lenient(models[0], cast(Mapping[str, Any], given))
    if models and isinstance(given, list):
        element = TypeAdapter(models[0])
        return [_lenient_value(element, models[0], part) for part in cast(list[Any], given)]
    return given
