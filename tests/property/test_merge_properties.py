"""Merging graphs: what holds for all graphs and all edits."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pyagent.errors import GraphError
from pyagent.graph.diff3 import chunks
from pyagent.graph.identity import flatten, same
from pyagent.graph.merge import merge
from pyagent.graph.yaml import load_text
from pyagent.graph.yaml_format import canonical, render
from pyagent.graph.yaml_tree import parse

pytestmark = pytest.mark.timeout(600)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
Data = dict[str, Any]

IDS = [f"n{index}" for index in range(6)]
values = st.one_of(
    st.integers(0, 3),
    st.sampled_from(["a", "b", "{{ $json.a }}", "two\nlines\n", True, None, 1.0]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=2),
)
params = st.dictionaries(st.sampled_from(["p", "q", "r"]), values, max_size=3)


@st.composite
def graphs(draw: st.DrawFn) -> Data:
    """The data of a graph whose edges all have both ends."""
    names = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    inside = draw(st.lists(st.sampled_from([f"i{index}" for index in range(3)]), unique=True))
    nodes = [{"id": name, "use": "data.set@1", "with": draw(params)} for name in names]
    if inside:
        body: Data = {"nodes": [{"id": name, "use": "flow.noop@1"} for name in inside]}
        if len(inside) > 1:
            body["edges"] = [f"{inside[0]} -> {inside[1]}"]
        nodes.append({"id": "m", "use": "flow.map@1", "body": body})
    ends = [*names, *(["m"] if inside else [])]
    pairs = draw(st.lists(st.tuples(st.sampled_from(ends), st.sampled_from(ends)), max_size=6, unique=True))
    data: Data = {"pyagent": 1, "id": "g", "nodes": nodes, "edges": [f"{left} -> {right}" for left, right in pairs]}
    if draw(st.booleans()):
        data["outputs"] = draw(st.dictionaries(st.sampled_from("uvw"), st.sampled_from(["1", "2"]), min_size=1))
    data["layout"] = {name: [index * 200, 0] for index, name in enumerate(ends)}
    return data


def remarked(data: Data) -> str:
    """The graph's text with a comment at each node."""
    lines = render(data).split("\n")
    return "\n".join(line + "  # of " + line.split("id: ")[1] if "- id: " in line else line for line in lines)


def data_of(text: str) -> Data:
    return canonical(parse(text).value)


def unordered(data: Data) -> Any:
    """The graph as sets of nodes and edges; places are of no account."""
    flat = flatten(data)
    assert flat is not None
    nodes = json.dumps(flat.nodes, sort_keys=True)
    edges = {level: sorted(edges) for level, edges in flat.edges.items() if edges}
    return nodes, edges, json.dumps({k: v for k, v in flat.head.items() if k != "layout"}, sort_keys=True)


@SETTINGS
@given(graphs(), graphs())
def test_what_only_one_side_changed_is_that_sides(base: Data, changed: Data) -> None:
    one, other = remarked(base), remarked(changed)
    for ours, theirs in ((other, one), (one, other), (other, other)):
        result = merge(one, ours, theirs)
        assert (result.text, result.conflicts) == (other, [])
    # the same where the texts differ in a comment alone, so that nothing can be told from the bytes
    noted = "# note\n" + one
    for ours, theirs in ((other, noted), (noted, other)):
        result = merge(one, ours, theirs)
        assert not result.conflicts
        assert same(data_of(result.text), data_of(other))


@SETTINGS
@given(graphs(), graphs(), graphs())
def test_a_clean_merge_loads_and_another_names_its_conflicts(base: Data, ours: Data, theirs: Data) -> None:
    result = merge(*map(remarked, (base, ours, theirs)))
    if result.clean:
        load_text(result.text)
        return
    for text in (result.with_ours, result.with_theirs):
        load_text(text)
    with pytest.raises(GraphError) as caught:
        load_text(result.text)
    assert caught.value.code == "graph.conflict"
    lines = result.text.split("\n")
    assert caught.value.where.line == next(n for n, line in enumerate(lines, 1) if line.startswith("<<<<<<< "))
    for conflict in result.conflicts:
        assert conflict.line is not None
        assert lines[conflict.line - 1].startswith("<<<<<<< ours")
    assert taken(result.text, 0) == result.with_ours
    assert taken(result.text, 1) == result.with_theirs


def taken(text: str, side: int) -> str:
    """The text as a person resolves it who takes one side everywhere."""
    kept: list[str] = []
    inside: int | None = None
    for line in text.split("\n"):
        if line.startswith("<<<<<<< "):
            inside = 0
        elif line == "=======" and inside == 0:
            inside = 1
        elif line.startswith(">>>>>>> ") and inside == 1:
            inside = None
        elif inside in (None, side):
            kept.append(line)
    return "\n".join(kept)


