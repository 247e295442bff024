"""Expressions that mean harm end within their limits, change nothing, and leave a real server answering."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from expression_attacks import ESCAPES, LARGE, SLOW
from pyagent.errors import ExpressionError
from pyagent.runtime.expressions import EvaluationContext, Expressions, NodeView
from pyagent.sdk.later import in_time
from server_process import ServerProcess

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CONTEXT = EvaluationContext(
    now=datetime(2026, 1, 2, tzinfo=UTC),
    json={"a": 1},
    items={"in": [{"json": {"a": 1}}]},
    node={"A": NodeView(items=[{"json": {"x": 1}}])}.get,
)
CLEAN = (
    "{{ typeof polluted === 'undefined' && ({}).polluted === undefined && [1].map(x => x + 1)[0] === 2"
    " && JSON.stringify([1]) === '[1]' && $input.first().json.a === 1 && Date.now() > 0 }}"
)
ATTACKS = ["backtracking", "caught interrupts", "texts that share their parts", "holes", "large integers", "a getter"]


@pytest.mark.parametrize("code", SLOW.values(), ids=SLOW)
def test_what_never_ends_ends(code: str) -> None:
    expressions = Expressions(time_limit=0.3)
    with pytest.raises(ExpressionError) as caught:
        expressions.evaluate("{{ " + code + " }}", CONTEXT)
    assert caught.value.code in ("expr.timeout", "expr.memory", "expr.failed")
    assert expressions.evaluate(CLEAN, CONTEXT) is True


@pytest.mark.parametrize("code", LARGE.values(), ids=LARGE)
def test_what_wants_everything_gets_its_share(code: str) -> None:
    expressions = Expressions(time_limit=5.0, memory_limit=32 << 20)
    with pytest.raises(ExpressionError) as caught:
        expressions.evaluate("{{ " + code + " }}", CONTEXT)
    assert caught.value.code in ("expr.memory", "expr.failed", "expr.timeout", "expr.syntax")
    assert expressions.evaluate(CLEAN, CONTEXT) is True


@pytest.mark.parametrize("where", ["here", "apart"])
@pytest.mark.parametrize("code", ESCAPES.values(), ids=ESCAPES)
def test_there_is_no_way_out(code: str, where: str) -> None:
    expressions = Expressions()
    whole = code if where == "here" else f"(() => {{ for (;;) return {code} }})()"
    try:
        value = expressions.evaluate("{{ " + whole + " }}", CONTEXT)
    except ExpressionError:
        value = None
    assert value is None or value == {}
    assert expressions.evaluate(CLEAN, CONTEXT) is True
    assert Expressions().evaluate(CLEAN, CONTEXT) is True


async def test_many_at_once_leave_the_event_loop_to_others() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    async def attack(code: str) -> None:
        expressions = Expressions(time_limit=0.3)
        with pytest.raises(ExpressionError):
            await in_time(partial(expressions.evaluate, "{{ " + code + " }}", CONTEXT, waits=False))

    counting = asyncio.create_task(count())
    await asyncio.gather(*(attack(code) for code in SLOW.values()))
    counting.cancel()
    assert turns > 200


def test_a_server_answers_while_graphs_attack_it(tmp_path: Path) -> None:
    for number, name in enumerate(ATTACKS):
        graph = {
            "pyagent": 1,
            "id": f"attack{number}",
            "outputs": {"value": "{{ $('work').first().json.value }}"},
            "nodes": [{"id": "work", "use": "data.set@1", "with": {"fields": {"value": "{{ " + SLOW[name] + " }}"}}}],
        }
        (tmp_path / f"attack{number}.yaml").write_text(json.dumps(graph))
    greet = {
        "pyagent": 1,
        "id": "greet",
        "outputs": {"hello": "{{ (() => { for (;;) return 6 * 7 })() }}"},
        "nodes": [{"id": "work", "use": "flow.noop@1"}],
    }
    (tmp_path / "greet.yaml").write_text(json.dumps(greet))
    with ServerProcess(tmp_path) as server:
        runs = [server.post("/runs", {"graph": f"attack{number}"})["id"] for number in range(len(ATTACKS))]
        while any(server.get(f"/runs/{run}")["status"] in ("queued", "running") for run in runs):
            pass
        ended = [server.get(f"/runs/{run}") for run in runs]
        assert [run["error"]["code"] for run in ended] == ["expr.timeout"] * len(runs)
        after = server.post("/runs", {"graph": "greet"})["id"]
        while (run := server.get(f"/runs/{after}"))["status"] in ("queued", "running"):
            pass
        assert run["outputs"] == {"hello": 42}
