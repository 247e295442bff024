"""The JSON Schema of graph files, for editors: `pyagent graph schema`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from pyagent.graph.check.catalogue import Catalogue, NodeTypeInfo
from pyagent.graph.duration import format_duration
from pyagent.graph.spec import GraphSpec

SCHEMA_ID = "urn:pyagent:graph:1"
_TEMPLATE = {"type": "string", "pattern": r"\{\{"}


def graph_schema(catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The schema (draft 2020-12); with a catalogue, `with` is described for each installed node type."""
    found = model_schema(GraphSpec)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **found}
    found["title"] = "PyAgent graph"
    if catalogue is not None:
        _add_types(found, catalogue)
    return found


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema, with durations among its defaults as graph files write them."""
    return model.model_json_schema(by_alias=True, schema_generator=_Schema)


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def _add_types(schema: dict[str, Any], catalogue: Catalogue) -> None:
    definitions = schema["$defs"]
    node = definitions["NodeSpec"]
    uses: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    for use in sorted(catalogue.uses()):
        found = catalogue.get(use)
        if found is None:
            continue
        params = found.schema()
        name = f"with {use}"
        definitions.update({f"{name} {key}": _lenient(value, name) for key, value in params.pop("$defs", {}).items()})
        definitions[name] = _lenient(params, name, top=True)
        uses.append({"const": use, "title": found.title, "description": _about(found)})
        rules.append(
            {
                "if": {"properties": {"use": {"const": use}}, "required": ["use"]},
                "then": {"properties": {"with": {"$ref": f"#/$defs/{_pointer(name)}"}}},
            }
        )
    # other types may be installed elsewhere: the known ones are offered, not demanded
    node["properties"]["use"] = {"anyOf": [{"oneOf": uses}, node["properties"]["use"]]}
    node["allOf"] = rules


def _about(found: NodeTypeInfo) -> str:
    """What an editor shows of a node type: what it does, and its ports where they do not depend on parameters."""
    text = found.description.partition("\n\n")[0].replace("\n", " ").strip() or found.title
    fixed = found.fixed_ports_out
    outputs = "by the parameters" if fixed is None else ", ".join(fixed) or "none"
    return f"{text}\n\nInputs: {', '.join(found.ports_in) or 'none'}. Outputs: {outputs}."


def _lenient(value: Any, name: str, *, top: bool = False) -> Any:
    """The schema of a value that may also be given by a template, its references led to our definitions."""
    if not isinstance(value, dict):
        return value
    schema: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(reference := schema.get("$ref"), str):
        schema["$ref"] = f"#/$defs/{_pointer(f'{name} ' + reference.removeprefix('#/$defs/'))}"
    for key in ("properties", "patternProperties"):
        if isinstance(parts := schema.get(key), dict):
            schema[key] = {part: _lenient(inner, name) for part, inner in parts.items()}  # pyright: ignore
    for key in ("items", "additionalProperties"):
        if key in schema:
            schema[key] = _lenient(schema[key], name)
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if isinstance(parts := schema.get(key), list):
            schema[key] = [_lenient(inner, name, top=True) for inner in parts]  # pyright: ignore
    if top:
        return schema
    described = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
    return {**described, "anyOf": [schema, _TEMPLATE]} if schema else described


def _pointer(name: str) -> str:
    """A definition's name as part of a JSON pointer in a URI fragment."""
    return name.replace("~", "~0").replace("/", "~1").replace(" ", "%20")
