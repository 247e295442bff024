"""LangGraph's own API on a compiled graph with a loop, an `any` join, a map and an approval."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import Command

import pyagent

PATIENCE = 20

GRAPH = """
pyagent: 1
id: everything
inputs: {words: {type: array, items: {type: string}}}
outputs:
  shouted: "{{ $('shout').all().map(item => item.json.text) }}"
  first: "{{ $('either').first().json.who }}"
  rounds: "{{ $state.rounds }}"
  decision: "{{ $('publish').first().json.words.length }}"
state:
  rounds: {type: array, reduce: append}
nodes:
  - {id: start, use: flow.manual@1}
  - {id: left, use: data.set@1, with: {fields: {who: left}}}
  - {id: right, use: data.set@1, with: {fields: {who: right}}}
  - {id: either, use: flow.noop@1, join: any}
  - {id: words, use: data.split@1, with: {field: words, into: text}}
  - id: shout
    use: flow.map@1
    body: {nodes: [{id: upper, use: data.set@1, with: {fields: {text: "{{ $json.text.toUpperCase() }}"}}}]}
  - {id: round, use: data.set@1, with: {fields: {n: "{{ ($json.n ?? 0) + 1 }}"}}, write: {rounds: "{{ $json.n }}"}}
  - {id: again, use: flow.if@1, with: {when: "{{ $json.n < 3 }}"}}
  - {id: ask, use: flow.approve@1, with: {title: Publish the words?}}
  - {id: publish, use: flow.noop@1}
edges:
  - start -> left
  - start -> right
  - left -> either
  - right -> either
  - start -> words
  - words -> shout
  - start -> round
  - round -> again
  - again.true -> round
  - start -> ask
  - ask.approved -> publish
