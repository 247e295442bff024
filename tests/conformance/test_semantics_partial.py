"""Partial runs through the engine: up to a node, from a node with what is kept, and a node alone (ADR 0020)."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import InputError, NotFound, PyAgentError
from pyagent.runtime.inspect import step_data
from pyagent.runtime.kept import kept_data
from pyagent.sdk import Items

CHAIN = graph(
    {"a": {}, "b": {}, "c": {}, "side": {}},
    ["a -> b", "b -> c", "a -> side"],
    outputs={"b": "{{ $('b').first().json.n }}", "c": "{{ $('c').first().json.n }}"},
)
TWO = graph(
    {"left": {"use": "lab.trigger"}, "right": {"use": "lab.trigger"}, "l": {}, "r": {}, "both": {"join": "any"}},
    ["left -> l", "right -> r", "l -> both", "r -> both"],
)


async def test_a_run_until_a_node_takes_that_and_what_leads_to_it(lab: Lab) -> None:
    run = await lab.run(CHAIN, {"n": 1}, until="b")

    assert run.status == "completed"
    assert lab.calls == ["a", "b"]
    assert await lab.statuses(run) == {"a": "completed", "b": "completed"}
    assert await lab.outputs(run) == {"b": 1, "c": None}
    assert (await lab.log(run))[0].data["until"] == "b"


async def test_an_output_of_a_partial_run_that_cannot_be_evaluated_is_null(lab: Lab) -> None:
    spec = graph(
        {"a": {}, "b": {"write": {"found": "{{ ({name: 'x'}) }}"}}},
        ["a -> b"],
        state={"found": {"type": "object"}},
        outputs={"name": "{{ $state.found.name.length }}"},
    )
    assert (await lab.run(spec, {"n": 1}, until="a")).status == "completed"
    assert await lab.outputs(await lab.run(spec, {"n": 1})) == {"name": 1}


async def test_a_branch_that_does_not_lead_to_the_node_is_not_taken_and_holds_up_no_join(lab: Lab) -> None:
    spec = graph(
        {"a": {}, "b": {}, "c": {}, "join": {}, "after": {}, "other": {}},
        ["a -> b", "a -> c", "b -> join", "c -> join", "join -> after", "a -> other", "other -> after"],
    )
    await lab.run(spec, until="join")
    assert sorted(lab.calls) == ["a", "b", "c", "join"]


async def test_a_node_of_a_body_stands_for_the_whole_map(lab: Lab) -> None:
    body = ({"work": {}, "last": {}}, ["work -> last"])
    spec = graph(
        {"split": SPLIT, "each": {"use": "flow.map", "body": body}, "end": {}}, ["split -> each", "each -> end"]
    )
    run = await lab.run(spec, numbers(1, 2), until="work")

    assert sorted(lab.calls) == ["each[0]/last", "each[0]/work", "each[1]/last", "each[1]/work"]
    assert (await lab.log(run))[0].data["until"] == "each"


async def test_a_run_until_a_node_in_a_loop_goes_round_the_loop(lab: Lab) -> None:
    spec = graph(
        {"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {}, "aside": {}, "end": {}},
        ["split -> loop", "loop.loop -> work", "work -> loop", "work -> aside", "loop.done -> end"],
    )
    await lab.run(spec, numbers(1, 2, 3), until="work")
    assert lab.calls == ["work@1", "work@2", "work@3"]


async def test_the_trigger_need_not_be_told_where_one_alone_leads_to_the_node(lab: Lab) -> None:
    run = await lab.run(TWO, until="r")
    assert (run.trigger, lab.calls) == ("right", ["right", "r"])
    with pytest.raises(PyAgentError) as refused:
        await lab.run(TWO, until="both")
    assert refused.value.code == "graph.trigger.unknown"
    assert (await lab.run(TWO, until="both", trigger="left")).trigger == "left"


async def test_a_node_that_the_trigger_does_not_lead_to_is_refused(lab: Lab) -> None:
    with pytest.raises(InputError) as refused:
        await lab.run(TWO, until="r", trigger="left")
    assert refused.value.code == "run.until_unreached"
    assert "right" in refused.value.hint
    with pytest.raises(NotFound) as unknown:
        await lab.run(CHAIN, until="d")
    assert unknown.value.code == "run.until_unknown"
    assert await lab.store.list_runs() == []


async def test_a_partial_run_that_another_worker_adopts_ends_at_the_same_node(lab: Lab) -> None:
    gate = lab.gate("b")
    run = await lab.engine.start(CHAIN, {"n": 1}, until="b")
    task = lab.driving(run)
    await lab.called("b")
    await lab.crash(task, run)
    gate.set()
    assert (await lab.drive(run, lab.another_engine())).status == "completed"

    assert set(await lab.statuses(run)) == {"a", "b"}
    state, entries = await lab.engine.replay(run.id)
    for entry in entries:
        state.apply(entry)
    assert list(state.frames[""].nodes.plan.ids) == ["a", "b"]


async def test_a_successor_of_a_partial_run_ends_at_the_same_node(lab: Lab) -> None:
    spec = graph(
        {
            "count": {"use": "data.set", "with": {"fields": {"n": "{{ $inputs.n + 1 }}"}}},
            "again": {"use": "flow.if", "with": {"when": "{{ $json.n < 2 }}"}},
            "restart": {"use": "flow.restart", "with": {"inputs": {"n": "{{ $json.n }}"}}},
            "end": {},
        },
        ["count -> again", "again.true -> restart", "again.false -> end"],
        inputs={"n": {"type": "number", "default": 0}},
    )
    first = await lab.run(spec, {"n": 0}, until="restart")
    assert first.continued_as is not None
    last = await lab.drive(first.continued_as)
    assert last.status == "completed"
    assert "end" not in await lab.statuses(last)


async def test_a_node_alone_is_run_with_what_is_kept(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "b", until="b"))

    assert (fork.status, lab.calls) == ("completed", ["b"])
    assert await lab.statuses(fork) == {"a": "completed", "b": "completed"}
    found = await step_data(lab.engine, fork.id, "a")
    assert [item.json for item in found.outputs["out"]] == [{"n": 1}]
    rows = await lab.steps(fork)
    assert rows["a"].ended_at is not None
    assert rows["a"].ended_at < fork.created_at
    assert (rows["a"].items_in, dict(rows["a"].items_out)) == (1, {"out": 1})


async def test_a_fork_of_a_partial_run_goes_on_where_that_ended(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1}, until="a")
    lab.calls.clear()
    alone = await lab.drive(await lab.engine.fork(source.id, "c", until="c"))
    assert lab.calls == ["b", "c"]
    lab.calls.clear()
    whole = await lab.drive(await lab.engine.fork(alone.id, "side"))
    assert lab.calls == ["side"]
    assert await lab.outputs(whole) == {"b": 1, "c": 1}
    assert "until" not in (await lab.log(whole))[0].data


async def test_a_fork_begins_at_what_is_missing_after_a_failure(lab: Lab) -> None:
    lab.raises("b", ValueError("no"))
    source = await lab.run(CHAIN, {"n": 1})
    assert source.status == "failed"
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "c", until="c"))
    assert (fork.status, lab.calls) == ("completed", ["b", "c"])


async def test_a_node_that_was_added_since_is_run_with_what_is_kept(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    newer = graph({"a": {}, "b": {}, "new": {}, "c": {}, "side": {}}, ["a -> b", "b -> new", "new -> c", "a -> side"])
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "new", graph=newer, until="new"))
    assert (fork.status, lab.calls) == ("completed", ["new"])
    assert set(await lab.statuses(fork)) == {"a", "b", "new"}
    lab.calls.clear()
    whole = await lab.drive(await lab.engine.fork(source.id, "new", graph=newer))
    assert (whole.status, lab.calls) == ("completed", ["new", "c"])


async def test_a_changed_ancestor_is_run_again(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    newer = graph(
        {"a": {}, "b": {"value": "other"}, "c": {}, "side": {}}, ["a -> b", "b -> c", "a -> side"], outputs={}
    )
    lab.calls.clear()
    await lab.drive(await lab.engine.fork(source.id, "c", graph=newer, until="c"))
    assert lab.calls == ["b", "c"]


async def test_items_can_be_given_to_a_node_that_the_source_did_not_reach(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1}, until="b")
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "c", items=[{"n": 9}]))
    assert (lab.calls, await lab.outputs(fork)) == (["side"], {"b": 1, "c": 9})


async def test_a_fork_at_a_node_of_a_branch_that_was_not_taken_says_that_nothing_would_run(lab: Lab) -> None:
    spec = graph(
        {"check": {"use": "flow.if", "with": {"when": "{{ $json.n > 1 }}"}}, "yes": {}, "no": {}},
        ["check.true -> yes", "check.false -> no"],
    )
    source = await lab.run(spec, {"n": 1})
    with pytest.raises(InputError) as refused:
        await lab.engine.fork(source.id, "yes")
    assert refused.value.code == "run.fork_nothing"


async def test_only_once_steps_that_take_part_are_asked_about(lab: Lab) -> None:
    spec = graph({"a": {}, "b": {}, "send": {"effects": "once"}}, ["a -> b", "b -> send"])
    source = await lab.run(spec)
    with pytest.raises(InputError) as asked:
        await lab.engine.fork(source.id, "b")
    assert asked.value.code == "run.fork_once"
    lab.calls.clear()
    await lab.drive(await lab.engine.fork(source.id, "b", until="b"))
    assert lab.calls == ["b"]


async def test_a_step_that_waits_beside_the_fork_still_can_be_answered(lab: Lab) -> None:
    spec = graph({"a": {}, "ask": {"use": "flow.approve"}, "b": {}, "end": {}}, ["a -> ask", "a -> b", "b -> end"])
    source = await lab.run(spec)
    assert source.status == "waiting"
    fork = await lab.drive(await lab.engine.fork(source.id, "b"))
    assert fork.status == "waiting"
    await lab.engine.answer(fork.id, "", {"approved": True})
    assert (await lab.drive(fork)).status == "completed"


async def test_a_fork_can_be_a_test_run_and_then_pins_count(lab: Lab) -> None:
    spec = graph({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> c"], pins={"b": [{"n": 7}]})
    source = await lab.run(spec, {"n": 1})
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "c", until="c", test=True))

    assert (fork.production, lab.calls) == (False, ["c"])
    assert [item.json for item in (await step_data(lab.engine, fork.id, "c")).outputs["out"]] == [{"n": 7}]


async def test_a_test_run_whose_pins_have_changed_runs_that_node_again(lab: Lab) -> None:
    def pinned(n: int) -> Any:
        return graph({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> c"], pins={"a": [{"n": n}]})

    source = await lab.run(pinned(1), production=False)
    fork = await lab.drive(await lab.engine.fork(source.id, "c", graph=pinned(2), until="c"))
    assert [item.json for item in (await step_data(lab.engine, fork.id, "c")).outputs["out"]] == [{"n": 2}]


async def test_forks_of_maps_take_the_map_of_a_node_inside(lab: Lab) -> None:
    spec = graph(
        {"split": SPLIT, "each": {"use": "flow.map", "body": {"work": {}}}, "end": {}},
        ["split -> each", "each -> end"],
    )
    source = await lab.run(spec, numbers(1, 2))
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "work", until="work"))
    assert sorted(lab.calls) == ["each[0]/work", "each[1]/work"]
    assert set(await lab.statuses(fork)) == {"split", "each", "each[0]/work", "each[1]/work"}


# What is kept --------------------------------------------------------------------------------------------------


async def test_the_run_that_has_most_of_what_a_node_needs_is_found(lab: Lab) -> None:
    whole = await lab.run(CHAIN, {"n": 1})
    await lab.run(CHAIN, {"n": 2}, until="a")
    found = await kept_data(lab.engine, CHAIN, "c")

    assert found.run is not None
    assert (found.run.id, found.reached, found.complete) == (whole.id, True, True)
    assert [(one.node, one.state, one.step) for one in found.ancestors] == [("a", "kept", "a"), ("b", "kept", "b")]


async def test_what_has_changed_and_what_follows_from_it_is_stale(lab: Lab) -> None:
    await lab.run(CHAIN, {"n": 1})
    newer = graph({"a": {"value": 1}, "b": {}, "new": {}, "c": {}}, ["a -> b", "b -> new", "new -> c"])
    found = await kept_data(lab.engine, newer, "c")
    assert {one.node: one.state for one in found.ancestors} == {"a": "stale", "b": "stale", "new": "missing"}
    assert not found.complete


async def test_without_a_run_everything_is_missing(lab: Lab) -> None:
    found = await kept_data(lab.engine, CHAIN, "c")
    assert (found.run, found.reached, found.complete) == (None, False, False)
    assert {one.state for one in found.ancestors} == {"missing"}


async def test_a_failed_node_is_missing_and_a_skipped_one_is_kept(lab: Lab) -> None:
    @lab.on("b")
    async def nothing(items: Items, ctx: Any) -> Any:
        return {}

    lab.raises("c", ValueError("no"))
    spec = graph({"a": {}, "b": {}, "x": {}, "c": {}, "d": {}}, ["a -> b", "b -> x", "a -> c", "x -> d", "c -> d"])
    assert (await lab.run(spec)).status == "failed"
    found = await kept_data(lab.engine, spec, "d")
    assert {one.node: one.state for one in found.ancestors} == {
        "a": "kept",
        "b": "kept",
        "x": "kept",
        "c": "missing",
    }
