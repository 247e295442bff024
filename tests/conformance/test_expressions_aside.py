"""Expressions that may take long, wherever a run evaluates one: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from engine_lab import PATIENCE, SPLIT, Lab, graph, numbers
from pyagent.runtime import expressions
from pyagent.sdk import NodeTimeout


def wild(code: str) -> str:
    """A template that runs where it can be killed."""
    return "{{ (() => { for (;;) return " + code + " })() }}"


class Aside:
    """Lets no such expression run before the event loop has had a turn; one that the loop itself waits for fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.evaluated = 0
        loop, run = asyncio.get_running_loop(), expressions.run_apart

        def held(*given: Any) -> Any:
            turn = threading.Event()
            loop.call_soon_threadsafe(turn.set)
            assert turn.wait(PATIENCE), "the event loop waits for an expression"
            self.evaluated += 1
            return run(*given)

        monkeypatch.setattr(expressions, "run_apart", held)


@pytest.fixture
async def aside(monkeypatch: pytest.MonkeyPatch) -> Aside:
    return Aside(monkeypatch)


async def test_a_loop_that_waited_for_an_expression_would_be_noticed(
    aside: Aside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_expressions_aside.PATIENCE", 0)
    with pytest.raises(AssertionError, match="waits for an expression"):
        expressions.Expressions().evaluate(wild("1"), expressions.EvaluationContext(now=None))  # type: ignore[arg-type]


async def test_parameters_state_writes_and_outputs(lab: Lab, aside: Aside) -> None:
    made = graph(
        {"a": {"value": wild("$json.n + 1"), "write": {"seen": wild("$json.n + 2"), "also": wild("$json.n + 3")}},
         "b": {"use": "lab.each", "value": wild("$json.n + 4")},
         "c": {"value": wild("$json.n + 5"), "effects": wild("'none'"), "write": {"also": "{{ $state.also }}"}}},
        ["a -> b", "b -> c"],
        state={"seen": {"type": "number"}, "also": {"type": "number"}},
        outputs={"one": wild("$state.seen"), "two": wild("$state.also"), "three": "{{ 3 }}"},
    )  # fmt: skip
    run = await lab.run(made, {"n": 1})
    assert run.status == "completed", run.error
    assert lab.values == {"a": 2, "b#0": 5, "c": 6}
    assert await lab.outputs(run) == {"one": 3, "two": 4, "three": 3}
    assert aside.evaluated >= 7


async def test_outputs_of_called_graphs(lab: Lab, aside: Aside) -> None:
    lab.file(graph({"x": {}}, id="called", outputs={"n": wild("$json.n * 2"), "m": wild("$json.n * 3")}))
    run = await lab.run(
        graph({"split": SPLIT, "call": {"use": "flow.map", "with": {"graph": "called"}}, "end": {}},
              ["split -> call", "call -> end"], outputs={"all": "{{ $('end').all().map(item => item.json) }}"}),
        numbers(1, 2),
    )  # fmt: skip
    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"all": [{"n": 2, "m": 3}, {"n": 4, "m": 6}]}
    assert aside.evaluated == 4


async def test_keys_of_concurrency_and_fairness(lab: Lab, aside: Aside) -> None:
    settings = {"concurrency": {"key": wild("$inputs.n"), "limit": 1}, "fairness": {"key": wild("$inputs.n + 1")}}
    run = await lab.run(graph({"a": {}}, settings=settings), {"n": 1})
    assert run.status == "completed"
    assert run.slot is not None
    assert aside.evaluated == 2


@pytest.mark.parametrize("ending", ["flow.stop", "flow.restart"])
async def test_endings_of_a_graph(lab: Lab, aside: Aside, ending: str) -> None:
    made = graph({"a": {}, "end": {"use": ending, "write": {"seen": wild("7")}}}, ["a -> end"],
                 state={"seen": {"type": "number"}}, outputs={"n": wild("$inputs.n")})  # fmt: skip
    run = await lab.run(made, {"n": 1})
    assert run.status == "completed", run.error
    assert aside.evaluated >= 1
    if ending == "flow.stop":
        assert await lab.outputs(run) == {"n": 1}


