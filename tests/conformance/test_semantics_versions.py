"""SEMANTICS 23 to 25 through the engine: versions, forks, owners; pins and disabled nodes."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import InputError, NotFound
from pyagent.sdk import Item


def waiting(word: str, **more: Any) -> Any:
    return graph(
        {"first": {}, "ask": {"use": "flow.approve"}, "end": {"value": word}},
        ["first -> ask", "ask.approved -> end"],
        id="pinned",
        **more,
    )


async def test_a_run_goes_on_with_the_version_it_began_with(lab: Lab) -> None:
    lab.file(waiting("old"))
    run = await lab.run("pinned")
    lab.file(waiting("new"))
    await lab.engine.answer(run.id, "", {"approved": True})

    assert (await lab.drive(run, lab.another_engine())).status == "completed"
    assert lab.values["end"] == "old"


async def test_a_run_calls_the_version_of_a_graph_that_there_was_when_it_began(lab: Lab) -> None:
    called = {"value": "old"}
    lab.file(graph({"inner": called}, id="called"))
    call = {"use": "flow.graph", "with": {"graph": "called"}}
    run = await lab.run(graph({"ask": {"use": "flow.approve"}, "call": call}, ["ask.approved -> call"]))
    lab.file(graph({"inner": {"value": "new"}}, id="called"))
    await lab.engine.answer(run.id, "", {"approved": True})

    assert (await lab.drive(run, lab.another_engine())).status == "completed"
    assert lab.values["call()/inner"] == "old"


CHAIN = graph(
    {"a": {}, "b": {}, "c": {}, "side": {}},
    ["a -> b", "b -> c", "a -> side"],
    outputs={"n": "{{ $('c').first().json.n }}"},
)


async def test_a_fork_keeps_what_does_not_descend_from_its_step(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "b"))

    assert (fork.status, fork.forked_from) == ("completed", source.id)
    assert lab.calls == ["b", "c"]
    assert await lab.outputs(fork) == {"n": 1}


async def test_a_forks_items_may_be_edited(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "b", items=[{"n": 5}]))

    assert lab.calls == ["c"]
    assert await lab.outputs(fork) == {"n": 5}


async def test_a_forks_edited_items_write_state_as_the_step_would(lab: Lab) -> None:
    made = graph(
        {"a": {"write": {"c": "{{ $json.n }}"}}, "b": {"value": "{{ $state.c }}"}},
        ["a -> b"],
        state={"c": {"type": "number"}},
    )
    source = await lab.run(made, {"n": 1})
    await lab.drive(await lab.engine.fork(source.id, "a", items=[{"n": 5}]))

    assert lab.values["b"] == 5


async def test_a_fork_on_another_version_runs_changed_nodes_and_what_follows_them(lab: Lab) -> None:
    source = await lab.run(CHAIN, {"n": 1})
    lab.calls.clear()
    changed = graph({"a": {}, "b": {}, "c": {}, "side": {"value": "new"}}, ["a -> b", "b -> c", "a -> side"])
    await lab.drive(await lab.engine.fork(source.id, "c", graph=changed))

    assert sorted(lab.calls) == ["c", "side"]


async def test_a_fork_of_one_iteration_keeps_those_before_it(lab: Lab) -> None:
    source = await lab.run(
        graph(
            {"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {}, "end": {}},
            ["split -> loop", "loop.loop -> work", "work -> loop", "loop.done -> end"],
            outputs={"n": "{{ $('end').all().map(item => item.json.n) }}"},
        ),
        numbers(1, 2, 3),
    )
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "work@2", items=[{"n": 20}]))

    assert lab.calls == ["work@3", "end"]
    assert await lab.outputs(fork) == {"n": [1, 20, 3]}


@pytest.mark.parametrize("once", ["ask", "repeat", "reuse"])
async def test_a_fork_above_once_steps_asks_repeats_or_reuses(lab: Lab, once: Any) -> None:
    made = graph({"a": {}, "send": {"effects": "once"}, "end": {}}, ["a -> send", "send -> end"])
    source = await lab.run(made, {"n": 1})
    lab.calls.clear()
    if once == "ask":
        with pytest.raises(InputError) as refused:
            await lab.engine.fork(source.id, "a")
        assert refused.value.code == "run.fork_once"
        return
    fork = await lab.drive(await lab.engine.fork(source.id, "a", once=once))

    assert fork.status == "completed"
    assert lab.calls == (["a", "send", "end"] if once == "repeat" else ["a", "end"])


async def test_a_fork_of_a_run_that_timed_out_has_its_time_anew(lab: Lab) -> None:
    made = graph({"a": {}, "ask": {"use": "flow.approve"}}, ["a -> ask"], settings={"timeout": "150ms"})
    source = await lab.run(made)
    while source.id not in await lab.store.claimable():
        await lab.store.changed(0.02)
    assert (await lab.drive(source)).status == "failed"

    assert (await lab.drive(await lab.engine.fork(source.id, "a"))).status == "waiting"


async def test_a_fork_outlives_the_run_it_comes_from_with_its_blobs(lab: Lab) -> None:
    @lab.on("a")
    async def blob(items: Any, ctx: Any) -> Any:
        return [Item({}, {"file": await ctx.blobs.put(b"x" * 100_000, name="x")})]

    @lab.on("b")
    async def read(items: Any, ctx: Any) -> Any:
        return [{"size": len(await ctx.blobs.get(items[0].binary["file"]))}]

    made = graph({"a": {}, "b": {}}, ["a -> b"], outputs={"size": "{{ $('b').first().json.size }}"})
    source = await lab.run(made)
    fork = await lab.engine.fork(source.id, "b")
    await lab.store.delete_run(source.id)

    assert await lab.outputs(await lab.drive(fork)) == {"size": 100_000}


async def test_deleting_a_run_deletes_its_log_events_steps_and_blobs(lab: Lab) -> None:
    kept: list[Any] = []

    @lab.on("a")
    async def blob(items: Any, ctx: Any) -> Any:
        kept.append(await ctx.blobs.put(b"y" * 100_000))
        return [Item({}, {"file": kept[0]})]

    run = await lab.run(graph({"a": {}}))
    await lab.store.delete_run(run.id)

    for gone in (lab.store.get_run(run.id), lab.store.get_blob(kept[0].digest)):
        with pytest.raises(NotFound):
            await gone
    assert await lab.store.read_events(0, run.id) == []


async def test_a_run_carries_its_owner_and_who_caused_it(lab: Lab) -> None:
    engine = lab.another_engine(owner="ada")
    run = await engine.start(CHAIN, {"n": 1}, actor="bob")

    assert (run.owner, run.actor) == ("ada", "bob")


@pytest.mark.parametrize("production", [True, False])
async def test_pins_are_used_by_test_runs_only(lab: Lab, production: bool) -> None:
    pinned = graph(
        {"a": {"effects": "once"}, "end": {}},
        ["a -> end"],
        pins={"a": [{"n": 5}]},
        outputs={"n": "{{ $('end').first().json.n }}"},
    )
    run = await lab.run(pinned, {"n": 1}, production=production)

    assert await lab.outputs(run) == {"n": 1 if production else 5}
    assert ("a" in lab.calls) == production


async def test_a_pin_that_is_changed_is_the_pin_of_the_next_test_run(lab: Lab) -> None:
    for n in (5, 6):
        pinned = graph({"a": {}}, pins={"a": [{"n": n}]}, outputs={"n": "{{ $('a').first().json.n }}"})
        run = await lab.run(pinned, production=False)
        assert await lab.outputs(run) == {"n": n}


async def test_pins_are_those_of_the_graph_that_is_run_not_of_the_graphs_that_it_calls(lab: Lab) -> None:
    lab.file(graph({"a": {}}, id="called", pins={"a": [{"n": 7}]}, outputs={"n": "{{ $('a').first().json.n }}"}))
    calling = graph(
        {"a": {}, "call": {"use": "flow.graph", "with": {"graph": "called", "inputs": {"n": 1}}}},
        ["a -> call"],
        pins={"a": [{"n": 5}]},
        outputs={"n": "{{ $('call').first().json.n }}"},
    )
    run = await lab.run(calling, production=False)

    assert await lab.outputs(run) == {"n": 1}
    assert lab.calls == ["call()/a"]


async def test_a_disabled_node_passes_its_items_through(lab: Lab) -> None:
    run = await lab.run(graph({"a": {}, "off": {"disabled": True}, "end": {}}, ["a -> off", "off -> end"]), {"n": 1})

    assert run.status == "completed"
    assert lab.calls == ["a", "end"]


async def test_always_output_delivers_one_empty_item(lab: Lab) -> None:
    @lab.on("a")
    async def nothing(items: Any, ctx: Any) -> Any:
        return []

    made = graph({"a": {"always_output": True}, "end": {}}, ["a -> end"], outputs={"items": "{{ $('end').all() }}"})
    run = await lab.run(made)

    assert await lab.outputs(run) == {"items": [{"json": {}}]}
