"""Which queued run begins first, through the engine: `settings.priority`, `settings.fairness`, and what is given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine_lab import Lab, graph
from pyagent.errors import GraphError, InputError
from pyagent.graph.yaml import load_text


def made(id: str = "made", **settings: Any) -> Any:
    return graph({"work": {}}, id=id, inputs={"user": {"type": "string", "default": ""}}, settings=settings)


async def begun(lab: Lab) -> list[str]:
    """The runs in the order in which a worker with one hand begins them; it works until all have ended."""
    working = asyncio.create_task(lab.engine.work(limit=1))
    try:
        for run in await lab.store.list_runs():
            await asyncio.wait_for(lab.engine.wait(run.id), 20)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return [event.run_id for event in await lab.store.read_events() if event.kind == "run.started"]


async def test_a_worker_begins_runs_by_priority_and_the_one_given_goes_before_the_graphs(lab: Lab) -> None:
    plain = await lab.engine.start(made("plain"))
    important = await lab.engine.start(made("important", priority=10))
    urgent = await lab.engine.start(made("plain"), priority=11)
    lowered = await lab.engine.start(made("important", priority=10), priority=-1)
    assert [run.priority for run in (plain, important, urgent, lowered)] == [0, 10, 11, -1]
    assert await begun(lab) == [urgent.id, important.id, plain.id, lowered.id]


@pytest.mark.parametrize("priority", [-1001, 1001])
async def test_a_priority_beyond_the_range_is_refused_and_begins_nothing(lab: Lab, priority: int) -> None:
    with pytest.raises(InputError) as refused:
        await lab.engine.start(made(), priority=priority)
    assert refused.value.code == "run.priority"
    assert "-1000 to 1000" in refused.value.hint
    assert await lab.store.list_runs() == []


async def test_graphs_take_turns(lab: Lab) -> None:
    noisy = [await lab.engine.start(made("noisy")) for _ in range(4)]
    quiet = await lab.engine.start(made("quiet"))
    assert await begun(lab) == [noisy[0].id, quiet.id, *(run.id for run in noisy[1:])]


async def test_runs_with_the_same_key_are_a_group_whatever_their_graph(lab: Lab) -> None:
    by_user = {"fairness": {"key": "{{ $inputs.user || null }}", "weight": 2}}
    ann = [await lab.engine.start(made(name, **by_user), {"user": "ann"}) for name in ("one", "two", "one")]
    bob = await lab.engine.start(made("one", **by_user), {"user": "bob"})
    nobody = await lab.engine.start(made("one", **by_user))
    assert len({run.fairness for run in ann}) == 1
    assert nobody.fairness == "one"
    assert await begun(lab) == [ann[0].id, ann[1].id, bob.id, nobody.id, ann[2].id]


async def test_a_called_run_has_its_callers_priority_unless_its_graph_has_one(lab: Lab) -> None:
    for name, own, expected in (("plain", {}, 7), ("own", {"priority": 2}, 2)):
        lab.file(made(name, **own))
        call = {"use": "flow.graph", "with": {"graph": name, "wait": False}}
        run = await lab.engine.run(graph({"call": call}, id="calls"), priority=7)
        assert run.status == "completed"
        [called] = [found for found in await lab.store.list_runs() if found.parent_run == run.id]
        assert called.priority == expected


async def test_a_fork_and_a_successor_keep_their_priority(lab: Lab) -> None:
    nodes = {"work": {}, "again": {"use": "flow.restart"}}
    service = graph(nodes, ["work -> again"], settings={"fairness": {"key": "{{ 'all' }}", "weight": 4}})
    run = await lab.engine.run(service, priority=3)
    successor = await lab.store.get_run(run.continued_as or "")
    forked = await lab.engine.fork(run.id, "work")
    assert {(kept.priority, kept.fairness, kept.weight) for kept in (run, successor, forked)} == {(3, run.fairness, 4)}


@pytest.mark.parametrize(
    "said", ["priority: high", "priority: 1001", "priority: 1.5", "fairness: {weight: 0}", "fairness: {keys: a}"]
)
def test_a_graph_that_says_what_cannot_be_is_refused(said: str) -> None:
    with pytest.raises(GraphError) as caught:
        load_text(f"pyagent: 1\nid: a\nsettings:\n  {said}\nnodes:\n- {{id: a, use: flow.noop@1}}\n")
    assert said.partition(":")[0] in str(caught.value)
