"""Expressions as graphs use them: values, text, names, errors and what isolates one from another."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent.errors import ExpressionError
from pyagent.runtime.expressions import (
    EvaluationContext,
    Expressions,
    JsonValue,
    NodeView,
    check_syntax,
    is_template,
    references,
)

NOW = datetime(2026, 1, 2, 23, 4, 5, tzinfo=UTC)
NODES = {
    "fetch": NodeView(items=[{"json": {"x": 1}}, {"json": {"x": 2}}]),
    "only": NodeView(items=[{"json": {"x": 7}, "binary": {"file": "blob"}}]),
    "empty": NodeView(items=[]),
    "paired": NodeView(items=[{"json": {"x": 1}}, {"json": {"x": 2}}], item=lambda: {"json": {"x": 2}}),
}
CONTEXT = EvaluationContext(
    now=NOW,
    json={"a": 1, "b": {"c": [1, {"d": "x"}]}, "none": None, "yes": True, "half": 0.5, "text": "é😀"},
    items={"in": [{"json": {"n": 1}}, {"json": {"n": 2}}], "side": [{"json": {"n": 9}}]},
    item_index=3,
    node=NODES.get,
    inputs={"mail": {"from": "me"}},
    state={"seen": [1, 2]},
    run={"id": "r1"},
    workflow={"name": "triage"},
    node_id="decide",
)


@pytest.fixture(scope="module")
def expressions() -> Expressions:
    return Expressions()


def script(text: str) -> str:
    """The same expression, in a form that is no plain path."""
    return text.replace("{{ ", "{{ (").replace(" }}", ") }}")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain text", "plain text"),
        ("{{ $json.a }}", 1),
        ("{{ $json.none }}", None),
        ("{{ $json.missing }}", None),
        ("{{ $json.yes }}", True),
        ("{{ $json.half }}", 0.5),
        ("{{ $json.text }}", "é😀"),
        ("{{ $json.b.c }}", [1, {"d": "x"}]),
        ('{{ $json["b"].c[1].d }}', "x"),
        ("{{ $json.missing?.deeper.still }}", None),
        ("{{ $inputs.mail.from }}", "me"),
        ("{{ $state.seen[1] }}", 2),
        ("{{ $run.id }}", "r1"),
        ("{{ $workflow.name }}", "triage"),
        ("{{ $itemIndex }}", 3),
        ("{{ $json.b.c.length }}", 2),
        ("{{ $json.text.length }}", 3),
        ("{{ $input.first().json.n }}", 1),
        ("{{ $input.last().json.n }}", 2),
        ("{{ $input.all()[1].json.n }}", 2),
        ("{{ $input.item.json.a }}", 1),
        ("{{ $input.first('side').json.n }}", 9),
        ("{{ $input.all(1).length }}", 1),
        ("{{ $('fetch').first().json.x }}", 1),
        ("{{ $('fetch').last().json.x }}", 2),
        ("{{ $('fetch').all().length }}", 2),
        ("{{ $('empty').first() }}", None),
        ("{{ $('only').item.json.x }}", 7),
        ("{{ $('paired').item.json.x }}", 2),
        ('{{ $node["only"].json.x }}', 7),
        ("{{ $node.only.binary.file }}", "blob"),
        ("{{ $if($json.a > 0, 'yes', 'no') }}", "yes"),
        ("{{ $ifEmpty($json.missing, 'none') }}", "none"),
        ("{{ $json.a + 1 }}", 2),
    ],
)
def test_a_template_gives_the_same_value_by_path_and_by_script(
    expressions: Expressions, template: str, value: JsonValue
) -> None:
    for text in {template, script(template)}:
        found = expressions.evaluate(text, CONTEXT)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a {{ $json.a }} b", "a 1 b"),
        ("{{ $json.none }}|{{ $json.missing }}|{{ 0/0 }}", "||"),
        ("{{ $json.yes }} {{ $json.half }}", "true 0.5"),
        ("n: {{ $json.b }}", 'n: {"c":[1,{"d":"x"}]}'),
        (" {{ $json.a }}", " 1"),
        ("{{ $json.a }}{{ $json.a }}", "11"),
        ("\\{{ $json.a }} is {{ $json.a }}", "{{ $json.a }} is 1"),
        ("{{ {a: {b: 1}}.a.b }} {{ '}}' }}", "1 }}"),
        ("x {{ 1e21 }} {{ 1e-7 }}", "x 1e+21 1e-7"),
    ],
)
def test_mixed_text_is_joined(expressions: Expressions, template: str, text: str) -> None:
    assert expressions.evaluate(template, CONTEXT) == text


def test_line_ends_after_a_single_expression_do_not_make_it_text(expressions: Expressions) -> None:
    assert expressions.evaluate("{{ $json.a }}\n", CONTEXT) == 1


def test_objects_and_lists_are_walked_and_keys_left_alone(expressions: Expressions) -> None:
    template: JsonValue = {"{{ $json.a }}": ["{{ $json.a }}", {"x": "{{ $json.a + 1 }}"}, 5, None]}
    assert expressions.evaluate(template, CONTEXT) == {"{{ $json.a }}": [1, {"x": 2}, 5, None]}


def failure(expressions: Expressions, template: JsonValue, field: str = "") -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        expressions.evaluate(template, CONTEXT, field=field)
    return caught.value


def test_a_failure_tells_node_field_line_and_column(expressions: Expressions) -> None:
    error = failure(expressions, {"rules": [{"when": "text\n{{ 1 +\n  $json.nope.deeper }}"}]}, "with")
    assert error.code == "expr.failed"
    where = error.where
    assert (where.node, where.field, where.line, where.column) == ("decide", "with.rules.0.when", 3, 14)
    assert "?." in error.hint


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{{ 1 + }}", "expr.syntax"),
        ("{{ }}", "expr.syntax"),
        ("{{ $json.a", "expr.syntax"),
        ("{{ 1; 2 }}", "expr.syntax"),
        ("{{ $json.nope.deeper }}", "expr.failed"),
        ("{{ nope }}", "expr.failed"),
        ("{{ $json.text.trim }}", "expr.failed"),
        ("{{ $json.hasOwnProperty }}", "expr.failed"),
        ("{{ $input.first('nope') }}", "expr.failed"),
        ("{{ $('fetch').item }}", "expr.failed"),
        ("{{ $('nope').first() }}", "expr.unknown_node"),
        ("{{ $('no' + 'pe').first() }}", "expr.unknown_node"),
        ("{{ $node.nope.json }}", "expr.unknown_node"),
    ],
)
def test_each_failure_has_its_code_a_hint_or_message_and_a_line(
    expressions: Expressions, template: str, code: str
) -> None:
    error = failure(expressions, template)
    assert error.code == code
    assert error.where.line == 1
    assert error.message


def test_what_the_caller_refuses_reaches_the_caller(expressions: Expressions) -> None:
    def refuse(name: str) -> NodeView | None:
        raise ExpressionError(f"{name} is not upstream", code="expr.not_upstream")

    context = replace(CONTEXT, node=refuse)
    for template in ("{{ $('late').first() }}", "{{ $('late').first().json.x + 1 }}"):
        with pytest.raises(ExpressionError, match="late is not upstream") as caught:
            expressions.evaluate(template, context)
        assert (caught.value.code, caught.value.where.node) == ("expr.not_upstream", "decide")


def test_an_endless_loop_ends_at_the_time_limit() -> None:
    expressions = Expressions(time_limit=0.2)
    assert failure(expressions, "{{ (() => { while (true) {} })() }}").code == "expr.timeout"
    assert expressions.evaluate("{{ $json.a + 1 }}", CONTEXT) == 2


def test_an_endless_loop_lets_other_threads_run() -> None:
    ticks = 0
    done = threading.Event()

    def count() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    failure(Expressions(time_limit=0.2), "{{ (() => { while (true) {} })() }}")
    done.set()
    thread.join()
    assert ticks > 1000


def test_memory_is_bounded_and_the_next_expression_works() -> None:
    expressions = Expressions(memory_limit=16 << 20, time_limit=30.0)
    bomb = "{{ (() => { const a = []; for (;;) a.push('x'.repeat(999) + a.length); })() }}"
    assert failure(expressions, bomb).code == "expr.memory"
    assert expressions.evaluate("{{ $json.a + 1 }}", CONTEXT) == 2


@pytest.mark.parametrize(
    "code",
    [
        'constructor.constructor("return process")()',
        '$json.constructor.constructor("return process")()',
        "$json.b.c.map.constructor('return 1')()",
        "eval('1')",
        "process.exit()",
        "require('fs')",
        "import('fs')",
        "(f => f(f))(f => f(f) + 1)",
        "Object.prototype.polluted = 1",
        "$input.first().__proto__.polluted = 1",
        "[].__proto__.map = null",
        "globalThis.leak = 1",
    ],
)
def test_escapes_fail_and_leave_nothing_behind(expressions: Expressions, code: str) -> None:
    assert failure(expressions, f"{{{{ {code} }}}}").code == "expr.failed"
    clean = "{{ [({}).polluted, typeof leak, [1].map(x => x)[0]] }}"
    assert expressions.evaluate(clean, CONTEXT) == [None, "undefined", 1]


def test_an_expression_cannot_change_what_it_reads(expressions: Expressions) -> None:
    assert expressions.evaluate("{{ $json.b.c.push(1) + $state.seen.reverse().length }}", CONTEXT) == 5
    assert expressions.evaluate("{{ $json.b.c.length * 10 + $state.seen[0] }}", CONTEXT) == 21


def test_random_numbers_follow_from_the_seed(expressions: Expressions) -> None:
    draw = "{{ [Math.random(), Math.random()] }}"
    first, again, other = (
        expressions.evaluate(draw, replace(CONTEXT, seed=seed)) for seed in (2**64 - 1, 2**64 - 1, 5)
    )
    assert first == again != other


def test_threads_evaluate_side_by_side(expressions: Expressions) -> None:
    found: list[JsonValue] = []

    def work() -> None:
        found.extend(expressions.evaluate("{{ $json.n + 1 }}", replace(CONTEXT, json={"n": n})) for n in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, found)) == sorted(list(range(1, 201)) * 4)  # type: ignore[arg-type]


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ExpressionError, match="Mars"):
        Expressions(timezone="Mars/Olympus")


def test_references_name_nodes_and_roots() -> None:
    found = references("{{ $('A').first().json.x + $json.y }} \"$('B')\" {{ $node.C.json[\"$('D')\"] }}")
    assert found.nodes == {"A", "C"}
    assert found.roots == {"$", "$json", "$node"}
    assert not found.computed_node
    assert references("{{ $($json.name).first() }}").computed_node


def test_syntax_is_checked_without_running_anything() -> None:
    check_syntax("{{ $json.anything.at.all() }} and {{ (() => { while (true) {} })() }}")
    with pytest.raises(ExpressionError) as caught:
        check_syntax("fine {{ 1 }}\nbut {{ 'é' + * }}")
    assert caught.value.code == "expr.syntax"
    assert (caught.value.where.line, caught.value.where.column) == (2, 14)


@pytest.mark.parametrize(
    ("value", "answer"),
    [("{{ a }}", True), ("a {{ b", True), ("a", False), ("\\{{ a }}", False), (5, False), (["{{ a }}"], False)],
)
def test_is_template_tells_strings_that_hold_expressions(value: object, answer: bool) -> None:
    assert is_template(value) is answer


# Numbers beyond 2**53 are exact by path and not by JavaScript; names that objects inherit are JavaScript's.
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-(2**50), 2**50) | st.text()
keys = st.text(max_size=3) | st.sampled_from(["a", "0", "length", "constructor", "__proto__", "toString", "é"])
documents = st.dictionaries(
    keys, st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
)


def paths_into(value: Any) -> st.SearchStrategy[list[str | int]]:
    """Paths that mostly exist in the value, and some that do not."""

    @st.composite
    def draw_path(draw: st.DrawFn) -> list[str | int]:
        path: list[str | int] = []
        here = value
        for _ in range(draw(st.integers(0, 4))):
            if isinstance(here, dict) and here and draw(st.booleans()):
                key = draw(st.sampled_from(sorted(here)))
                here = here[key]
            elif isinstance(here, list) and here and draw(st.booleans()):
                key = draw(st.integers(0, len(here) - 1))
                here = here[key]
            else:
                key, here = draw(keys | st.integers(0, 3)), None
            path.append(key)
        return path

    return draw_path()


EXPRESSIONS = Expressions()


def outcome(template: str, document: Any) -> object:
    try:
        return EXPRESSIONS.evaluate(template, replace(CONTEXT, json=document))
    except ExpressionError as error:
        return error.code, error.message


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_plain_path_gives_what_javascript_gives(data: st.DataObject) -> None:
    document = data.draw(documents)
    code = "$json"
    for key in data.draw(paths_into(document)):
        optional = data.draw(st.sampled_from(["", "?."]))
        # Keys with escapes are no plain paths; both sides are JavaScript then.
        quoted = key if isinstance(key, int) else json.dumps(key)
        code += f"{optional}[{quoted}]"
    for template in ("{{ %s }}", "text {{ %s }}"):
        assert outcome(template % code, document) == outcome(template % f"({code})", document)


def test_a_text_of_many_megabytes_can_be_read() -> None:
    context = replace(CONTEXT, json={"text": "ab" * 20_000_000})
    assert Expressions().evaluate("{{ $json.text.length }}", context) == 40_000_000
