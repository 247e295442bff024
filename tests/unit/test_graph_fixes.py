"""Quick fixes: each makes the problem go that it is offered for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest

from broken_graphs import broken
from pyagent.errors import GraphError
from pyagent.graph.check import Problem
from pyagent.graph.fixes import REMOVED, Edit, apply, empty_value, free_id, put, rename_key, take_out
from pyagent.graph.yaml_format import render
from pyagent.graph.yaml_tree import parse
from pyagent.runtime.checking import GraphChecker

CHECKER = GraphChecker()
HEAD = "pyagent: 1\nid: demo\n"
SET = "use: data.set@1, with: {fields: {a: 1}}"
FIXABLE = {
    "graph.cache.effects",
    "graph.edge.syntax",
    "graph.edge.unknown_node",
    "graph.error_port.unconnected",
    "graph.expr.unknown_input",
    "graph.expr.unknown_state",
    "graph.id.duplicate",
    "graph.id.invalid",
    "graph.join.count",
    "graph.layout.unknown_node",
    "graph.loop.done_returns",
    "graph.loop.irreducible",
    "graph.map.body",
    "graph.map.edge_crosses",
    "graph.node.unknown_type",
    "graph.param.missing",
    "graph.param.unknown",
    "graph.pin.unknown_node",
    "graph.port.unknown",
    "graph.schema",
    "graph.setting.unsupported",
    "graph.state.default",
    "graph.state.migrate",
    "graph.state.reducer",
    "graph.state.unknown_channel",
    "graph.trigger.in_body",
}
"""Kinds of problems of which a fix is always, or nearly always, known."""


def said(text: str) -> list[Problem]:
    return CHECKER.check_text(text)


def fixed(text: str, problem: Problem) -> str:
    assert problem.fix is not None, problem
    return render(apply(parse(text).value, problem.fix.edits))


def counted(problems: list[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.code, problem.message) for problem in problems)


def parts() -> Iterator[tuple[str, dict[str, Any], list[Problem]]]:
    for case in broken(400, seed=7):
        try:
            text = case.text.decode()
            yield text, parse(text).value, said(text)
        except (GraphError, UnicodeDecodeError):
            continue


def test_every_fix_of_broken_graphs_makes_its_problem_go() -> None:
    seen: set[str] = set()
    for text, _, problems in parts():
        for problem in problems:
            if problem.fix is None:
                continue
            seen.add(problem.code)
            left = counted(said(fixed(text, problem)))
            key = (problem.code, problem.message)
            assert left[key] < counted(problems)[key], (problem, text)
            assert not any(code == "graph.yaml" for code, _ in left), (problem, text)
    assert seen >= FIXABLE


def test_every_problem_of_broken_graphs_says_where_it_is_in_the_data() -> None:
    for text, data, problems in parts():
        for problem in problems:
            here: Any = data
            for part in problem.path[:-1]:
                assert not isinstance(here, (str, int)), (problem, text)
                # what is missing may lack the mapping that it would stand in, too
                here = cast("dict[Any, Any]", here).get(part, {}) if isinstance(here, dict) else here[part]


# -- what a fix is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "title", "wanted"),
    [
        (f"nodes: [{{id: a, {SET.replace('set', 'sett')}}}]", "graph.node.unknown_type", "Use data.set@1", None),
        (f"nodes: [{{id: a, {SET.replace('@1', '@7')}}}]", "graph.node.unknown_type", "Use data.set@1", None),
        ("nodes: [{id: a, use: data.set@1, with: {fieldz: {a: 1}}}]", "graph.param.unknown", "Rename to fields", None),
        ("nodes: [{id: a, use: flow.noop@1, with: {zzq: 1}}]", "graph.param.unknown", "Remove zzq", {}),
        ("nodes: [{id: a, use: io.http@1}]", "graph.param.missing", "Add url", {"url": ""}),
        ("nodes: [{id: a, use: data.set}]", "graph.schema", "Use data.set@1", None),
        ("nodes: [{id: a, use: flow.noop@1, notez: hi}]", "graph.schema", "Rename to notes", None),
        ("nodes: [{id: A b, use: flow.noop@1}]", "graph.id.invalid", "Name it a_b", None),
    ],
)
def test_a_fix_says_what_it_does(text: str, code: str, title: str, wanted: Any) -> None:
    [problem] = [problem for problem in said(HEAD + text + "\n") if problem.code == code]
    assert problem.fix is not None
    assert problem.fix.title == title
    if wanted is not None:
        assert apply(parse(HEAD + text).value, problem.fix.edits)["nodes"][0]["with"] == wanted


TWO = f"nodes:\n  - {{id: first, {SET}}}\n  - {{id: second, use: data.set@1, with: {{fields: {{a: '%s'}}}}}}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{{ $(''frist'').first().json.a }}", "{{ $('first').first().json.a }}"),
        ('{{ $("frist").first().json.a }}', '{{ $("first").first().json.a }}'),
        ("{{ $node[''frist''].json.a }}", "{{ $node['first'].json.a }}"),
    ],
)
def test_a_misspelled_node_is_mended_inside_of_the_template(before: str, after: str) -> None:
    text = HEAD + TWO % before + "edges: [first -> second]\n"
    [problem] = said(text)
    assert problem.code == "graph.expr.unknown_node"
    assert problem.path == ("nodes", 1, "with", "fields", "a")
    data = apply(parse(text).value, problem.fix.edits if problem.fix else [])
    assert data["nodes"][1]["with"]["fields"]["a"] == after


def test_a_misspelled_input_is_mended_inside_of_the_template() -> None:
    text = HEAD + "inputs: {mail: {type: object}}\n" + TWO % "{{ $inputs.mial.from + $inputs[''mial''] }}"
    [problem] = said(text)
    data = apply(parse(text).value, problem.fix.edits if problem.fix else [])
    assert data["nodes"][1]["with"]["fields"]["a"] == "{{ $inputs.mail.from + $inputs['mail'] }}"


def test_an_error_port_that_an_edge_names_is_there_when_errors_are_routed() -> None:
    text = HEAD + TWO % "x" + "edges: [first.error -> second]\n"
    [problem] = said(text)
    assert problem.fix is not None
    assert problem.fix.edits == (Edit(path=("nodes", 0, "on_error"), value="route"),)


def test_two_nodes_with_one_id_get_different_new_ones() -> None:
    text = HEAD + "nodes:\n" + "".join(f"  - {{id: a, {SET}}}\n" for _ in range(3))
    ids = {problem.fix.edits[0].value for problem in said(text) if problem.fix}
    assert ids == {"a_2", "a_3"}


def test_a_file_that_does_not_fit_the_format_says_where_the_rest_stands() -> None:
    text = HEAD + f"nodes:\n  - {{id: a}}\n  - {{id: b, use: none.such@1}}\n  - {{id: c, {SET}}}\n"
    paths = {problem.code: problem.path for problem in said(text)}
    assert paths["graph.node.unknown_type"] == ("nodes", 1, "use")


# -- edits --------------------------------------------------------------------------------------------------------


def test_an_edit_changes_a_copy() -> None:
    data = {"nodes": [{"id": "a"}]}
    assert apply(data, [Edit(path=("nodes", 0, "with", "url"), value="x")]) == {
        "nodes": [{"id": "a", "with": {"url": "x"}}]
    }
    assert data == {"nodes": [{"id": "a"}]}


def test_items_are_replaced_appended_and_taken_out() -> None:
    data = {"edges": ["a", "b", "c"]}
    edits = [Edit(path=("edges", 0), value="A"), Edit(path=("edges", 3), value="d"), Edit(path=("edges", 1))]
    assert apply(data, edits) == {"edges": ["A", "c", "d"]}


def test_what_is_taken_out_together_is_taken_from_the_end() -> None:
    fix = take_out("all", ("edges", 0), ("edges", 2), ("nodes", 1), ("nodes", 0))
    assert apply({"edges": [0, 1, 2], "nodes": [0, 1, 2]}, fix.edits) == {"edges": [1], "nodes": [2]}


def test_what_is_not_there_is_taken_out_in_silence() -> None:
    assert apply({"a": {}}, [Edit(path=("a", "b", "c")), Edit(path=("x", "y"))]) == {"a": {}}


@pytest.mark.parametrize("path", [("a", "b", "c"), ("a", 0), ("l", "x"), ("l", 5), ("l", 0, "x")])
def test_a_path_that_leads_nowhere_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises((LookupError, IndexError)):
        apply({"a": "text", "l": [1]}, [Edit(path=path, value=1)])


def test_an_edit_is_told_as_json() -> None:
    assert Edit(path=("a", 0), value=None).as_dict() == {"path": ["a", 0], "value": None}
    assert Edit(path=("a", 0), value=REMOVED).as_dict() == {"path": ["a", 0], "remove": True}
    assert put("t", ("a",), 1).as_dict() == {"title": "t", "edits": [{"path": ["a"], "value": 1}]}


def test_a_key_that_is_renamed_keeps_its_value() -> None:
    assert apply({"a": {"x": 1}}, rename_key(("a", "x"), "y", 1).edits) == {"a": {"y": 1}}


@pytest.mark.parametrize(
    ("wanted", "taken", "found"),
    [
        ("a", (), "a"),
        ("a", ("a",), "a_2"),
        ("a_2", ("a_2",), "a_3"),
        ("n1", ("n1",), "n1_2"),
        ("a", ("a", "a_2"), "a_3"),
    ],
)
def test_a_free_id_is_near_the_wanted_one(wanted: str, taken: tuple[str, ...], found: str) -> None:
    assert free_id(wanted, taken) == found


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, ""),
        ({"type": "string", "default": "x"}, "x"),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number", "exclusiveMinimum": 0}, 1),
        ({"anyOf": [{"type": "array"}, {"type": "string"}]}, []),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}}, {"a": False}),
        ({"$ref": "#/$defs/Kind", "$defs": {"Kind": {"const": "one"}}}, "one"),
        ({}, ""),
    ],
)
def test_a_value_to_begin_with_fits_what_is_described(schema: dict[str, Any], value: Any) -> None:
    assert empty_value(schema) == value
