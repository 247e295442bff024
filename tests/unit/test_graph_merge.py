"""Merging graph files: what is the same part, what is a conflict, and what a person finds in the text."""

from __future__ import annotations

import pytest

from counting import calls
from pyagent.errors import GraphError
from pyagent.graph.merge import Merge, merge
from pyagent.graph.yaml import load_text

BASE = """\
# of the file
pyagent: 1
id: demo
nodes:
  # reads
  - id: read
    use: data.set@1
    with: {fields: {a: 1, b: 2}, labels: [x, y, z]}
  - id: decide
    use: flow.switch@1
    with:
      rules:
        - {when: "{{ $json.a }}", to: one}
        - {when: "{{ $json.b }}", to: two}
  - id: each
    use: flow.map@1
    body:
      nodes:
        - {id: inner, use: flow.noop@1}
edges:
  - read -> decide
  - decide.one -> each
"""


def changed(*edits: tuple[str, str]) -> str:
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def merged(ours: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> Merge:
    return merge(BASE, changed(*ours), changed(*theirs))


def paths(result: Merge) -> list[str]:
    return [f"{conflict.kind} {conflict.path}" for conflict in result.conflicts]


def test_fields_of_one_line_are_merged_one_by_one() -> None:
    result = merged([("a: 1", "a: 10")], [("b: 2", "b: 20"), ("labels: [x", "labels: [w, x")])
    assert result.clean
    assert load_text(result.text).spec.by_id["read"].params == {
        "fields": {"a": 10, "b": 20},
        "labels": ["w", "x", "y", "z"],
    }


def test_a_conflict_is_named_down_to_the_field_and_marked_on_its_lines_alone() -> None:
    result = merged([("$json.a", "$json.c")], [("$json.a", "$json.d"), ("# reads", "# reads mail")])
    assert paths(result) == ["changed nodes.decide.with.rules[0].when"]
    [conflict] = result.conflicts
    assert (conflict.base, conflict.ours, conflict.theirs) == ("{{ $json.a }}", "{{ $json.c }}", "{{ $json.d }}")
    lines = result.text.split("\n")
    assert lines[(conflict.line or 0) - 1 :][:5] == [
        "<<<<<<< ours  nodes.decide.with.rules[0].when",
        '        - {when: "{{ $json.c }}", to: one}',
        "=======",
        '        - {when: "{{ $json.d }}", to: one}',
        ">>>>>>> theirs",
    ]
    assert "  # reads mail\n" in result.text
    assert result.text.count("<<<<<<<") == 1


def test_an_edge_that_both_sides_replaced_is_told_where_the_markers_begin() -> None:
    begin = "pyagent: 1\nid: demo\nnodes:\n  - {id: a, use: flow.noop@1}\n  - {id: b, use: flow.noop@1}\nedges:\n"

    result = merge(begin + "  - a -> b\n", begin + "  - b -> b\n", begin + "  - a -> a\n")

    assert paths(result) == ["changed edges[a -> b]"]
    assert result.text.split("\n")[(result.conflicts[0].line or 0) - 1].startswith("<<<<<<< ")


def test_both_versions_of_a_conflict_can_be_had_whole() -> None:
    result = merged([("a: 1", "a: 5")], [("a: 1", "a: 6"), ("id: demo", "id: demo\nname: Demo")])
    for text, value in ((result.with_ours, 5), (result.with_theirs, 6)):
        spec = load_text(text).spec
        assert (spec.by_id["read"].params["fields"]["a"], spec.name) == (value, "Demo")


def test_nodes_with_one_id_added_on_both_sides_conflict_by_name() -> None:
    def node(use: str) -> list[tuple[str, str]]:
        return [("edges:\n", f"  - {{id: mail, use: {use}}}\nedges:\n")]

    assert paths(merged(node("flow.noop@1"), node("data.set@1"))) == ["added nodes.mail"]
    assert merged(node("flow.noop@1"), node("flow.noop@1")).clean


def test_a_node_deleted_here_and_changed_there_is_a_conflict_with_its_edges() -> None:
    gone = [(BASE[BASE.index("  - id: decide") : BASE.index("  - id: each")], ""), (BASE[BASE.index("edges:") :], "")]
    result = merged(gone, [("to: two", "to: three")])
    assert paths(result) == [
        "deleted nodes.decide",
        "dangling edges[decide.one -> each]",
        "dangling edges[read -> decide]",
    ]
    assert "decide" not in load_text(result.with_ours).spec.by_id
    assert len(load_text(result.with_theirs).spec.edges) == 2


def test_a_node_that_moves_into_a_body_is_still_the_node_that_the_other_side_edits() -> None:
    inner = "        - {id: inner, use: flow.noop@1}\n"
    read = "        - {id: read, use: data.set@1, with: {fields: {a: 1, b: 2}, labels: [x, y, z]}}\n"
    out = (BASE[BASE.index("  # reads") : BASE.index("  - id: decide")], "")
    into = [(inner, inner + read), out, ("  - read -> decide\n", "")]
    result = merged(into, [("b: 2", "b: 7")])
    assert result.clean
    body = load_text(result.text).spec.by_id["each"].body
    assert body is not None
    assert body.nodes[1].params["fields"] == {"a": 1, "b": 7}


def test_an_edge_led_elsewhere_by_both_is_a_conflict_and_a_second_one_is_not() -> None:
    both = merged([("read -> decide", "read -> each")], [("read -> decide", "read -> inner")])
    assert paths(both) == ["changed edges[read -> decide]"]
    more = merged(
        [("edges:\n", "edges:\n  - read -> each\n")],
        [("edges:\n", "edges:\n  - decide.two -> each\n")],
    )
    assert more.clean
    assert len(load_text(more.text).spec.edges) == 4


def test_edges_brought_into_two_orders_are_a_conflict() -> None:
    three = BASE + "  - decide.two -> each\n"
    lines = three[three.index("edges:\n") + 7 :].splitlines(keepends=True)
    orders = [three.replace("".join(lines), "".join(lines[at] for at in order)) for order in ((1, 0, 2), (0, 2, 1))]
    result = merge(three, *orders)
    assert paths(result) == ["order edges"]
    assert merge(three, orders[0], three).text == orders[0]


def test_each_side_moving_a_node_into_the_other_is_a_conflict() -> None:
    base = "pyagent: 1\nid: a\nnodes:\n  - {id: x, use: flow.map@1}\n  - {id: y, use: flow.map@1}\n"
    head = "pyagent: 1\nid: a\nnodes:\n"
    ours = head + "  - {id: x, use: flow.map@1, body: {nodes: [{id: y, use: flow.map@1}]}}\n"
    theirs = head + "  - {id: y, use: flow.map@1, body: {nodes: [{id: x, use: flow.map@1}]}}\n"
    assert paths(merge(base, ours, theirs)) == ["changed nodes"]


def test_the_layout_never_conflicts_and_new_nodes_get_free_places() -> None:
    base = BASE + "layout:\n  read: [0, 0]\n"
    ours = base.replace("[0, 0]", "[10, 0]\n  decide: [300, 0]")
    theirs = base.replace("[0, 0]", "[0, 10]\n  mail: [300, 10]").replace(
        "edges:", "  - {id: mail, use: a.b@1}\nedges:"
    )
    result = merge(base, ours, theirs)
    assert result.clean
    assert load_text(result.text).spec.layout == {"read": (10, 0), "decide": (300, 0), "mail": (300, 90)}


def test_what_is_not_in_the_format_is_merged_too() -> None:
    result = merge(BASE + "future: {a: 1, b: 2}\n", BASE + "future: {a: 3, b: 2}\n", BASE + "future: {a: 1, b: 4}\n")
    assert result.clean
    assert "future: {a: 3, b: 4}" in result.text


def test_ids_that_stand_twice_make_the_nodes_one_value() -> None:
    twice = BASE.replace("id: each", "id: read")
    result = merge(twice, twice.replace("a: 1", "a: 5"), twice.replace("to: two", "to: three"))
    assert result.clean


def test_line_ends_and_byte_order_mark_are_those_of_our_side() -> None:
    windows = "\ufeff" + changed(("a: 1", "a: 5")).replace("\n", "\r\n")
    result = merge(BASE, windows, changed(("to: two", "to: three")))
    assert result.text == "\ufeff" + changed(("a: 1", "a: 5"), ("to: two", "to: three")).replace("\n", "\r\n")


def test_a_file_that_both_added_has_no_ancestor() -> None:
    result = merge("", BASE, BASE.replace("a: 1", "a: 5"))
    assert paths(result) == ["added nodes.read"]
    assert merge("", BASE, BASE + "name: Demo\n").clean


def test_a_side_that_is_no_yaml_is_named() -> None:
    with pytest.raises(GraphError) as caught:
        merge(BASE, BASE + "a: [", BASE + "name: x\n", names=("HEAD", "main"))
    assert (caught.value.code, caught.value.where.file) == ("graph.yaml", "HEAD")
    with pytest.raises(GraphError) as caught:
        merge(BASE, BASE, merged([("a: 1", "a: 5")], [("a: 1", "a: 6")]).text)
    assert (caught.value.code, caught.value.where.file) == ("graph.conflict", "theirs")
    assert "(nodes.read.with.fields.a)" in caught.value.message


def test_true_is_not_one() -> None:
    result = merged([("a: 1", "a: true")], [("b: 2", "b: 2.0")])
    assert "{a: true, b: 2.0}" in result.text


def test_merging_large_graphs_takes_no_time_that_grows_with_their_square() -> None:
    def graph(count: int, mark: int) -> str:
        nodes = "".join(
            f"  - id: n{index}\n    use: flow.noop@1\n" + (f"    notes: by {mark}\n" if index % 100 == mark else "")
            for index in range(count)
        )
        edges = "".join(f"  - n{index} -> n{index + 1}\n" for index in range(count - 1))
        return f"pyagent: 1\nid: big\nnodes:\n{nodes}edges:\n{edges}"

    def work(count: int) -> int:
        base, ours, theirs = (graph(count, mark) for mark in (-1, 3, 4))
        merged, made = calls(lambda: merge(base, ours, theirs))
        assert merged.clean
        return made

    work(100)
    assert work(2000) < 6 * work(500)