"""

INPUTS = {"words": ["a", "b", "c"]}


@pytest.fixture(params=["memory", "ours"])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    if request.param == "memory":
        yield InMemorySaver()
        return
    async with pyagent.langgraph_saver(f"sqlite:///{tmp_path}/threads.db") as made:
        yield made


def thread(name: str = "one") -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


async def test_invoke_ends_with_an_interrupt_and_resumes_to_the_outputs(saver: BaseCheckpointSaver[Any]) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)

    paused = await graph.ainvoke(INPUTS, thread())
    asked = paused["__interrupt__"][0].value
    ended = await graph.ainvoke(Command(resume={"approved": True}), thread())

    assert (asked["node"], asked["kind"], asked["title"]) == ("ask", "approval", "Publish the words?")
    assert ended == {"shouted": ["A", "B", "C"], "first": "left", "rounds": [1, 2, 3], "decision": 3}


async def test_a_rejected_approval_skips_what_follows_and_its_output_is_null(saver: BaseCheckpointSaver[Any]) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)

    await graph.ainvoke(INPUTS, thread())
    ended = await graph.ainvoke(Command(resume={"approved": False}), thread())

    assert ended["decision"] is None
    assert ended["shouted"] == ["A", "B", "C"]


async def test_the_stream_modes_show_each_step(saver: BaseCheckpointSaver[Any]) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)
    found: dict[str, list[Any]] = {}

    async for mode, chunk in graph.astream(
        INPUTS, thread(), stream_mode=["values", "updates", "tasks", "custom", "checkpoints", "debug"]
    ):
        found.setdefault(mode, []).append(chunk)

    updated = [name for chunk in found["updates"] for name in chunk]
    assert updated.count("round") == 3
    assert {"left", "right", "either", "again", "upper"} <= set(updated)
    assert any("__interrupt__" in chunk for chunk in found["updates"])
    assert [chunk["state"]["rounds"] for chunk in found["values"] if "state" in chunk][-1] == [1, 2, 3]
    assert {chunk["name"] for chunk in found["tasks"]} >= {"start", "round", "ask"}
    assert {chunk["kind"] for chunk in found["custom"]} >= {"step.started", "step.completed"}
    assert found["checkpoints"]
    assert found["debug"]


async def test_history_goes_back_to_the_input_and_each_state_says_what_is_next(
    saver: BaseCheckpointSaver[Any],
) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)
    await graph.ainvoke(INPUTS, thread())

    history = [state async for state in graph.aget_state_history(thread())]
    now = await graph.aget_state(thread())

    assert now.next == ("ask",)
    assert now.interrupts[0].value["step"] == "ask"
    assert history[-1].metadata is not None
    assert history[-1].metadata["source"] == "input"
    assert any(set(state.next) == {"left", "right", "words", "round", "ask"} for state in history)


async def test_an_update_as_a_node_records_its_outcome_and_the_fork_goes_on_from_there(
    saver: BaseCheckpointSaver[Any],
) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)
    await graph.ainvoke(INPUTS, thread())
    history = [state async for state in graph.aget_state_history(thread())]
    before = next(state for state in history if "round" in state.next and "left" not in state.next)

    forked = await graph.aupdate_state(before.config, {"n": 99}, as_node="round")
    paused = await graph.ainvoke(None, forked)
    state = await graph.aget_state(thread())
    ended = await graph.ainvoke(Command(resume={"approved": True}), thread())

    assert "__interrupt__" in paused
    assert state.next == ("ask",)
    # The newest state in which a round is next is the third round. 99 is not below 3; what is given writes no state.
    assert ended["rounds"] == [1, 2]
    assert ended["shouted"] == ["A", "B", "C"]


async def test_an_update_of_a_node_that_has_run_forgets_what_followed_from_it(
    saver: BaseCheckpointSaver[Any],
) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)
    await graph.ainvoke(INPUTS, thread())

    await graph.aupdate_state(thread(), [{"text": "x"}, {"text": "y"}], as_node="words")
    await graph.ainvoke(None, thread())
    ended = await graph.ainvoke(Command(resume={"approved": True}), thread())

    assert ended["shouted"] == ["X", "Y"]
    assert ended["rounds"] == [1, 2, 3]


async def test_an_update_can_speak_for_the_waiting_step(saver: BaseCheckpointSaver[Any]) -> None:
    graph = pyagent.compile(GRAPH, checkpointer=saver)
    await graph.ainvoke(INPUTS, thread())

    await graph.aupdate_state(thread(), {"approved": [{"words": ["only"]}]}, as_node="ask")
    ended = await graph.ainvoke(None, thread())

    assert ended["decision"] == 1


async def test_of_two_approvals_each_lets_its_own_branch_go_on() -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: two
outputs: {a: "{{ $('after_a').first().json.done }}", b: "{{ $('after_b').first().json.done }}"}
nodes:
  - {id: start, use: flow.manual@1}
  - {id: ask_a, use: flow.approve@1, with: {title: A}}
  - {id: ask_b, use: flow.approve@1, with: {title: B}}
  - {id: after_a, use: data.set@1, with: {fields: {done: a}}}
  - {id: after_b, use: data.set@1, with: {fields: {done: b}}}
edges: [start -> ask_a, start -> ask_b, ask_a.approved -> after_a, ask_b.approved -> after_b]
""",
        checkpointer=InMemorySaver(),
    )
    paused = await graph.ainvoke({}, thread())
    by_title = {found.value["title"]: found.id for found in paused["__interrupt__"]}

    resumed = graph.astream(Command(resume={by_title["A"]: {"approved": True}}), thread(), stream_mode="updates")
    seen = [chunk async for chunk in resumed]
    state = await graph.aget_state(thread())
    ended = await graph.ainvoke(Command(resume={"approved": True}), thread())

    assert "after_a" in {name for chunk in seen for name in chunk}
    assert state.next == ("ask_b",)
    assert ended == {"a": "a", "b": "b"}


async def test_without_a_checkpointer_a_graph_runs_to_its_outputs() -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: hello
inputs: {name: {type: string}}
outputs: {greeting: "{{ $('greet').first().json.text }}"}
nodes:
  - {id: greet, use: data.set@1, with: {fields: {text: "Hello {{ $json.name }}"}}}
"""
    )

    assert await graph.ainvoke({"name": "Ada"}) == {"greeting": "Hello Ada"}


async def test_a_failure_is_raised_with_its_code_and_the_run_can_be_tried_again() -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: failing
nodes:
  - {id: bad, use: flow.fail@1, with: {message: not today, code: node.today}}
""",
        checkpointer=InMemorySaver(),
    )

    with pytest.raises(pyagent.PyAgentError) as failed:
        await graph.ainvoke({}, thread())
    with pytest.raises(pyagent.PyAgentError) as again:
        await graph.ainvoke(None, thread())

    assert failed.value.code == again.value.code == "node.today"
    assert failed.value.where.node == "bad"
    assert (await graph.aget_state(thread())).next == ("bad",)


