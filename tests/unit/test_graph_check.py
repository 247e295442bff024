"""Each check finds its mistake at its line, and nothing else.

The mistakes of a file are said in the file: `#! code` stands on the line where the problem must be reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from counting import calls
from pyagent.graph.check import Fault, ParamProblem, Problem, Reading, check, check_text
from pyagent.graph.problems import nearest
from pyagent.graph.yaml import load_text

ROOT = Path(__file__).resolve().parents[2]
HEAD = "pyagent: 1\nid: demo\n"


@dataclass(frozen=True)
class FakeType:
    kind: str = "action"
    each_item: bool = False
    ports_in: tuple[str, ...] = ("in",)
    live: bool = False
    outs: tuple[str, ...] = ("out",)
    params: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Name: whether it is required."""
    effect: str = "none"
    title: str = "A type"
    description: str = "Does something."
    fixed_ports_out: tuple[str, ...] | None = None
    icon: str = "box"

    def ports_out(self, params: Mapping[str, Any]) -> Sequence[str] | None:
        if "rules" in self.params:
            rules = params.get("rules")
            return None if not isinstance(rules, list) else [rule["to"] for rule in rules]
        return self.outs

    def effects(self, params: Mapping[str, Any]) -> str:
        return self.effect

    def param_problems(self, params: Mapping[str, Any]) -> Sequence[ParamProblem]:
        known = tuple(self.params)
        missing = [
            ParamProblem(path=(name,), kind="missing", message="")
            for name, required in self.params.items()
            if required and name not in params
        ]
        unknown = [
            ParamProblem(path=(name,), kind="unknown", message="", known=known) for name in params if name not in known
        ]
        wrong = [
            ParamProblem(path=("count",), kind="invalid", message="must be a whole number")
            for value in [params.get("count", 0)]
            if not isinstance(value, int) and "{{" not in str(value)
        ]
        return [*missing, *unknown, *wrong]

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


TYPES = {
    "t.start@1": FakeType(kind="trigger", ports_in=()),
    "t.clock@1": FakeType(kind="trigger", live=True, ports_in=(), params={"cron": True}),
    "t.do@1": FakeType(params={"a": False, "b": False, "count": False}),
    "t.need@1": FakeType(params={"url": True}),
    "t.switch@1": FakeType(params={"rules": True}, each_item=True),
    "t.loop@1": FakeType(kind="loop", outs=("loop", "done")),
    "t.map@1": FakeType(kind="map", params={"graph": False}),
    "t.call@1": FakeType(kind="call", params={"graph": True}),
    "t.merge@1": FakeType(ports_in=("first", "second")),
    "t.send@1": FakeType(effect="once"),
    "t.sink@1": FakeType(outs=()),
    "t.each@1": FakeType(each_item=True),
}


class FakeCatalogue:
    def get(self, use: str) -> FakeType | None:
        return TYPES.get(use)

    def uses(self) -> Iterable[str]:
        return TYPES


class FakeExpressions:
    """`BAD` in a template does not parse."""

    def read(self, template: str) -> Reading:
        if (at := template.find("BAD")) >= 0:
            lines = template[:at].split("\n")
            return Reading(fault=Fault(message="unexpected BAD", line=len(lines), column=len(lines[-1]) + 1))
        return Reading(
            nodes=frozenset(re.findall(r"\$\('([^']*)'\)", template)),
            inputs=frozenset(re.findall(r"\$inputs\.(\w+)", template)),
            state=frozenset(re.findall(r"\$state\.(\w+)", template)),
        )


def problems(text: str) -> list[Problem]:
    return check_text(text, FakeCatalogue(), FakeExpressions(), "demo.yaml")


def found(text: str) -> list[tuple[int, str]]:
    return [(problem.where.line or 0, problem.code) for problem in problems(text)]


def announced(text: str) -> list[tuple[int, str]]:
    return sorted(
        (number, code)
        for number, line in enumerate(text.split("\n"), 1)
        if "#! " in line
        for code in line.split("#! ")[1].split()
    )


def nodes(*lines: str) -> str:
    return HEAD + "nodes:\n" + "".join(f"  - {line}\n" for line in lines)


def edges(*lines: str) -> str:
    return "edges:\n" + "".join(f"  - {line}\n" for line in lines)


