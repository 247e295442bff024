"""What an expression would give: with a run's data, with pins, with neither, for hostile and for broken ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NotFound
from pyagent.runtime.preview import SHOWN_BYTES, preview


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


CHAIN = graph(
    {"split": SPLIT, "a": {"name": "First"}, "b": {}, "c": {}},
    ["split -> a", "a -> b", "b -> c"],
    inputs={"list": {"type": "array", "default": []}, "word": {"type": "string", "default": "hello"}},
    state={"seen": {"type": "number", "default": 3}},
)
INPUTS: dict[str, Any] = {**numbers(1, 2, 3), "word": "given"}


async def value(lab: Lab, template: Any, node: str = "b", spec: Any = CHAIN, **options: Any) -> Any:
    found = await preview(lab.engine, spec, node, template, **options)
    assert found.error is None, found.error
    return found.value


async def code(lab: Lab, template: Any, node: str = "b", spec: Any = CHAIN, **options: Any) -> str:
    found = await preview(lab.engine, spec, node, template, **options)
    assert found.error is not None, found.value
    assert found.value is None
    return found.error.code


async def test_a_template_reads_the_data_of_the_runs_step(lab: Lab) -> None:
    run = await lab.run(CHAIN, INPUTS)
    template = {
        "own": "{{ $json.n * 10 }}",
        "other": "{{ $('a').item.json.n }} of {{ $('First').all().length }}",
        "run": ["{{ $inputs.word }}", "{{ $state.seen }}", "{{ $itemIndex }}"],
        "plain": 5,
    }
    found = await preview(lab.engine, CHAIN, "b", template, run_id=run.id, item=1)

    assert found.error is None
    assert found.value == {"own": 20, "other": "2 of 3", "run": ["given", 3, 1], "plain": 5}
    assert found.reads == ("$inputs", "$itemIndex", "$json", "$state", "$('First')", "$('a')")
    assert (found.items, found.step) == (3, "b")
    assert '"own": 20' in found.text


async def test_a_node_that_has_not_run_reads_what_its_ancestors_have_put_out(lab: Lab) -> None:
    run = await lab.run(CHAIN, INPUTS, until="a")
    assert await value(lab, "{{ $json.n }}", run_id=run.id, item=2) == 3
    assert await value(lab, "{{ $('split').item.json.n }}", run_id=run.id, item=2) == 3
    assert await code(lab, "{{ $json.n }}", "c", run_id=run.id) == "preview.no_data"
    assert await value(lab, "{{ $('a').first().json.n }}", "c", run_id=run.id) == 1


async def test_an_unsaved_graph_reads_by_its_own_names_and_edges(lab: Lab) -> None:
    run = await lab.run(CHAIN, INPUTS)
    edited = graph(
        {"split": SPLIT, "a": {"name": "Renamed"}, "new": {}, "b": {}},
        ["split -> a", "a -> new", "a -> b"],
        inputs=dict(CHAIN.inputs),
    )
    assert await value(lab, "{{ $('Renamed').first().json.n }}", "b", edited, run_id=run.id) == 1
    assert await value(lab, "{{ $json.n }}", "new", edited, run_id=run.id) == 1
    assert await code(lab, "{{ $('First').first().json.n }}", "new", edited, run_id=run.id) == "expr.unknown_node"


async def test_pinned_data_serve_where_there_is_no_run(lab: Lab) -> None:
    pinned = graph({"a": {}, "b": {}}, ["a -> b"], pins={"a": [{"n": 1}, {"n": 2}]})
    assert await value(lab, "{{ $json.n + $input.all().length }}", "b", pinned, item=1) == 4


async def test_without_data_what_is_no_data_of_nodes_can_be_read(lab: Lab) -> None:
    assert await value(lab, "{{ $inputs.word }} {{ $state.seen }}") == "hello 3"
    assert await value(lab, "{{ $inputs.word }}", inputs={"word": "mine"}) == "mine"
    for template in ("{{ $json.n }}", "{{ $('a').first().json.n }}", "{{ $('a' + '').first().json.n }}"):
        assert await code(lab, template) == "preview.no_data"
    found = await preview(lab.engine, CHAIN, "b", "{{ $json.n }}")
    assert found.error is not None
    assert found.error.details == {"missing": ["a", "split"]}


async def test_a_node_of_a_loop_reads_as_in_its_last_iteration_or_the_one_that_is_named(lab: Lab) -> None:
    spec = graph(
        {"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {}},
        ["split -> loop", "loop.loop -> work", "work -> loop"],
    )
    run = await lab.run(spec, numbers(1, 2, 3))
    assert await value(lab, "{{ $json.n }} in {{ $runIndex }}", "work", spec, run_id=run.id) == "3 in 2"
    assert await value(lab, "{{ $json.n }}", "work", spec, run_id=run.id, step="work@1") == 1
    half = await lab.run(spec, numbers(7, 8), until="split")
    assert await value(lab, "{{ $json.n }}", "work", spec, run_id=half.id) == 7


async def test_a_trigger_gives_the_inputs_before_anything_has_run(lab: Lab) -> None:
    spec = graph(
        {"start": {"use": "flow.manual"}, "off": {"disabled": True}, "a": {}},
        ["start -> off", "off -> a"],
        inputs={"word": {"type": "string", "default": "hello"}},
    )
    assert await value(lab, "{{ $json.word }}", "a", spec) == "hello"
    assert await value(lab, "{{ $json.word }}", "a", spec, inputs={"word": "mine"}) == "mine"


async def test_a_node_of_a_body_reads_an_element(lab: Lab) -> None:
    spec = graph(
        {"split": SPLIT, "each": {"use": "flow.map", "body": ({"work": {}, "end": {}}, ["work -> end"])}},
        ["split -> each"],
    )
    run = await lab.run(spec, numbers(4, 5))
    step = "each[1]/end"
    assert await value(lab, "{{ $json.n + $('work').first().json.n }}", "end", spec, run_id=run.id, step=step) == 10
    half = await lab.run(spec, numbers(7, 8), until="split")
    assert await value(lab, "{{ $json.n }}", "work", spec, run_id=half.id) == 7


async def test_errors_say_where_and_a_branch_that_was_not_taken_is_one(lab: Lab) -> None:
    run = await lab.run(CHAIN, INPUTS)
    found = await preview(lab.engine, CHAIN, "b", {"x": ["ok", "a\n{{ $json.a.b }}"]}, run_id=run.id)
    assert found.error is not None
    assert (found.error.where.field, found.error.where.line) == ("x.1", 2)
    assert await code(lab, "{{ $json. }}", run_id=run.id) == "expr.syntax"
    assert await code(lab, "{{ $('c').first() }}", run_id=run.id) == "expr.not_upstream"
    assert await code(lab, "{{ $json.n }}", run_id=run.id, item=3) == "preview.no_item"
    spec = graph(
        {"check": {"use": "flow.if", "with": {"when": "{{ $json.n > 1 }}"}}, "yes": {}, "then": {}},
        ["check.true -> yes", "yes -> then"],
    )
    off = await lab.run(spec, {"n": 1})
    assert await code(lab, "{{ $json.n }}", "then", spec, run_id=off.id) == "preview.not_reached"


async def test_an_unknown_node_or_run_is_told(lab: Lab) -> None:
    assert await code(lab, "{{ 1 }}", "zzz") == "preview.no_node"
    with pytest.raises(NotFound):
        await preview(lab.engine, CHAIN, "b", "{{ 1 }}", run_id="abcdef")


async def test_a_long_value_is_cut_for_showing(lab: Lab) -> None:
    found = await preview(lab.engine, CHAIN, "split", "{{ 'ä'.repeat(100000) }}")
    assert (found.value, found.cut) == (None, True)
    assert len(found.text.encode()) <= SHOWN_BYTES
    assert found.text == "ä" * (SHOWN_BYTES // 2)


async def test_a_wild_expression_keeps_nobody_waiting(lab: Lab) -> None:
    beats: list[str] = []
    asked = asyncio.create_task(preview(lab.engine, CHAIN, "split", "{{ (() => { for (;;) {} })() }}"))
    while not asked.done():
        beats.append("beat")
        await asyncio.sleep(0.01)
    error = (await asked).error
    assert error is not None
    assert error.code == "expr.timeout"
    # The loop went on for the whole second that the expression was given.
    assert len(beats) > 10


@pytest.mark.parametrize("pins", [{}, {"each": {"loop": [{"n": 1}]}, "work": [{"n": 2}]}])
async def test_what_comes_after_loops_is_reached_by_one_iteration_of_each(lab: Lab, pins: dict[str, Any]) -> None:
    loops = graph(
        {"first": {}, "outer": {"use": "flow.loop"}, "each": {"use": "flow.loop"}, "work": {}, "after": {}},
        [
            "first -> outer",
            "outer.loop -> each",
            "each.loop -> work",
            "work -> each",
            "each.done -> outer",
            "outer.done -> after",
        ],
        pins=pins,
    )
    assert await value(lab, "{{ 1 + 1 }}", "after", loops) == 2
    if pins:
        assert await value(lab, "{{ $json.n }}", "after", loops) == 2


async def test_all_expressions_of_a_template_end_in_time_together(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("pyagent.runtime.expressions.time.monotonic", lambda: next(clock))
    assert await code(lab, ["{{ 1 + 1 }}"] * 100, "split") == "expr.timeout"
    assert await code(lab, "{{ 1 + 1 }}" * 100, "split") == "expr.timeout"
    assert await value(lab, ["{{ 1 + 1 }}"] * 3, "split") == [2, 2, 2]


async def test_values_that_no_answer_can_hold_are_shown_as_far_as_they_can_be(lab: Lab) -> None:
    assert await value(lab, "{{ ({['a\\ud800']: ['\\udc00b']}) }}", "split") == {"a\ufffd": ["\ufffdb"]}
    assert await value(lab, "{{ '\\ud800' }}", "split") == "\ufffd"
    for levels in (100, 900):
        deep = f"{{{{ (() => {{ let a = 1; for (let i = 0; i < {levels}; i++) a = [a]; return a }})() }}}}"
        found = await preview(lab.engine, CHAIN, "split", deep)
        assert (found.error, found.value, found.cut) == (None, None, True)
        assert found.text.startswith("[\n")
