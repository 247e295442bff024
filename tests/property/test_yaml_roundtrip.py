"""Graph files survive reading, writing, formatting and changing, whatever they hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyagent.errors import GraphError
from pyagent.graph.check import ParamProblem, check, check_text
from pyagent.graph.duration import format_duration, parse_duration
from pyagent.graph.parts import Edge, Join, Use
from pyagent.graph.show import mermaid, svg
from pyagent.graph.show import text as tree_text
from pyagent.graph.spec import Body, GraphSpec, LoopSpec, NodeSpec, RetrySpec, Settings, StateChannel
from pyagent.graph.yaml import dump, fmt, load_text
from pyagent.graph.yaml_format import render

pytestmark = pytest.mark.timeout(600)
SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
    st.text(st.sampled_from(" \n\t#:-'\"{}[],&*!|>%@`\\ab1.~?=<\r\x85\u2028é😀"), max_size=12),
    st.sampled_from(
        ["yes", "no", "null", "true", "~", "", "1", "1.5", "0o17", "0x1f", "1e3", ".inf", "2026-11-22", "12:30", "<<"]
    ),
    st.sampled_from(
        ["{{ $json.a }}", "{{ $('A b').first().json[\"x\"] }}", "a: b", "- a", "# c", "a # b", "line\nline\n"]
    ),
    st.sampled_from(["one\n\ntwo", "code:\n\tx = 1\n", " lead", "trail ", "\n", "a\n\n", "---", "...", "a -> b"]),
)
keys = st.one_of(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), texts)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), texts
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=4)
ids = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
ports = st.one_of(st.none(), st.sampled_from(["out", "done", "error", "Yes-1"]))
durations = st.integers(1, 10**9).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
edges = st.builds(Edge, ids, ports, ids, ports)


def nodes(depth: int = 1) -> st.SearchStrategy[NodeSpec]:
    optional: dict[str, st.SearchStrategy[Any]] = {
        "name": st.none() | texts,
        "params": objects,
        "retry": st.none() | st.builds(RetrySpec, attempts=st.integers(1, 9), initial=durations, on=st.just(("a.b",))),
        "timeout": st.none() | durations,
        "on_error": st.sampled_from(["stop", "continue", "route"]),
        "join": st.sampled_from([Join(), Join("any"), Join("count", 2, 3)]),
        "loop": st.none() | st.builds(LoopSpec, max=st.integers(1, 50)),
        "write": st.dictionaries(ids, texts, max_size=2),
        "notes": st.none() | texts,
        "disabled": st.booleans(),
    }
    if depth:
        inner = st.lists(nodes(depth - 1), max_size=2).map(tuple)
        optional["body"] = st.none() | st.builds(Body, nodes=inner, edges=st.lists(edges, max_size=2).map(tuple))
    return st.builds(NodeSpec, id=ids, use=st.just(Use("data.set", 1)), **optional)


graphs = st.builds(
    GraphSpec,
    pyagent=st.just(1),
    id=ids,
    name=st.none() | texts,
    inputs=st.dictionaries(ids, objects, max_size=2),
    outputs=st.dictionaries(ids, texts, max_size=2),
    state=st.dictionaries(ids, st.builds(StateChannel, type=st.just("array"), default=values), max_size=2),
    settings=st.builds(Settings, parallel=st.none() | st.integers(1, 9), timeout=st.none() | durations),
    nodes=st.lists(nodes(), max_size=5, unique_by=lambda node: node.id).map(tuple),
    edges=st.lists(edges, max_size=5).map(tuple),
    layout=st.dictionaries(ids, st.tuples(st.integers(-99, 99), st.floats(-1e3, 1e3)), max_size=3),
)


def commented(text: str, places: list[tuple[int, bool]]) -> tuple[str, list[str]]:
    """`text` with comments on lines of their own or beside entries, blank lines among them."""
    lines = text.split("\n")
    added: list[str] = []
    literal = None
    safe: list[int] = []
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip(" "))
        if literal is not None and (not line.strip() or indent > literal):
            continue
        literal = (
            len(re.match(r"[ -]*", line)[0]) - (2 if line.lstrip(" ").startswith("- ") else 0)
            if re.search(r"[:-]( &\w+)? \|-?$", line)
            else None
        )
        if line.strip():
            safe.append(number)
    for number, beside in sorted(places, reverse=True):
        if not safe:
            break
        at = safe[number % len(safe)]
        indent = len(lines[at]) - len(lines[at].lstrip(" "))
        comment = f"# remark {len(added)}"
        if beside and "#" not in lines[at] and not re.search(r" \|-?$", lines[at]):
            lines[at] += "   " + comment
        elif not beside:
            lines[at:at] = [" " * indent + comment, *([""] if number % 3 == 0 else [])]
        else:
            continue
        added.append(comment)
        safe = [line if line < at else line + 1 + (number % 3 == 0) if not beside else line for line in safe]
    return "\n".join(lines), added


places = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=8)


@SETTINGS
@given(graphs)
def test_what_is_written_is_read_back_and_a_second_writing_changes_nothing(graph: GraphSpec) -> None:
    text = dump(graph)
    document = load_text(text)
    assert document.spec == GraphSpec.model_validate(graph.to_data())
    assert document.spec.to_data() == graph.to_data()
    assert document.save_text() == text
    assert fmt(text) == text


@SETTINGS
@given(graphs, places)
def test_comments_change_neither_meaning_nor_hash_and_saving_keeps_every_byte(
    graph: GraphSpec, places: list[tuple[int, bool]]
) -> None:
    text, _ = commented(dump(graph), places)
    document = load_text(text)
    assert document.spec.to_data() == graph.to_data()
    assert document.spec.hash() == graph.hash()
    assert document.save_text() == text
    assert load_text(document.save_text()).save_text() == text


@SETTINGS
@given(graphs, places)
def test_formatting_is_a_fixed_point_that_keeps_meaning_and_every_comment(
    graph: GraphSpec, places: list[tuple[int, bool]]
) -> None:
    text, remarks = commented(dump(graph), places)
    once = fmt(text)
    assert load_text(once).spec.to_data() == graph.to_data()
    assert fmt(once) == once
    for remark in remarks:
        assert len(re.findall(rf"{remark}$", once, re.MULTILINE)) == 1


@SETTINGS
@given(graphs, graphs, places)
def test_a_changed_document_says_exactly_the_new_graph(
    old: GraphSpec, new: GraphSpec, places: list[tuple[int, bool]]
) -> None:
    text, _ = commented(dump(old), places)
    changed = load_text(text).update(new)
    assert changed.spec.to_data() == new.to_data()
    assert load_text(changed.save_text()).spec.to_data() == new.to_data()


@SETTINGS
@given(graphs, nodes(0), st.data())
def test_changing_one_node_leaves_the_lines_of_the_others_alone(
    graph: GraphSpec, other: NodeSpec, data: st.DataObject
) -> None:
    if not graph.nodes:
        return
    index = data.draw(st.integers(0, len(graph.nodes) - 1))
    kept = [f"# of {node.id}" for position, node in enumerate(graph.nodes) if position != index]
    text = dump(graph)
    for node in graph.nodes:
        text = re.sub(rf"^  - id: (['\"]?){node.id}\1$", rf"\g<0>  # of {node.id}", text, count=1, flags=re.MULTILINE)
    changed_node = other.model_copy(update={"id": graph.nodes[index].id})
    spec = graph.model_copy(update={"nodes": (*graph.nodes[:index], changed_node, *graph.nodes[index + 1 :])})
    changed = load_text(text).update(spec)
    assert changed.spec.to_data() == spec.to_data()
    before, after = text.split("\n"), changed.save_text().split("\n")
    for remark in kept:
        block = [line for line in before if line.endswith(remark)]
        assert [line for line in after if line.endswith(remark)] == block


@given(durations)
def test_a_duration_is_written_and_read_alike(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@SETTINGS
@given(st.text(max_size=80) | st.text(st.sampled_from("ab:-#{}[]'\"|> \n&*!,?%"), max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    refused: GraphError | None = None
    try:
        load_text(text)
    except GraphError as error:
        refused = error
    assert refused is None or (refused.where.line is not None and refused.code.startswith("graph."))


class _AnyType:
    """A type that is there for every `use`."""

    kind, title, icon, each_item, live, ports_in = "action", "Any", "box", False, False, ("in",)

    def ports_out(self, params: object) -> list[str]:
        return ["out", "done"]

    def effects(self, params: object) -> str:
        return "none"

    def param_problems(self, params: object) -> list[ParamProblem]:
        return []

    def schema(self) -> dict[str, Any]:
        return {}


class _AnyCatalogue:
    def get(self, use: str) -> _AnyType:
        return _AnyType()

    def uses(self) -> list[str]:
        return []


@SETTINGS
@given(graphs)
def test_any_graph_is_checked_at_its_places_and_drawn(graph: GraphSpec) -> None:
    document = load_text(dump(graph))
    lines = document.text.count("\n")
    for problem in check(document, _AnyCatalogue()):
        assert 1 <= (problem.where.line or 0) <= lines + 1
    assert ElementTree.fromstring(svg(graph)).tag.endswith("svg")
    assert tree_text(graph)
    assert mermaid(graph)


@SETTINGS
@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)))
def test_whatever_stands_in_a_file_is_checked_without_failing(value: Any) -> None:
    sections = ["id", "nodes", "edges", "state", "settings", "layout", "pins", "inputs", "outputs"]
    for section in sections:
        text = render({"pyagent": 1, "id": "a", **{section: value}})
        assert all(problem.where.line for problem in check_text(text, _AnyCatalogue()))
    node = {"id": "x", "use": "a.b@1"}
    for key in ("id", "use", "with", "retry", "join", "body", "write", "loop"):
        text = render({"pyagent": 1, "id": "a", "nodes": [{**node, key: value}], "edges": ["x -> x"]})
        assert all(problem.where.line for problem in check_text(text, _AnyCatalogue()))