async def test_migrations_of_state_when_a_run_begins_anew_and_when_it_is_forked(lab: Lab, aside: Aside) -> None:
    def version(seen: Any) -> Any:
        return graph(
            {"note": {"write": {"seen": "{{ 5 }}"}}, "ask": {"use": "flow.approve"},
             "anew": {"use": "flow.restart", "write": {"seen": wild("6")}}},
            ["note -> ask", "ask.approved -> anew"], state={"seen": seen}, id="service",
        )  # fmt: skip

    old = version({"type": "array", "reduce": "append"})
    new = version({"type": "number", "reduce": "add", "migrate": wild("$state.seen.length")})
    lab.file(old)
    run = await lab.run("service", {})
    lab.file(new)
    fork = await lab.engine.fork(run.id, "ask", graph=new)
    assert (await lab.engine.log(fork.id))[0].data["state"] == {"seen": 1}
    await lab.engine.answer(run.id, "", {"approved": True})
    ended = await lab.drive(run, lab.another_engine())
    (first, *_) = await lab.engine.log(ended.continued_as or "")
    assert first.data["state"] == {"seen": 2}
    assert aside.evaluated >= 3


async def test_state_writes_of_steps_that_people_settle(lab: Lab, aside: Aside) -> None:
    made = graph({"send": {"effects": "once", "write": {"seen": wild("$json.n + 1")}}, "end": {}},
                 ["send -> end"], state={"seen": {"type": "number", "default": 1}},
                 outputs={"seen": "{{ $state.seen }}"})  # fmt: skip
    lab.raises("send", NodeTimeout("nobody knows"))
    run = await lab.run(made, {"n": 1})
    assert run.status == "waiting"
    await lab.engine.resolve(run.id, "send", "done", items=[{"n": 5}])
    ended = await lab.drive(run)
    assert (ended.status, await lab.outputs(ended)) == ("completed", {"seen": 6})
    forked = await lab.engine.fork(run.id, "send", items=[{"n": 7}])
    assert await lab.outputs(await lab.drive(forked)) == {"seen": 8}
    assert aside.evaluated == 2


async def test_parameters_that_a_node_asks_for_by_item(
    lab: Lab, aside: Aside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_CREDENTIAL_FILE", json.dumps({"url": f"sqlite:///{tmp_path}/rows.db"}))
    table = {"credential": "file", "mode": "execute", "statement": "CREATE TABLE IF NOT EXISTS rows (n integer)"}
    insert = {"credential": "file", "mode": "insert", "table": "rows", "values": {"n": wild("$json.n * 2")}}
    select = {
        "credential": "file",
        "statement": "SELECT n FROM rows WHERE n = :n",
        "values": {"n": wild("$json.n * 2")},
    }
    nodes = {
        "table": {"use": "io.sql", "with": table, "effects": "idempotent"},
        "split": SPLIT,
        "text": {
            "use": "data.template",
            "with": {"template": "n", "binary": "file", "file_name": wild("`${$json.n}.txt`")},
        },
        "pack": {"use": "io.zip", "with": {"path": wild("`a/${$json.n}.txt`")}},
        "rows": {"use": "io.sql", "with": insert},
        "read": {"use": "io.sql", "with": select},
        "shell": {
            "use": "code.shell",
            "with": {"script": "echo $N", "mode": "each", "env": {"N": wild("`${$json.n}`")}},
        },
    }
    edges = ["table -> split", "split -> text", "text -> pack", "split -> rows", "rows -> read", "split -> shell"]
    outputs = {
        "pack": "{{ $('pack').first().json.files }}",
        "read": "{{ $('read').all().map(item => item.json.n) }}",
        "shell": "{{ $('shell').all().map(item => item.json.stdout.trim()) }}",
    }
    run = await lab.run(graph(nodes, edges, outputs=outputs), numbers(1, 2))
    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"pack": 2, "read": [2, 4], "shell": ["1", "2"]}
    assert aside.evaluated >= 10