@SETTINGS
@given(graphs(), graphs(), graphs())
def test_sides_may_be_exchanged(base: Data, ours: Data, theirs: Data) -> None:
    texts = [remarked(data) for data in (base, ours, theirs)]
    one, other = merge(*texts), merge(texts[0], texts[2], texts[1])
    assert {conflict.path for conflict in one.conflicts} == {conflict.path for conflict in other.conflicts}
    assert unordered(data_of(one.with_ours)) == unordered(data_of(other.with_theirs))
    assert unordered(data_of(one.with_theirs)) == unordered(data_of(other.with_ours))


@SETTINGS
@given(graphs(), graphs(), graphs())
def test_no_merge_leaves_an_edge_dangling(base: Data, ours: Data, theirs: Data) -> None:
    result = merge(*map(remarked, (base, ours, theirs)))
    for text in (result.with_ours, result.with_theirs):
        flat = flatten(data_of(text))
        assert flat is not None
        for level, edges in flat.edges.items():
            for edge, _ in edges:
                for end in edge.split(" -> "):
                    assert flat.nodes[end]["@level"] == level


@SETTINGS
@given(graphs(), st.data())
def test_edits_of_different_nodes_never_conflict(base: Data, data: st.DataObject) -> None:
    assume(len(base["nodes"]) > 1)
    ours, theirs = copy.deepcopy(base), copy.deepcopy(base)
    first, second = data.draw(
        st.lists(st.integers(0, len(base["nodes"]) - 1), min_size=2, max_size=2, unique=True), label="nodes"
    )
    edit_node(ours, first, data, "ours")
    edit_node(theirs, second, data, "theirs")
    result = merge(*map(remarked, (base, ours, theirs)))
    assert not result.conflicts
    merged = {node["id"]: node for node in data_of(result.text)["nodes"]}
    assert same(merged[base["nodes"][first]["id"]], ours["nodes"][first])
    assert same(merged[base["nodes"][second]["id"]], theirs["nodes"][second])


def edit_node(graph: Data, index: int, data: st.DataObject, side: str) -> None:
    """Change fields of a node, and add a node that it leads to."""
    node = graph["nodes"][index]
    node["name"] = f"renamed by {side}"
    if node["id"] != "m":
        node["with"] = data.draw(params, label=side)
    if data.draw(st.booleans(), label=f"{side} adds"):
        graph["nodes"].insert(index + 1, {"id": f"new_{side}", "use": "flow.noop@1"})
        graph["edges"].append(f"{node['id']} -> new_{side}")
        graph["layout"][f"new_{side}"] = [0, 500]


@SETTINGS
@given(graphs(), st.data())
def test_different_edits_of_one_field_always_conflict_and_are_named(base: Data, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(base["nodes"]) - 1), label="node")
    name = base["nodes"][index]["id"]
    field = data.draw(st.sampled_from(["name", "timeout", "with"]), label="field")
    ours, theirs = copy.deepcopy(base), copy.deepcopy(base)
    if field == "with" and name != "m":
        base["nodes"][index]["with"] = {"p": 0}
        ours["nodes"][index]["with"] = {"p": data.draw(st.sampled_from([1, "one", [1]]))}
        theirs["nodes"][index]["with"] = {"p": data.draw(st.sampled_from([2, "two", [2]]))}
        path = f"nodes.{name}.with.p"
    else:
        field = "name" if field == "with" else field
        ours["nodes"][index][field], theirs["nodes"][index][field] = "1m", "2m"
        path = f"nodes.{name}.{field}"
    result = merge(*map(remarked, (base, ours, theirs)))
    assert [conflict.path for conflict in result.conflicts] == [path]


@SETTINGS
@given(graphs(), st.sets(st.integers(0, 40)))
def test_comments_of_both_sides_survive(base: Data, rows: set[int]) -> None:
    text = render(base)
    # with a line between them that nobody touched
    mine, other = {row for row in rows if row % 4 == 0}, {row for row in rows if row % 4 == 2}
    first, second = with_remarks(text, mine, "mine"), with_remarks(text, other, "theirs")
    result = merge(text, first, second)
    assert not result.conflicts
    assert same(data_of(result.text), data_of(text))
    assert sorted(remarks_of(result.text)) == sorted([*remarks_of(first), *remarks_of(second)])


def with_remarks(text: str, rows: set[int], name: str) -> str:
    lines = text.rstrip("\n").split("\n")
    for row, line in enumerate(lines):
        # not in a text of several lines, nor behind a value that may be one
        if row in rows and re.match(r" *(- )?(id|use|layout|nodes|n\d): ?", line):
            lines[row] += f"  # {name} {row}"
    return "\n".join(lines) + "\n"


def remarks_of(text: str) -> list[str]:
    return [line.split("  # ")[1] for line in text.split("\n") if "  # " in line]


@SETTINGS
@given(*[st.lists(st.integers(0, 4), max_size=8)] * 3)
def test_the_parts_of_a_three_way_comparison_make_up_the_sequences(
    base: list[int], ours: list[int], theirs: list[int]
) -> None:
    found = list(chunks(base, ours, theirs))
    for name, whole in (("base", base), ("ours", ours), ("theirs", theirs)):
        assert [item for chunk in found for item in getattr(chunk, name)] == whole
    only_ours = [item for chunk in chunks(base, ours, base) for item in chunk.merged()]
    assert only_ours == ours
