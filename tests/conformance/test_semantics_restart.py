"""SEMANTICS 12 and 21 through the engine: runs that begin anew, signals of runs, forms, runs that take turns."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import Lab, graph
from pyagent.errors import InputError, LeaseLost
from pyagent.sdk import BlobRef, Item
from pyagent.store.base import Run, SlotTaken


async def successor(lab: Lab, run: Run) -> Run:
    """The run that follows this one."""
    found = (await lab.store.get_run(run.id)).continued_as
    assert found is not None
    return await lab.store.get_run(found)


def service(**more: Any) -> Any:
    """Counts its runs in the state, and begins anew until there have been three."""
    return graph(
        {
            "count": {"write": {"runs": "{{ 1 }}"}},
            "more": {"use": "flow.if", "with": {"when": "{{ $state.runs < 3 }}"}},
            "anew": {"use": "flow.restart", "with": more.pop("restart", {})},
        },
        ["count -> more", "more.true -> anew"],
        state={"runs": {"type": "integer", "reduce": "add"}},
        outputs={"runs": "{{ $state.runs }}", "n": "{{ $('count').first().json.n }}"},
        id="service",
        **more,
    )


async def test_a_run_begins_anew_with_its_items_and_state_until_it_ends(lab: Lab) -> None:
    run = await lab.run(service(), {"n": 7}, key="only", actor="ann", labels={"team": "a"})
    outputs = [await lab.outputs(run)]
    runs = [run]
    while runs[-1].continued_as:
        runs.append(await lab.drive(await successor(lab, runs[-1])))
        outputs.append(await lab.outputs(runs[-1]))

    assert outputs == [{"runs": count, "n": 7} for count in (1, 2, 3)]
    assert {(run.status, run.actor, run.owner, run.production, run.labels["team"]) for run in runs} == {
        ("completed", "ann", "local", True, "a")
    }
    assert [run.continues for run in runs] == [None, runs[0].id, runs[1].id]
    assert runs[-1].key == "only"
    assert (await lab.engine.start(service(), {"n": 1}, key="only", key_policy="existing")).id != run.id
    (told,) = await lab.events(run, "run.continued")
    assert told.data == {"run": runs[1].id}
    assert (await lab.events(runs[1], "run.queued"))[0].data["continues"] == run.id


async def test_a_successor_takes_the_chosen_inputs_items_and_state(lab: Lab) -> None:
    restart = {"items": "inputs", "inputs": {"n": 2}, "state": {"runs": 10}}
    run = await lab.run(service(restart=restart), {"n": 1})
    after = await lab.drive(await successor(lab, run))

    assert await lab.outputs(after) == {"runs": 11, "n": 2}
    assert after.continued_as is None


async def test_a_trigger_of_the_successor_puts_out_the_chosen_items_with_their_binaries(lab: Lab) -> None:
    refs: list[BlobRef] = []

    @lab.on("make")
    async def make(items: Any, ctx: Any) -> Any:
        if not refs:
            refs.append(await ctx.blobs.put(b"x" * 100_000, name="f"))
            return [Item({"n": number}, {"f": refs[0]}) for number in range(3)]
        return items

    begun = graph(
        {
            "start": {"use": "flow.manual"},
            "make": {},
            "often": {"use": "flow.if", "with": {"when": "{{ $items.length > 1 }}"}, "disabled": True},
            "anew": {"use": "flow.restart"},
        },
        ["start -> make", "make -> often", "often.true -> anew"],
        outputs={"given": "{{ $('start').all().map(item => item.json) }}"},
        id="begun",
    )
    run = await lab.run(begun, {"first": True})
    after = await lab.drive(await successor(lab, run))
    await lab.store.delete_run(run.id)

    assert await lab.outputs(after) == {"given": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert await lab.store.get_blob(refs[0].digest) == b"x" * 100_000


async def test_a_successor_runs_the_newest_version_of_its_graph_or_the_same(lab: Lab) -> None:
    for version, word in (("newest", "new"), ("same", "old")):
        steps = {
            "work": {"value": "old"},
            "ask": {"use": "flow.approve"},
            "anew": {"use": "flow.restart", "with": {"version": version}},
        }
        edges = ["work -> ask", "ask.approved -> anew"]
        lab.file(graph(steps, edges, id=f"pinned_{version}"))
        run = await lab.run(f"pinned_{version}")
        lab.file(graph({**steps, "work": {"value": "new"}}, edges, id=f"pinned_{version}"))
        await lab.engine.answer(run.id, "", {"approved": True})
        run = await lab.drive(run)
        await lab.drive(await successor(lab, run))

        assert lab.values["work"] == word


@pytest.mark.parametrize(
    ("restart", "code"),
    [
        ({"inputs": {"other": 1}}, "input.invalid"),
        ({"state": {"other": 1}}, "run.restart_state"),
        ({"state": {"runs": "many"}}, "run.restart_state"),
    ],
)
async def test_a_successor_that_could_not_begin_fails_the_step(lab: Lab, restart: dict[str, Any], code: str) -> None:
    run = await lab.run(service(restart=restart, inputs={"n": {"type": "integer"}}), {"n": 1})

    assert (run.status, run.error["code"] if run.error else "") == ("failed", code)
    assert run.continued_as is None


async def test_a_worker_that_dies_as_a_run_begins_anew_leaves_one_successor(lab: Lab) -> None:
    run = await lab.engine.start(service(), {"n": 1})
    first = lab.another_engine()
    commit = first.store.commit
    lost: list[Any] = []

    async def dies(lease: Any, change: Any) -> None:
        if change.successor is not None and not lost:
            lost.append(change)
            raise LeaseLost("the worker is gone")
        await commit(lease, change)

    lab.store.commit = dies  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        await lab.drive(run, first)
    ended = await lab.drive(run, lab.another_engine())

    assert lost
    assert ended.status == "completed"
    runs = await lab.store.list_runs()
    assert [found.id for found in runs] == [ended.continued_as, run.id]


async def test_requests_to_a_run_that_has_begun_anew_reach_its_successor(lab: Lab) -> None:
    waits = graph(
        {
            "wait": {"use": "flow.wait", "with": {"signal": "go", "timeout": "1d"}},
            "anew": {"use": "flow.restart", "with": {"items": "inputs"}},
        },
        ["wait.out -> anew"],
    )
    run = await lab.run(waits)
    await lab.engine.signal("go", run_id=run.id)
    await lab.engine.signal("go", run_id=run.id)
    run = await lab.drive(run)
    second = await lab.drive(await successor(lab, run))
    third = await lab.drive(await successor(lab, second))
    assert (second.status, third.status) == ("completed", "waiting")

    await lab.engine.signal("go", run_id=run.id)
    assert (await lab.drive(third)).status == "completed"
    fourth = await successor(lab, third)
    await lab.engine.cancel(run.id)
    assert (await lab.drive(fourth)).status == "cancelled"


# signals that runs send


SENDER = {"send": {"use": "flow.signal", "with": {"name": "paid", "key": "{{ $json.order }}", "value": "{{ $json }}"}}}


async def test_a_run_signals_whoever_waits_for_the_name_and_the_key(lab: Lab) -> None:
    wait = {"use": "flow.wait", "with": {"signal": "paid", "key": "{{ $inputs.order }}"}}
    waiting = graph({"wait": wait}, outputs={"sum": "{{ $('wait').first().json.signal.value.sum }}"}, id="waiting")
    first = await lab.run(waiting, {"order": "1"})
    second = await lab.run(waiting, {"order": "2"})

    sent = await lab.run(graph(SENDER), {"order": "2", "sum": 5}, actor="ann")

    assert sent.status == "completed"
    assert await lab.store.claimable() == [second.id]
    assert await lab.outputs(await lab.drive(second)) == {"sum": 5}
    assert (await lab.log(second, "step.answered"))[0].data["answer"]["actor"] == "ann"
    assert (await lab.drive(first)).status == "waiting"


async def test_a_signal_of_a_step_that_is_tried_again_is_sent_once(lab: Lab) -> None:
    target = await lab.run(graph({"wait": {"use": "flow.wait", "with": {"signal": "other"}}}))

    @lab.on("send")
    async def send(items: Any, ctx: Any) -> Any:
        await ctx.signal("a", 1, run=target.id)
        await ctx.signal("a", 1, run=target.id, once="second")
        await ctx.signal("b", 2, run=target.id)
        if ctx.attempt == 1:
            raise RuntimeError("again")
        return items

    run = await lab.run(graph({"send": {"retry": {"attempts": 2, "initial": "1ms"}}}))

    assert run.status == "completed"
    assert [message.name for message in await lab.store.messages(target.id)] == ["a", "a", "b"]


async def test_a_signal_to_an_unknown_run_fails_its_item(lab: Lab) -> None:
    send = {"use": "flow.signal", "with": {"name": "a", "run": "nobody"}}
    run = await lab.run(graph({"send": send}))
    assert (run.status, run.error["code"] if run.error else "") == ("failed", "run.not_found")


# forms


async def test_an_answer_that_does_not_fit_the_form_is_refused_with_its_field(lab: Lab) -> None:
    fields = [
        {"name": "colour", "type": "choice", "options": ["red", "blue"], "required": True},
        {"name": "count", "type": "integer", "default": 1},
    ]
    ask = {"use": "flow.ask", "with": {"title": "Which?", "fields": fields, "into": "a.form", "by": "a.by"}}
    run = await lab.run(graph({"ask": ask}, outputs={"a": "{{ $('ask').first().json.a }}"}))
    (record,) = await lab.store.steps(run.id)
    assert record.wait is not None
    assert (record.wait["kind"], record.wait["title"]) == ("form", "Which?")

    for wrong, field in (({}, "colour"), ({"colour": "green"}, "colour"), ({"colour": "red", "count": "x"}, "count")):
        with pytest.raises(InputError) as caught:
            await lab.engine.answer(run.id, "", wrong)
        assert (caught.value.code, caught.value.where.field) == ("run.answer", field)
    assert await lab.store.messages(run.id) == []
    await lab.engine.answer(run.id, "ask", {"colour": "blue"}, actor="ann")

    outputs = await lab.outputs(await lab.drive(run))
    assert outputs["a"]["form"] == {"colour": "blue", "count": 1}
    assert outputs["a"]["by"]["actor"] == "ann"


async def test_a_form_that_nobody_fills_in_goes_on_by_its_timeout(lab: Lab) -> None:
    ask = {"use": "flow.ask", "with": {"fields": {"a": {"type": "string"}}, "timeout": "0s"}}
    run = await lab.run(graph({"ask": ask, "late": {}}, ["ask.timeout -> late"]))
    assert (run.status, lab.calls) == ("completed", ["late"])


# runs that take turns


def turns(limit: int = 1) -> Any:
    return graph(
        {"work": {"use": "flow.wait", "with": {"signal": "go"}}},
        settings={"concurrency": {"key": "{{ $inputs.user }}", "limit": limit}},
    )


async def test_runs_with_the_same_key_take_turns(lab: Lab) -> None:
    first = await lab.run(turns(), {"user": "ann"})
    second = await lab.engine.start(turns(), {"user": "ann"})
    other = await lab.run(turns(), {"user": "bob"})
    assert (first.status, other.status) == ("waiting", "waiting")
    with pytest.raises(SlotTaken):
        await lab.drive(second)
    assert await lab.store.claimable() == []

    await lab.engine.signal("go", run_id=first.id)
    assert (await lab.drive(first)).status == "completed"
    assert await lab.store.claimable() == [second.id]
    assert (await lab.drive(second)).status == "waiting"


async def test_a_failed_run_that_is_resumed_waits_for_its_turn(lab: Lab) -> None:
    first = await lab.run(turns(), {"user": "ann"})
    await lab.engine.cancel(first.id)
    assert (await lab.drive(first)).status == "cancelled"
    second = await lab.run(turns(), {"user": "ann"})
    await lab.engine.resume(first.id)
    with pytest.raises(SlotTaken):
        await lab.drive(first)
    await lab.engine.cancel(second.id)
    await lab.drive(second)
    assert (await lab.drive(first)).status == "waiting"


async def test_a_run_that_waits_for_its_turn_can_be_cancelled(lab: Lab) -> None:
    first = await lab.run(turns(), {"user": "ann"})
    second = await lab.engine.start(turns(), {"user": "ann"})
    await lab.engine.cancel(second.id)
    assert (await lab.drive(second)).status == "cancelled"
    assert (await lab.store.get_run(first.id)).status == "waiting"
