"""The model of a graph: durations, joins, canonical form, hash, inputs."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from pydantic import ValidationError

from pyagent.graph.duration import format_duration, parse_duration
from pyagent.graph.parts import Edge, Join, Use, parse_edge
from pyagent.graph.schema import graph_schema
from pyagent.graph.spec import Body, GraphSpec, NodeSpec
from pyagent.graph.yaml import load_text

TEXT = """\
pyagent: 1
id: demo
nodes:
  - {id: a, use: data.set@1, with: {v: 1}, timeout: 60s, join: 2  of 3}
  - id: m
    use: flow.map@1
    body:
      nodes: [{id: inner, use: flow.noop@1}]
edges: [a->m]
"""


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("500ms", 0.5, "500ms"),
        ("1.5s", 1.5, "1500ms"),
        ("90s", 90, "90s"),
        ("120s", 120, "2m"),
        ("1h30m", 5400, "90m"),
        ("1d", 86400, "1d"),
        ("0s", 0, "0s"),
    ],
)
def test_a_duration_has_one_canonical_spelling(text: str, seconds: float, canonical: str) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert format_duration(timedelta(seconds=seconds)) == canonical


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-1s", "1w", "1s2", "0.0001s", "99999999d", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


def test_an_edge_names_ports_or_leaves_them_to_the_node() -> None:
    assert parse_edge("a.urgent -> b.second") == Edge("a", "urgent", "b", "second")
    assert parse_edge("  a->b ") == Edge("a", None, "b", None)
    assert str(parse_edge("a.x->b")) == "a.x -> b"


def test_the_canonical_form_leaves_defaults_out_and_has_one_spelling() -> None:
    data = load_text(TEXT).spec.to_data()
    assert data["edges"] == ["a -> m"]
    assert data["nodes"][0] == {"id": "a", "use": "data.set@1", "with": {"v": 1}, "timeout": "1m", "join": "2 of 3"}


def test_a_graph_without_nodes_says_so_in_its_canonical_form() -> None:
    assert load_text("pyagent: 1\nid: new\n").spec.to_data() == {"pyagent": 1, "id": "new", "nodes": []}


def test_the_hash_ignores_comments_layout_pins_and_spelling_and_nothing_else() -> None:
    plain = load_text(TEXT).spec.hash()
    assert len(plain) == 64
    same = [
        TEXT + "layout: {a: [1, 2]}\npins: {a: [{x: 1}]}\n# the end\n",
        TEXT.replace("60s", "1m").replace("{v: 1}", "{ v: 1 }"),
        TEXT.replace("id: m\n", "id: m\n    on_error: stop\n"),
    ]
    assert {load_text(text).spec.hash() for text in same} == {plain}
    other = [
        TEXT.replace("v: 1", "v: 2"),
        TEXT.replace("v: 1", "v: '1'"),
        TEXT.replace("data.set@1", "data.set@2"),
        TEXT.replace("a->m", "a.x->m"),
        TEXT.replace("use: flow.map@1", "use: flow.map@1\n    name: Map"),
    ]
    assert plain not in {load_text(text).spec.hash() for text in other}
    assert len({load_text(text).spec.hash() for text in other}) == len(other)


def test_nodes_in_bodies_are_found_with_their_path_and_owner() -> None:
    spec = load_text(TEXT).spec
    assert [(place.path, place.node.id, place.owner) for place in spec.places()] == [
        (("nodes", 0), "a", None),
        (("nodes", 1), "m", None),
        (("nodes", 1, "body", "nodes", 0), "inner", "m"),
    ]
    assert spec.by_id["inner"].use == Use("flow.noop", 1)


def test_an_input_without_a_default_is_required() -> None:
    spec = GraphSpec(pyagent=1, id="a", inputs={"x": {"type": "string"}, "y": {"type": "number", "default": 1}})
    schema = spec.inputs_schema()
    assert schema["required"] == ["x"]
    assert schema["additionalProperties"] is False


def test_a_graph_is_frozen_and_built_by_names_in_python() -> None:
    node = NodeSpec(id="m", use=Use("flow.map", 1), params={"batch": 2}, body=Body(), join=Join("any"))
    with pytest.raises(ValidationError):
        node.id = "n"  # type: ignore[misc]


def test_the_schema_for_editors_accepts_templates_in_place_of_values() -> None:
    class Type:
        kind, title, icon, each_item, live, ports_in = "action", "Type", "box", False, False, ("in",)
        description, fixed_ports_out = "", ("out",)

        def ports_out(self, params: object) -> list[str]:
            return ["out"]

        def effects(self, params: object) -> str:
            return "none"

        def param_problems(self, params: object) -> list[object]:
            return []

        def schema(self) -> dict[str, object]:
            rule = {"type": "object", "properties": {"to": {"type": "integer"}}}
            rules = {"type": "array", "items": {"$ref": "#/$defs/Rule"}}
            return {"type": "object", "properties": {"rules": rules}, "$defs": {"Rule": rule}}

    class Types:
        def get(self, use: str) -> Type:
            return Type()

        def uses(self) -> list[str]:
            return ["a.b@1"]

    schema = graph_schema(Types())  # type: ignore[arg-type]
    described = schema["$defs"]["with a.b@1"]["properties"]["rules"]
    assert {"type": "string", "pattern": r"\{\{"} in described["anyOf"]
    assert described["anyOf"][0]["items"]["anyOf"][0]["$ref"] == "#/$defs/with%20a.b@1%20Rule"
    assert "with a.b@1 Rule" in schema["$defs"]
    assert graph_schema()["properties"]["nodes"]["items"] == {"$ref": "#/$defs/NodeSpec"}


def test_importing_the_model_brings_neither_networkx_nor_rich_nor_langgraph() -> None:
    code = (
        "import sys; import pyagent.graph.spec, pyagent.graph.yaml, pyagent.graph.check; "
        "print([name for name in ('networkx', 'rich', 'langgraph', 'pyagent_core', 'ruamel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