CASES = {
    "a graph without mistakes": nodes("{id: a, use: t.start@1}", "{id: b, use: t.do@1, with: {a: 1}}")
    + edges("a -> b"),
    "a type that is not installed": nodes("{id: a, use: t.doo@1}   #! graph.node.unknown_type"),
    "a version that is not installed": nodes("{id: a, use: t.do@7}   #! graph.node.unknown_type"),
    "a missing parameter": nodes("id: a   #! graph.param.missing\n    use: t.need@1"),
    "a missing parameter beside an unknown one": nodes(
        "id: a\n    use: t.need@1\n    with:   #! graph.param.missing\n      ur: 1   #! graph.param.unknown"
    ),
    "an unknown parameter": nodes("id: a\n    use: t.do@1\n    with:\n      c: 1   #! graph.param.unknown"),
    "a wrong parameter": nodes(
        "id: a\n    use: t.do@1\n    with:\n      a: 1\n      count: x   #! graph.param.invalid"
    ),
    "a template in place of any value": nodes("{id: a, use: t.do@1, with: {count: '{{ 1 }}'}}"),
    "an id that stands twice": nodes(
        "{id: a, use: t.do@1}", "{id: b, use: t.do@1}", "{id: a, use: t.do@1}   #! graph.id.duplicate"
    ),
    "an id that stands again in a body": nodes(
        "{id: a, use: t.do@1}",
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n        - {id: a, use: t.do@1}   #! graph.id.duplicate",
    ),
    "an id that is none": nodes("{id: Big, use: t.do@1}   #! graph.id.invalid"),
    "an edge that is none": nodes("{id: a, use: t.do@1}") + edges("a > a   #! graph.edge.syntax"),
    "an edge to nowhere": nodes("{id: a, use: t.do@1}") + edges("a -> b   #! graph.edge.unknown_node"),
    "an output port that is not there": nodes("{id: a, use: t.do@1}", "{id: b, use: t.do@1}")
    + edges("a.ok -> b   #! graph.port.unknown"),
    "an input port that is not there": nodes("{id: a, use: t.do@1}", "{id: b, use: t.merge@1}")
    + edges("a -> b.first", "a -> b.third   #! graph.port.unknown"),
    "a node that takes nothing": nodes("{id: s, use: t.start@1}", "{id: a, use: t.do@1}")
    + edges("s -> a", "a -> s   #! graph.port.unknown"),
    "a node that gives nothing": nodes("{id: a, use: t.sink@1}", "{id: b, use: t.do@1}")
    + edges("a -> b   #! graph.port.unknown"),
    "ports that parameters make": nodes(
        "{id: a, use: t.switch@1, with: {rules: [{to: x}, {to: y}]}}", "{id: b, use: t.do@1}"
    )
    + edges("a.x -> b", "a.z -> b   #! graph.port.unknown"),
    "ports that an expression makes are not judged": nodes(
        "{id: a, use: t.switch@1, with: {rules: '{{ $inputs }}'}}", "{id: b, use: t.do@1}"
    )
    + edges("a.x -> b"),
    "the error port without route": nodes("{id: a, use: t.do@1}", "{id: b, use: t.do@1}")
    + edges("a.error -> b   #! graph.port.unknown"),
    "an error port that leads nowhere": nodes(
        "id: a\n    use: t.do@1\n    on_error: route   #! graph.error_port.unconnected", "{id: b, use: t.do@1}"
    )
    + edges("a -> b"),
    "an error port that leads somewhere": nodes("{id: a, use: t.do@1, on_error: route}", "{id: b, use: t.do@1}")
    + edges("a -> b", "a.error -> b"),
    "an expression that does not parse": nodes(
        'id: a\n    use: t.do@1\n    with:\n      a: "{{ BAD }}"   #! graph.expr.syntax'
    ),
    "an expression in a block of lines": nodes(
        "id: a\n    use: t.do@1\n    with:\n      a: |\n        {{ one\n          BAD }}   #! graph.expr.syntax"
    ),
    "an expression that names no node": nodes(
        "id: a\n    use: t.do@1\n    with:\n      a: \"{{ $('nobody') }}\"   #! graph.expr.unknown_node"
    ),
    "an expression that names a node by its name": nodes(
        "{id: a, use: t.do@1, name: First one}", "{id: b, use: t.do@1, with: {a: \"{{ $('First one') }}\"}}"
    )
    + edges("a -> b"),
    "an expression that names what comes later": nodes(
        "id: a\n    use: t.do@1\n    with:\n      a: \"{{ $('b') }}\"   #! graph.expr.not_upstream",
        "{id: b, use: t.do@1}",
    )
    + edges("a -> b"),
    "an expression that names what comes later, but in a loop": nodes(
        "{id: a, use: t.do@1, with: {a: \"{{ $('b') }}\"}}", "{id: s, use: t.do@1}", "{id: b, use: t.do@1}"
    )
    + edges("s -> a", "a -> b", "b -> a"),
    "an expression that names a node in a body from outside": nodes(
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n        - {id: inner, use: t.do@1}",
        "{id: b, use: t.do@1, with: {a: \"{{ $('inner') }}\"}}   #! graph.expr.not_upstream",
    )
    + edges("m -> b"),
    "an expression in a body that names what came before the map": nodes(
        "{id: a, use: t.do@1}",
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n"
        "        - {id: inner, use: t.do@1, with: {a: \"{{ $('a') }}\"}}",
    )
    + edges("a -> m"),
    "an expression that names its own map": nodes(
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n"
        "        - {id: inner, use: t.do@1, with: {a: \"{{ $('m') }}\"}}   #! graph.expr.not_upstream",
    ),
    "an input that is not declared": nodes(
        '{id: a, use: t.do@1, with: {a: "{{ $inputs.x }}"}}   #! graph.expr.unknown_input'
    ),
    "a channel that is not declared": nodes(
        '{id: a, use: t.do@1, with: {a: "{{ $state.x }}"}}   #! graph.expr.unknown_state'
    ),
    "a migration that cannot be": "state:\n"
    '  a: {type: number, migrate: "{{ $state.gone + $inputs.n }}"}\n'
    "  b: {type: number, migrate: x}   #! graph.state.migrate\n"
    "  c: {type: number, migrate: \"{{ $('a').first() }}\"}   #! graph.state.migrate\n"
    '  d: {type: number, migrate: "{{ BAD }}"}   #! graph.expr.syntax\n'
    '  e: {type: object, migrate: {a: "{{ 1 }}"}}\n' + nodes("{id: a, use: t.do@1}"),
    "a fairness key that does not parse": 'settings:\n  fairness: {key: "{{ BAD }}"}   #! graph.expr.syntax\n'
    + nodes("{id: a, use: t.do@1}"),
    "an output of no node": nodes("{id: a, use: t.do@1}")
    + "outputs:\n  x: \"{{ $('a') }}\"\n  y: \"{{ $('b') }}\"   #! graph.output.unknown_node\n",
    "a loop that is entered twice": nodes("{id: s, use: t.do@1}", "{id: a, use: t.do@1}", "{id: b, use: t.do@1}")
    + edges("s -> a", "s -> b   #! graph.loop.irreducible", "a -> b", "b -> a"),
    "a done port that returns": nodes("{id: s, use: t.do@1}", "{id: h, use: t.loop@1}", "{id: b, use: t.do@1}")
    + edges("s -> h", "h.loop -> b", "b -> h", "h.done -> h   #! graph.loop.done_returns"),
    "a bound on what heads no loop": nodes("id: a\n    use: t.do@1\n    loop: {max: 3}   #! graph.loop.no_header"),
    "a loop node that nothing returns to": nodes(
        "{id: h, use: t.loop@1}   #! graph.loop.no_header", "{id: b, use: t.do@1}"
    )
    + edges("h.loop -> b"),
    "N of M with the wrong M": nodes(
        "{id: a, use: t.do@1}", "{id: b, use: t.do@1}", "id: j\n    use: t.do@1\n    join: 2 of 3   #! graph.join.count"
    )
    + edges("a -> j", "b -> j"),
    "N of M with N greater than M": nodes(
        "{id: a, use: t.do@1}",
        "{id: b, use: t.do@1}",
        "id: j\n    use: t.do@1\n    join: 3 of 2   #! graph.join.count graph.join.never",
    )
    + edges("a -> j", "b -> j"),
    "N of M does not count back edges": nodes(
        "{id: s, use: t.do@1}", "{id: t, use: t.do@1}", "{id: h, use: t.do@1, join: 2 of 2}", "{id: b, use: t.do@1}"
    )
    + edges("s -> h", "t -> h", "h -> b", "b -> h"),
    "a join that waits for success and failure of one step": nodes(
        "{id: a, use: t.do@1, on_error: route}", "id: j\n    use: t.do@1\n    join: 2 of 2   #! graph.join.never"
    )
    + edges("a -> j", "a.error -> j"),
    "an item-wise node may succeed and fail at once": nodes(
        "{id: a, use: t.each@1, on_error: route}", "{id: j, use: t.do@1, join: 2 of 2}"
    )
    + edges("a -> j", "a.error -> j"),
    "a branch behind a disabled switch": nodes(
        "{id: a, use: t.switch@1, disabled: true, with: {rules: [{to: x}, {to: y}]}}",
        "{id: b, use: t.do@1}",
        "id: c   #! graph.join.never\n    use: t.do@1",
        "{id: d, use: t.do@1}",
    )
    + edges("a.x -> b", "a.y -> c", "c -> d"),
    "writes that may meet": HEAD
    + "state: {last: {type: string}, all: {type: array, reduce: append}}\n"
    + nodes(
        "{id: s, use: t.do@1, write: {last: 0}}",
        "{id: a, use: t.do@1, write: {last: 1, all: 1}}",
        "{id: b, use: t.do@1, write: {last: 2, all: 2}}   #! graph.state.concurrent_write",
    ).removeprefix(HEAD)
    + edges("s -> a", "s -> b"),
    "writes of a body meet those beside its map": HEAD
    + "state: {last: {type: string}}\n"
    + nodes(
        "{id: s, use: t.do@1}",
        "{id: a, use: t.do@1, write: {last: 1}}",
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n        - id: inner\n          use: t.do@1\n"
        "          write: {last: 2}   #! graph.state.concurrent_write",
    ).removeprefix(HEAD)
    + edges("s -> a", "s -> m"),
    "a side branch of a loop writes while the next iteration runs": HEAD
    + "state: {last: {type: string}}\n"
    + nodes(
        "{id: s, use: t.do@1}",
        "{id: h, use: t.do@1}",
        "{id: b, use: t.do@1, write: {last: 1}}",
        "{id: side, use: t.do@1, write: {last: 2}}   #! graph.state.concurrent_write",
    ).removeprefix(HEAD)
    + edges("s -> h", "h -> b", "b -> h", "b -> side"),
    "a write to no channel": HEAD
    + "state: {seen: {type: array, reduce: append}}\n"
    + nodes("id: a\n    use: t.do@1\n    write:\n      sen: 1   #! graph.state.unknown_channel").removeprefix(HEAD),
    "a reducer that does not work on the type": HEAD
    + "state:\n  seen: {type: string, reduce: append}   #! graph.state.reducer\n",
    "a default of another type": HEAD + "state:\n  seen: {type: array, default: 3}   #! graph.state.default\n",
    "a node that nothing leads to": nodes(
        "{id: s, use: t.start@1}", "{id: a, use: t.do@1}", "{id: b, use: t.do@1}   #! graph.node.unreachable"
    )
    + edges("s -> a"),
    "several triggers": nodes(
        "{id: s, use: t.start@1}", "{id: t, use: t.start@1}", "{id: a, use: t.do@1}", "{id: b, use: t.do@1}"
    )
    + edges("s -> a", "t -> b"),
    "a join that one of two triggers cannot meet": nodes(
        "{id: s, use: t.start@1}",
        "{id: t, use: t.start@1}",
        "id: j\n    use: t.do@1\n    join: 2 of 2   #! graph.join.never graph.join.never",
    )
    + edges("s -> j", "t -> j"),
    "a trigger in a body": nodes(
        "id: m\n    use: t.map@1\n    body:\n      nodes:\n        - {id: s, use: t.start@1}   #! graph.trigger.in_body"
    ),
    "an expression where no run is yet": nodes(
        'id: s\n    use: t.clock@1\n    with:\n      cron: "{{ $vars.when }}"   #! graph.trigger.expression'
    ),
    "an edge into a body": nodes(
        "{id: a, use: t.do@1}", "id: m\n    use: t.map@1\n    body:\n      nodes:\n        - {id: inner, use: t.do@1}"
    )
    + edges("a -> m", "a -> inner   #! graph.map.edge_crosses"),
    "a map without a body": nodes("{id: m, use: t.map@1}   #! graph.map.body"),
    "a body on what runs none": nodes(
        "id: a\n    use: t.do@1\n    body:   #! graph.map.body\n      nodes:\n        - {id: inner, use: t.do@1}"
    ),
    "a body and a graph": nodes(
        "id: m\n    use: t.map@1\n    with: {graph: other}\n    body:   #! graph.map.body\n"
        "      nodes:\n        - {id: inner, use: t.do@1}"
    ),
    "a graph that always calls itself": nodes(
        "id: a\n    use: t.call@1\n    with: {graph: demo}   #! graph.call.recursion"
    ),
    "a cache of what has effects": nodes("id: a\n    use: t.send@1\n    cache: {ttl: 1h}   #! graph.cache.effects"),
    "settings that have no effect yet": nodes(
        "id: a\n    use: t.do@1\n    cache: {ttl: 1h}   #! graph.setting.unsupported\n"
        "    runs_on: {labels: [gpu]}   #! graph.setting.unsupported"
    ),
    "a retry on a map": nodes(
        "id: m\n    use: t.map@1\n    retry: {attempts: 2}   #! graph.setting.unsupported\n"
        "    body: {nodes: [{id: inner, use: t.do@1}]}"
    ),
    "a pin of no node": nodes("{id: a, use: t.do@1}")
    + "pins:\n  a: [{x: 1}]\n  b: [{x: 1}]   #! graph.pin.unknown_node\n",
    "a place of no node": nodes("{id: a, use: t.do@1}")
    + "layout:\n  a: [0, 0]\n  b: [0, 0]   #! graph.layout.unknown_node\n"
    + "canvas:\n  colors:\n    a: red\n    c: red   #! graph.layout.unknown_node\n",
    "a version of the format that is not known": "pyagent: 9   #! graph.version.unsupported\nid: demo\n",
    "a key that is not known": nodes("id: a\n    use: t.do@1\n    wiht: {}   #! graph.schema"),
}
WARNINGS = {
    "graph.loop.no_header",
    "graph.node.unreachable",
    "graph.pin.unknown_node",
    "graph.layout.unknown_node",
    "graph.setting.unsupported",
    "graph.state.concurrent_write",
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_found_at_its_line_and_nothing_else(name: str) -> None:
    assert found(CASES[name]) == announced(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_every_problem_has_a_hint_a_column_and_the_right_weight(name: str) -> None:
    for problem in problems(CASES[name]):
        assert problem.hint, problem
        assert problem.where.file == "demo.yaml"
        assert (problem.where.column or 0) >= 1
        if problem.code in WARNINGS:
            assert problem.severity == "warning"
        elif problem.code != "graph.join.never":
            assert problem.severity == "error"


def test_a_file_with_many_mistakes_reports_them_all_in_the_order_of_its_lines() -> None:
    text = (
        "pyagent: 1\n"
        "id: demo\n"
        "nodes:\n"
        "  - {id: s, use: t.start@1}\n"
        "  - {id: a, use: t.doo@1}   #! graph.node.unknown_type\n"
        "  - {id: b, use: t.do@1, wiht: 1}   #! graph.schema\n"
        "  - {id: c, use: t.do@1, with: {c: 1}}   #! graph.param.unknown\n"
        '  - {id: d, use: t.do@1, with: {a: "{{ BAD }}"}}   #! graph.expr.syntax\n'
        "  - {id: d, use: t.do@1}   #! graph.id.duplicate\n"
        "  - {id: e, use: t.do@1}\n"
        "  - {id: f, use: t.do@1}\n"
        "edges:\n"
        "  - s -> a\n"
        "  - s -> b\n"
        "  - s.x -> c   #! graph.port.unknown\n"
        "  - s -> d\n"
        "  - s -> e\n"
        "  - s -> f   #! graph.loop.irreducible\n"
        "  - e -> f\n"
        "  - f -> e\n"
        "  - f -> nobody   #! graph.edge.unknown_node\n"
    )
    assert found(text) == announced(text)


def test_what_fits_the_format_is_checked_although_a_node_does_not() -> None:
    text = (
        "pyagent: 1\nid: demo\nnodes:\n"
        "  - {id: a}   #! graph.schema\n"
        "  - {id: b, use: t.nothing@1}   #! graph.node.unknown_type\n"
        "  - {id: c, use: t.do@1, with: {a: \"{{ $('a') }} {{ $('z') }}\"}}   #! graph.expr.unknown_node\n"
        "edges:\n  - a -> c\n"
    )
    assert found(text) == announced(text)


def test_a_text_that_is_no_yaml_is_one_problem_with_a_place() -> None:
    (problem,) = problems("pyagent: 1\nid: [demo\nnodes: x\n")
    assert (problem.code, problem.where.line) == ("graph.yaml", 3)


def test_a_mistyped_name_is_answered_with_the_nearest_one() -> None:
    (problem,) = problems(nodes("{id: a, use: t.swich@1, with: {rules: []}}"))
    assert problem.hint == "Did you mean `t.switch@1`?"


def test_a_type_of_another_domain_is_proposed_before_one_that_only_looks_alike() -> None:
    assert nearest("data.filter", ["data.file@1", "flow.filter@1", "data.set@1"]) == "Did you mean `flow.filter@1`?"
    assert nearest("http.request@1", ["io.file@1", "io.http@1", "data.set@1"]) == "Did you mean `io.http@1`?"


def test_a_type_without_a_version_is_proposed_with_one() -> None:
    (problem,) = problems(nodes("{id: a, use: io.parse_file}"))
    assert (problem.code, problem.hint) == ("graph.schema", "Write `io.parse_file@1`.")


def test_an_irreducible_loop_is_shown_with_both_entries() -> None:
    (problem,) = problems(CASES["a loop that is entered twice"])
    assert "`s -> a` (line 8)" in problem.message
    assert "`s -> b` (line 9)" in problem.message


def test_a_fault_in_an_expression_is_marked_at_its_character() -> None:
    (problem,) = problems(CASES["an expression that does not parse"])
    assert problem.where.column == len('      a: "{{ ') + 1
    (problem,) = problems(CASES["an expression in a block of lines"])
    assert problem.where.column == len("          ") + 1


def test_checking_a_document_says_the_same_as_checking_its_text() -> None:
    text = CASES["writes that may meet"]
    assert check(load_text(text, "demo.yaml"), FakeCatalogue(), FakeExpressions()) == problems(text)


def test_without_an_expression_language_templates_are_left_alone() -> None:
    assert check_text(CASES["an expression that does not parse"], FakeCatalogue()) == []


def test_every_code_of_the_checks_is_tested_here_and_explained_in_the_docs() -> None:
    sources = [*(ROOT / "engine/pyagent/graph/check").glob("*.py"), ROOT / "engine/pyagent/graph/parts.py"]
    codes = {code for source in sources for code in re.findall(r'"(graph(?:\.[a-z_]+){1,2})"', source.read_text())}
    codes |= {"graph.expr.unknown_input", "graph.expr.unknown_state", "graph.loop.irreducible"}
    codes |= {"graph.param.missing", "graph.param.unknown", "graph.param.invalid", "graph.schema", "graph.yaml"}
    tested = {code for text in CASES.values() for _, code in announced(text)} | {"graph.yaml"}
    assert codes - tested == set()
    page = (ROOT / "docs/concepts/graph-file.md").read_text()
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_the_work_of_a_check_grows_with_the_nodes_and_not_with_their_square() -> None:
    def checked(count: int) -> int:
        many = nodes(*(f"{{id: n{index}, use: t.do@1, write: {{last: 1}}}}" for index in range(count)))
        text = many.replace("nodes:", "state: {last: {type: any}}\nnodes:") + edges(
            *(f"n{index} -> n{index + 1}" for index in range(count - 1))
        )
        found, work = calls(lambda: problems(text))
        assert found == []
        return work

    assert checked(800) < 5 * checked(200)