async def test_new_inputs_on_a_thread_that_has_ended_start_a_new_run() -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: twice
inputs: {n: {type: integer}}
outputs: {n: "{{ $('double').first().json.n }}"}
nodes: [{id: double, use: data.set@1, with: {fields: {n: "{{ $json.n * 2 }}"}}}]
""",
        checkpointer=InMemorySaver(),
    )

    assert [(await graph.ainvoke({"n": n}, thread()))["n"] for n in (1, 2, 3)] == [2, 4, 6]


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_branches_share_the_places_that_max_concurrency_leaves(most: int) -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: branches
outputs: {a: "{{ $('a2').first().json.x }}", b: "{{ $('b3').first().json.x }}", c: "{{ $('c2').first().json.x }}"}
nodes:
  - {id: start, use: flow.manual@1}
  - {id: a1, use: flow.wait@1, with: {for: 10ms}}
  - {id: a2, use: data.set@1, with: {fields: {x: 1}}, effects: idempotent}
  - {id: b1, use: data.set@1, with: {fields: {x: 2}}, effects: idempotent}
  - {id: b2, use: data.set@1, with: {fields: {x: 3}}, effects: idempotent}
  - {id: b3, use: data.set@1, with: {fields: {x: 4}}, effects: once}
  - {id: c1, use: data.set@1, with: {fields: {x: 5}}, effects: once}
  - {id: c2, use: data.set@1, with: {fields: {x: 6}}, effects: once}
edges: [start -> a1, a1 -> a2, start -> b1, b1 -> b2, b1 -> b3, start -> c1, c1 -> c2]
"""
    )

    running = graph.ainvoke({}, {"max_concurrency": most})
    assert await asyncio.wait_for(running, PATIENCE) == {"a": 1, "b": 4, "c": 6}


async def test_steps_that_ask_side_by_side_need_no_places_side_by_side() -> None:
    graph = pyagent.compile(
        """
pyagent: 1
id: two
outputs: {a: "{{ $('ask_a').first().json }}", b: "{{ $('ask_b').first().json }}"}
nodes:
  - {id: start, use: flow.manual@1}
  - {id: ask_a, use: flow.approve@1, with: {title: A}}
  - {id: ask_b, use: flow.approve@1, with: {title: B}}
edges: [start -> ask_a, start -> ask_b]
""",
        checkpointer=InMemorySaver(),
    )
    config = {**thread(), "max_concurrency": 1}

    asked = await asyncio.wait_for(graph.ainvoke({}, config), PATIENCE)
    answers = {found.id: {"approved": True} for found in asked["__interrupt__"]}
    ended = await asyncio.wait_for(graph.ainvoke(Command(resume=answers), config), PATIENCE)

    assert len(answers) == 2
    assert set(ended) == {"a", "b"}


async def test_a_run_of_the_engine_inside_a_langgraph_node_is_no_subgraph_of_that_graph(tmp_path: Path) -> None:
    class State(TypedDict):
        status: str

    branches = """
pyagent: 1
id: branches
nodes:
  - {id: start, use: flow.manual@1}
  - {id: a1, use: data.set@1, with: {fields: {x: 1}}, effects: idempotent}
  - {id: b1, use: data.set@1, with: {fields: {x: 2}}, effects: once}
edges: [start -> a1, start -> b1]
"""
    saver = InMemorySaver()
    async with pyagent.Engine.open(f"sqlite:///{tmp_path}/runs.db") as engine:

        async def run(state: State) -> State:
            return {"status": (await engine.run(branches)).status}

        outer = StateGraph(State).add_node("run", run).set_entry_point("run").compile(checkpointer=saver)
        running = outer.ainvoke({"status": ""}, {**thread(), "max_concurrency": 1})
        assert await asyncio.wait_for(running, PATIENCE) == {"status": "completed"}

    namespaces = {found.config["configurable"]["checkpoint_ns"] async for found in saver.alist(thread())}
    assert namespaces == {""}
