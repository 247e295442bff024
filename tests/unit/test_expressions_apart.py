"""Expressions that may take long: they run where they can be killed, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from pyagent.errors import ExpressionError, SetupError
from pyagent.runtime import _luxon, expression_process
from pyagent.runtime.expression_context import EvaluationContext, NodeView
from pyagent.runtime.expressions import Expressions
from pyagent.sdk.later import Later, in_time

CONTEXT = EvaluationContext(
    now=datetime(2026, 1, 2, tzinfo=UTC),
    json={"a": 1, "list": [1, 2, 3]},
    node={"A": NodeView(items=[{"json": {"x": 5}}])}.get,
    node_id="n",
    seed=7,
)
LOOP = "{{ (() => { let sum = 0; for (const x of $json.list) sum += x; return sum })() }}"
FOREVER = "{{ (() => { for (;;); })() }}"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("(() => { let n = 0; while (n < 5) n++; return n })()", 5),
        ("(() => { for (;;) return $('A').first().json.x })()", 5),
        ("(() => { for (;;) return {a: [1.5, null, 'é😀']} })()", {"a": [1.5, None, "é😀"]}),
        ("(() => { for (;;) return '\\ud800' })()", "\ud800"),
        ("(() => { for (;;) return $now.toISODate() })()", "2026-01-02"),
        ("2n ** 64n", "18446744073709551616"),
        ("(f => f(3))(function f(n) { return n ? n * f(n - 1) : 1 })", 6),
        ("Array(500000).fill('xy').join('').length", 1_000_000),
    ],
)
def test_what_may_repeat_itself_gives_the_same_in_a_process_of_its_own(code: str, value: object) -> None:
    assert Expressions().evaluate("{{ " + code + " }}", CONTEXT) == value


def test_chance_and_clock_are_the_same_in_both_places() -> None:
    expressions = Expressions()
    here = expressions.evaluate("{{ [Math.random(), Date.now()] }}", CONTEXT)
    apart = expressions.evaluate("{{ (() => { for (;;) return [Math.random(), Date.now()] })() }}", CONTEXT)
    assert here == apart


def test_errors_keep_their_kind_and_their_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        Expressions().evaluate("a {{ (() => { for (;;) missing })() }}", CONTEXT, field="with.x")
    assert caught.value.message == "missing is not defined"
    assert (caught.value.where.line, caught.value.where.column, caught.value.where.field) == (1, 24, "with.x")


def test_what_the_caller_refuses_reaches_the_caller_from_there_too() -> None:
    def refuse(name: str) -> NodeView | None:
        raise ExpressionError(f"{name} is not upstream", code="expr.not_upstream")

    expressions = Expressions()
    with pytest.raises(ExpressionError, match="late is not upstream") as caught:
        expressions.evaluate("{{ (() => { for (;;) $('late').first() })() }}", replace(CONTEXT, node=refuse))
    assert caught.value.code == "expr.not_upstream"
    assert expressions.evaluate(LOOP, CONTEXT) == 6


def test_a_missing_luxon_is_told_from_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise SetupError("luxon is not there", code="setup.luxon_missing")

    monkeypatch.setattr(_luxon, "source", missing)
    with pytest.raises(SetupError, match="luxon is not there"):
        Expressions().evaluate("{{ (() => { for (;;) return $now })() }}", CONTEXT)


def test_native_code_that_never_asks_is_killed_and_the_next_expression_works() -> None:
    expressions = Expressions(time_limit=0.2)
    # A comparison of texts of half a gigabyte, again and again: QuickJS would ask after ten thousand of them.
    code = "(() => { let s = 'x'.repeat(9000); for (let i = 0; i < 16; i++) s += s; for (;;) s + 'a' === s + 'b' })()"
    with pytest.raises(ExpressionError) as caught:
        expressions.evaluate("{{ " + code + " }}", CONTEXT)
    assert caught.value.code == "expr.timeout"
    assert expressions.evaluate(LOOP, CONTEXT) == 6


def test_nothing_of_one_graph_is_found_by_another_in_the_same_process() -> None:
    first, second = Expressions(), Expressions()
    hide = "{{ (() => { for (;;) { try { globalThis.kept = 1; } catch { return 'refused' } } })() }}"
    assert first.evaluate(hide, CONTEXT) == "refused"
    assert second.evaluate("{{ (() => { for (;;) return typeof kept })() }}", CONTEXT) == "undefined"


def test_a_process_has_no_environment_and_the_code_no_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "told")
    code = "(() => { for (;;) return [typeof process, typeof require, typeof std, typeof os] })()"
    assert Expressions().evaluate("{{ " + code + " }}", CONTEXT) == ["undefined"] * 4


def test_a_machine_that_starts_no_process_is_told_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    expression_process.end_processes()
    monkeypatch.setattr(expression_process.subprocess, "Popen", refuse)
    with pytest.raises(ExpressionError, match="no process for the expression can be started") as caught:
        Expressions().evaluate(LOOP, CONTEXT)
    assert caught.value.code == "expr.memory"


async def test_whoever_does_not_wait_is_told_later_and_finds_the_answer_then() -> None:
    expressions = Expressions()
    both = {"one": LOOP, "two": "{{ (() => { for (;;) return $('A').first().json.x })() }}", "three": "{{ $json.a }}"}
    with pytest.raises(Later):
        expressions.evaluate(both, CONTEXT, waits=False)
    value = await in_time(partial(expressions.evaluate, both, CONTEXT, waits=False))
    assert value == {"one": 6, "two": 5, "three": 1}


async def test_an_expression_that_never_ends_leaves_the_event_loop_to_others() -> None:
    expressions = Expressions(time_limit=0.3)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    with pytest.raises(ExpressionError) as caught:
        await in_time(partial(expressions.evaluate, FOREVER, CONTEXT, waits=False))
    counting.cancel()
    assert caught.value.code == "expr.timeout"
    assert turns > 20
